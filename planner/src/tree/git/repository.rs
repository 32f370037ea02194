//! A repository and its revisions.
//!
//! In: a directory, and revisions as people write them. Out: commits. It must never take a setting from anywhere but
//! the repository itself.

use super::{GitTree, WorkTreeState};
use crate::path::RepoPath;
use camino::{Utf8Path, Utf8PathBuf};
use gix::{
    ObjectId, ThreadSafeRepository,
    bstr::BStr,
    discover::upwards,
    sec::{Trust, trust::Mapping},
};
use std::fmt;

/// A git repository.
pub struct Repository {
    repository: ThreadSafeRepository,
    top_level: Option<Utf8PathBuf>,
}

impl fmt::Debug for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Repository")
            .field("top_level", &self.top_level)
            .finish_non_exhaustive()
    }
}

/// The id of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub(super) ObjectId);

impl fmt::Display for CommitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// Why git could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// The repository can't be opened.
    #[error("can't open the git repository: {0}")]
    Open(String),
    /// The path of the work tree is not UTF-8.
    #[error("the path of the git work tree is not UTF-8")]
    NotUtf8,
    /// No commit has that name.
    #[error("git knows no commit `{}`: {reason}", revision.escape_debug())]
    UnknownRevision {
        /// The revision as given.
        revision: String,
        /// What git said.
        reason: String,
    },
    /// The history was cut off, and the commit may lie beyond the cut.
    #[error(
        "`{}` is not in this shallow clone; fetch the rest of the history with `git fetch --unshallow`",
        revision.escape_debug()
    )]
    BeyondShallowHistory {
        /// The revision as given.
        revision: String,
    },
    /// Two commits have no ancestor in common.
    #[error("{one} and {two} have no commit in common")]
    NoMergeBase {
        /// One commit.
        one: CommitId,
        /// The other.
        two: CommitId,
    },
    /// The history was cut off before a common ancestor.
    #[error(
        "the common ancestor of {one} and {two} is not in this shallow clone; fetch the rest of the history with `git fetch --unshallow`"
    )]
    MergeBaseBeyondShallowHistory {
        /// One commit.
        one: CommitId,
        /// The other.
        two: CommitId,
    },
    /// The directory lies outside of the work tree.
    #[error("{0} is not in the git work tree")]
    OutsideWorkTree(Utf8PathBuf),
    /// The index can't be read.
    #[error("can't read the git index: {0}")]
    Index(String),
    /// An object is damaged or missing.
    #[error("can't read from the git object store: {0}")]
    Object(String),
}

impl Repository {
    /// Finds the repository that a directory lies in, as git does: upwards, linked work trees and submodules included.
    /// Nothing when there is none.
    ///
    /// # Errors
    /// When there is one that can't be opened.
    pub fn discover(directory: &Utf8Path) -> Result<Option<Self>, GitError> {
        // Reading commits runs nothing, so a repository of another owner is no danger.
        let options = upwards::Options {
            trust: upwards::TrustPolicy::Assume(Trust::Full),
            ..Default::default()
        };
        let isolated = gix::open::Options::isolated;
        let trust = Mapping {
            full: isolated(),
            reduced: isolated(),
        };
        let repository =
            match ThreadSafeRepository::discover_opts(directory.as_std_path(), options, trust) {
                Ok(repository) => repository,
                Err(error) => {
                    return match error.downcast_any_ref::<upwards::Error>() {
                        Some(
                            upwards::Error::NoGitRepository { .. }
                            | upwards::Error::NoGitRepositoryWithinFs { .. }
                            | upwards::Error::NoGitRepositoryWithinCeiling { .. },
                        ) => Ok(None),
                        _ => Err(GitError::Open(error.to_string())),
                    };
                }
            };
        let top_level = match repository.work_dir() {
            None => None,
            Some(path) => {
                let path = path
                    .canonicalize()
                    .map_err(|error| GitError::Open(error.to_string()))?;
                Some(Utf8PathBuf::from_path_buf(path).map_err(|_| GitError::NotUtf8)?)
            }
        };
        Ok(Some(Self {
            repository,
            top_level,
        }))
    }

