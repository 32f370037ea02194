//! What happens below a root.
//!
//! In: a directory, where git keeps what belongs to it, and the files that a plan read. Out: what changed, whenever
//! something changes there that could change a plan. Changes that come together are told together. It must never tell of
//! what git writes while it is only asked, or it would answer itself.
//!
//! **Known gap**: a write through a mapping is told when the file is closed.

mod linked_files;

use crate::failure::Failure;
use camino::{Utf8Path, Utf8PathBuf};
use linked_files::LinkedFiles;
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use rebake_planner::path::RepoPath;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

/// An editor writes a file in several steps, and a checkout writes many files.
const TOGETHER: Duration = Duration::from_millis(50);

/// How often files with more than one name are looked at, where there are any.
const LOOK: Duration = Duration::from_secs(1);

/// What changed since a plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Changes {
    /// At most these paths, and nothing that says what is tracked, checked out or converted.
    Of(Vec<RepoPath>),
    /// Nobody can tell, or what is compared with.
    Anything,
}

impl Changes {
    fn add(&mut self, found: Option<RepoPath>) {
        match (self, found) {
            (Self::Of(paths), Some(path)) => {
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
            (changes, None) => *changes = Self::Anything,
            (Self::Anything, Some(_)) => {}
        }
    }
}

/// More paths than anybody edits by hand; it is not worth to look at each by itself.
const MOST_PATHS: usize = 64;

/// A directory that is watched as long as this lives.
pub(crate) struct Watch {
    root: Utf8PathBuf,
    /// Where git keeps what is its own, the directory of a linked work tree before the one that it lies in.
    git: Vec<PathBuf>,
    linked: LinkedFiles,
    /// Files that a plan may have read before they were written.
    unsure: Vec<RepoPath>,
    events: Receiver<notify::Result<notify::Event>>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches a directory and all below it, and what says where git stands, which may lie elsewhere.
    pub(crate) fn new(root: &Utf8Path, git: &[PathBuf]) -> Result<Self, Failure> {
        let failed = |error| Failure::Watch {
            path: root.to_owned(),
            error,
        };
        let (sender, events) = channel();
        // What is behind a link is no part of the tree or is watched by its own path. Told by both, it would be told by
        // that of the link alone.
        let settings = notify::Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(sender, settings).map_err(failed)?;
        // Events name real paths.
        let real = root.canonicalize_utf8().unwrap_or_else(|_| root.to_owned());
        watcher
            .watch(real.as_std_path(), RecursiveMode::Recursive)
            .map_err(failed)?;
        let git = git.iter().map(|directory| directory.canonicalize());
        let mut git: Vec<PathBuf> = git.filter_map(Result::ok).collect();
        git.dedup();
        for directory in git.iter().filter(|git| !git.starts_with(&real)) {
            for (watched, mode) in [
                (directory.clone(), RecursiveMode::NonRecursive),
                (directory.join("info"), RecursiveMode::NonRecursive),
                (directory.join("refs"), RecursiveMode::Recursive),
            ] {
                if watched.is_dir() {
                    watcher.watch(&watched, mode).map_err(failed)?;
                }
            }
        }
        git.push(real.join(".git").into_std_path_buf());
        Ok(Self {
            root: real,
            git,
            linked: LinkedFiles::default(),
            unsure: Vec::new(),
            events,
            _watcher: watcher,
        })
    }

    /// Tells from now on of writes to these files that the system tells by another name: all that the plan read.
    pub(crate) fn keep_in_view(&mut self, files: &BTreeSet<RepoPath>) {
        self.unsure = self.linked.replace(self.root.as_std_path(), files);
    }

    /// Waits until something changed, and then until nothing more does.
    pub(crate) fn wait(&mut self) -> Changes {
        let nothing = Changes::Of(Vec::new());
        let mut changes = nothing.clone();
        for file in std::mem::take(&mut self.unsure) {
            changes.add(Some(file));
        }
        while changes == nothing {
            let event = if self.linked.is_empty() {
                let event = self.events.recv();
                event.map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                self.events.recv_timeout(LOOK)
            };
            match event {
                Ok(event) => self.note(&event, &mut changes),
                Err(RecvTimeoutError::Timeout) => self.note_written(&mut changes),
                // The watcher lives as long as this, so its channel stays open.
                Err(RecvTimeoutError::Disconnected) => return Changes::Anything,
            }
        }
        loop {
            match self.events.recv_timeout(TOGETHER) {
                Ok(event) => self.note(&event, &mut changes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    self.note_written(&mut changes);
                    return match changes {
                        Changes::Of(paths) if paths.len() > MOST_PATHS => Changes::Anything,
                        changes => changes,
                    };
                }
            }
        }
    }

    fn note_written(&mut self, changes: &mut Changes) {
        for file in self.linked.written(self.root.as_std_path()) {
            changes.add(Some(file));
        }
    }

