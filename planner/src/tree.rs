//! The only door to files.
//!
//! In: a directory, a git commit, or a map in memory. Out: listings and contents by [`RepoPath`].
//! A tree must never follow a symbolic link, leave its root, write, or open anything that is not a
//! regular file (a FIFO would hang it). Links are followed by [`view::TreeView`], in one place for all trees.

pub mod disk;
#[cfg(feature = "git")]
pub mod git;
pub mod memory;
pub mod view;

use crate::{diagnostic::Code, path::RepoPath};
use std::sync::Arc;

/// What a planner needs of a source tree. One implementation reads a directory, one a git commit
/// without a checkout, one memory; the same content gives the same plan through each.
pub trait SourceTree: Send + Sync {
    /// Lists one directory, without following links on the way to it.
    ///
    /// # Errors
    /// [`TreeErrorKind::NotFound`] and [`TreeErrorKind::NotADirectory`] where there is none,
    /// and whatever the store says when it can't be read.
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError>;

    /// Reads a regular file, or its first `limit` bytes and no more.
    ///
    /// # Errors
    /// [`TreeErrorKind::NotAFile`] for anything but a regular file, and whatever the store says.
    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError>;

    /// Reads as [`read`](Self::read) into a buffer that is used again and again, whatever it held before: a plan reads
    /// thousands of files, and fresh memory for each costs as much as the reading.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn read_into(
        &self,
        file: &RepoPath,
        limit: ReadLimit,
        content: &mut Vec<u8>,
    ) -> Result<(), TreeError> {
        *content = self.read(file, limit)?;
        Ok(())
    }

    /// The blake3 digest of a regular file's whole content, in constant memory where the store allows.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn digest(&self, file: &RepoPath) -> Result<ContentDigest, TreeError> {
        Ok(ContentDigest::of(&self.read(file, ReadLimit::Whole)?))
    }

    /// The text of a symbolic link, as it is stored.
    ///
    /// # Errors
    /// [`TreeErrorKind::NotALink`] for anything else, [`TreeErrorKind::NotUtf8`] for other bytes.
    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError>;

    /// Reads a file as [`read_into`](Self::read_into) does. Of one that is too long to be held, or to be worth it, a tree
    /// may read the beginning alone, and then yields the digest of the whole.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn read_start(
        &self,
        file: &RepoPath,
        content: &mut Vec<u8>,
    ) -> Result<Option<ContentDigest>, TreeError> {
        self.read_into(file, ReadLimit::Bytes(LARGEST_HELD + 1), content)?;
        if content.len() <= LARGEST_HELD {
            Ok(None)
        } else {
            self.digest(file).map(Some)
        }
    }

    /// Whether a regular file may be executed. Counts for assets only.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError>;

    /// A name for a file's content that two trees of the same store share (a git blob id), so that
    /// what is known of the content need not be worked out again. Nothing where the store has none.
    fn content_identity(&self, file: &RepoPath) -> Option<ContentIdentity> {
        let _ = file;
        None
    }

    /// The name under which what is read of a file now may be remembered for good. It is the
    /// [`content_identity`](Self::content_identity) wherever nobody can write the file meanwhile.
    fn lasting_identity(&self, file: &RepoPath) -> Option<ContentIdentity> {
        self.content_identity(file)
    }
}

/// Files up to this length are held in memory and read whole. Of a longer Go file the header alone is: no person wrote
/// it, and a repository must not choose how much memory its planner takes.
pub(crate) const LARGEST_HELD: usize = 64 * 1024 * 1024;

/// How much of a file to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadLimit {
    /// All of it.
    Whole,
    /// At most this many bytes from the start.
    Bytes(usize),
}

/// The blake3 digest of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentDigest(pub(crate) [u8; 32]);

impl ContentDigest {
    /// The digest of these bytes.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }

    /// The 32 bytes of the digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

/// Why a text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lower-case hexadecimal digits")]
pub struct DigestError;

impl std::str::FromStr for ContentDigest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(DigestError);
        }
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| DigestError)
    }
}

impl std::fmt::Debug for ContentDigest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.to_hex())
    }
}

/// A store's own name for a content: equal names mean equal content within one store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContentIdentity(pub Arc<[u8]>);

/// Whether a regular file may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileMode {
    /// Mode 100644 in git's terms.
    Regular,
    /// Mode 100755 in git's terms.
    Executable,
}

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, whatever it leads to.
    Symlink,
    /// A git submodule whose content this tree does not hold (a "gitlink" of a commit).
    Submodule,
    /// A FIFO, socket or device: never opened.
    Special,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name: one element, UTF-8.
    pub name: Box<str>,
    /// What it is.
    pub kind: EntryKind,
}

/// The content of a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The entries with a UTF-8 name, sorted by its bytes. No `.git` at the top of a repository.
    pub entries: Vec<Entry>,
    /// The names that are not UTF-8, sorted; what stands behind them can't be planned.
    pub not_utf8: Vec<Vec<u8>>,
}

/// A failure to list or read, with the path that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {kind}")]
pub struct TreeError {
    /// What could not be read.
    pub path: RepoPath,
    /// Why.
    pub kind: TreeErrorKind,
}

impl TreeError {
    /// This failure, at this path.
    pub fn new(path: &RepoPath, kind: TreeErrorKind) -> Self {
        Self {
            path: path.clone(),
            kind,
        }
    }
}

/// Why a tree could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeErrorKind {
    /// Nothing has that name.
    #[error("no such file or directory")]
    NotFound,
    /// It is no directory.
    #[error("not a directory")]
    NotADirectory,
    /// It is no regular file.
    #[error("not a regular file")]
    NotAFile,
    /// It is no symbolic link.
    #[error("not a symbolic link")]
    NotALink,
    /// The process may not read it.
    #[error("permission denied")]
    PermissionDenied,
    /// A link's target or a name is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A link leads out of the root.
    #[error("the link leads out of the root, to `{target}`")]
    LinkLeavesRoot {
        /// The link's text.
        target: String,
    },
    /// A link leads to nothing.
    #[error("the link leads to `{target}`, where nothing is")]
    DanglingLink {
        /// The link's text.
        target: String,
    },
    /// Links lead to one another without end.
    #[error("too many levels of symbolic links")]
    LinkLoop,
    /// The path, or a link's text, is longer than any file system takes.
    #[error("the path is too long")]
    PathTooLong,
    /// More directories lie within each other than any checkout has; nothing further down is looked at.
    #[error("it lies more than {limit} directories deep")]
    TooDeep {
        /// How deep is looked.
        limit: usize,
    },
    /// The file would have to be read whole, and is longer than any that a person wrote.
    #[error("it has more than {limit} bytes and would have to be read whole")]
    TooLarge {
        /// The length up to which files are held in memory.
        limit: usize,
    },
    /// What stands here or below belongs to a submodule, whose content this tree does not hold.
    #[error(
        "the content belongs to a submodule and is not in this tree; plan from a checkout with `git submodule update --init`"
    )]
    Submodule,
    /// The object is not in this clone (a partial clone, a submodule, a damaged store).
    #[error("the content is not in this clone: {0}")]
    MissingObject(String),
    /// Anything else the store said.
    #[error("{0}")]
    Other(String),
}

impl TreeErrorKind {
    /// The kind of finding that a failure to read is.
    pub fn code(&self) -> Code {
        match self {
            Self::Submodule => Code::Submodule,
            _ => Code::Unreadable,
        }
    }
}