    /// The top level of the work tree, without links; nothing for a bare repository.
    pub fn top_level(&self) -> Option<&Utf8Path> {
        self.top_level.as_deref()
    }

    /// Whether the history was cut off when the repository was cloned.
    pub fn is_shallow(&self) -> bool {
        self.repository
            .to_thread_local()
            .is_shallow()
            .unwrap_or_default()
    }

    /// The commit that a revision names: a branch, a tag, `HEAD~3`, an id or the start of one.
    ///
    /// # Errors
    /// [`GitError::UnknownRevision`], or [`GitError::BeyondShallowHistory`] where only the rest of the history could tell.
    pub fn resolve(&self, revision: &str) -> Result<CommitId, GitError> {
        let repository = self.repository.to_thread_local();
        let unknown = |reason: String| {
            if self.is_shallow() {
                GitError::BeyondShallowHistory {
                    revision: revision.to_owned(),
                }
            } else {
                GitError::UnknownRevision {
                    revision: revision.to_owned(),
                    reason,
                }
            }
        };
        let id = repository
            .rev_parse_single(BStr::new(revision))
            .map_err(|error| unknown(error.to_string()))?;
        let object = id.object().map_err(|error| unknown(error.to_string()))?;
        let commit = object
            .peel_to_commit()
            .map_err(|error| unknown(error.to_string()))?;
        Ok(CommitId(commit.id))
    }

    /// The commit that is checked out; nothing before the first commit.
    pub fn head(&self) -> Option<CommitId> {
        let repository = self.repository.to_thread_local();
        let commit = repository.head_commit().ok()?;
        Some(CommitId(commit.id))
    }

    /// The best common ancestor of two commits.
    ///
    /// # Errors
    /// [`GitError::NoMergeBase`], or [`GitError::MergeBaseBeyondShallowHistory`] where only the rest of the history could tell.
    pub fn merge_base(&self, one: CommitId, two: CommitId) -> Result<CommitId, GitError> {
        let repository = self.repository.to_thread_local();
        match repository.merge_base(one.0, two.0) {
            Ok(Some(base)) => Ok(CommitId(base.detach())),
            Ok(None) if !self.is_shallow() => Err(GitError::NoMergeBase { one, two }),
            Ok(None) | Err(_) if self.is_shallow() => {
                Err(GitError::MergeBaseBeyondShallowHistory { one, two })
            }
            Ok(None) => Err(GitError::NoMergeBase { one, two }),
            Err(error) => Err(GitError::Object(error.to_string())),
        }
    }

    /// The tree of a commit, from the directory of the work tree that `root` names.
    ///
    /// # Errors
    /// When `root` lies outside of the work tree, or the commit can't be read.
    pub fn tree_at(&self, commit: CommitId, root: &Utf8Path) -> Result<GitTree, GitError> {
        GitTree::new(self.repository.clone(), commit, &self.prefix(root)?)
    }

    /// What git knows of the checkout below `root`.
    ///
    /// # Errors
    /// When the index can't be read, or `root` lies outside of the work tree.
    pub fn work_tree_state(&self, root: &Utf8Path) -> Result<WorkTreeState, GitError> {
        let Some(top_level) = &self.top_level else {
            return Err(GitError::OutsideWorkTree(root.to_owned()));
        };
        WorkTreeState::read(&self.repository, top_level.clone(), self.prefix(root)?)
    }

    /// The path of a directory below the top level; of a bare repository every directory is the top level.
    fn prefix(&self, root: &Utf8Path) -> Result<RepoPath, GitError> {
        let Some(top_level) = &self.top_level else {
            return Ok(RepoPath::root());
        };
        let outside = || GitError::OutsideWorkTree(root.to_owned());
        let canonical = root.canonicalize_utf8().map_err(|_| outside())?;
        let below = canonical.strip_prefix(top_level).map_err(|_| outside())?;
        let elements: Vec<&str> = below
            .components()
            .map(|component| component.as_str())
            .collect();
        RepoPath::new(&elements.join("/")).map_err(|_| outside())
    }
}
