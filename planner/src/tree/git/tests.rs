use super::*;
use crate::{
    path::RepoPath,
    plan::{PlanOptions, plan},
    tree::{EntryKind, ReadLimit, SourceTree, TreeErrorKind, disk::DiskTree},
};
use camino::{Utf8Path, Utf8PathBuf};
use std::{fs, process::Command};
use tempfile::TempDir;

/// A checkout with a hermetic git.
struct Checkout {
    directory: TempDir,
}

impl Checkout {
    fn new() -> Self {
        let checkout = Self {
            directory: TempDir::new().unwrap(),
        };
        checkout.git(&["init", "-q", "-b", "main"]);
        checkout
    }

    fn path(&self) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.directory.path().canonicalize().unwrap()).unwrap()
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(&self.path(), arguments)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn repository(&self) -> Repository {
        Repository::discover(&self.path()).unwrap().unwrap()
    }

    fn head_tree(&self) -> GitTree {
        let repository = self.repository();
        repository
            .tree_at(repository.head().unwrap(), &self.path())
            .unwrap()
    }
}

fn git(directory: &Utf8Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(directory)
        .args([
            "-c",
            "protocol.file.allow=always",
            "-c",
            "core.autocrlf=false",
        ])
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "A")
        .env("GIT_AUTHOR_EMAIL", "a@example.com")
        .env("GIT_COMMITTER_NAME", "A")
        .env("GIT_COMMITTER_EMAIL", "a@example.com")
        .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn at(path: &str) -> RepoPath {
    RepoPath::new(path).unwrap()
}

/// Asserts that two trees answer alike, from a directory down. Yields how many files they hold.
fn assert_alike(left: &dyn SourceTree, right: &dyn SourceTree, directory: &RepoPath) -> usize {
    let listing = left.list(directory).unwrap();
    assert_eq!(listing, right.list(directory).unwrap(), "{directory}");
    let mut files = 0;
    for entry in listing.entries {
        let path = directory.child(&entry.name);
        match entry.kind {
            EntryKind::Directory => files += assert_alike(left, right, &path),
            EntryKind::File => {
                files += 1;
                for limit in [ReadLimit::Whole, ReadLimit::Bytes(3)] {
                    assert_eq!(
                        left.read(&path, limit).unwrap(),
                        right.read(&path, limit).unwrap(),
                        "{path}"
                    );
                }
                assert_eq!(
                    left.mode(&path).unwrap(),
                    right.mode(&path).unwrap(),
                    "{path}"
                );
                assert_eq!(
                    left.digest(&path).unwrap(),
                    right.digest(&path).unwrap(),
                    "{path}"
                );
            }
            EntryKind::Symlink => {
                assert_eq!(
                    left.read_link(&path).unwrap(),
                    right.read_link(&path).unwrap(),
                    "{path}"
                );
            }
            EntryKind::Submodule | EntryKind::Special => {}
        }
    }
    files
}

fn shop() -> Checkout {
    let checkout = Checkout::new();
    checkout.write("go.mod", "module ex.com/shop\n\ngo 1.24\n");
    checkout.write(
        "services/api/main.go",
        "package main\n\nimport _ \"ex.com/shop/lib\"\n\nfunc main() {}\n",
    );
    checkout.write("lib/lib.go", "package lib\n");
    checkout.write("bin/run.sh", "#!/bin/sh\n");
    checkout.write("empty", "");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(checkout.path().join("bin/run.sh"), executable).unwrap();
    std::os::unix::fs::symlink("services/api", checkout.path().join("current")).unwrap();
    checkout.commit("one");
    checkout
}

#[test]
fn a_commit_answers_as_its_clean_checkout_does() {
    let checkout = shop();
    let disk = DiskTree::open(&checkout.path()).unwrap();
    assert_eq!(
        assert_alike(&checkout.head_tree(), &disk, &RepoPath::root()),
        5
    );
    checkout.git(&["gc", "-q"]);
    assert_eq!(
        assert_alike(&checkout.head_tree(), &disk, &RepoPath::root()),
        5
    );
}

#[test]
fn a_plan_of_a_commit_equals_a_plan_of_its_checkout() {
    let checkout = shop();
    let disk = DiskTree::open(&checkout.path()).unwrap();
    let keys = |tree: &dyn SourceTree| {
        let plan = plan(tree, &PlanOptions::new()).unwrap();
        plan.images
            .iter()
            .map(|image| image.keys.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&disk), keys(&checkout.head_tree()));
    assert_eq!(keys(&disk).len(), 1);
}

