//! What other tools are known to miss, and what they rebuild for nothing: one named case each.
//!
//! Each case changes one thing in a small monorepo, and names the images that the change reaches.

use rebake_planner::{
    decide::Verdict,
    path::RepoPath,
    plan::{BaselineImage, PlanOptions, plan},
    target::Cgo,
    tree::memory::MemoryTree,
};

type Files = Vec<(&'static str, &'static str)>;

/// A workspace: api imports only the package `used` of the shared module, worker only `unused`, and third-party code.
fn workspace() -> Files {
    vec![
        (
            "go.work",
            "go 1.24.0\n\ntoolchain go1.24.1\n\nuse (\n\t./apps/api\n\t./apps/worker\n\t./libs/shared\n)\n",
        ),
        (
            "apps/api/go.mod",
            "module ex.com/api\n\ngo 1.24\n\nrequire ex.com/shared v0.0.0\n",
        ),
        (
            "apps/api/main.go",
            "package main\n\nimport _ \"ex.com/shared/used\"\n\nfunc main() {}\n",
        ),
        ("apps/api/notes.txt", "notes"),
        (
            "apps/worker/go.mod",
            "module ex.com/worker\n\ngo 1.24\n\nrequire (\n\tex.com/shared v0.0.0\n\tex.org/queue v1.0.0\n)\n",
        ),
        (
            "apps/worker/go.sum",
            "ex.org/queue v1.0.0 h1:MHc5BpPuC30uJk597Ri8TV3CNZcTLu6B6z4lJy+g6Jw=\nex.org/queue v1.0.0/go.mod h1:MHc5BpPuC30uJk597Ri8TV3CNZcTLu6B6z4lJy+g6Jw=\n",
        ),
        (
            "apps/worker/main.go",
            "package main\n\nimport (\n\t_ \"ex.com/shared/unused\"\n\t_ \"ex.org/queue\"\n)\n\nfunc main() {}\n",
        ),
        ("libs/shared/go.mod", "module ex.com/shared\n\ngo 1.24\n"),
        ("libs/shared/README.md", "read me"),
        ("libs/shared/used/used.go", "package used\n"),
        ("libs/shared/used/used_test.go", "package used\n"),
        ("libs/shared/unused/unused.go", "package unused\n"),
        ("base.Dockerfile", "FROM golang\n"),
        ("deploy/api/Dockerfile", "FROM golang\n"),
        ("proto/a.proto", "syntax = \"proto3\";\n"),
        (
            "rebake.toml",
            "services = [\"apps/**\"]\n\n[[service]]\ndir = \"apps/api\"\ninputs = [\"base.Dockerfile\", \"deploy/api/**\", \"proto/**\"]\n\n[[service]]\ndir = \"apps/worker\"\ninputs = [\"base.Dockerfile\"]\n",
        ),
    ]
}

/// One module with two commands, `one → mid → deep` and `two → mid → deep`, an embedded directory, C code, and a
/// third-party import of one of them.
fn module() -> Files {
    vec![
        (
            "go.mod",
            "module ex.com/shop\n\ngo 1.24\n\nrequire ex.org/queue v1.0.0\n",
        ),
        (
            "go.sum",
            "ex.org/queue v1.0.0 h1:MHc5BpPuC30uJk597Ri8TV3CNZcTLu6B6z4lJy+g6Jw=\nex.org/queue v1.0.0/go.mod h1:MHc5BpPuC30uJk597Ri8TV3CNZcTLu6B6z4lJy+g6Jw=\n",
        ),
        (
            "cmd/one/main.go",
            "package main\n\nimport _ \"ex.com/shop/mid\"\n\nfunc main() {}\n",
        ),
        (
            "cmd/two/main.go",
            "package main\n\nimport (\n\t_ \"ex.com/shop/mid\"\n\t_ \"ex.org/queue\"\n)\n\nfunc main() {}\n",
        ),
        (
            "cmd/web/main.go",
            "package main\n\nimport \"embed\"\n\n//go:embed assets\nvar assets embed.FS\n\nfunc main() {}\n",
        ),
        ("cmd/web/assets/a.txt", "a"),
        ("cmd/web/assets/b.txt", "b"),
        (
            "cmd/codec/main.go",
            "package main\n\n// #include \"codec.h\"\nimport \"C\"\n\nfunc main() {}\n",
        ),
        ("cmd/codec/codec.h", "int x;\n"),
        ("cmd/codec/codec.c", "int x = 1;\n"),
        (
            "mid/mid.go",
            "package mid\n\nimport _ \"ex.com/shop/deep\"\n",
        ),
        ("deep/deep.go", "package deep\n"),
    ]
}

