//! What rebake.toml declares: rules, groups, exclusions, Dockerfiles, and services without Go.

use crate::rendering::{render_plan, tree_of};
use rebake_planner::{
    decide::Verdict,
    plan::{BaselineImage, Plan, PlanOptions, plan},
    tree::memory::MemoryTree,
};

const CONFIG: &str = r#"
[[service]]
dir = "services/api"
assets = ["deploy/api"]
exclude = ["**/*.md"]
dockerfile = "services/api/Dockerfile"

[[service]]
dir = "web"
kind = "dockerfile"
dockerfile = "web/Dockerfile"
inputs = ["web/**"]

[groups]
edge = ["api", "web"]

[[rule]]
paths = ["schema/internal/**"]
affects = "none"

[[rule]]
paths = ["schema/**"]
affects = ["@edge"]

[[rule]]
paths = ["schema/worker.sql", "scripts"]
affects = ["worker"]

[[rule]]
paths = ["global.env"]
affects = "all"
"#;

fn shop() -> MemoryTree {
    tree_of([
        ("rebake.toml", CONFIG),
        ("go.mod", "module ex.com/shop\n\ngo 1.24\n"),
        ("services/api/main.go", "package main\n\nfunc main() {}\n"),
        ("services/api/Dockerfile", "FROM scratch\n"),
        (
            "services/worker/main.go",
            "package main\n\nfunc main() {}\n",
        ),
        ("deploy/api/config.yaml", "a: 1\n"),
        ("deploy/api/README.md", "read me\n"),
        ("web/Dockerfile", "FROM node\n"),
        ("web/index.html", "<html>\n"),
        ("web/main.go", "package main\n\nfunc main() {}\n"),
        ("schema/a.sql", "select 1\n"),
        ("schema/worker.sql", "select 2\n"),
        ("schema/internal/notes.txt", "x\n"),
        ("scripts/run.sh", "x\n"),
        ("global.env", "A=1\n"),
    ])
}

fn planned(tree: &MemoryTree) -> Plan {
    plan(tree, &PlanOptions::new()).unwrap()
}

#[test]
fn declared_files_reach_the_services_that_they_are_declared_for() {
    let cases: &[(&str, &[&str])] = &[
        ("services/api/main.go", &["api"]),
        ("services/api/Dockerfile", &["api"]),
        ("deploy/api/config.yaml", &["api"]),
        ("deploy/api/README.md", &[]),
        ("web/Dockerfile", &["web"]),
        ("web/index.html", &["web"]),
        // Its Go files are files like any others.
        ("web/main.go", &["web"]),
        ("schema/a.sql", &["api", "web"]),
        // The first rule that matches decides.
        ("schema/worker.sql", &["api", "web"]),
        ("schema/internal/notes.txt", &[]),
        ("scripts/run.sh", &["worker"]),
        ("global.env", &["api", "web", "worker"]),
    ];
    let before = planned(&shop());
    assert!(before.diagnostics.is_empty(), "{:#?}", before.diagnostics);
    let baseline: Vec<BaselineImage> = before.images.iter().map(BaselineImage::from).collect();
    for (path, expected) in cases {
        let changed = shop().with_file(path, "package main // changed\n").unwrap();
        let mut after = planned(&changed);
        after.compare_with(&baseline);
        after.note_changes(&[(*path).to_owned()], &baseline);
        let rebuilt: Vec<&str> = after
            .images
            .iter()
            .filter(|image| image.verdict == Verdict::Rebuild)
            .map(|image| image.inputs.service.as_str())
            .collect();
        assert_eq!(rebuilt, *expected, "{path}");
        assert_eq!(after.unaffected.is_empty(), !expected.is_empty(), "{path}");
    }
}

#[test]
fn what_is_declared_in_vain_is_told() {
    let tree = |config: &str| {
        tree_of([
            ("rebake.toml", config),
            ("go.mod", "module ex.com/shop\n\ngo 1.24\n"),
            ("services/api/main.go", "package main\n\nfunc main() {}\n"),
        ])
    };
    let cases = [
        "[[rule]]\npaths = [\"nothing/**\"]\naffects = \"all\"\n",
        "[[rule]]\npaths = [\"go.mod\"]\naffects = [\"apu\"]\n",
        "[[rule]]\npaths = [\"go.mod\"]\naffects = [\"@edge\"]\n",
        "[groups]\nedge = [\"nobody\"]\n",
        "[[rule]]\npaths = [\"services/**\"]\naffects = \"none\"\n",
        "[[service]]\ndir = \"services/api\"\ninputs = [\"go.mod\"]\nexclude = [\"*.md\"]\n",
        "[[service]]\ndir = \"services/api\"\ndockerfile = \"Dockerfile\"\n",
        "[[service]]\ndir = \"services/apo\"\n",
        "[[service]]\ndir = \"web\"\n",
    ];
    let text: Vec<String> = cases
        .iter()
        .map(|config| format!("{config}\n{}", render_plan(&planned(&tree(config)))))
        .collect();
    insta::assert_snapshot!(text.join("\n---\n"));
}

