use super::sandbox::{Sandbox, everything, path, text};
use crate::path::RepoPath;
use crate::tree::git::{MergeBaseError, RevisionError};
use crate::tree::{SourceTree as _, TreeErrorKind};

fn history(commits: usize) -> Sandbox {
    let sandbox = Sandbox::with_repository();
    for number in 0..commits {
        let lines: String = (0..200).map(|line| format!("{line} {number}\n")).collect();
        sandbox.write("repo/directory/file", lines);
        sandbox.write(&format!("repo/other/{number}"), "x");
        sandbox.commit("repo");
    }
    sandbox
}

#[test]
fn packs_deltas_and_a_multi_pack_index_read_as_loose_objects_do() {
    let sandbox = history(5);
    let loose = everything(&sandbox.head_tree("repo"));
    sandbox.git("repo", &["gc", "--quiet", "--aggressive", "--prune=now"]);
    assert_eq!(everything(&sandbox.head_tree("repo")), loose);
    sandbox.write("repo/new", "new");
    sandbox.commit("repo");
    sandbox.git("repo", &["repack", "--quiet", "-d"]);
    sandbox.git("repo", &["multi-pack-index", "write"]);
    let packed = everything(&sandbox.head_tree("repo"));
    assert_eq!(packed.len(), loose.len() + 1);
    let repository = sandbox.repository("repo");
    let before = repository.resolve("HEAD~1").unwrap();
    let before = repository.tree(before, &RepoPath::root()).unwrap();
    assert_eq!(everything(&before), loose);
}

#[test]
fn objects_come_from_alternates() {
    let sandbox = history(2);
    let original = everything(&sandbox.head_tree("repo"));
    sandbox.git(".", &["clone", "--quiet", "--shared", "repo", "shared"]);
    assert_eq!(everything(&sandbox.head_tree("shared")), original);
    let url = sandbox.url("repo");
    let arguments = ["clone", "--quiet", "--reference", "repo", &url, "reference"];
    sandbox.git(".", &arguments);
    assert_eq!(everything(&sandbox.head_tree("reference")), original);
}

#[test]
fn what_a_partial_clone_lacks_is_missing_and_not_fetched() {
    let sandbox = history(2);
    sandbox.git("repo", &["config", "uploadpack.allowFilter", "true"]);
    let url = sandbox.url("repo");
    let arguments = [
        "clone",
        "--quiet",
        "--filter=blob:none",
        "--no-checkout",
        &url,
        "partial",
    ];
    sandbox.git(".", &arguments);
    let repository = sandbox.repository("partial");
    assert!(repository.is_partial_clone());
    let blob = sandbox.git("repo", &["rev-parse", "HEAD:other/0"]);
    let tree = sandbox.head_tree("partial");
    // Listings and identities need no blob.
    assert_eq!(tree.list(&path("other")).unwrap().entries.len(), 2);
    assert!(tree.content_identity(&path("other/0")).is_some());
    let TreeErrorKind::MissingObject(message) = text(&tree, "other/0").unwrap_err() else {
        panic!();
    };
    assert!(message.contains(&blob), "{message}");
    assert!(
        message.contains("git fetch --refetch --no-filter"),
        "{message}"
    );
    // Still missing, and there again once the advice is followed.
    assert!(text(&tree, "other/0").is_err());
    sandbox.git("partial", &["fetch", "--quiet", "--refetch", "--no-filter"]);
    assert_eq!(text(&tree, "other/0"), Ok("x".to_owned()));
}

#[test]
fn a_clone_without_trees_lacks_directories() {
    let sandbox = history(1);
    sandbox.git("repo", &["config", "uploadpack.allowFilter", "true"]);
    let url = sandbox.url("repo");
    let arguments = [
        "clone",
        "--quiet",
        "--filter=tree:0",
        "--no-checkout",
        &url,
        "treeless",
    ];
    sandbox.git(".", &arguments);
    let repository = sandbox.repository("treeless");
    let head = repository.head().unwrap().unwrap();
    let error = repository.tree(head, &RepoPath::root()).unwrap_err();
    assert!(
        matches!(error.kind, TreeErrorKind::MissingObject(_)),
        "{error}"
    );
}

#[test]
fn a_damaged_object_is_an_error_at_its_path() {
    let sandbox = history(1);
    let blob = sandbox.git("repo", &["rev-parse", "HEAD:other/0"]);
    let object = format!("repo/.git/objects/{}/{}", &blob[..2], &blob[2..]);
    std::fs::remove_file(sandbox.path(&object)).unwrap();
    sandbox.write(&object, b"\x78\x01garbage");
    let error = text(&sandbox.head_tree("repo"), "other/0").unwrap_err();
    assert!(matches!(&error, TreeErrorKind::MissingObject(message) if message.contains(&blob)));
}

#[test]
fn a_shallow_clone_says_that_it_is_shallow() {
    let sandbox = history(4);
    sandbox.git("repo", &["branch", "old", "HEAD~3"]);
    let old = sandbox.git("repo", &["rev-parse", "old"]);
    let url = sandbox.url("repo");
    let arguments = [
        "clone",
        "--quiet",
        "--depth=2",
        "--no-single-branch",
        &url,
        "shallow",
    ];
    sandbox.git(".", &arguments);
    let repository = sandbox.repository("shallow");
    assert!(repository.is_shallow());
    assert!(!sandbox.repository("repo").is_shallow());
    assert!(repository.resolve("HEAD~1").is_ok());
    for revision in ["HEAD~2", "HEAD~1^", "HEAD~3", "origin/none"] {
        let error = repository.resolve(revision).unwrap_err();
        assert!(
            matches!(error, RevisionError::NotInShallowClone { .. }),
            "{revision}: {error}"
        );
    }
    let head = repository.head().unwrap().unwrap();
    let old = repository.resolve(&old).unwrap();
    let error = repository.merge_base(head, old).unwrap_err();
    assert!(
        matches!(error, MergeBaseError::ShallowClone { .. }),
        "{error}"
    );
    let parent = repository.resolve("HEAD~1").unwrap();
    assert_eq!(repository.merge_base(head, parent), Ok(parent));
    sandbox.git("shallow", &["fetch", "--quiet", "--unshallow"]);
    let whole = sandbox.repository("shallow");
    assert_eq!(whole.merge_base(head, old), Ok(old));
}

#[test]
fn many_threads_read_the_same_content() {
    let sandbox = history(3);
    sandbox.git("repo", &["gc", "--quiet", "--aggressive"]);
    let tree = sandbox.head_tree("repo");
    let expected = everything(&tree);
    let fresh = sandbox.head_tree("repo");
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..8).map(|_| scope.spawn(|| everything(&fresh))).collect();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), expected);
        }
    });
}