enum Edit {
    /// Replaces a text that must be there.
    Replace(&'static str, &'static str, &'static str),
    Write(&'static str, &'static str),
    Remove(&'static str),
}

use Edit::{Remove, Replace, Write};

struct Case {
    what: &'static str,
    files: fn() -> Files,
    edit: Edit,
    rebuilt: &'static [&'static str],
}

const ALL: &[&str] = &["api", "worker"];
const COMMANDS: &[&str] = &["codec", "one", "two", "web"];

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { what: "a page of a shared module", files: workspace, edit: Write("libs/shared/README.md", "x"), rebuilt: &[] },
    Case { what: "a test of a shared package", files: workspace, edit: Write("libs/shared/used/used_test.go", "package used\n\nvar x int\n"), rebuilt: &[] },
    Case { what: "a package that one service imports", files: workspace, edit: Write("libs/shared/unused/unused.go", "package unused\n\nvar x int\n"), rebuilt: &["worker"] },
    Case { what: "a text beside a main package", files: workspace, edit: Write("apps/api/notes.txt", "x"), rebuilt: &[] },
    Case { what: "the go line of go.work", files: workspace, edit: Replace("go.work", "go 1.24.0", "go 1.24.1"), rebuilt: ALL },
    Case { what: "the toolchain line of go.work", files: workspace, edit: Replace("go.work", "go1.24.1", "go1.24.2"), rebuilt: ALL },
    Case { what: "a godebug line of go.work", files: workspace, edit: Replace("go.work", "use (", "godebug http2client=0\n\nuse ("), rebuilt: ALL },
    Case { what: "a replace line of go.work for third-party code", files: workspace, edit: Replace("go.work", "use (", "replace ex.org/queue => ex.org/fork v1.0.0\n\nuse ("), rebuilt: &["worker"] },
    Case { what: "a new go.work.sum", files: workspace, edit: Write("go.work.sum", "ex.org/other v1.0.0 h1:MHc5BpPuC30uJk597Ri8TV3CNZcTLu6B6z4lJy+g6Jw=\n"), rebuilt: &["worker"] },
    Case { what: "the go.sum of one module", files: workspace, edit: Replace("apps/worker/go.sum", "v1.0.0 h1:MHc", "v1.0.0 h1:NHc"), rebuilt: &["worker"] },
    // Source: cmd/go/internal/toolchain/select.go (`modGoToolchain`).
    Case { what: "the toolchain line of one module, which a workspace ignores", files: workspace, edit: Replace("apps/api/go.mod", "go 1.24\n", "go 1.24\n\ntoolchain go1.24.3\n"), rebuilt: &[] },
    // Source: cmd/go/internal/load/godebug.go (`defaultGODEBUG`).
    Case { what: "a godebug line of one module, which a workspace ignores", files: workspace, edit: Replace("apps/api/go.mod", "go 1.24\n", "go 1.24\n\ngodebug http2client=0\n"), rebuilt: &[] },
    Case { what: "a base Dockerfile that both declare", files: workspace, edit: Write("base.Dockerfile", "FROM x\n"), rebuilt: ALL },
    Case { what: "a Dockerfile that one declares", files: workspace, edit: Write("deploy/api/Dockerfile", "FROM x\n"), rebuilt: &["api"] },
    Case { what: "a schema that one declares", files: workspace, edit: Write("proto/a.proto", "x"), rebuilt: &["api"] },
    Case { what: "a new schema beside it", files: workspace, edit: Write("proto/b.proto", "x"), rebuilt: &["api"] },

