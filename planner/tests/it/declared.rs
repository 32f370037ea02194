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
            "FROM golang AS build\nCOPY go.mod ./\nCOPY lib/ lib/\nCOPY . .\nRUN go build ./services/api\nFROM scratch\nCOPY --from=build /api /api\nCOPY etc/*.yaml /etc/\nCOPY tools/gen.go /\n",
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
    assert_eq!(codes, ["whole-context"], "{:#?}", before.diagnostics);
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
