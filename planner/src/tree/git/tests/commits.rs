use super::sandbox::{Sandbox, everything, path, text};
use crate::path::RepoPath;
use crate::tree::disk::DiskTree;
use crate::tree::git::{MergeBaseError, Repository, RepositoryError, RevisionError};
use crate::tree::{EntryKind, FileMode, ReadLimit, SourceTree as _, TreeErrorKind};

/// Every kind of thing that a checkout can have.
fn sample() -> Sandbox {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/go.mod", "module example.com/a\n");
    sandbox.write("repo/b/main.go", "package main\n");
    sandbox.write("repo/b.go", "package b\n");
    sandbox.write("repo/b-c/empty", "");
    sandbox.write("repo/deep/er/and/deeper/x.txt", "x");
    sandbox.write("repo/run.sh", "#!/bin/sh\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(sandbox.path("repo/run.sh"), mode).unwrap();
        symlink("b/main.go", sandbox.path("repo/link")).unwrap();
        symlink("../nowhere", sandbox.path("repo/b/dangling")).unwrap();
    }
    sandbox.commit("repo");
    sandbox
}

fn assert_same_as_disk(sandbox: &Sandbox, repository: &str) {
    let disk = DiskTree::open(&sandbox.path(repository)).unwrap();
    assert_eq!(
        everything(&sandbox.head_tree(repository)),
        everything(&disk)
    );
}

#[test]
fn a_commit_reads_as_its_clean_checkout_does() {
    let sandbox = sample();
    assert_same_as_disk(&sandbox, "repo");
    let tree = sandbox.head_tree("repo");
    assert_eq!(tree.mode(&path("run.sh")), Ok(FileMode::Executable));
    assert_eq!(tree.mode(&path("go.mod")), Ok(FileMode::Regular));
    assert_eq!(
        tree.read(&path("b.go"), ReadLimit::Bytes(7)).unwrap(),
        b"package"
    );
    assert_eq!(
        tree.read(&path("b-c/empty"), ReadLimit::Bytes(7)).unwrap(),
        b""
    );
}

#[test]
fn the_environment_of_the_process_changes_no_answer() {
    let elsewhere = Sandbox::with_repository();
    elsewhere.write(
        "config",
        "[core]\n\tautocrlf = true\n\tworktree = /nowhere\n",
    );
    let test = std::env::current_exe().unwrap();
    let output = std::process::Command::new(test)
        .args([
            "--exact",
            "tree::git::tests::commits::a_commit_reads_as_its_clean_checkout_does",
            "tree::git::tests::work_trees::changes_are_found_where_git_finds_them",
        ])
        .env("GIT_DIR", elsewhere.path("repo/.git"))
        .env("GIT_WORK_TREE", elsewhere.path("."))
        .env("GIT_INDEX_FILE", elsewhere.path("no-index"))
        .env("GIT_OBJECT_DIRECTORY", elsewhere.path("no-objects"))
        .env("GIT_CEILING_DIRECTORIES", "/")
        .env("GIT_NAMESPACE", "other")
        .env("GIT_SHALLOW_FILE", elsewhere.path("config"))
        .env("GIT_CONFIG_GLOBAL", elsewhere.path("config"))
        .env("GIT_CONFIG_SYSTEM", elsewhere.path("config"))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "core.worktree")
        .env("GIT_CONFIG_VALUE_0", "/nowhere")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("2 passed"), "{text}");
}

#[test]
fn failures_are_told_apart() {
    let sandbox = sample();
    let tree = sandbox.head_tree("repo");
    let root = RepoPath::root();
    let kind = |result: Result<Vec<u8>, crate::tree::TreeError>| result.unwrap_err().kind;
    let read = |file: &str| kind(tree.read(&path(file), ReadLimit::Whole));
    let list = |directory: &str| tree.list(&path(directory)).unwrap_err().kind;
    assert_eq!(read("missing"), TreeErrorKind::NotFound);
    assert_eq!(read("missing/below"), TreeErrorKind::NotFound);
    assert_eq!(read("go.mod/below"), TreeErrorKind::NotADirectory);
    assert_eq!(read("link/below"), TreeErrorKind::NotADirectory);
    assert_eq!(read("b"), TreeErrorKind::NotAFile);
    assert_eq!(read("link"), TreeErrorKind::NotAFile);
    assert_eq!(
        kind(tree.read(&root, ReadLimit::Whole)),
        TreeErrorKind::NotAFile
    );
    assert_eq!(list("missing"), TreeErrorKind::NotFound);
    assert_eq!(list("go.mod"), TreeErrorKind::NotADirectory);
    assert_eq!(list("link"), TreeErrorKind::NotADirectory);
    let link = tree.read_link(&path("go.mod")).unwrap_err().kind;
    assert_eq!(link, TreeErrorKind::NotALink);
    assert_eq!(
        tree.mode(&path("link")).unwrap_err().kind,
        TreeErrorKind::NotAFile
    );
    let long = path(&vec!["x"; 3000].join("/"));
    let too_long = tree.list(&long).unwrap_err().kind;
    assert_eq!(too_long, TreeErrorKind::PathTooLong);
}

