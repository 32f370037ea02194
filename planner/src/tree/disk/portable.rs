//! The calls behind [`DiskTree`](super::DiskTree) where there is no Unix.
//!
//! In: the root's path and clean relative paths. Out: open files, names and modes. It must never
//! open what is not a regular file when it looks.

use super::{Opened, system_error};
use crate::path::RepoPath;
use crate::tree::{Entry, EntryKind, FileMode, Listing, TreeErrorKind};
use camino::Utf8Path;
use std::fs::{File, FileType, Metadata};
use std::path::PathBuf;

#[derive(Debug)]
pub(super) struct Root {
    directory: PathBuf,
}

impl Root {
    pub(super) fn open(root: &Utf8Path) -> Result<Self, TreeErrorKind> {
        // Links above the root are the user's own affair; from here on none is followed.
        let directory = std::fs::canonicalize(root).map_err(|error| system_error(&error))?;
        if !directory.is_dir() {
            return Err(TreeErrorKind::NotADirectory);
        }
        Ok(Self { directory })
    }

    pub(super) fn list(&self, directory: &RepoPath) -> Result<Listing, TreeErrorKind> {
        let (path, metadata) = self.look(directory)?;
        if !metadata.is_dir() {
            return Err(TreeErrorKind::NotADirectory);
        }
        let mut listing = Listing::default();
        for entry in std::fs::read_dir(path).map_err(|error| system_error(&error))? {
            let entry = entry.map_err(|error| system_error(&error))?;
            let kind = kind_of(entry.file_type().map_err(|error| system_error(&error))?);
            match entry.file_name().into_string() {
                Ok(name) => listing.entries.push(Entry {
                    name: name.into(),
                    kind,
                }),
                Err(name) => listing.not_utf8.push(name.into_encoded_bytes()),
            }
        }
        Ok(listing)
    }

    pub(super) fn open_file(&self, file: &RepoPath) -> Result<Opened, TreeErrorKind> {
        let (path, metadata) = self.look(file)?;
        if !metadata.is_file() {
            return Err(TreeErrorKind::NotAFile);
        }
        let opened = File::open(path).map_err(|error| system_error(&error))?;
        let length = opened
            .metadata()
            .map_err(|error| system_error(&error))?
            .len();
        Ok(Opened {
            file: opened,
            length,
            stamp: None,
        })
    }

    pub(super) fn read_link(&self, link: &RepoPath) -> Result<String, TreeErrorKind> {
        let (path, metadata) = self.look(link)?;
        if !metadata.is_symlink() {
            return Err(TreeErrorKind::NotALink);
        }
        let target = std::fs::read_link(path).map_err(|error| system_error(&error))?;
        let target = target
            .into_os_string()
            .into_string()
            .map_err(|_| TreeErrorKind::NotUtf8)?;
        // The same text as in a git tree.
        Ok(target.replace('\\', "/"))
    }

    /// Without Unix modes every file is a regular one; git decides by its index there.
    pub(super) fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeErrorKind> {
        if self.look(file)?.1.is_file() {
            Ok(FileMode::Regular)
        } else {
            Err(TreeErrorKind::NotAFile)
        }
    }

    /// What stands at a path, when every element above it is a directory.
    fn look(&self, path: &RepoPath) -> Result<(PathBuf, Metadata), TreeErrorKind> {
        let mut reached = self.directory.clone();
        let mut metadata =
            std::fs::symlink_metadata(&reached).map_err(|error| system_error(&error))?;
        for element in path.elements() {
            if !metadata.is_dir() {
                return Err(TreeErrorKind::NotADirectory);
            }
            // A name that Windows takes for a path of its own, such as `C:` or `a\b`, can't be listed.
            if element.contains(['\\', ':']) {
                return Err(TreeErrorKind::NotFound);
            }
            reached.push(element);
            metadata = std::fs::symlink_metadata(&reached).map_err(|error| system_error(&error))?;
        }
        Ok((reached, metadata))
    }
}

/// Reads behind what is already there, up to `wanted` bytes in all.
pub(super) fn read_more(
    mut file: &File,
    content: &mut Vec<u8>,
    wanted: usize,
) -> std::io::Result<usize> {
    use std::io::Read as _;
    let filled = content.len();
    content.resize(wanted, 0);
    let result = file.read(&mut content[filled..]);
    content.truncate(filled + result.as_ref().copied().unwrap_or_default());
    result
}

fn kind_of(file_type: FileType) -> EntryKind {
    if file_type.is_symlink() {
        EntryKind::Symlink
    } else if file_type.is_dir() {
        EntryKind::Directory
    } else if file_type.is_file() {
        EntryKind::File
    } else {
        EntryKind::Special
    }
}
