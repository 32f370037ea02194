use super::sandbox::{Sandbox, path};
use crate::decide::Verdict;
use crate::hash::ImageKeys;
use crate::path::RepoPath;
use crate::plan::{
    BaselineImage, Plan, PlanError, PlanOptions, inspect_commit, inspect_work_tree, plan,
};
use crate::sources::ContentMemory;
use crate::tree::git::{GitTree, WorkTreeState};
use crate::tree::{
    ContentDigest, ContentIdentity, FileMode, Listing, ReadLimit, SourceTree, TreeError,
    disk::DiskTree,
};
use rebake_fixtures::{Content, cases, entry::write_entries};
use std::{fs, sync::Mutex};

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

/// Names what was read from the checkout as commits name it.
fn identify(state: &WorkTreeState, disk: &DiskTree, options: &PlanOptions) {
    let named = state.with_tracked_files(disk, &|_| None, |files| {
        let memory = &options.memory;
        memory.identify(|paths| files.settled_identities(paths));
    });
    named.unwrap();
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

#[test]
fn every_sample_tree_plans_from_a_commit_as_from_its_checkout() {
    let sandbox = Sandbox::with_repository();
    let samples: Vec<_> = cases()
        .unwrap()
        .into_iter()
        // A directory that holds nothing is in no commit, and may be told differently.
        .filter(|case| {
            case.entries
                .iter()
                .all(|entry| entry.content != Content::Directory)
        })
        .collect();
    let place = |topic: &str, name: &str| format!("{topic}/{name}");
    for case in &samples {
        let directory = sandbox.path("repo").join(place(&case.topic, &case.name));
        fs::create_dir_all(&directory).unwrap();
        write_entries(&case.entries, directory.as_std_path()).unwrap();
    }
    sandbox.git("repo", &["add", "--all", "--force"]);
    sandbox.git("repo", &["commit", "--quiet", "--message=x"]);
    sandbox.settle("repo");
    let repository = sandbox.repository("repo");
    let head = repository.head().unwrap().unwrap();
    let mut options = PlanOptions::new();
    options.services = vec!["**".to_owned()];
    let mut with_keys = 0;
    for case in &samples {
        let root = path(&place(&case.topic, &case.name));
        let disk = DiskTree::open(&sandbox.path("repo").join(root.as_tree_str())).unwrap();
        options.memory = ContentMemory::new();
        let of_disk = plan(&disk, &options);
        // What was read from the directory is found again by the names that the commit has for it.
        let state = WorkTreeState::read(&repository, &root).unwrap();
        identify(&state, &disk, &options);
        let commit = repository.tree(head, &root).unwrap();
        let of_commit = plan(&commit, &options);
        assert_eq!(
            state.changed_paths_since(&commit).unwrap(),
            Vec::<String>::new(),
            "{root}"
        );
        let (of_disk, of_commit) = match (of_disk, of_commit) {
            (Ok(of_disk), Ok(of_commit)) => (of_disk, of_commit),
            (of_disk, of_commit) => {
                let error =
                    |planned: Result<Plan, PlanError>| planned.err().map(|error| error.to_string());
                assert_eq!(error(of_disk), error(of_commit), "{root}");
                continue;
            }
        };
        assert_eq!(of_disk.images.len(), of_commit.images.len(), "{root}");
        for (disk, commit) in of_disk.images.iter().zip(&of_commit.images) {
            assert_eq!(disk.inputs, commit.inputs, "{root}");
            assert_eq!(disk.keys, commit.keys, "{root}");
            with_keys += usize::from(disk.keys.is_some());
        }
        assert_eq!(of_disk.diagnostics, of_commit.diagnostics, "{root}");
        options.memory = ContentMemory::new();
        let alone = plan(&commit, &options).unwrap();
        let keys = |plan: &Plan| {
            plan.images
                .iter()
                .map(|image| image.keys)
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&alone), keys(&of_commit), "{root}");
        let baseline: Vec<BaselineImage> =
            of_commit.images.iter().map(BaselineImage::from).collect();
        let mut compared = of_disk;
        compared.compare_with(&baseline);
        for image in &compared.images {
            let is_reused = image.verdict == Verdict::Reuse;
            assert_eq!(
                is_reused,
                image.keys.is_some(),
                "{root}: {:?}",
                image.reasons
            );
        }
        assert!(compared.removed.is_empty(), "{root}");
    }
    assert!(
        with_keys > samples.len() / 2,
        "{with_keys} images have keys"
    );
}