#[test]
fn a_subdirectory_can_be_the_root() {
    let sandbox = sample();
    let repository = sandbox.repository("repo/deep/er");
    let root = repository
        .path_in_work_tree(&sandbox.path("repo/deep/er"))
        .unwrap();
    assert_eq!(root.as_str(), "deep/er");
    let head = repository.head().unwrap().unwrap();
    let tree = repository.tree(head, &root).unwrap();
    let disk = DiskTree::open(&sandbox.path("repo/deep/er")).unwrap();
    assert_eq!(everything(&tree), everything(&disk));
    let error = repository.tree(head, &path("deep/no")).unwrap_err();
    assert_eq!(
        (error.path, error.kind),
        (path("deep/no"), TreeErrorKind::NotFound)
    );
    let file = repository.tree(head, &path("go.mod")).unwrap_err();
    assert_eq!(file.kind, TreeErrorKind::NotADirectory);
}

#[test]
fn equal_content_has_one_identity_found_without_reading_it() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/a/x", "same");
    sandbox.write("repo/b", "same");
    sandbox.write("repo/c", "other");
    sandbox.commit("repo");
    let blob = sandbox.git("repo", &["rev-parse", "HEAD:b"]);
    let object = format!("repo/.git/objects/{}/{}", &blob[..2], &blob[2..]);
    std::fs::remove_file(sandbox.path(&object)).unwrap();
    let tree = sandbox.head_tree("repo");
    let identity = |file: &str| tree.content_identity(&path(file));
    assert!(identity("b").is_some());
    assert_eq!(identity("a/x"), identity("b"));
    assert_ne!(identity("c"), identity("b"));
    assert_eq!(identity("a"), None);
    assert_eq!(identity("missing"), None);
    let missing = text(&tree, "b").unwrap_err();
    assert_eq!(
        missing,
        TreeErrorKind::MissingObject(format!(
            "the blob {blob} is missing; `git fsck` lists all that is, and a fresh clone has it"
        ))
    );
}

#[test]
fn names_that_are_not_utf8_are_listed_apart() {
    let sandbox = Sandbox::with_repository();
    let blob = sandbox.git_with_input("repo", &["hash-object", "-w", "--stdin"], b"x");
    let entries = format!("100644 blob {blob}\tplain\n100644 blob {blob}\t");
    let mut input = entries.into_bytes();
    input.extend_from_slice(b"caf\xe9\n");
    let tree = sandbox.git_with_input("repo", &["mktree"], &input);
    let commit = sandbox.git("repo", &["commit-tree", "-m", "x", &tree]);
    let repository = sandbox.repository("repo");
    let commit = repository.resolve(&commit).unwrap();
    let tree = repository.tree(commit, &RepoPath::root()).unwrap();
    let listing = tree.list(&RepoPath::root()).unwrap();
    assert_eq!(listing.not_utf8, [b"caf\xe9".to_vec()]);
    assert_eq!(listing.entries.len(), 1);
}

/// Writes a tree object as it is told, with any names.
fn raw_tree(sandbox: &Sandbox, entries: &[(&str, &str, &str)]) -> String {
    let mut object = Vec::new();
    for (mode, name, id) in entries {
        object.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        for pair in id.as_bytes().chunks(2) {
            let pair = std::str::from_utf8(pair).unwrap();
            object.push(u8::from_str_radix(pair, 16).unwrap());
        }
    }
    let arguments = ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"];
    sandbox.git_with_input("repo", &arguments, &object)
}