    Case { what: "the go line of the only go.mod", files: module, edit: Replace("go.mod", "go 1.24", "go 1.25"), rebuilt: COMMANDS },
    Case { what: "a requirement of the only go.mod", files: module, edit: Replace("go.mod", "queue v1.0.0", "queue v1.1.0"), rebuilt: &["two"] },
    Case { what: "the only go.sum", files: module, edit: Replace("go.sum", "v1.0.0 h1:MHc", "v1.0.0 h1:NHc"), rebuilt: &["two"] },
    Case { what: "an embedded file", files: module, edit: Write("cmd/web/assets/a.txt", "x"), rebuilt: &["web"] },
    Case { what: "a new file in an embedded directory", files: module, edit: Write("cmd/web/assets/c.txt", "c"), rebuilt: &["web"] },
    Case { what: "an embedded file that is gone", files: module, edit: Remove("cmd/web/assets/b.txt"), rebuilt: &["web"] },
    Case { what: "a C file", files: module, edit: Write("cmd/codec/codec.c", "int x = 2;\n"), rebuilt: &["codec"] },
    Case { what: "a C file that is gone", files: module, edit: Remove("cmd/codec/codec.c"), rebuilt: &["codec"] },
    Case { what: "a header", files: module, edit: Write("cmd/codec/codec.h", "int x, y;\n"), rebuilt: &["codec"] },
    Case { what: "a new assembler file", files: module, edit: Write("cmd/codec/fast.S", "x\n"), rebuilt: &["codec"] },
    Case { what: "a package deep below two commands", files: module, edit: Write("deep/deep.go", "package deep\n\nvar x int\n"), rebuilt: &["one", "two"] },
];

fn tree(files: &Files) -> MemoryTree {
    files
        .iter()
        .try_fold(MemoryTree::new(), |tree, (path, content)| {
            tree.with_file(path, *content)
        })
        .unwrap()
}

fn edited(case: &Case) -> MemoryTree {
    let mut files = (case.files)();
    let content = |path: &str| {
        let file = files.iter().find(|(name, _)| *name == path);
        file.map_or("", |(_, content)| *content)
    };
    match case.edit {
        Remove(path) => files.retain(|(name, _)| *name != path),
        Write(path, content) => {
            files.retain(|(name, _)| *name != path);
            files.push((path, content));
        }
        Replace(path, old, new) => {
            assert!(content(path).contains(old), "{}", case.what);
            let text = content(path).replacen(old, new, 1);
            let rest = files.iter().filter(|(name, _)| *name != path).copied();
            return tree(&rest.collect())
                .with_file(path, text.as_bytes())
                .unwrap();
        }
    }
    tree(&files)
}

#[test]
fn what_other_tools_miss_is_rebuilt_and_nothing_else() {
    let mut options = PlanOptions::new();
    options.cgo = Some(Cgo::Enabled);
    for case in CASES {
        let before = plan(&tree(&(case.files)()), &options).unwrap();
        assert!(
            before.images.iter().all(|image| image.keys.is_some()),
            "{}: {:#?}",
            case.what,
            before.diagnostics
        );
        let baseline: Vec<BaselineImage> = before.images.iter().map(BaselineImage::from).collect();
        let mut after = plan(&edited(case), &options).unwrap();
        after.compare_with(&baseline);
        let rebuilt: Vec<&str> = after
            .images
            .iter()
            .filter(|image| image.verdict == Verdict::Rebuild)
            .map(|image| image.inputs.service.as_str())
            .collect();
        assert_eq!(rebuilt, case.rebuilt, "{}", case.what);
    }
}

#[test]
fn every_path_that_is_told_is_the_shortest() {
    for case in CASES {
        let before = plan(&tree(&(case.files)()), &PlanOptions::new()).unwrap();
        let baseline: Vec<BaselineImage> = before.images.iter().map(BaselineImage::from).collect();
        let mut after = plan(&edited(case), &PlanOptions::new()).unwrap();
        after.compare_with(&baseline);
        super::reasons::check(&before, &after, case.what);
    }
}

#[test]
fn a_file_of_the_workspace_is_found_by_its_path() {
    let planned = plan(&tree(&workspace()), &PlanOptions::new()).unwrap();
    let path = RepoPath::new("libs/shared/used/used.go").unwrap();
    let reached: Vec<&str> = planned
        .images
        .iter()
        .filter(|image| {
            matches!(
                planned.standing(image, &path).as_slice(),
                [rebake_planner::plan::Standing::Input { .. }]
            )
        })
        .map(|image| image.inputs.service.as_str())
        .collect();
    assert_eq!(reached, ["api"]);
}
