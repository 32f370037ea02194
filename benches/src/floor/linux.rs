//! The floor program's system calls on Linux.
//!
//! In: a directory. Out: what is in it, and digests of its files.

use super::{FloorError, Keep, Listed};
use rayon::prelude::*;
use rustix::fs::{FileType, Mode, OFlags, RawDir};
use std::cell::RefCell;
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

/// Larger than nearly every Go source file, so that one call reads it.
const BUFFER: usize = 64 * 1024;

thread_local! {
    static CONTENT: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

pub(super) struct Tree {
    path: PathBuf,
    root: OwnedFd,
}

impl Tree {
    pub(super) fn open(path: &Path) -> Result<Self, FloorError> {
        let root = rustix::fs::open(path, DIRECTORY, Mode::empty())
            .map_err(|error| FloorError::new(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            root,
        })
    }

    pub(super) fn list(&self, keep: Keep) -> Result<Listed, FloorError> {
        let opened = rustix::fs::openat(&self.root, c".", DIRECTORY, Mode::empty())
            .map_err(|error| FloorError::new(&self.path, error))?;
        list(&opened, "", keep)
    }

    pub(super) fn digest(&self, file: &str) -> Result<(blake3::Hash, u64), FloorError> {
        let failed = |error| FloorError::new(self.path.join(file), error);
        let opened = rustix::fs::openat(&self.root, file, FILE, Mode::empty()).map_err(failed)?;
        CONTENT.with_borrow_mut(|content| {
            let mut length = 0;
            loop {
                if length == content.len() {
                    content.resize(length * 2, 0);
                }
                length += rustix::io::read(&opened, &mut content[length..]).map_err(failed)?;
                if length < content.len() {
                    break;
                }
            }
            Ok((blake3::hash(&content[..length]), length as u64))
        })
    }
}

/// Lists an open directory and all below it. `path` is relative to the root and ends in `/`, or is
/// empty.
fn list(directory: &OwnedFd, path: &str, keep: Keep) -> Result<Listed, FloorError> {
    let mut listed = Listed::default();
    let mut children: Vec<CString> = Vec::new();
    let mut buffer = [const { MaybeUninit::uninit() }; 16 * 1024];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|error| FloorError::new(path, error))?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        listed.entries += 1;
        match entry.file_type() {
            FileType::Directory if name != c".git" => children.push(name.to_owned()),
            FileType::RegularFile if keep == Keep::GoFiles && name.to_bytes().ends_with(b".go") => {
                listed
                    .go_files
                    .push(format!("{path}{}", name.to_string_lossy()));
            }
            _ => {}
        }
    }
    children
        .par_iter()
        .map(|name| {
            let path = match keep {
                Keep::Nothing => String::new(),
                Keep::GoFiles => format!("{path}{}/", name.to_string_lossy()),
            };
            let opened =
                rustix::fs::openat(directory, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
                    .map_err(|error| FloorError::new(&path, error))?;
            list(&opened, &path, keep)
        })
        .try_reduce(Listed::default, |a, b| Ok(a.and(b)))
        .map(|below| listed.and(below))
}