#[test]
fn trees_that_git_would_not_check_out_are_errors() {
    let sandbox = Sandbox::with_repository();
    let blob = sandbox.git_with_input("repo", &["hash-object", "-w", "--stdin"], b"x");
    let names: [&[&str]; 8] = [
        &[".."],
        &["."],
        &[".git"],
        &[".GIT"],
        &["a/b"],
        &[""],
        &["same", "same"],
        &["../../etc/passwd"],
    ];
    let repository = sandbox.repository("repo");
    for names in names {
        let mut entries = vec![("100644", "good", blob.as_str())];
        entries.extend(names.iter().map(|name| ("100644", *name, blob.as_str())));
        let bad = raw_tree(&sandbox, &entries);
        let top = raw_tree(&sandbox, &[("100644", "a", &blob), ("40000", "bad", &bad)]);
        let commit = sandbox.git("repo", &["commit-tree", "-m", "x", &top]);
        let commit = repository.resolve(&commit).unwrap();
        let tree = repository.tree(commit, &RepoPath::root()).unwrap();
        assert_eq!(text(&tree, "a"), Ok("x".to_owned()), "{names:?}");
        let error = tree.list(&path("bad")).unwrap_err();
        assert!(
            matches!(error.kind, TreeErrorKind::Other(_)),
            "{names:?}: {error}"
        );
        assert!(text(&tree, "bad/good").is_err(), "{names:?}");
    }
}

#[test]
fn a_damaged_tree_and_an_object_of_another_kind_are_errors() {
    let sandbox = Sandbox::with_repository();
    let blob = sandbox.git_with_input("repo", &["hash-object", "-w", "--stdin"], b"x");
    let arguments = ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"];
    let cut = sandbox.git_with_input("repo", &arguments, b"100644 cut\0too short");
    let inner = raw_tree(&sandbox, &[("100644", "file", &blob)]);
    let top = raw_tree(
        &sandbox,
        &[
            ("40000", "blob", &blob),
            ("40000", "cut", &cut),
            ("100644", "tree", &inner),
        ],
    );
    let commit = sandbox.git("repo", &["commit-tree", "-m", "x", &top]);
    let repository = sandbox.repository("repo");
    let commit = repository.resolve(&commit).unwrap();
    let tree = repository.tree(commit, &RepoPath::root()).unwrap();
    for directory in ["blob", "cut"] {
        let error = tree.list(&path(directory)).unwrap_err();
        assert!(matches!(error.kind, TreeErrorKind::Other(_)), "{error}");
    }
    assert!(matches!(text(&tree, "tree"), Err(TreeErrorKind::Other(_))));
}

#[test]
fn a_deep_tree_costs_no_stack() {
    let sandbox = Sandbox::with_repository();
    let blob = sandbox.git_with_input("repo", &["hash-object", "-w", "--stdin"], b"x");
    let mut tree = raw_tree(&sandbox, &[("100644", "file", &blob)]);
    for _ in 0..100 {
        tree = raw_tree(&sandbox, &[("40000", "d", &tree)]);
    }
    let commit = sandbox.git("repo", &["commit-tree", "-m", "x", &tree]);
    let repository = sandbox.repository("repo");
    let commit = repository.resolve(&commit).unwrap();
    let tree = repository.tree(commit, &RepoPath::root()).unwrap();
    let file = format!("{}file", "d/".repeat(100));
    assert_eq!(text(&tree, &file), Ok("x".to_owned()));
}

#[test]
fn revisions_resolve_as_people_write_them() {
    let sandbox = Sandbox::with_repository();
    let commits: Vec<String> = (0..5)
        .map(|number| {
            sandbox.write("repo/number", number.to_string());
            sandbox.commit("repo")
        })
        .collect();
    sandbox.git("repo", &["tag", "light", "HEAD~2"]);
    sandbox.git("repo", &["tag", "-a", "-m", "x", "annotated", "HEAD~1"]);
    let repository = sandbox.repository("repo");
    let rows = [
        ("HEAD", 4),
        ("main", 4),
        ("refs/heads/main", 4),
        ("HEAD~3", 1),
        ("main^", 3),
        ("light", 2),
        ("annotated", 3),
        ("annotated^{commit}", 3),
        (&commits[0], 0),
        (&commits[0][..12], 0),
    ];
    for (revision, index) in rows {
        let resolved = repository.resolve(revision).unwrap();
        assert_eq!(resolved.to_string(), commits[index], "{revision}");
    }
    let unknown = [
        "nothing",
        "HEAD~9",
        "HEAD^2",
        "",
        "main..light",
        &"1".repeat(40),
        "deadbeef",
    ];
    for revision in unknown {
        let error = repository.resolve(revision).unwrap_err();
        assert!(
            matches!(error, RevisionError::Unknown { .. }),
            "{revision}: {error}"
        );
    }
    for revision in ["HEAD:number", "HEAD^{tree}"] {
        let error = repository.resolve(revision).unwrap_err();
        assert!(
            matches!(error, RevisionError::NotACommit { .. }),
            "{revision}: {error}"
        );
    }
}

