use super::sandbox::{Sandbox, path};
use crate::path::RepoPath;
use crate::tree::git::{ChangeKind, StagedState, WorkTreeError, WorkTreeState};
use crate::tree::{ReadLimit, SourceTree as _};

fn state(sandbox: &Sandbox, repository: &str) -> WorkTreeState {
    state_at(sandbox, repository, &RepoPath::root())
}

/// The state of a directory. It is the same whether the files are looked at, or were opened before.
fn state_at(sandbox: &Sandbox, repository: &str, root: &RepoPath) -> WorkTreeState {
    let repository = sandbox.repository(repository);
    let state = WorkTreeState::read(&repository, root).unwrap();
    let disk = state.root_on_disk().unwrap().keeping_stamps();
    for path in state.tracked_paths() {
        // What is no file, or is no more, is not opened.
        let _ = disk.read(&path, ReadLimit::Bytes(1));
    }
    let staged = StagedState::read(&repository, root).unwrap();
    let seen = staged.look_at_files(Some(&disk));
    assert_eq!(seen.changes().unwrap(), state.changes().unwrap());
    state
}

fn changes(sandbox: &Sandbox, repository: &str) -> Vec<(String, ChangeKind)> {
    let state = state(sandbox, repository);
    let changes = state.changes().unwrap();
    assert_eq!(state.is_dirty(), !changes.is_empty());
    changes
        .iter()
        .map(|change| (change.path.clone(), change.kind))
        .collect()
}

fn sample() -> Sandbox {
    let sandbox = Sandbox::with_repository();
    for file in ["a.go", "b.go", "dir/c.go", "dir/sub/d.go", "other/e.go"] {
        sandbox.write(&format!("repo/{file}"), format!("package {}\n", file.len()));
    }
    sandbox.write("repo/.gitignore", "*.log\n");
    sandbox.commit("repo");
    sandbox
}

#[test]
fn a_fresh_checkout_is_clean_racy_or_not() {
    let sandbox = sample();
    assert_eq!(changes(&sandbox, "repo"), []);
    sandbox.settle("repo");
    assert_eq!(changes(&sandbox, "repo"), []);
}

