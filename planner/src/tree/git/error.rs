//! What git could not say, and why.
//!
//! In: what was asked, and what the library for git said. Out: typed errors, each with what mends it where that is known.

use super::objects::CommitId;
use crate::tree::TreeError;
use camino::Utf8PathBuf;

/// Why there is no repository to work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// The directory is no repository, and none is around it.
    #[error("`{0}` is not in a git repository")]
    NotARepository(Utf8PathBuf),
    /// The directory is not in the work tree.
    #[error("`{0}` is not in the work tree of the git repository")]
    NotInWorkTree(Utf8PathBuf),
    /// The repository stores its objects or references in a way that can't be read here.
    #[error("the git repository uses {0}, which is not supported")]
    Unsupported(String),
    /// The top level's path is not UTF-8.
    #[error("the path of the git work tree is not UTF-8")]
    NotUtf8,
    /// The repository can't be read.
    #[error("the git repository can't be opened: {0}")]
    Unreadable(String),
}

/// Why a revision is not a commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevisionError {
    /// There is no such revision.
    #[error("there is no revision `{revision}`")]
    Unknown {
        /// The revision as asked.
        revision: String,
    },
    /// There is no such revision here, and the history is cut off, so it may exist elsewhere.
    #[error(
        "there is no revision `{revision}` in this shallow clone; fetch it, or all history with `git fetch --unshallow`"
    )]
    NotInShallowClone {
        /// The revision as asked.
        revision: String,
    },
    /// Several objects have an id that begins like this.
    #[error("the revision `{revision}` is ambiguous: {}", candidates.join(", "))]
    Ambiguous {
        /// The revision as asked.
        revision: String,
        /// The ids that begin so.
        candidates: Vec<String>,
    },
    /// The revision names a file or a directory.
    #[error("the revision `{revision}` is not a commit")]
    NotACommit {
        /// The revision as asked.
        revision: String,
    },
    /// The repository could not answer.
    #[error("the revision `{revision}` can't be resolved: {reason}")]
    Unreadable {
        /// The revision as asked.
        revision: String,
        /// What git said.
        reason: String,
    },
}

/// Why two commits have no merge base.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeBaseError {
    /// Their histories have nothing in common.
    #[error("{first} and {second} have no common ancestor")]
    NoCommonAncestor {
        /// One commit.
        first: CommitId,
        /// The other.
        second: CommitId,
    },
    /// The history is cut off before a common ancestor.
    #[error(
        "the common ancestor of {first} and {second} is not in this shallow clone; fetch more history, as with `git fetch --deepen=1000` or `git fetch --unshallow`"
    )]
    ShallowClone {
        /// One commit.
        first: CommitId,
        /// The other.
        second: CommitId,
    },
    /// The repository could not answer.
    #[error("the common ancestor of {first} and {second} can't be found: {reason}")]
    Unreadable {
        /// One commit.
        first: CommitId,
        /// The other.
        second: CommitId,
        /// What git said.
        reason: String,
    },
}

/// Why git's knowledge of a checkout can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkTreeError {
    /// The repository is bare.
    #[error("the repository has no work tree")]
    NoWorkTree,
    /// The index can't be read.
    #[error("git's index can't be read: {0}")]
    Index(String),
    /// The commit that is checked out can't be read.
    #[error(transparent)]
    Head(#[from] RevisionError),
    /// A file or an object can't be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

/// Any failure of git, for callers who treat all alike.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// There is no repository that can be read.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// A revision is not a commit.
    #[error(transparent)]
    Revision(#[from] RevisionError),
    /// Two commits have no merge base.
    #[error(transparent)]
    MergeBase(#[from] MergeBaseError),
    /// A commit's files can't be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// What git knows of a checkout can't be read.
    #[error(transparent)]
    WorkTree(#[from] WorkTreeError),
}