    fn note(&self, event: &notify::Result<notify::Event>, changes: &mut Changes) {
        match event {
            // What was lost may have mattered.
            Err(_) => changes.add(None),
            Ok(event) if event.need_rescan() => changes.add(None),
            Ok(event) if is_reading(event.kind) => {}
            Ok(event) => {
                let root = self.root.as_std_path();
                for path in &event.paths {
                    if path_matters(&self.git, path) {
                        let file = followed_path(root, path);
                        // Another name of it may be one that a plan read.
                        let is_known = file.as_ref().is_none_or(|file| self.linked.holds(file));
                        let is_linked = !is_known && linked_files::names(path) > 1;
                        changes.add(file.filter(|_| !is_linked));
                    }
                }
            }
        }
    }
}

/// A path below the root that is nothing but a file or directory of the tree: nothing for what git keeps or reads
/// itself.
fn followed_path(root: &Path, path: &Path) -> Option<RepoPath> {
    let below = path.strip_prefix(root).ok()?.to_str()?;
    let path = RepoPath::new(below).ok()?;
    let is_of_git = path
        .elements()
        .any(|element| element.starts_with(".git") && element != ".github");
    (!path.is_root() && !is_of_git).then_some(path)
}

/// Whether nothing was written. A write through a mapping of the file is told by its closing alone.
fn is_reading(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(mode)) => mode != AccessMode::Write,
        EventKind::Access(access) => matches!(access, AccessKind::Open(_) | AccessKind::Read),
        _ => false,
    }
}

/// Whether a change of this path could change a plan. Of what git keeps, that could which says what is compared with,
/// what is tracked, and how a checkout writes it.
fn path_matters(git: &[PathBuf], path: &Path) -> bool {
    let below = git.iter().find_map(|git| path.strip_prefix(git).ok());
    let Some(below) = below else {
        return true;
    };
    let is_lock = below.extension().is_some_and(|end| end == "lock");
    let is_named = [
        "HEAD",
        "index",
        "packed-refs",
        "config",
        "config.worktree",
        "shallow",
        "info/attributes",
    ]
    .iter()
    .any(|name| below == Path::new(name));
    is_named || below.starts_with("refs") && !is_lock
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_s_own_files_matter_where_they_tell_what_is_checked_out() {
        let cases = [
            ("/r/a.go", true),
            ("/r/.github/x", true),
            ("/r/sub/.git/objects/ab", true),
            ("/r/.git/HEAD", true),
            ("/r/.git/index", true),
            ("/r/.git/refs/heads/main", true),
            ("/r/.git/refs/heads/main.lock", false),
            ("/r/.git/refs/remotes/origin/main", true),
            ("/r/.git/packed-refs", true),
            ("/r/.git/info/attributes", true),
            ("/r/.git/info/exclude", false),
            ("/r/.git/index.lock", false),
            ("/r/.git/objects/ab/cd", false),
            ("/r/.git/logs/HEAD", false),
            ("/r/.git", false),
            ("/m/.git/worktrees/r/HEAD", true),
            ("/m/.git/worktrees/r/logs/HEAD", false),
            ("/m/.git/worktrees/other/HEAD", false),
            ("/m/.git/refs/remotes/origin/main", true),
        ];
        let git = ["/m/.git/worktrees/r", "/m/.git", "/r/.git"].map(PathBuf::from);
        for (path, expected) in cases {
            assert_eq!(path_matters(&git, Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn asking_is_no_change() {
        use notify::event::CreateKind;
        let reading = [
            AccessKind::Read,
            AccessKind::Open(AccessMode::Any),
            AccessKind::Close(AccessMode::Read),
        ];
        for access in reading {
            assert!(is_reading(EventKind::Access(access)), "{access:?}");
        }
        let close = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert!(!is_reading(close));
        assert!(!is_reading(EventKind::Create(CreateKind::File)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_link_hides_no_edit_and_leads_nowhere() {
        use std::{fs, os::unix::fs::symlink};
        let directory = tempfile::tempdir().unwrap();
        let [root, outside] = ["root", "outside"].map(|name| directory.path().join(name));
        for below in [&root.join("lib"), &root.join("docs"), &outside] {
            fs::create_dir_all(below).unwrap();
        }
        symlink("lib", root.join("zlib")).unwrap();
        symlink("../lib", root.join("docs/lib")).unwrap();
        symlink(".", root.join("self")).unwrap();
        symlink(&outside, root.join("outside")).unwrap();
        let mut watch = Watch::new(Utf8Path::from_path(&root).unwrap(), &[]).unwrap();
        fs::write(outside.join("far.go"), "package far\n").unwrap();
        fs::write(root.join("lib/lib.go"), "package lib\n").unwrap();
        let edited = RepoPath::new("lib/lib.go").unwrap();
        assert_eq!(watch.wait(), Changes::Of(vec![edited]));
    }
}