#[test]
fn changes_are_found_where_git_finds_them() {
    type Row = (
        &'static str,
        fn(&Sandbox),
        &'static [(&'static str, ChangeKind)],
    );
    let rows: [Row; 13] = [
        ("nothing", |_| {}, &[]),
        (
            "longer",
            |s| s.write("repo/a.go", "package longer\n"),
            &[("a.go", ChangeKind::Modified)],
        ),
        (
            "same size",
            |s| s.write("repo/dir/c.go", "package 9\n"),
            &[("dir/c.go", ChangeKind::Modified)],
        ),
        (
            "same bytes",
            |s| s.write("repo/dir/c.go", "package 8\n"),
            &[],
        ),
        (
            "deleted",
            |s| std::fs::remove_file(s.path("repo/b.go")).unwrap(),
            &[("b.go", ChangeKind::Deleted)],
        ),
        (
            "directory gone",
            |s| std::fs::remove_dir_all(s.path("repo/dir")).unwrap(),
            &[
                ("dir/c.go", ChangeKind::Deleted),
                ("dir/sub/d.go", ChangeKind::Deleted),
            ],
        ),
        (
            "staged",
            |s| {
                s.write("repo/a.go", "package staged\n");
                s.git("repo", &["add", "a.go"]);
            },
            &[("a.go", ChangeKind::Staged)],
        ),
        (
            "staged and taken back on disk",
            |s| {
                s.write("repo/a.go", "package staged\n");
                s.git("repo", &["add", "a.go"]);
                s.write("repo/a.go", "package 4\n");
            },
            &[("a.go", ChangeKind::Staged), ("a.go", ChangeKind::Modified)],
        ),
        (
            "added",
            |s| {
                s.write("repo/dir/new.go", "package x\n");
                s.git("repo", &["add", "dir/new.go"]);
            },
            &[("dir/new.go", ChangeKind::Staged)],
        ),
        (
            "removed from the index",
            |s| {
                s.git("repo", &["rm", "--quiet", "--cached", "dir/sub/d.go"]);
            },
            &[("dir/sub/d.go", ChangeKind::Staged)],
        ),
        (
            "untracked and ignored",
            |s| {
                s.write("repo/new.go", "package x\n");
                s.write("repo/dir/x.log", "x");
            },
            &[],
        ),
        (
            "hidden by a flag",
            |s| {
                s.git("repo", &["update-index", "--assume-unchanged", "a.go"]);
                s.git("repo", &["update-index", "--skip-worktree", "b.go"]);
                s.write("repo/a.go", "package hidden\n");
                s.write("repo/b.go", "package hidden\n");
            },
            &[
                ("a.go", ChangeKind::Modified),
                ("b.go", ChangeKind::Modified),
            ],
        ),
        (
            "intended",
            |s| {
                s.write("repo/new.go", "package x\n");
                s.git("repo", &["add", "--intent-to-add", "new.go"]);
            },
            &[
                ("new.go", ChangeKind::Staged),
                ("new.go", ChangeKind::Modified),
            ],
        ),
    ];
    for (name, edit, expected) in rows {
        let sandbox = sample();
        sandbox.settle("repo");
        edit(&sandbox);
        let expected: Vec<(String, ChangeKind)> = expected
            .iter()
            .map(|(path, kind)| ((*path).to_owned(), *kind))
            .collect();
        assert_eq!(changes(&sandbox, "repo"), expected, "{name}");
        let clean = sandbox
            .git("repo", &["status", "--porcelain", "--untracked-files=no"])
            .is_empty();
        if name != "hidden by a flag" {
            assert_eq!(clean, expected.is_empty(), "{name}");
        }
    }
}

#[test]
fn a_change_in_the_moment_of_the_checkout_is_seen() {
    // Same size, same second, and most likely the same stat data but for the nanoseconds.
    let sandbox = sample();
    for round in 0..5 {
        let content = format!("package {}\n", round % 2);
        sandbox.write("repo/a.go", &content);
        sandbox.git("repo", &["add", "a.go"]);
        sandbox.commit("repo");
        sandbox.write("repo/a.go", "package x\n");
        assert_eq!(
            changes(&sandbox, "repo"),
            [("a.go".to_owned(), ChangeKind::Modified)]
        );
    }
}

#[cfg(unix)]
#[test]
#[cfg(target_os = "linux")]
fn what_was_opened_counts_as_it_was_then() {
    let sandbox = sample();
    sandbox.settle("repo");
    let repository = sandbox.repository("repo");
    let staged = StagedState::read(&repository, &RepoPath::root()).unwrap();
    let disk = state(&sandbox, "repo").root_on_disk().unwrap();
    let disk = disk.keeping_stamps();
    disk.read(&path("dir/c.go"), ReadLimit::Whole).unwrap();
    for file in ["a.go", "dir/c.go"] {
        sandbox.write(&format!("repo/{file}"), "package changed\n");
    }
    let seen = staged.look_at_files(Some(&disk));
    let changed: Vec<&str> = seen
        .changes()
        .unwrap()
        .iter()
        .map(|change| change.path.as_str())
        .collect();
    assert_eq!(changed, ["a.go"]);
}

