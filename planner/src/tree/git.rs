//! Source trees in git: commits without a checkout, and what git knows of a checked-out directory.
//!
//! In: a directory in or above which a repository stands. Out: a [`Repository`], its commits as [`GitTree`]s, and the
//! [`WorkTreeState`] of its checkout. It must never write, run git, reach a network, or read the configuration of the
//! user or the machine: only the repository's own counts.

mod commit_tree;
mod repository;
mod work_tree;

pub use commit_tree::GitTree;
pub use repository::{CommitId, GitError, Repository};
pub use work_tree::WorkTreeState;

/// Whether a content is a Git LFS pointer and not the content itself.
///
/// Source: git-lfs/docs/spec.md.
pub fn is_lfs_pointer(content: &[u8]) -> bool {
    content.len() < 1024
        && content.starts_with(b"version https://git-lfs.github.com/spec/")
        && content
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"oid "))
        && content
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"size "))
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
