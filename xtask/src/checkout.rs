//! A revision of a repository as a directory that is thrown away.
//!
//! In: a repository, a revision. Out: a [`Checkout`], whose work tree is removed when it is dropped. Submodules are
//! left out. Objects that a partial clone lacks are left out too, with a word on stderr.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// A detached work tree.
pub(crate) struct Checkout {
    repository: PathBuf,
    scratch: TempDir,
}

/// Why a revision could not be checked out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckoutError {
    /// git could not be run, or the directory not be made.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// git refused.
    #[error("git {arguments}: {complaint}")]
    Git {
        /// What it was asked.
        arguments: String,
        /// What it said.
        complaint: String,
    },
}

impl Checkout {
    /// Checks a revision out.
    ///
    /// # Errors
    /// git does not know the revision, or can't be run.
    pub(crate) fn new(repository: &Path, revision: &str) -> Result<Self, CheckoutError> {
        let checkout = Self {
            repository: repository.to_owned(),
            scratch: tempfile::tempdir()?,
        };
        let tree = checkout.directory();
        let text = tree.to_string_lossy();
        must(
            repository,
            &[
                "worktree",
                "add",
                "--quiet",
                "--detach",
                "--no-checkout",
                &text,
                revision,
            ],
        )?;
        must(&tree, &["read-tree", "HEAD"])?;
        let written = git(&tree, &["checkout-index", "--all", "--force"])?;
        if !written.status.success() {
            eprintln!(
                "{revision}: not all files could be written: {}",
                String::from_utf8_lossy(&written.stderr)
                    .lines()
                    .next()
                    .unwrap_or_default()
            );
        }
        Ok(checkout)
    }

    /// Checks another revision out in the same place.
    ///
    /// # Errors
    /// git does not know the revision, or can't write its files.
    pub(crate) fn move_to(&self, revision: &str) -> Result<(), CheckoutError> {
        let tree = self.directory();
        must(
            &tree,
            &["checkout", "--quiet", "--force", "--detach", revision],
        )
    }

    /// The root of the work tree.
    pub(crate) fn directory(&self) -> PathBuf {
        self.scratch.path().join("tree")
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let tree = self.directory();
        // The directory itself goes with `scratch`; what fails here, `git worktree prune` mends.
        let _ = git(
            &self.repository,
            &["worktree", "remove", "--force", &tree.to_string_lossy()],
        );
    }
}

fn git(directory: &Path, arguments: &[&str]) -> io::Result<Output> {
    Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .output()
}

fn must(directory: &Path, arguments: &[&str]) -> Result<(), CheckoutError> {
    let output = git(directory, arguments)?;
    if output.status.success() {
        return Ok(());
    }
    Err(CheckoutError::Git {
        arguments: arguments.join(" "),
        complaint: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