#[test]
fn modes_links_and_links_on_the_way_are_seen() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let sandbox = sample();
    symlink("a.go", sandbox.path("repo/link")).unwrap();
    sandbox.commit("repo");
    sandbox.settle("repo");
    assert_eq!(changes(&sandbox, "repo"), []);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(sandbox.path("repo/b.go"), executable).unwrap();
    std::fs::remove_file(sandbox.path("repo/link")).unwrap();
    symlink("b.go", sandbox.path("repo/link")).unwrap();
    std::fs::remove_file(sandbox.path("repo/a.go")).unwrap();
    symlink("b.go", sandbox.path("repo/a.go")).unwrap();
    std::fs::rename(sandbox.path("repo/other"), sandbox.path("moved")).unwrap();
    symlink("../moved", sandbox.path("repo/other")).unwrap();
    let expected = [
        ("a.go", ChangeKind::Retyped),
        ("b.go", ChangeKind::Retyped),
        ("link", ChangeKind::Modified),
        ("other/e.go", ChangeKind::Deleted),
    ]
    .map(|(path, kind)| (path.to_owned(), kind));
    assert_eq!(changes(&sandbox, "repo"), expected);
    sandbox.git("repo", &["config", "core.fileMode", "false"]);
    assert!(!changes(&sandbox, "repo").contains(&expected[1]));
}

#[test]
fn tracked_files_are_told_from_others() {
    let sandbox = sample();
    sandbox.write("repo/new.go", "package x\n");
    let state = state(&sandbox, "repo");
    let tracked: Vec<String> = state
        .tracked_paths()
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        ".gitignore",
        "a.go",
        "b.go",
        "dir/c.go",
        "dir/sub/d.go",
        "other/e.go",
    ];
    assert_eq!(tracked, expected);
    for file in expected {
        assert!(state.is_tracked(&path(file)), "{file}");
    }
    for file in ["new.go", "dir", "dir/sub", "a", "a.go/x", "."] {
        assert!(!state.is_tracked(&path(file)), "{file}");
    }
}

#[test]
fn a_root_below_the_top_level_sees_its_own_files_only() {
    let sandbox = sample();
    sandbox.settle("repo");
    sandbox.write("repo/a.go", "package changed\n");
    sandbox.write("repo/dir/sub/d.go", "package changed\n");
    sandbox.write("repo/dir/x.go", "package added\n");
    sandbox.git("repo", &["add", "dir/x.go"]);
    let state = state_at(&sandbox, "repo", &path("dir"));
    let tracked: Vec<String> = state
        .tracked_paths()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(tracked, ["c.go", "sub/d.go", "x.go"]);
    assert!(state.is_tracked(&path("sub/d.go")));
    assert!(!state.is_tracked(&path("a.go")));
    let changed: Vec<String> = state
        .changes()
        .unwrap()
        .iter()
        .map(|change| change.path.clone())
        .collect();
    assert_eq!(changed, ["sub/d.go", "x.go"]);
}

#[test]
fn line_ends_written_by_the_checkout_are_no_change() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/.gitattributes", "*.bat text eol=crlf\n");
    sandbox.write("repo/a.bat", "one\r\ntwo\r\n");
    sandbox.commit("repo");
    // Stat data that says nothing leaves it to the content.
    sandbox.write("repo/a.bat", "one\r\ntwo\r\n");
    assert_eq!(changes(&sandbox, "repo"), []);
    sandbox.write("repo/a.bat", "one\r\nTWO\r\n");
    assert_eq!(
        changes(&sandbox, "repo"),
        [("a.bat".to_owned(), ChangeKind::Modified)]
    );
}

#[test]
fn a_filtered_file_is_vouched_for_by_the_index_alone() {
    let sandbox = Sandbox::with_repository();
    sandbox.git("repo", &["config", "filter.lfs.clean", "sed s/^/clean/"]);
    sandbox.git("repo", &["config", "filter.lfs.smudge", "sed s/^clean//"]);
    sandbox.write("repo/.gitattributes", "*.bin filter=lfs\n");
    sandbox.write("repo/a.bin", "content\n");
    sandbox.commit("repo");
    assert_eq!(changes(&sandbox, "repo"), []);
    sandbox.settle("repo");
    assert_eq!(changes(&sandbox, "repo"), []);
    sandbox.write("repo/a.bin", "CONTENT\n");
    assert_eq!(
        changes(&sandbox, "repo"),
        [("a.bin".to_owned(), ChangeKind::Modified)]
    );
    sandbox.write("repo/a.bin", "cleancontent\n");
    assert_eq!(
        changes(&sandbox, "repo"),
        [("a.bin".to_owned(), ChangeKind::Modified)]
    );
}