#[test]
fn an_ambiguous_id_names_what_it_could_be() {
    let sandbox = Sandbox::with_repository();
    let tree = sandbox.git_with_input("repo", &["mktree"], b"");
    let mut seen: std::collections::HashMap<String, String> = std::collections::HashMap::new();
    let prefix = (0..)
        .find_map(|number| {
            let message = number.to_string();
            let id = sandbox.git("repo", &["commit-tree", "-m", &message, &tree]);
            let prefix = id[..4].to_owned();
            seen.insert(prefix.clone(), id).map(|_| prefix)
        })
        .unwrap();
    let error = sandbox.repository("repo").resolve(&prefix).unwrap_err();
    let RevisionError::Ambiguous { candidates, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(candidates.len(), 2);
}

#[test]
fn the_merge_base_is_the_best_common_ancestor() {
    let sandbox = Sandbox::with_repository();
    sandbox.commit("repo");
    let base = sandbox.commit("repo");
    sandbox.git("repo", &["branch", "side"]);
    sandbox.commit("repo");
    sandbox.git("repo", &["checkout", "--quiet", "side"]);
    sandbox.write("repo/x", "");
    sandbox.commit("repo");
    sandbox.git("repo", &["checkout", "--quiet", "--orphan", "apart"]);
    sandbox.commit("repo");
    let repository = sandbox.repository("repo");
    let commit = |name: &str| repository.resolve(name).unwrap();
    let found = repository
        .merge_base(commit("main"), commit("side"))
        .unwrap();
    assert_eq!(found.to_string(), base);
    assert_eq!(repository.merge_base(found, commit("side")), Ok(found));
    let apart = repository.merge_base(commit("main"), commit("apart"));
    assert!(matches!(
        apart,
        Err(MergeBaseError::NoCommonAncestor { .. })
    ));
}

#[test]
fn a_repository_is_found_as_git_finds_it() {
    let sandbox = sample();
    let top_level = |below: &str| {
        let repository = sandbox.repository(below);
        repository.top_level().map(ToOwned::to_owned)
    };
    assert_eq!(top_level("repo"), Some(sandbox.path("repo")));
    assert_eq!(top_level("repo/deep/er"), Some(sandbox.path("repo")));
    sandbox.git(
        "repo",
        &["worktree", "add", "--quiet", "--detach", "../linked"],
    );
    assert_eq!(top_level("linked/deep"), Some(sandbox.path("linked")));
    assert_same_as_disk(&sandbox, "linked");
    sandbox.git(".", &["clone", "--quiet", "--bare", "repo", "bare"]);
    assert_eq!(top_level("bare"), None);
    let bare = sandbox.head_tree("bare");
    assert_eq!(everything(&bare), everything(&sandbox.head_tree("repo")));
    sandbox.write("outside/x", "");
    let outside = sandbox.path("outside");
    assert!(Repository::discover(&outside).unwrap().is_none());
    let error = Repository::open(&outside).unwrap_err();
    assert_eq!(error, RepositoryError::NotARepository(outside.clone()));
    let repository = sandbox.repository("repo");
    let head = repository.head().unwrap().unwrap();
    let deep = repository
        .tree_at(head, &sandbox.path("repo/deep"))
        .unwrap();
    assert_eq!(deep.root().as_str(), "deep");
    let error = repository.tree_at(head, &outside).unwrap_err();
    assert_eq!(error, RepositoryError::NotInWorkTree(outside).into());
    let bare = sandbox.repository("bare");
    let whole = bare.tree_at(head, &sandbox.path("bare")).unwrap();
    assert!(whole.root().is_root());
}

#[test]
fn a_git_entry_that_is_no_repository_is_not_passed_over() {
    let sandbox = sample();
    let why = |entry: &str| {
        let below = sandbox.path(entry);
        let error = Repository::discover(&below).unwrap_err();
        assert!(
            matches!(&error, RepositoryError::Unreadable(why) if why.contains("/.git`: ")),
            "{entry}: {error}"
        );
    };
    // Outside of any repository, and within one that git would take in its place.
    for place in ["alone", "repo/within"] {
        sandbox.write(&format!("{place}/garbage/.git"), "nonsense");
        sandbox.write(
            &format!("{place}/stale/.git"),
            "gitdir: /no/such/directory\n",
        );
        sandbox.write(&format!("{place}/headless/.git/refs/heads/x"), "");
        sandbox.write(&format!("{place}/damaged/.git/HEAD"), "nonsense");
        for kind in ["garbage", "stale", "headless", "damaged"] {
            sandbox.write(&format!("{place}/{kind}/deep/x"), "");
            why(&format!("{place}/{kind}"));
            why(&format!("{place}/{kind}/deep"));
        }
        sandbox.write(&format!("{place}/other/.git/description"), "");
        sandbox.write(&format!("{place}/other/deep/x"), "");
    }
    let found = |below: &str| {
        let repository = Repository::discover(&sandbox.path(below)).unwrap();
        repository.and_then(|repository| repository.top_level().map(ToOwned::to_owned))
    };
    assert_eq!(found("alone/other/deep"), None);
    assert_eq!(found("repo/within/other/deep"), Some(sandbox.path("repo")));
}

#[test]
fn a_repository_without_a_commit_has_no_head() {
    let sandbox = Sandbox::with_repository();
    assert_eq!(sandbox.repository("repo").head(), Ok(None));
}

#[test]
fn stores_that_can_not_be_read_are_refused_by_name() {
    let sandbox = Sandbox::with_repository();
    sandbox.git(
        ".",
        &["init", "--quiet", "--object-format=sha256", "sha256"],
    );
    sandbox.git("repo", &["config", "extensions.refStorage", "reftable"]);
    for repository in ["sha256", "repo"] {
        let error = Repository::discover(&sandbox.path(repository)).unwrap_err();
        assert!(
            matches!(error, RepositoryError::Unsupported(_)),
            "{repository}: {error}"
        );
    }
}

#[test]
fn a_submodule_is_listed_but_not_entered() {
    let sandbox = sample();
    sandbox.git(
        ".",
        &["init", "--quiet", "--initial-branch=main", "library"],
    );
    sandbox.write("library/lib.go", "package lib\n");
    sandbox.commit("library");
    let url = sandbox.url("library");
    sandbox.git(
        "repo",
        &["submodule", "--quiet", "add", &url, "vendored/lib"],
    );
    sandbox.commit("repo");
    let tree = sandbox.head_tree("repo");
    let listing = tree.list(&path("vendored")).unwrap();
    assert_eq!(listing.entries[0].kind, EntryKind::Submodule);
    let below = tree.list(&path("vendored/lib")).unwrap_err().kind;
    assert_eq!(below, TreeErrorKind::Submodule);
    assert_eq!(
        text(&tree, "vendored/lib/lib.go"),
        Err(TreeErrorKind::Submodule)
    );
    assert_eq!(text(&tree, "vendored/lib"), Err(TreeErrorKind::NotAFile));
    // The submodule's own checkout is a repository of its own.
    let inner = sandbox.repository("repo/vendored/lib");
    assert_eq!(inner.top_level(), Some(&*sandbox.path("repo/vendored/lib")));
    assert_same_as_disk(&sandbox, "repo/vendored/lib");
}

#[test]
fn replaced_objects_are_read_as_every_other_clone_reads_them() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/x", "original");
    let original = sandbox.commit("repo");
    sandbox.write("repo/x", "replacement");
    let replacement = sandbox.commit("repo");
    sandbox.git("repo", &["replace", &original, &replacement]);
    let repository = sandbox.repository("repo");
    let commit = repository.resolve(&original).unwrap();
    let tree = repository.tree(commit, &RepoPath::root()).unwrap();
    assert_eq!(text(&tree, "x"), Ok("original".to_owned()));
}
