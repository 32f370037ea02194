//! Choices of a build that will hurt are told, each with its code, and good ones are not.

use rebake_planner::{
    plan::{Plan, PlanOptions, plan},
    tree::memory::MemoryTree,
};

const CGO: &str =
    "package main\n\n// int one(void) { return 1; }\nimport \"C\"\n\nfunc main() { C.one() }\n";
const PLAIN: &str = "package main\n\nfunc main() {}\n";
const NET: &str = "package main\n\nimport _ \"net/http\"\n\nfunc main() {}\n";
const DIGEST: &str = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn planned(source: &str, config: &str, dockerfile: &str) -> Plan {
    let mut tree = MemoryTree::new()
        .with_file("go.mod", "module ex.com/m\n\ngo 1.24\n")
        .and_then(|tree| tree.with_file("cmd/api/main.go", source))
        .and_then(|tree| tree.with_file("rebake.toml", config))
        .expect("clean paths");
    if !dockerfile.is_empty() {
        tree = tree
            .with_file("Dockerfile", dockerfile)
            .expect("a clean path");
    }
    plan(&tree, &PlanOptions::new()).expect("a plan")
}

fn lints(source: &str, config: &str) -> Vec<String> {
    let found = planned(source, config, "").lints();
    found
        .iter()
        .map(|lint| {
            assert_eq!(lint.services, ["api"], "{lint:?}");
            lint.code.to_string()
        })
        .collect()
}

#[test]
fn choices_that_will_hurt_are_told() {
    let pinned = format!("go-image = \"golang:1.24@{DIGEST}\"\n");
    let cases: [(&str, &str, &str, &[&str]); 17] = [
        ("nothing chosen", PLAIN, "", &["unpinned-image"]),
        (
            "scratch needs no digest",
            PLAIN,
            "runtime = \"scratch\"",
            &[],
        ),
        (
            "cgo on static",
            CGO,
            "runtime = \"distroless-static\"\ncgo = true",
            &["cgo-without-c-library", "unpinned-image"],
        ),
        (
            "cgo on scratch",
            CGO,
            "runtime = \"scratch\"\ncgo = true",
            &["cgo-without-c-library"],
        ),
        (
            "cgo that nothing uses",
            PLAIN,
            "runtime = \"scratch\"\ncgo = true",
            &[],
        ),
        (
            "cgo of the standard library",
            NET,
            "runtime = \"scratch\"\ncgo = true",
            &["cgo-without-c-library"],
        ),
        ("the same without cgo", NET, "runtime = \"scratch\"", &[]),
        (
            "glibc on musl",
            CGO,
            "runtime = \"alpine\"\ncgo = true",
            &["cgo-with-other-c-library", "unpinned-image"],
        ),
        (
            "musl on musl",
            CGO,
            "go-image = \"golang:1.24-alpine\"\nruntime = \"alpine\"\ncgo = true",
            &["unpinned-image"],
        ),
        (
            "musl on glibc",
            CGO,
            "go-image = \"golang:1.24-alpine\"\ncgo = true",
            &["cgo-with-other-c-library", "unpinned-image"],
        ),
        (
            "an image of one's own",
            CGO,
            "runtime = \"ex.com/base:1\"\ncgo = true",
            &["unpinned-image"],
        ),
        (
            "cgo for several platforms",
            CGO,
            "runtime = \"ex.com/base:1\"\ncgo = true\nplatforms = [\"linux/amd64\", \"linux/arm64\"]",
            &["unpinned-image", "cgo-on-several-platforms"],
        ),
        (
            "several platforms without cgo",
            CGO,
            "runtime = \"scratch\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]",
            &[],
        ),
        (
            "cgo for several levels of one architecture",
            CGO,
            "runtime = \"ex.com/base:1\"\ncgo = true\nplatforms = [\"linux/amd64\", \"linux/amd64/v3\"]",
            &["unpinned-image"],
        ),
        (
            "a Go image that is too old",
            PLAIN,
            "go-image = \"golang:1.23\"\nruntime = \"scratch\"",
            &["go-image-too-old", "unpinned-image"],
        ),
        (
            "a newer Go image",
            PLAIN,
            "go-image = \"golang:1.25\"\nruntime = \"scratch\"",
            &["go-image-differs", "unpinned-image"],
        ),
        (
            "the patch of a release",
            PLAIN,
            "go-image = \"golang:1.24.3\"\nruntime = \"scratch\"",
            &["unpinned-image"],
        ),
    ];
    for (name, source, config, expected) in cases {
        let mut config = config.to_owned();
        if !config.contains("go-image") && name != "nothing chosen" {
            config = format!("{pinned}{config}");
        }
        assert_eq!(lints(source, &config), expected, "{name}");
    }
}

#[test]
fn a_choice_is_told_at_rebake_toml_where_there_is_one() {
    let places = |tree: MemoryTree| -> Vec<Option<String>> {
        let lints = plan(&tree, &PlanOptions::new()).expect("a plan").lints();
        let paths = lints.iter().map(|lint| lint.path.as_ref());
        paths.map(|path| path.map(ToString::to_string)).collect()
    };
    let bare = MemoryTree::new()
        .with_file("go.mod", "module ex.com/m\n\ngo 1.24\n")
        .and_then(|tree| tree.with_file("cmd/api/main.go", PLAIN))
        .expect("clean paths");
    assert_eq!(places(bare.clone()), [None]);
    let configured = bare.with_file("rebake.toml", "").expect("a clean path");
    assert_eq!(places(configured), [Some("rebake.toml".to_owned())]);
}

fn certificates(source: &str, dockerfile: &str) -> bool {
    let config = "[[service]]\ndir = \"cmd/api\"\ndockerfile = \"Dockerfile\"\n";
    let plan = planned(source, config, dockerfile);
    assert!(
        plan.images.iter().all(|image| image.keys.is_some()),
        "{:?}",
        plan.diagnostics
    );
    plan.diagnostics
        .iter()
        .any(|diagnostic| diagnostic.code.as_str() == "missing-certificates")
}

#[test]
fn an_empty_last_stage_without_certificates_is_told_to_programs_that_speak_tls() {
    let build = "FROM golang:1.24 AS build\nCOPY . .\nRUN go build -o /api ./cmd/api\n";
    let cases = [
        (NET, "FROM scratch\nCOPY --from=build /api /api\n", true),
        (
            NET,
            "FROM scratch AS final\nCOPY --from=build [\"/api\", \"/api\"]\n",
            true,
        ),
        (PLAIN, "FROM scratch\nCOPY --from=build /api /api\n", false),
        (NET, "FROM alpine\nCOPY --from=build /api /api\n", false),
        (
            NET,
            "FROM scratch\nCOPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/\n",
            false,
        ),
        (
            NET,
            "FROM scratch\nCOPY --from=build [\"/rootfs\", \"/\"]\n",
            false,
        ),
    ];
    for (source, last, expected) in cases {
        assert_eq!(
            certificates(source, &format!("{build}{last}")),
            expected,
            "{last}"
        );
    }
}