#[test]
fn a_conflict_is_a_change_of_a_tracked_file() {
    let sandbox = sample();
    sandbox.git("repo", &["checkout", "--quiet", "-b", "side"]);
    sandbox.write("repo/a.go", "package side\n");
    sandbox.commit("repo");
    sandbox.git("repo", &["checkout", "--quiet", "main"]);
    sandbox.write("repo/a.go", "package main\n");
    sandbox.commit("repo");
    let ours = sandbox.git("repo", &["rev-parse", "main:a.go"]);
    let theirs = sandbox.git("repo", &["rev-parse", "side:a.go"]);
    let zero = "0".repeat(40);
    let input = format!("0 {zero}\ta.go\n100644 {ours} 2\ta.go\n100644 {theirs} 3\ta.go\n");
    sandbox.git_with_input("repo", &["update-index", "--index-info"], input.as_bytes());
    let state = state(&sandbox, "repo");
    assert!(state.is_tracked(&path("a.go")));
    assert_eq!(
        state
            .tracked_paths()
            .iter()
            .filter(|path| path.as_str() == "a.go")
            .count(),
        1
    );
    let kinds: Vec<ChangeKind> = state
        .changes()
        .unwrap()
        .iter()
        .map(|change| change.kind)
        .collect();
    assert_eq!(kinds, [ChangeKind::Staged, ChangeKind::Conflicted]);
}

#[test]
fn what_a_sparse_checkout_leaves_out_is_tracked_and_clean() {
    for index in ["--no-sparse-index", "--sparse-index"] {
        let sandbox = sample();
        sandbox.git("repo", &["sparse-checkout", "init", "--cone", index]);
        sandbox.git("repo", &["sparse-checkout", "set", "other", index]);
        assert!(!sandbox.path("repo/dir").exists());
        let state = state(&sandbox, "repo");
        assert_eq!(state.index.is_sparse(), index == "--sparse-index");
        assert_eq!(state.changes().unwrap(), [], "{index}");
        assert_eq!(state.tracked_paths().len(), 6, "{index}");
        for file in ["a.go", "dir/c.go", "dir/sub/d.go", "other/e.go"] {
            assert!(state.is_tracked(&path(file)), "{index} {file}");
        }
        assert!(!state.is_tracked(&path("dir/x.go")), "{index}");
    }
}

#[test]
fn a_split_index_reads_as_one() {
    let sandbox = sample();
    sandbox.git("repo", &["update-index", "--split-index"]);
    sandbox.write("repo/new.go", "package x\n");
    sandbox.commit("repo");
    assert_eq!(changes(&sandbox, "repo"), []);
    assert!(state(&sandbox, "repo").is_tracked(&path("new.go")));
}

#[test]
fn a_checked_out_submodule_answers_for_its_files() {
    let sandbox = sample();
    sandbox.git(
        ".",
        &["init", "--quiet", "--initial-branch=main", "library"],
    );
    sandbox.write("library/.gitattributes", "*.bin filter=lfs\n");
    sandbox.write("library/lib.go", "package lib\n");
    sandbox.write("library/a.bin", "x");
    sandbox.commit("library");
    let url = sandbox.url("library");
    sandbox.git("repo", &["submodule", "--quiet", "add", &url, "dir/lib"]);
    sandbox.commit("repo");
    let before = state(&sandbox, "repo");
    assert!(before.is_tracked(&path("dir/lib/lib.go")));
    assert!(before.tracked_paths().contains(&path("dir/lib/lib.go")));
    assert!(!before.is_tracked(&path("dir/lib")));
    assert!(!before.is_tracked(&path("dir/lib/new.go")));
    let filters = before
        .checkout_filters(&[path("dir/lib/a.bin"), path("x.bin")])
        .unwrap();
    assert_eq!(filters.len(), 1);
    assert_eq!(filters[0].0, path("dir/lib/a.bin"));
    assert_eq!(before.changes().unwrap(), []);
    sandbox.write("repo/dir/lib/lib.go", "package changed\n");
    let expected = ("dir/lib/lib.go".to_owned(), ChangeKind::Modified);
    assert_eq!(changes(&sandbox, "repo"), [expected]);
    sandbox.commit("repo/dir/lib");
    assert_eq!(
        changes(&sandbox, "repo"),
        [("dir/lib".to_owned(), ChangeKind::Submodule)]
    );
    // Without a checkout of it nothing is known, and nothing has changed.
    sandbox.git(
        "repo",
        &["submodule", "--quiet", "deinit", "--force", "dir/lib"],
    );
    assert_eq!(changes(&sandbox, "repo"), []);
    assert!(!state(&sandbox, "repo").is_tracked(&path("dir/lib/lib.go")));
}

