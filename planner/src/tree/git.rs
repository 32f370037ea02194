//! Source trees in git: commits without a checkout, and what git knows of a checkout.
//!
//! In: a directory inside a repository, or a bare repository. Out: [`Repository`] with its commits,
//! [`GitTree`] with the files of one commit, and [`WorkTreeState`] with what is tracked, changed or
//! converted on checkout. It must never write (not even the index's stat data), run a program (no
//! hooks, filters or file system monitors), reach the network (a partial clone's missing objects are
//! errors, not fetches), or let the environment or the configuration of a user or system change an
//! answer: only the repository's own configuration counts, without its includes.
//!
//! Whoever owns the repository, its commits may be read: git's `safe.directory` guards against
//! configuration that starts programs, and none is started here.
//!
//! **Known gaps**: replacement objects (`refs/replace`) and grafts are ignored, since other clones do
//! not have them; repositories with SHA-256 objects or a reftable are refused by name; attributes from
//! `core.attributesFile` and line-ending settings of a user's own configuration are not seen.

mod attributes;
mod checkout;
mod discovery;
mod error;
mod lfs;
mod objects;
mod repository;
mod staged;
mod stamp;
mod status;
mod tracked_files;
mod tracked_names;
mod tree;
mod work_tree;

#[cfg(test)]
mod tests;

pub use attributes::CheckoutFilter;
pub use checkout::StagedState;
pub use error::{GitError, MergeBaseError, RepositoryError, RevisionError, WorkTreeError};
pub(crate) use lfs::LONGEST_POINTER;
pub use lfs::is_lfs_pointer;
pub use objects::CommitId;
pub use repository::Repository;
pub use stamp::RepositoryStamp;
pub use tracked_files::TrackedFiles;
pub use tree::GitTree;
pub use work_tree::{Change, ChangeKind, WorkTreeState};
pub(crate) use work_tree::{StagedFile, Tracking};
