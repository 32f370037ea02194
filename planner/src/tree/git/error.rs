//! Any failure of git, for callers who treat all alike.

use super::repository::{MergeBaseError, RepositoryError, RevisionError};
use super::work_tree::WorkTreeError;
use crate::tree::TreeError;

/// Any failure of git.
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