/// A commit's tree that notes what is read.
struct Noting<'t> {
    tree: &'t GitTree,
    read: Mutex<Vec<String>>,
}

impl SourceTree for Noting<'_> {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        self.tree.list(directory)
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        self.read.lock().unwrap().push(file.to_string());
        self.tree.read(file, limit)
    }

    fn digest(&self, file: &RepoPath) -> Result<ContentDigest, TreeError> {
        self.read.lock().unwrap().push(file.to_string());
        self.tree.digest(file)
    }

    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError> {
        self.tree.read_link(link)
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        self.tree.mode(file)
    }

    fn content_identity(&self, file: &RepoPath) -> Option<ContentIdentity> {
        self.tree.content_identity(file)
    }
}

#[test]
fn the_other_side_of_a_comparison_reads_what_changed_alone() {
    let sandbox = shop();
    sandbox.write("repo/lib/lib_test.go", "package lib\n");
    sandbox.write("repo/lib/t.txt", "text\n");
    sandbox.write(
        "repo/lib/embed.go",
        "package lib\n\nimport _ \"embed\"\n\n//go:embed t.txt\nvar t string\n",
    );
    sandbox.commit("repo");
    sandbox.settle("repo");
    sandbox.write("repo/lib/lib.go", "package lib // edited\n");
    let options = PlanOptions::new();
    let disk = DiskTree::open(&sandbox.path("repo")).unwrap();
    plan(&disk, &options).unwrap();
    let state = sandbox
        .repository("repo")
        .work_tree_state(&sandbox.path("repo"))
        .unwrap();
    identify(&state, &disk, &options);
    let commit = sandbox.head_tree("repo");
    let noting = Noting {
        tree: &commit,
        read: Mutex::default(),
    };
    plan(&noting, &options).unwrap();
    let mut read = noting.read.into_inner().unwrap();
    read.sort();
    assert_eq!(read, ["lib/lib.go"]);
}

#[test]
fn what_an_earlier_plan_read_names_nothing() {
    let sandbox = shop();
    let options = PlanOptions::new();
    let disk = DiskTree::open(&sandbox.path("repo")).unwrap();
    plan(&disk, &options).unwrap();
    // As long as before.
    sandbox.write("repo/lib/lib.go", "package lxb\n");
    sandbox.commit("repo");
    let edited = plan(&disk, &options).unwrap();
    let state = sandbox
        .repository("repo")
        .work_tree_state(&sandbox.path("repo"))
        .unwrap();
    identify(&state, &disk, &options);
    let commit = plan(&sandbox.head_tree("repo"), &options).unwrap();
    let keys = |plan: &Plan| {
        plan.images
            .iter()
            .map(|image| image.keys)
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&edited), keys(&commit));
}

/// The keys of a checkout's plan with something that happens between git's look and that, those of the commit's plan
/// with what was learned from it, and those of the commit's plan alone.
fn keys_of_both(sandbox: &Sandbox, between: impl FnOnce()) -> [Vec<Option<ImageKeys>>; 3] {
    let options = PlanOptions::new();
    let disk = DiskTree::open(&sandbox.path("repo")).unwrap();
    let repository = sandbox.repository("repo");
    let state = repository.work_tree_state(&sandbox.path("repo")).unwrap();
    assert!(!state.is_dirty());
    between();
    let keys = |tree: &dyn SourceTree, options: &PlanOptions| {
        let plan = plan(tree, options).unwrap();
        plan.images.iter().map(|image| image.keys).collect()
    };
    let of_disk = keys(&disk, &options);
    identify(&state, &disk, &options);
    let commit = sandbox.head_tree("repo");
    [
        of_disk,
        keys(&commit, &options),
        keys(&commit, &PlanOptions::new()),
    ]
}