#[test]
fn a_failure_says_what_is_in_the_way() {
    let checkout = shop();
    let tree = checkout.head_tree();
    let kind = |path: &str| tree.read(&at(path), ReadLimit::Whole).unwrap_err().kind;
    assert_eq!(kind("none"), TreeErrorKind::NotFound);
    assert_eq!(kind("lib"), TreeErrorKind::NotAFile);
    assert_eq!(kind("current"), TreeErrorKind::NotAFile);
    assert_eq!(kind("go.mod/x"), TreeErrorKind::NotADirectory);
    assert_eq!(
        tree.list(&at("go.mod")).unwrap_err().kind,
        TreeErrorKind::NotADirectory
    );
    assert_eq!(
        tree.list(&at("none/deeper")).unwrap_err().kind,
        TreeErrorKind::NotFound
    );
    assert_eq!(
        tree.read_link(&at("go.mod")).unwrap_err().kind,
        TreeErrorKind::NotALink
    );
}

#[test]
fn equal_content_has_one_identity() {
    let checkout = shop();
    checkout.write("copy.go", "package lib\n");
    checkout.commit("copy");
    let tree = checkout.head_tree();
    assert_eq!(
        tree.content_identity(&at("copy.go")),
        tree.content_identity(&at("lib/lib.go"))
    );
    assert_ne!(
        tree.content_identity(&at("copy.go")),
        tree.content_identity(&at("go.mod"))
    );
    assert!(tree.content_identity(&at("none")).is_none());
}

#[test]
fn revisions_are_named_as_in_git() {
    let checkout = shop();
    let first = checkout.git(&["rev-parse", "HEAD"]);
    checkout.git(&["tag", "-a", "v1", "-m", "v1"]);
    checkout.write("x", "x");
    let second = checkout.commit("two");
    let repository = checkout.repository();
    for (revision, expected) in [
        ("HEAD", &second),
        ("main", &second),
        ("HEAD~1", &first),
        ("v1", &first),
        (&first[..8], &first),
    ] {
        assert_eq!(
            repository.resolve(revision).unwrap().to_string(),
            *expected,
            "{revision}"
        );
    }
    for revision in ["nowhere", "HEAD~9", "main:x", ""] {
        assert!(
            matches!(
                repository.resolve(revision),
                Err(GitError::UnknownRevision { .. })
            ),
            "{revision}"
        );
    }
}

#[test]
fn the_merge_base_is_the_best_common_ancestor() {
    let checkout = shop();
    let base = checkout.git(&["rev-parse", "HEAD"]);
    checkout.git(&["checkout", "-q", "-b", "side"]);
    checkout.write("side", "x");
    checkout.commit("side");
    checkout.git(&["checkout", "-q", "main"]);
    checkout.write("main", "x");
    checkout.commit("main");
    checkout.git(&["checkout", "-q", "--orphan", "island"]);
    checkout.commit("island");
    let repository = checkout.repository();
    let commit = |revision: &str| repository.resolve(revision).unwrap();
    assert_eq!(
        repository
            .merge_base(commit("main"), commit("side"))
            .unwrap()
            .to_string(),
        base
    );
    assert!(matches!(
        repository.merge_base(commit("main"), commit("island")),
        Err(GitError::NoMergeBase { .. })
    ));
}

#[test]
fn a_shallow_clone_says_that_history_is_missing() {
    let checkout = shop();
    checkout.write("x", "x");
    checkout.commit("two");
    let clone = TempDir::new().unwrap();
    let path = Utf8PathBuf::from_path_buf(clone.path().join("c")).unwrap();
    git(
        &checkout.path(),
        &[
            "clone",
            "-q",
            "--depth=1",
            &format!("file://{}", checkout.path()),
            path.as_str(),
        ],
    );
    let repository = Repository::discover(&path).unwrap().unwrap();
    assert!(repository.is_shallow());
    let error = repository.resolve("HEAD~1").unwrap_err();
    assert!(
        error.to_string().contains("git fetch --unshallow"),
        "{error}"
    );
}

