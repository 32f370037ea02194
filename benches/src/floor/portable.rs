//! The floor program with the standard library alone, for systems other than Linux.
//!
//! In: a directory. Out: what is in it, and digests of its files.

use super::{FloorError, Keep, Listed};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

pub(super) struct Tree(PathBuf);

impl Tree {
    /// Can't fail here; on Linux it can.
    pub(super) fn open(path: &Path) -> Result<Self, FloorError> {
        Ok(Self(path.to_owned()))
    }

    pub(super) fn list(&self, keep: Keep) -> Result<Listed, FloorError> {
        list(&self.0, "", keep)
    }

    pub(super) fn digest(&self, file: &str) -> Result<(blake3::Hash, u64), FloorError> {
        let path = self.0.join(file);
        let content = std::fs::read(&path).map_err(|error| FloorError::new(&path, error))?;
        Ok((blake3::hash(&content), content.len() as u64))
    }
}

/// Lists a directory and all below it. `path` is relative to the root and ends in `/`, or is empty.
fn list(directory: &Path, path: &str, keep: Keep) -> Result<Listed, FloorError> {
    let failed = |error| FloorError::new(directory, error);
    let mut listed = Listed::default();
    let mut children = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        listed.entries += 1;
        let kind = entry.file_type().map_err(failed)?;
        let name = entry.file_name();
        if kind.is_dir() {
            if name != ".git" {
                children.push(name);
            }
        } else if kind.is_file()
            && keep == Keep::GoFiles
            && name.as_encoded_bytes().ends_with(b".go")
        {
            listed
                .go_files
                .push(format!("{path}{}", name.to_string_lossy()));
        }
    }
    children
        .par_iter()
        .map(|name| {
            let path = format!("{path}{}/", name.to_string_lossy());
            list(&directory.join(name), &path, keep)
        })
        .try_reduce(Listed::default, |a, b| Ok(a.and(b)))
        .map(|below| listed.and(below))
}