#[test]
fn a_file_that_is_edited_between_git_s_look_and_the_reading_lends_the_commit_nothing() {
    for edit in ["package lib\n\nvar X = 2\n", "package lib\n\nvar X = 10\n"] {
        let sandbox = shop();
        sandbox.write("repo/lib/lib.go", "package lib\n\nvar X = 1\n");
        sandbox.commit("repo");
        sandbox.settle("repo");
        let [of_disk, of_commit, alone] = keys_of_both(&sandbox, || {
            sandbox.write("repo/lib/lib.go", edit);
        });
        assert_eq!(of_commit, alone, "{edit}");
        assert_ne!(of_disk, of_commit, "{edit}");
    }
}

#[test]
fn a_file_that_a_filter_converts_without_changing_its_length_lends_the_commit_nothing() {
    let sandbox = shop();
    sandbox.git("repo", &["config", "filter.turn.smudge", "tr X Y"]);
    sandbox.git("repo", &["config", "filter.turn.clean", "tr Y X"]);
    sandbox.write("repo/.gitattributes", "lib.go filter=turn\n");
    sandbox.write("repo/lib/lib.go", "package lib\n\nvar X = 1\n");
    sandbox.commit("repo");
    fs::remove_file(sandbox.path("repo/lib/lib.go")).unwrap();
    sandbox.git("repo", &["checkout", "--quiet", "--", "lib/lib.go"]);
    sandbox.settle("repo");
    let [of_disk, of_commit, alone] = keys_of_both(&sandbox, || {});
    assert_eq!(of_commit, alone);
    assert_ne!(of_disk, of_commit);
}

#[test]
fn a_conversion_on_checkout_is_no_reason_to_share() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/.gitattributes", "*.go text eol=crlf\n");
    sandbox.write("repo/go.mod", "module ex.com/a\n\ngo 1.24\n");
    sandbox.write("repo/cmd/a/main.go", "package main\n\nfunc main() {}\n");
    sandbox.commit("repo");
    fs::remove_file(sandbox.path("repo/cmd/a/main.go")).unwrap();
    sandbox.git("repo", &["checkout", "--quiet", "--", "cmd"]);
    sandbox.settle("repo");
    let named = |file: &str| {
        let disk = DiskTree::open(&sandbox.path("repo")).unwrap();
        let repository = sandbox.repository("repo");
        let state = repository.work_tree_state(&sandbox.path("repo")).unwrap();
        let is_named = state.with_tracked_files(&disk, &|_| None, |files| {
            files.settled_identities(&[&path(file)])[0].is_some()
        });
        (state.is_dirty(), is_named.unwrap())
    };
    assert_eq!(named("go.mod"), (false, true));
    assert_eq!(named("cmd/a/main.go"), (false, false));
    assert_eq!(named("nowhere.go"), (false, false));
    sandbox.write("repo/go.mod", "module ex.com/b\n\ngo 1.24\n");
    assert_eq!(named("go.mod"), (true, false));
}