#[test]
fn a_name_that_renames_another_service_is_told() {
    let tree = |config: &str| {
        let main = "package main\n\nfunc main() {}\n";
        let files = [
            ("rebake.toml", config),
            ("go.mod", "module ex.com/shop\n\ngo 1.24\n"),
            ("services/api/main.go", main),
            ("services/old/main.go", main),
        ];
        render_plan(&planned(&tree_of(files)))
    };
    insta::assert_snapshot!(tree("cgo = false\n\n[[service]]\ndir = \"services/old\"\nname = \"api\"\n"), @"
    api has a key
    services-api has a key
    warning[name-taken] rebake.toml:3:1: `services/old` is given the name `api`, which `services/api` has by default; that one is called `services-api` now: choose another name, or give it one too
    ");
    insta::assert_snapshot!(tree("[[service]]\ndir = \"services/old\"\nname = \"older\"\n"), @"
    api has a key
    older has a key
    ");
}

/// A Go service and one without Go, both with Dockerfiles of their own.
fn with_dockerfiles() -> MemoryTree {
    tree_of([
        (
            "rebake.toml",
            "[[service]]\ndir = \"services/api\"\ndockerfile = \"services/api/Dockerfile\"\n\n[[service]]\ndir = \"web\"\nkind = \"dockerfile\"\ndockerfile = \"web/Dockerfile\"\ncontext = \"web\"\n",
        ),
        ("go.mod", "module ex.com/shop\n\ngo 1.24\n"),
        ("services/api/main.go", "package main\n\nfunc main() {}\n"),
        (
            "services/api/Dockerfile",
            "FROM golang AS build\nCOPY go.mod ./\nCOPY lib/ lib/\nCOPY . .\nRUN CGO_ENABLED=0 go build -o /api ./services/api\nFROM scratch\nCOPY --from=build /api /api\nCOPY etc/*.yaml /etc/\nCOPY tools/gen.go /\n",
        ),
        ("lib/lib.go", "package lib\n"),
        ("lib/schema.sql", "select 1\n"),
        ("etc/a.yaml", "a: 1\n"),
        ("etc/a.md", "text\n"),
        ("tools/gen.go", "package tools\n"),
        ("README.md", "read me\n"),
        ("web/Dockerfile", "FROM node\nCOPY . .\n"),
        ("web/.dockerignore", "*\n!src\nsrc/**/*.test.js\n"),
        ("web/src/index.js", "1\n"),
        ("web/src/deep/a.test.js", "1\n"),
        ("web/notes.txt", "x\n"),
    ])
}

#[test]
fn what_a_dockerfile_copies_is_an_input() {
    let cases: &[(&str, &[&str])] = &[
        ("services/api/main.go", &["api"]),
        ("services/api/Dockerfile", &["api"]),
        // Go does not import it, and the stage that copies it compiles.
        ("lib/lib.go", &[]),
        ("lib/schema.sql", &["api"]),
        ("etc/a.yaml", &["api"]),
        ("etc/b.yaml", &["api"]),
        ("etc/a.md", &[]),
        // The last stage puts it into the image.
        ("tools/gen.go", &["api"]),
        ("README.md", &[]),
        ("web/Dockerfile", &["web"]),
        ("web/src/index.js", &["web"]),
        ("web/src/new.js", &["web"]),
        ("web/src/deep/a.test.js", &[]),
        ("web/notes.txt", &[]),
    ];
    let before = planned(&with_dockerfiles());
    let codes: Vec<&str> = before
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code.as_str())
        .collect();
    assert_eq!(codes, [""; 0], "{:#?}", before.diagnostics);
    let baseline: Vec<BaselineImage> = before.images.iter().map(BaselineImage::from).collect();
    for (path, expected) in cases {
        let changed = with_dockerfiles()
            .with_file(path, "package main // changed\n")
            .unwrap();
        let mut after = planned(&changed);
        after.compare_with(&baseline);
        let rebuilt: Vec<&str> = after
            .images
            .iter()
            .filter(|image| image.verdict == Verdict::Rebuild)
            .map(|image| image.inputs.service.as_str())
            .collect();
        assert_eq!(rebuilt, *expected, "{path}");
    }
}

/// A Go service with this Dockerfile, beside files that only some Dockerfiles take.
fn with_dockerfile(dockerfile: &str) -> MemoryTree {
    let main = "package main\n\nfunc main() {}\n";
    tree_of([
        (
            "rebake.toml",
            "[[service]]\ndir = \"cmd/api\"\ndockerfile = \"Dockerfile\"\n",
        ),
        ("go.mod", "module ex.com/shop\n\ngo 1.24\n"),
        ("cmd/api/main.go", main),
        ("cmd/api/more.go", "package main\n"),
        ("cmd/api/main_test.go", "package main\n"),
        (
            "cmd/api/tool.go",
            "//go:build ignore\n\npackage main\n\nfunc main() {}\n",
        ),
        ("cmd/health/main.go", main),
        ("lib/prod.go", "//go:build prod\n\npackage lib\n"),
        ("migrations/1.sql", "select 1\n"),
        ("bpf/prog.c", "int x;\n"),
        ("etc/entry.sh", "#!/bin/sh\n"),
        ("README.md", "read me\n"),
        ("Dockerfile", dockerfile),
    ])
}

#[test]
fn what_a_stage_may_hand_on_besides_the_program_counts() {
    const BUILD: &str = "FROM golang:1.24 AS build\nWORKDIR /src\nENV CGO_ENABLED=0\nCOPY . .\n";
    const IMAGE: &str = "FROM scratch\nCOPY --from=build /out/api /api\n";
    // The stages, the file that is edited, and whether the edit counts.
    let cases: &[(&str, String, &str, bool)] = &[
        (
            "one build of the main package",
            format!(
                "{BUILD}RUN apk add git && go mod download\nRUN GOOS=$TARGETOS go build -trimpath -ldflags=\"-s -w -X main.v=$V\" -o /out/api ./cmd/api\n{IMAGE}"
            ),
            "README.md",
            false,
        ),
        (
            "by its import path, under its own name, with certificates",
            format!(
                "{BUILD}RUN go build -o /out/ ex.com/shop/cmd/api\nFROM scratch\nCOPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/\nCOPY --from=0 /out/api /\n"
            ),
            "cmd/health/main.go",
            false,
        ),
        (
            "installed, beside a tool",
            format!(
                "{BUILD}RUN go install ex.com/tool@v1.2.3 && cd cmd/api && go install .\nFROM scratch\nCOPY --from=build /go/bin/api /\n"
            ),
            "README.md",
            false,
        ),
        (
            "files of the main package",
            format!("{BUILD}RUN go build -o /out/api ./cmd/api/main.go ./cmd/api/more.go\n{IMAGE}"),
            "README.md",
            false,
        ),
        (
            "a file, under its own name",
            "FROM golang AS build\nCOPY . .\nRUN cd cmd/api && CGO_ENABLED=0 go build -trimpath main.go\nFROM scratch\nCOPY --from=build /go/cmd/api/main /\n".to_owned(),
            "README.md",
            false,
        ),
        (
            "another file that is built",
            format!("{BUILD}RUN cd cmd/api && go build -o /out/api main.go more.go\n{IMAGE}"),
            "cmd/api/more.go",
            true,
        ),
        (
            "the package's own name, which a file does not give",
            "FROM golang AS build\nCOPY . .\nRUN cd cmd/api && CGO_ENABLED=0 go build main.go\nFROM scratch\nCOPY --from=build /go/cmd/api/api /\n".to_owned(),
            "README.md",
            true,
        ),
        (
            "a file that is left out of the package",
            format!("{BUILD}RUN go build -o /out/api cmd/api/tool.go\n{IMAGE}"),
            "cmd/api/tool.go",
            true,
        ),
        (
            "a file of another package",
            format!("{BUILD}RUN go build -o /out/api cmd/health/main.go\n{IMAGE}"),
            "cmd/health/main.go",
            true,
        ),
        (
            "files by a pattern",
            format!("{BUILD}RUN go build -o /out/api cmd/api/*.go\n{IMAGE}"),
            "README.md",
            true,
        ),
        (
            "a file that is installed",
            format!("{BUILD}RUN GOBIN=/out go install cmd/api/main.go\n{IMAGE}"),
            "README.md",
            true,
        ),
        (
            "other tags",
            format!("{BUILD}RUN go build -tags prod -o /out/api ./cmd/api\n{IMAGE}"),
            "lib/prod.go",
            true,
        ),
        (
            "tags in the environment",
            format!("{BUILD}ENV GOFLAGS -tags=prod\nRUN go build -o /out/api ./cmd/api\n{IMAGE}"),
            "lib/prod.go",
            true,
        ),
        (
            "cgo as the image likes it",
            format!(
                "FROM golang\nFROM golang AS build\nCOPY . .\nRUN go build -o /out/api ./cmd/api\n{IMAGE}"
            ),
            "bpf/prog.c",
            true,
        ),
        (
            "two programs",
            format!(
                "{BUILD}RUN go build -o /out/api ./cmd/api && go build -o /out/health ./cmd/health\n{IMAGE}COPY --from=build /out/health /\n"
            ),
            "cmd/health/main.go",
            true,
        ),
        (
            "another program",
            format!("{BUILD}RUN go build -o /out/api ./cmd/health\n{IMAGE}"),
            "cmd/health/main.go",
            true,
        ),
        (
            "a generator",
            format!("{BUILD}RUN go run ./cmd/health && go build -o /out/api ./cmd/api\n{IMAGE}"),
            "cmd/health/main.go",
            true,
        ),
        (
            "make",
            format!("{BUILD}RUN make\n{IMAGE}"),
            "README.md",
            true,
        ),
        (
            "what a command prints",
            format!(
                "{BUILD}RUN go build -ldflags \"-X main.v=$(cat README.md)\" -o /out/api ./cmd/api\n{IMAGE}"
            ),
            "README.md",
            true,
        ),
        (
            "a file beside the program",
            format!(
                "{BUILD}RUN go build -o /out/api ./cmd/api\n{IMAGE}COPY --from=build /src/migrations /migrations\n"
            ),
            "migrations/1.sql",
            true,
        ),
        (
            "a file in the directory of the program",
            format!(
                "{BUILD}COPY migrations /out/migrations\nRUN go build -o /out/ ./cmd/api\nFROM scratch\nCOPY --from=build /out /\n"
            ),
            "migrations/1.sql",
            true,
        ),
        (
            "an image from the stage that compiles",
            format!("{BUILD}RUN go build -o /out/api ./cmd/api\nFROM build\n"),
            "README.md",
            true,
        ),
        (
            "one stage",
            "FROM golang\nCOPY . .\nRUN go build -o /api ./cmd/api\n".to_owned(),
            "README.md",
            true,
        ),
        (
            "objects of another compiler",
            format!(
                "FROM clang AS bpf\nCOPY bpf/ bpf/\nRUN clang bpf/prog.c\n{BUILD}COPY --from=bpf /prog.o lib/\nRUN go build -o /out/api ./cmd/api\n{IMAGE}"
            ),
            "bpf/prog.c",
            true,
        ),
        (
            "a stage that nothing takes from",
            format!(
                "FROM golang AS test\nCOPY . .\nRUN make test\n{BUILD}RUN go build -o /out/api ./cmd/api\n{IMAGE}"
            ),
            "README.md",
            false,
        ),
    ];
    for (what, dockerfile, path, counts) in cases {
        let before = planned(&with_dockerfile(dockerfile));
        let baseline: Vec<BaselineImage> = before.images.iter().map(BaselineImage::from).collect();
        let changed = with_dockerfile(dockerfile)
            .with_file(path, "// changed\n")
            .unwrap();
        let mut after = planned(&changed);
        after.compare_with(&baseline);
        let api = after
            .images
            .iter()
            .find(|image| image.inputs.service.as_str() == "api")
            .unwrap();
        let verdict = if *counts {
            Verdict::Rebuild
        } else {
            Verdict::Reuse
        };
        assert_eq!(api.verdict, verdict, "{what}: {:#?}", after.diagnostics);
        assert!(
            before.images.iter().all(|image| image.keys.is_some()),
            "{what}: {:#?}",
            before.diagnostics
        );
    }
}

#[test]
fn the_executable_bit_of_what_is_copied_counts() {
    let dockerfile = "FROM scratch\nCOPY etc/entry.sh /\n";
    let before = planned(&with_dockerfile(dockerfile));
    let baseline: Vec<BaselineImage> = before.images.iter().map(BaselineImage::from).collect();
    let executable = with_dockerfile(dockerfile)
        .with_executable("etc/entry.sh", "#!/bin/sh\n")
        .unwrap();
    let mut after = planned(&executable);
    after.compare_with(&baseline);
    assert_eq!(after.images[0].verdict, Verdict::Rebuild);
}

#[test]
fn what_is_copied_through_links_counts() {
    for (source, path) in [
        ("conf", "shared/conf/a"),
        ("conf/a", "shared/conf/a"),
        ("c*f/a", "shared/conf/a"),
        ("c*", "shared/conf/a"),
    ] {
        let dockerfile = format!("FROM scratch\nCOPY {source} /etc/\n");
        let tree = || {
            with_dockerfile(&dockerfile)
                .with_file("shared/conf/a", "1\n")
                .unwrap()
                .with_symlink("conf", "shared/conf")
                .unwrap()
        };
        let before = planned(&tree());
        let baseline: Vec<BaselineImage> = before.images.iter().map(BaselineImage::from).collect();
        let mut after = planned(&tree().with_file(path, "2\n").unwrap());
        after.compare_with(&baseline);
        assert_eq!(after.images[0].verdict, Verdict::Rebuild, "{source}");
    }
}