#[test]
fn reading_writes_nothing() {
    let sandbox = sample();
    sandbox.write("repo/a.go", "package 4\n");
    let snapshot = || {
        let mut files: Vec<(String, std::time::SystemTime)> = Vec::new();
        let mut pending = vec![sandbox.path("repo")];
        while let Some(directory) = pending.pop() {
            for entry in directory.read_dir_utf8().unwrap() {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                if metadata.is_dir() {
                    pending.push(entry.path().to_owned());
                }
                files.push((entry.path().to_string(), metadata.modified().unwrap()));
            }
        }
        files.sort();
        files
    };
    let before = snapshot();
    assert_eq!(changes(&sandbox, "repo"), []);
    assert_eq!(snapshot(), before);
}

#[test]
fn a_bare_repository_has_no_work_tree_state() {
    let sandbox = sample();
    sandbox.git(".", &["clone", "--quiet", "--bare", "repo", "bare"]);
    let error = WorkTreeState::read(&sandbox.repository("bare"), &RepoPath::root()).unwrap_err();
    assert_eq!(error, WorkTreeError::NoWorkTree);
}

#[test]
fn before_the_first_commit_all_that_is_staged_has_changed() {
    let sandbox = Sandbox::with_repository();
    assert_eq!(changes(&sandbox, "repo"), []);
    sandbox.write("repo/a.go", "package a\n");
    sandbox.git("repo", &["add", "a.go"]);
    assert_eq!(
        changes(&sandbox, "repo"),
        [("a.go".to_owned(), ChangeKind::Staged)]
    );
}

#[test]
fn what_git_knows_beside_its_commits_changes_the_stamp() {
    type Row = (&'static str, fn(&Sandbox));
    let sandbox = sample();
    sandbox.git(
        "repo",
        &["worktree", "add", "--quiet", "-b", "side", "../linked"],
    );
    let rows: [Row; 6] = [
        ("index", |s| {
            s.write("linked/new.go", "package n\n");
            s.git("linked", &["add", "new.go"]);
        }),
        ("configuration", |s| {
            s.git("repo", &["config", "core.eol", "crlf"]);
        }),
        ("attributes", |s| {
            s.write("repo/.git/info/attributes", "*.go text\n");
        }),
        ("attributes above", |s| {
            s.write("linked/.gitattributes", "*.go text\n");
        }),
        ("attributes further down", |s| {
            s.write("linked/dir/.gitattributes", "*.go text\n");
        }),
        ("history's end", |s| {
            let head = s.git("repo", &["rev-parse", "HEAD"]);
            s.write("repo/.git/shallow", head);
        }),
    ];
    let directory = sandbox.path("linked/dir/sub");
    let stamp = || sandbox.repository("linked").stamp(&directory);
    for (what, change) in rows {
        let before = stamp();
        assert_eq!(before, stamp(), "{what}");
        change(&sandbox);
        assert_ne!(before, stamp(), "{what}");
    }
}
