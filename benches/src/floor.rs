//! The least that any planner must do: list the tree, read the files, hash them.
//!
//! In: a directory and the files that matter. Out: one digest over their paths and contents, and how
//! much was read. It must do nothing else: no parsing, no graph, no sorting. A plan is measured
//! against it, so it is as fast as plain code gets:
//!
//! - on Linux directories are opened relative to their parent and listed with `getdents64`, which
//!   takes a quarter less time than `std::fs::read_dir`;
//! - files are opened relative to the root and read into one buffer per thread, without asking for
//!   their length first: a tenth less than `std::fs::read`;
//! - a read that leaves room in the buffer is taken as the end of the file.
//!
//! **Known gap**: that last rule holds for the page cache, not for every network file system.

#[cfg(target_os = "linux")]
#[path = "floor/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "floor/portable.rs"]
mod system;

use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Which files are read and hashed.
#[derive(Debug, Clone)]
pub enum Files {
    /// These, relative to the root.
    Listed(Vec<String>),
    /// Every regular file whose name ends in `.go`.
    EveryGoFile,
}

/// What the floor program did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Over path and content of every file, in the order of the list.
    pub digest: blake3::Hash,
    /// Names in all directories of the tree, `.git` left out.
    pub entries: u64,
    /// Files that were read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A file or directory that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct FloorError {
    path: PathBuf,
    source: std::io::Error,
}

impl FloorError {
    fn new(path: impl AsRef<Path>, source: impl Into<std::io::Error>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            source: source.into(),
        }
    }
}

/// Lists the whole tree below `root`, then reads and hashes `files`, on rayon's threads.
///
/// # Errors
/// The first directory that can't be listed, or file that can't be read.
pub fn run(root: &Path, files: Files) -> Result<Done, FloorError> {
    let tree = system::Tree::open(root)?;
    let keep = match &files {
        Files::Listed(_) => Keep::Nothing,
        Files::EveryGoFile => Keep::GoFiles,
    };
    let listed = tree.list(keep)?;
    let files = match files {
        Files::Listed(files) => files,
        Files::EveryGoFile => {
            let mut found = listed.go_files;
            found.par_sort_unstable();
            found
        }
    };
    let hashed = files
        .par_iter()
        .map(|file| tree.digest(file))
        .collect::<Result<Vec<_>, _>>()?;
    let mut combined = blake3::Hasher::new();
    let mut bytes = 0;
    for (file, (digest, length)) in files.iter().zip(&hashed) {
        combined.update(file.as_bytes());
        combined.update(b"\0");
        combined.update(digest.as_bytes());
        bytes += length;
    }
    Ok(Done {
        digest: combined.finalize(),
        entries: listed.entries,
        files: hashed.len() as u64,
        bytes,
    })
}

/// What the listing remembers. The names of a tree that are not asked for are read and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    Nothing,
    GoFiles,
}

#[derive(Debug, Default)]
struct Listed {
    entries: u64,
    go_files: Vec<String>,
}

impl Listed {
    fn and(mut self, mut other: Self) -> Self {
        self.entries += other.entries;
        self.go_files.append(&mut other.go_files);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Files, run};

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in [
            ("a.go", "package a\n"),
            ("b/c.go", "package c\n"),
            ("b/notes.txt", "no Go\n"),
            (".git/d.go", "package d\n"),
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        root
    }

    #[test]
    fn every_go_file_outside_git_is_read() {
        let root = tree();
        let done = run(root.path(), Files::EveryGoFile).unwrap();
        // a.go, b, b/c.go, b/notes.txt and the name .git itself.
        assert_eq!((done.entries, done.files, done.bytes), (5, 2, 20));
    }

    #[test]
    fn a_list_of_the_same_files_has_the_same_digest() {
        let root = tree();
        let listed = Files::Listed(vec!["a.go".into(), "b/c.go".into()]);
        let listed = run(root.path(), listed).unwrap();
        assert_eq!(listed, run(root.path(), Files::EveryGoFile).unwrap());
    }

    #[test]
    fn one_changed_byte_changes_the_digest() {
        let root = tree();
        let before = run(root.path(), Files::EveryGoFile).unwrap();
        std::fs::write(root.path().join("a.go"), "package b\n").unwrap();
        let after = run(root.path(), Files::EveryGoFile).unwrap();
        assert_ne!(before.digest, after.digest);
    }

    #[test]
    fn a_file_longer_than_the_buffer_is_read_whole() {
        let root = tempfile::tempdir().unwrap();
        let content = vec![b'x'; 3_000_000];
        std::fs::write(root.path().join("long.go"), &content).unwrap();
        let done = run(root.path(), Files::EveryGoFile).unwrap();
        let mut expected = blake3::Hasher::new();
        expected.update(b"long.go\0");
        expected.update(blake3::hash(&content).as_bytes());
        assert_eq!(done.bytes, 3_000_000);
        assert_eq!(done.digest, expected.finalize());
    }

    #[test]
    fn a_missing_file_is_named_in_the_error() {
        let root = tree();
        let error = run(root.path(), Files::Listed(vec!["gone.go".into()])).unwrap_err();
        assert!(error.to_string().contains("gone.go"), "{error}");
    }
}
