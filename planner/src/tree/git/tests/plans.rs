use super::sandbox::Sandbox;
use crate::plan::{PlanOptions, plan};
use crate::tree::{SourceTree, disk::DiskTree};
use std::fs;

fn shop() -> Sandbox {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/go.mod", "module ex.com/shop\n\ngo 1.24\n");
    sandbox.write(
        "repo/services/api/main.go",
        "package main\n\nimport _ \"ex.com/shop/lib\"\n\nfunc main() {}\n",
    );
    sandbox.write("repo/lib/lib.go", "package lib\n");
    sandbox.write("repo/bin/run.sh", "#!/bin/sh\n");
    sandbox.write("repo/empty", "");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(sandbox.path("repo/bin/run.sh"), executable).unwrap();
    std::os::unix::fs::symlink("services/api", sandbox.path("repo/current")).unwrap();
    sandbox.commit("repo");
    sandbox
}

#[test]
fn a_plan_of_a_commit_equals_a_plan_of_its_checkout() {
    let sandbox = shop();
    let disk = DiskTree::open(&sandbox.path("repo")).unwrap();
    let keys = |tree: &dyn SourceTree| {
        let plan = plan(tree, &PlanOptions::new()).unwrap();
        plan.images
            .iter()
            .map(|image| image.keys.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&disk), keys(&sandbox.head_tree("repo")));
    assert_eq!(keys(&disk).len(), 1);
}

/// The findings about the inputs of a checkout, as code and path.
fn findings(sandbox: &Sandbox) -> Vec<(String, String)> {
    let disk = DiskTree::open(&sandbox.path("repo")).unwrap();
    let mut planned = plan(&disk, &PlanOptions::new()).unwrap();
    let before: Vec<_> = planned.images.iter().map(|image| image.keys).collect();
    sandbox
        .repository("repo")
        .work_tree_state(&sandbox.path("repo"))
        .unwrap()
        .inspect(&mut planned);
    let after: Vec<_> = planned.images.iter().map(|image| image.keys).collect();
    assert_eq!(before, after);
    planned
        .diagnostics
        .iter()
        .map(|diagnostic| {
            assert_eq!(diagnostic.services, ["api"]);
            (
                diagnostic.code.to_string(),
                diagnostic.path.as_ref().unwrap().to_string(),
            )
        })
        .collect()
}

fn finding(code: &str, path: &str) -> (String, String) {
    (code.to_owned(), path.to_owned())
}

#[test]
fn untracked_and_ignored_inputs_are_named() {
    let sandbox = shop();
    assert!(findings(&sandbox).is_empty());
    sandbox.write("repo/.gitignore", "ignored.go\n");
    sandbox.write("repo/lib/new.go", "package lib\n");
    sandbox.write("repo/lib/ignored.go", "package lib\n");
    sandbox.write("repo/notes.txt", "no input\n");
    assert_eq!(
        findings(&sandbox),
        [
            finding("untracked-input", "lib/ignored.go"),
            finding("untracked-input", "lib/new.go")
        ]
    );
}

#[test]
fn inputs_that_git_rewrites_are_named() {
    let sandbox = shop();
    sandbox.write("repo/.gitattributes", "lib/*.go text eol=crlf\n");
    sandbox.commit("repo");
    fs::remove_file(sandbox.path("repo/lib/lib.go")).unwrap();
    sandbox.git("repo", &["checkout", "-q", "--", "lib/lib.go"]);
    assert_eq!(
        fs::read(sandbox.path("repo/lib/lib.go")).unwrap(),
        b"package lib\r\n"
    );
    assert_eq!(
        findings(&sandbox),
        [finding("filtered-content", "lib/lib.go")]
    );
}

#[test]
fn pointers_of_git_lfs_are_named() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let sandbox = shop();
    sandbox.write(
        "repo/lib/lib.go",
        "package lib\n\nimport _ \"embed\"\n\n//go:embed big.bin\nvar big string\n",
    );
    sandbox.write("repo/lib/big.bin", pointer);
    sandbox.write("repo/.gitattributes", "*.bin filter=lfs\n");
    sandbox.commit("repo");
    assert_eq!(findings(&sandbox), [finding("lfs-pointer", "lib/big.bin")]);
}
