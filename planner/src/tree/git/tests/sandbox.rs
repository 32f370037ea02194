//! A temporary directory with repositories, and comparisons between trees.

use crate::path::RepoPath;
use crate::tree::git::{GitTree, Repository};
use crate::tree::{EntryKind, Listing, ReadLimit, SourceTree, TreeErrorKind};
use camino::{Utf8Path, Utf8PathBuf};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

pub(super) struct Sandbox {
    directory: tempfile::TempDir,
}

impl Sandbox {
    pub(super) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A sandbox with an empty repository in `repo`.
    pub(super) fn with_repository() -> Self {
        let sandbox = Self::new();
        sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
        sandbox
    }

    pub(super) fn path(&self, below: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.directory.path())
            .unwrap()
            .canonicalize_utf8()
            .unwrap()
            .join(below)
    }

    pub(super) fn url(&self, below: &str) -> String {
        format!("file://{}", self.path(below))
    }

    pub(super) fn git(&self, directory: &str, arguments: &[&str]) -> String {
        self.git_with_input(directory, arguments, b"")
    }

    pub(super) fn git_with_input(
        &self,
        directory: &str,
        arguments: &[&str],
        input: &[u8],
    ) -> String {
        let mut child = Command::new("git")
            .args(["-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(self.path(directory))
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", self.directory.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A")
            .env("GIT_AUTHOR_EMAIL", "a@example.com")
            .env("GIT_AUTHOR_DATE", "2024-01-01T00:00:00Z")
            .env("GIT_COMMITTER_NAME", "A")
            .env("GIT_COMMITTER_EMAIL", "a@example.com")
            .env("GIT_COMMITTER_DATE", "2024-01-01T00:00:00Z")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    pub(super) fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Commits all that stands in the work tree, and says the commit's id.
    pub(super) fn commit(&self, repository: &str) -> String {
        self.git(repository, &["add", "--all"]);
        self.git(
            repository,
            &["commit", "--quiet", "--allow-empty", "--message=x"],
        );
        self.git(repository, &["rev-parse", "HEAD"])
    }

    /// Puts the times of a repository's files and of its index far apart, so that no stat data is racy.
    pub(super) fn settle(&self, repository: &str) {
        // git looks at whole seconds, so no two calls may yield the same.
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let ago = Duration::from_secs(3600 + CALLS.fetch_add(1, Ordering::Relaxed) * 2);
        let an_hour_ago = SystemTime::now() - ago;
        for file in self.git(repository, &["ls-files"]).lines() {
            if let Ok(file) = std::fs::File::open(self.path(repository).join(file)) {
                file.set_modified(an_hour_ago).unwrap();
            }
        }
        self.git(repository, &["update-index", "-q", "--really-refresh"]);
    }

    pub(super) fn repository(&self, below: &str) -> Repository {
        Repository::discover(&self.path(below)).unwrap().unwrap()
    }

    pub(super) fn head_tree(&self, repository: &str) -> GitTree {
        let repository = self.repository(repository);
        let head = repository.head().unwrap().unwrap();
        repository.tree(head, &RepoPath::root()).unwrap()
    }
}

pub(super) fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

pub(super) fn text(tree: &dyn SourceTree, file: &str) -> Result<String, TreeErrorKind> {
    match tree.read(&path(file), ReadLimit::Whole) {
        Ok(content) => Ok(String::from_utf8_lossy(&content).into_owned()),
        Err(error) => Err(error.kind),
    }
}

/// All that a tree holds, by path: kinds, modes, digests and link texts.
pub(super) fn everything(tree: &dyn SourceTree) -> BTreeMap<RepoPath, String> {
    let mut found = BTreeMap::new();
    let mut pending = vec![RepoPath::root()];
    while let Some(directory) = pending.pop() {
        let Listing { entries, not_utf8 } = tree.list(&directory).unwrap();
        assert!(entries.is_sorted_by(|a, b| a.name < b.name), "{directory}");
        found.insert(directory.clone(), format!("directory {not_utf8:?}"));
        for entry in entries {
            let path = directory.child(&entry.name);
            let what = match entry.kind {
                EntryKind::Directory => {
                    pending.push(path);
                    continue;
                }
                EntryKind::File => {
                    let content = tree.read(&path, ReadLimit::Whole).unwrap();
                    let digest = tree.digest(&path).unwrap();
                    assert_eq!(digest, crate::tree::ContentDigest::of(&content), "{path}");
                    format!("{:?} {digest:?}", tree.mode(&path).unwrap())
                }
                EntryKind::Symlink => format!("-> {}", tree.read_link(&path).unwrap()),
                EntryKind::Submodule => "submodule".to_owned(),
                EntryKind::Special => "special".to_owned(),
            };
            found.insert(path, what);
        }
    }
    found
}