#[test]
fn alternates_and_linked_work_trees_are_read() {
    let checkout = shop();
    let other = TempDir::new().unwrap();
    let shared =
        Utf8PathBuf::from_path_buf(other.path().canonicalize().unwrap().join("shared")).unwrap();
    let linked =
        Utf8PathBuf::from_path_buf(other.path().canonicalize().unwrap().join("linked")).unwrap();
    git(
        &checkout.path(),
        &[
            "clone",
            "-q",
            "--shared",
            checkout.path().as_str(),
            shared.as_str(),
        ],
    );
    git(
        &checkout.path(),
        &["worktree", "add", "-q", "--detach", linked.as_str()],
    );
    for path in [&shared, &linked] {
        let repository = Repository::discover(&path.join("services/api"))
            .unwrap()
            .unwrap();
        assert_eq!(repository.top_level(), Some(&**path));
        let tree = repository
            .tree_at(repository.head().unwrap(), path)
            .unwrap();
        assert_eq!(
            assert_alike(&tree, &checkout.head_tree(), &RepoPath::root()),
            5
        );
        assert!(
            !repository.work_tree_state(path).unwrap().is_dirty(),
            "{path}"
        );
    }
}

#[test]
fn a_partial_clone_never_fetches_what_it_lacks() {
    let checkout = shop();
    checkout.git(&["config", "uploadpack.allowFilter", "true"]);
    let clone = TempDir::new().unwrap();
    let path = Utf8PathBuf::from_path_buf(clone.path().canonicalize().unwrap().join("c")).unwrap();
    let source = format!("file://{}", checkout.path());
    git(
        &checkout.path(),
        &[
            "clone",
            "-q",
            "--filter=blob:none",
            "--no-checkout",
            &source,
            path.as_str(),
        ],
    );
    let repository = Repository::discover(&path).unwrap().unwrap();
    let tree = repository
        .tree_at(repository.head().unwrap(), &path)
        .unwrap();
    assert_eq!(tree.list(&RepoPath::root()).unwrap().entries.len(), 6);
    match tree.read(&at("go.mod"), ReadLimit::Whole).unwrap_err().kind {
        TreeErrorKind::MissingObject(message) => {
            assert!(message.contains("partial clone"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert!(tree.content_identity(&at("go.mod")).is_some());
}

#[test]
fn a_subdirectory_can_be_the_root() {
    let checkout = shop();
    let repository = checkout.repository();
    let root = checkout.path().join("services");
    let tree = repository
        .tree_at(repository.head().unwrap(), &root)
        .unwrap();
    assert_eq!(
        assert_alike(&tree, &DiskTree::open(&root).unwrap(), &RepoPath::root()),
        1
    );
    assert!(
        repository
            .tree_at(repository.head().unwrap(), Utf8Path::new("/"))
            .is_err()
    );
}

#[test]
fn submodules_and_odd_names_are_told_from_files() {
    let inner = shop();
    let checkout = Checkout::new();
    checkout.git(&[
        "submodule",
        "--quiet",
        "add",
        inner.path().as_str(),
        "inner",
    ]);
    let odd = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"odd\xff");
    fs::write(checkout.path().as_std_path().join(odd), "x").unwrap();
    checkout.commit("one");
    let tree = checkout.head_tree();
    let listing = tree.list(&RepoPath::root()).unwrap();
    assert_eq!(listing.not_utf8, [b"odd\xff".to_vec()]);
    let kind = listing
        .entries
        .iter()
        .find(|entry| &*entry.name == "inner")
        .unwrap()
        .kind;
    assert_eq!(kind, EntryKind::Submodule);
    assert_eq!(
        tree.list(&at("inner")).unwrap_err().kind,
        TreeErrorKind::Submodule
    );
    let state = checkout
        .repository()
        .work_tree_state(&checkout.path())
        .unwrap();
    assert!(state.is_tracked(&at("inner/go.mod")));
    assert!(!state.is_dirty());
}

#[test]
fn a_hostile_tree_hides_nothing_and_leads_nowhere() {
    let checkout = shop();
    let blob = checkout.git(&["rev-parse", "HEAD:go.mod"]);
    let bytes: Vec<u8> = (0..20)
        .map(|index| u8::from_str_radix(&blob[index * 2..index * 2 + 2], 16).unwrap())
        .collect();
    let mut object = Vec::new();
    for name in ["", ".", "..", ".GIT", "a/b", "good", "good"] {
        object.extend_from_slice(format!("100644 {name}\0").as_bytes());
        object.extend_from_slice(&bytes);
    }
    checkout.write("object", &object);
    let tree = checkout.git(&["hash-object", "-t", "tree", "--literally", "-w", "object"]);
    let commit = checkout.git(&["commit-tree", &tree, "-m", "hostile"]);
    let repository = checkout.repository();
    let tree = repository
        .tree_at(repository.resolve(&commit).unwrap(), &checkout.path())
        .unwrap();
    let names: Vec<String> = tree
        .list(&RepoPath::root())
        .unwrap()
        .entries
        .iter()
        .map(|entry| entry.name.to_string())
        .collect();
    assert_eq!(names, ["good"]);
}

#[test]
fn a_checkout_is_dirty_when_a_tracked_file_differs() {
    let dirty = |change: &dyn Fn(&Checkout)| {
        let checkout = shop();
        change(&checkout);
        checkout
            .repository()
            .work_tree_state(&checkout.path())
            .unwrap()
            .is_dirty()
    };
    assert!(!dirty(&|_| {}));
    assert!(!dirty(&|checkout| checkout.write("untracked", "x")));
    assert!(!dirty(
        &|checkout| checkout.write("go.mod", "module ex.com/shop\n\ngo 1.24\n")
    ));
    assert!(dirty(
        &|checkout| checkout.write("go.mod", "module ex.com/shop\n\ngo 1.25\n")
    ));
    assert!(dirty(&|checkout| fs::remove_file(
        checkout.path().join("empty")
    )
    .unwrap()));
    assert!(dirty(&|checkout| {
        checkout.write("staged", "x");
        checkout.git(&["add", "staged"]);
    }));
    assert!(dirty(&|checkout| {
        let plain = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(checkout.path().join("bin/run.sh"), plain).unwrap();
    }));
}

/// The findings about the inputs of a checkout, as code and path.
fn findings(checkout: &Checkout) -> Vec<(String, String)> {
    let disk = DiskTree::open(&checkout.path()).unwrap();
    let mut planned = plan(&disk, &PlanOptions::new()).unwrap();
    let before: Vec<_> = planned.images.iter().map(|image| image.keys).collect();
    checkout
        .repository()
        .work_tree_state(&checkout.path())
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
    let checkout = shop();
    assert!(findings(&checkout).is_empty());
    checkout.write(".gitignore", "ignored.go\n");
    checkout.write("lib/new.go", "package lib\n");
    checkout.write("lib/ignored.go", "package lib\n");
    checkout.write("notes.txt", "no input\n");
    assert_eq!(
        findings(&checkout),
        [
            finding("untracked-input", "lib/ignored.go"),
            finding("untracked-input", "lib/new.go")
        ]
    );
}

#[test]
fn inputs_that_git_rewrites_are_named() {
    let checkout = shop();
    checkout.write(".gitattributes", "lib/*.go text eol=crlf\n");
    checkout.commit("attributes");
    fs::remove_file(checkout.path().join("lib/lib.go")).unwrap();
    checkout.git(&["checkout", "-q", "--", "lib/lib.go"]);
    assert_eq!(
        fs::read(checkout.path().join("lib/lib.go")).unwrap(),
        b"package lib\r\n"
    );
    assert_eq!(
        findings(&checkout),
        [finding("filtered-content", "lib/lib.go")]
    );
}

#[test]
fn pointers_of_git_lfs_are_named() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    assert!(is_lfs_pointer(pointer.as_bytes()));
    assert!(!is_lfs_pointer(
        b"version https://git-lfs.github.com/spec/v1\n"
    ));
    let checkout = shop();
    checkout.write(
        "lib/lib.go",
        "package lib\n\nimport _ \"embed\"\n\n//go:embed big.bin\nvar big string\n",
    );
    checkout.write("lib/big.bin", pointer);
    checkout.write(".gitattributes", "*.bin filter=lfs\n");
    checkout.commit("pointer");
    assert_eq!(findings(&checkout), [finding("lfs-pointer", "lib/big.bin")]);
}

#[test]
fn a_bare_repository_has_commits_and_no_checkout() {
    let checkout = shop();
    let bare = TempDir::new().unwrap();
    let path =
        Utf8PathBuf::from_path_buf(bare.path().canonicalize().unwrap().join("b.git")).unwrap();
    git(
        &checkout.path(),
        &[
            "clone",
            "-q",
            "--bare",
            checkout.path().as_str(),
            path.as_str(),
        ],
    );
    let repository = Repository::discover(&path).unwrap().unwrap();
    assert_eq!(repository.top_level(), None);
    let tree = repository
        .tree_at(repository.head().unwrap(), &path)
        .unwrap();
    assert_eq!(
        assert_alike(&tree, &checkout.head_tree(), &RepoPath::root()),
        5
    );
    assert!(repository.work_tree_state(&path).is_err());
}

#[test]
fn there_is_no_repository_everywhere() {
    let directory = TempDir::new().unwrap();
    let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
    assert!(Repository::discover(&path).unwrap().is_none());
}