/// The findings about the inputs of a checkout, as code and path.
fn findings(sandbox: &Sandbox) -> Vec<(String, String)> {
    let disk = DiskTree::open(&sandbox.path("repo")).unwrap();
    let mut planned = plan(&disk, &PlanOptions::new()).unwrap();
    let before: Vec<_> = planned.images.iter().map(|image| image.keys).collect();
    let state = sandbox
        .repository("repo")
        .work_tree_state(&sandbox.path("repo"))
        .unwrap();
    inspect_work_tree(&state, &mut planned);
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

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";

/// A shop that embeds `lib/big.bin`, which is not there yet.
fn shop_with_big_file() -> Sandbox {
    let sandbox = shop();
    sandbox.write(
        "repo/lib/lib.go",
        "package lib\n\nimport _ \"embed\"\n\n//go:embed big.bin\nvar big string\n",
    );
    sandbox
}

#[test]
fn pointers_of_git_lfs_are_named() {
    let sandbox = shop_with_big_file();
    sandbox.write("repo/lib/big.bin", POINTER);
    sandbox.write("repo/.gitattributes", "*.bin filter=lfs\n");
    sandbox.commit("repo");
    assert_eq!(findings(&sandbox), [finding("lfs-pointer", "lib/big.bin")]);
}

#[test]
fn pointers_of_git_lfs_are_named_without_an_attribute_that_announces_them() {
    let sandbox = shop_with_big_file();
    let named = [finding("lfs-pointer", "lib/big.bin")];
    sandbox.write("repo/lib/big.bin", POINTER);
    sandbox.commit("repo");
    assert_eq!(findings(&sandbox), named);
    sandbox.settle("repo");
    assert_eq!(findings(&sandbox), named);

    // The index still knows the size of the content that was replaced.
    sandbox.write("repo/lib/big.bin", "x".repeat(5000));
    sandbox.commit("repo");
    sandbox.settle("repo");
    assert!(findings(&sandbox).is_empty());
    sandbox.write("repo/lib/big.bin", POINTER);
    assert_eq!(findings(&sandbox), named);

    let text = format!("{POINTER}{}", "x".repeat(1024));
    sandbox.write("repo/lib/big.bin", text);
    assert!(findings(&sandbox).is_empty());
}

/// The pointers among the inputs of the checked-out commit.
fn pointers_in_commit(sandbox: &Sandbox) -> Vec<String> {
    let tree = sandbox.head_tree("repo");
    let mut planned = plan(&tree, &PlanOptions::new()).unwrap();
    let before: Vec<_> = planned.images.iter().map(|image| image.keys).collect();
    inspect_commit(&tree, &mut planned);
    let after: Vec<_> = planned.images.iter().map(|image| image.keys).collect();
    assert_eq!(before, after);
    planned
        .diagnostics
        .iter()
        .filter(|found| found.code.as_str() == "lfs-pointer")
        .map(|found| {
            assert_eq!(found.services, ["api"]);
            found.path.as_ref().unwrap().to_string()
        })
        .collect()
}

#[test]
fn pointers_that_a_commit_holds_are_named_whatever_the_checkout_holds() {
    let sandbox = shop_with_big_file();
    sandbox.write("repo/lib/big.bin", "small");
    sandbox.commit("repo");
    assert!(pointers_in_commit(&sandbox).is_empty());
    sandbox.write("repo/lib/big.bin", POINTER);
    sandbox.commit("repo");
    sandbox.write("repo/lib/big.bin", "small");
    assert_eq!(pointers_in_commit(&sandbox), ["lib/big.bin"]);
}

#[test]
fn a_go_file_that_a_commit_holds_as_a_pointer_is_named() {
    let sandbox = shop();
    sandbox.write("repo/services/api/table.go", POINTER);
    sandbox.commit("repo");
    assert_eq!(pointers_in_commit(&sandbox), ["services/api/table.go"]);
}

#[test]
fn inputs_behind_links_are_tracked_where_the_links_and_the_files_are() {
    let sandbox = shop();
    std::os::unix::fs::symlink("lib", sandbox.path("repo/linked")).unwrap();
    let program = "package main\n\nimport _ \"ex.com/shop/linked\"\n\nfunc main() {}\n";
    sandbox.write("repo/services/api/main.go", program);
    assert_eq!(
        findings(&sandbox),
        [finding("untracked-input", "linked/lib.go")]
    );
    sandbox.commit("repo");
    assert!(findings(&sandbox).is_empty());
    sandbox.write("repo/lib/new.go", "package lib\n");
    assert_eq!(
        findings(&sandbox),
        [finding("untracked-input", "linked/new.go")]
    );
}

#[test]
fn inputs_in_a_submodule_are_held_against_its_own_index() {
    let sandbox = shop();
    fs::remove_dir_all(sandbox.path("repo/lib")).unwrap();
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "lib"]);
    sandbox.write("lib/lib.go", "package lib\n");
    sandbox.write("lib/stamped.go", "package lib\n\n// $Id$\n");
    sandbox.write("lib/.gitattributes", "*.go ident\n");
    sandbox.commit("lib");
    let url = sandbox.url("lib");
    sandbox.git("repo", &["rm", "--quiet", "-r", "--cached", "lib"]);
    sandbox.git("repo", &["submodule", "--quiet", "add", &url, "lib"]);
    sandbox.commit("repo");
    assert_eq!(
        findings(&sandbox),
        [finding("filtered-content", "lib/stamped.go")]
    );
    sandbox.write("repo/lib/new.go", "package lib\n");
    assert_eq!(
        findings(&sandbox),
        [
            finding("untracked-input", "lib/new.go"),
            finding("filtered-content", "lib/stamped.go")
        ]
    );
}
