//! What git's discovery passes over in silence.
//!
//! In: a directory. Out: why the nearest `.git` at or above it is no repository that can be read. It must never look
//! beyond the file system of the directory, nor above the first repository, as discovery does not.

use super::objects::reason;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Any of them makes a directory more than one that happens to be called `.git`.
const PARTS: [&str; 3] = ["HEAD", "objects", "refs"];

/// Why a `.git` that is nearer to the directory than any repository can't be read. Nothing where there is none.
pub(super) fn passed_over(directory: &Path) -> Option<String> {
    let file_system = FileSystem::of(directory);
    for above in directory.ancestors() {
        if FileSystem::of(above) != file_system {
            return None;
        }
        let git = above.join(".git");
        match standing(&git) {
            GitEntry::Repository => return None,
            GitEntry::Unreadable(why) => return Some(format!("`{}`: {why}", git.display())),
            GitEntry::None if gix::discover::is_git(above).is_ok() => return None,
            GitEntry::None => {}
        }
    }
    None
}

/// What a `.git` is.
enum GitEntry {
    /// A repository, or the file that leads to one.
    Repository,
    /// Neither, and why.
    Unreadable(String),
    /// Nothing, or a directory with nothing of a repository in it.
    None,
}

fn standing(git: &Path) -> GitEntry {
    let entry = match std::fs::symlink_metadata(git) {
        Ok(entry) => entry,
        Err(error) if is_absence(&error) => return GitEntry::None,
        Err(error) => return GitEntry::Unreadable(error.to_string()),
    };
    let Err(error) = gix::discover::is_git(git) else {
        return GitEntry::Repository;
    };
    if entry.is_dir() {
        let parts = PARTS.map(|part| std::fs::symlink_metadata(git.join(part)));
        let mut errors = parts.iter().filter_map(|part| part.as_ref().err());
        if let Some(error) = errors.find(|error| !is_absence(error)) {
            return GitEntry::Unreadable(error.to_string());
        }
        if parts.iter().all(Result::is_err) {
            return GitEntry::None;
        }
    }
    GitEntry::Unreadable(reason(&error))
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// What a directory is mounted from, where that can be told.
#[derive(PartialEq, Eq)]
struct FileSystem(Option<u64>);

impl FileSystem {
    #[cfg(unix)]
    fn of(directory: &Path) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = std::fs::metadata(directory);
        Self(metadata.ok().map(|metadata| metadata.dev()))
    }

    #[cfg(not(unix))]
    fn of(_: &Path) -> Self {
        Self(None)
    }
}
