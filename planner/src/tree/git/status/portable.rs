//! What stands at the paths of an index, on any system.
//!
//! In: a work tree and the index's paths in order. Out: kind and stat data of each. It must never take a file behind a
//! linked directory for the tracked one.

use super::{Found, FoundKind, Unseen, path_on_disk};
use crate::tree::FileMode;
use crate::tree::disk::DiskTree;
use crate::tree::git::work_tree::WorkTreeState;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::index::entry::Stat;
use gix::index::fs::Metadata;

/// The top directory of a work tree.
pub(super) struct TopLevel<'s>(&'s WorkTreeState);

impl<'s> TopLevel<'s> {
    pub(super) fn open(state: &'s WorkTreeState) -> Self {
        Self(state)
    }
}

/// What stood at a path below the root when it was opened: here it has to be looked at again.
pub(super) fn seen(_disk: &DiskTree, _path: &str) -> Option<Found> {
    None
}

/// The directories above the files of one chunk, each looked at once, since the index is sorted: git does not see a
/// file behind a linked directory as the tracked one.
pub(super) struct Directories<'s> {
    state: &'s WorkTreeState,
    /// The directory that was asked about last.
    last: BString,
    /// Where its elements end that are directories, as are all above them.
    real: Vec<usize>,
    /// Where the first element ends that is none.
    not_real: Option<usize>,
}

impl<'s> Directories<'s> {
    pub(super) fn new(top_level: &TopLevel<'s>) -> Self {
        Self {
            state: top_level.0,
            last: BString::default(),
            real: Vec::new(),
            not_real: None,
        }
    }

    /// What stands at a clean path; nothing where nothing does, or where a directory on the way is none.
    pub(super) fn look_up(&mut self, path: &BStr) -> Result<Option<Found>, Unseen> {
        if !self.are_real(path) {
            return Ok(None);
        }
        let Some(on_disk) = path_on_disk(self.state, path) else {
            return Ok(None);
        };
        let metadata = match Metadata::from_path_no_follow(&on_disk) {
            Ok(metadata) => metadata,
            Err(error) => {
                return match error.kind() {
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Ok(None),
                    _ => Err(Unseen),
                };
            }
        };
        let kind = if metadata.is_symlink() {
            FoundKind::Symlink
        } else if !metadata.is_file() {
            FoundKind::Other
        } else if metadata.is_executable() {
            FoundKind::File(FileMode::Executable)
        } else {
            FoundKind::File(FileMode::Regular)
        };
        let stat = Stat::from_fs(&metadata).map_err(|_| Unseen)?;
        Ok(Some(Found { kind, stat }))
    }

    fn are_real(&mut self, path: &BStr) -> bool {
        let Some(slash) = path.rfind_byte(b'/') else {
            return true;
        };
        let directory = path[..slash].as_bstr();
        if self.last != directory {
            self.move_to(directory);
        }
        self.not_real.is_none()
    }

    fn move_to(&mut self, directory: &BStr) {
        let last = self.last.as_bytes();
        let is_shared = |end: usize| {
            directory.get(..end) == last.get(..end)
                && matches!(directory.get(end), None | Some(b'/'))
        };
        while self.real.last().is_some_and(|end| !is_shared(*end)) {
            self.real.pop();
        }
        self.not_real = self.not_real.filter(|end| is_shared(*end));
        self.last = directory.to_owned();
        while self.not_real.is_none() {
            let start = match self.real.last() {
                None => 0,
                Some(end) if *end >= directory.len() => return,
                Some(end) => end + 1,
            };
            let length = directory[start..].find_byte(b'/');
            let end = length.map_or(directory.len(), |length| start + length);
            let is_directory = path_on_disk(self.state, directory[..end].as_bstr())
                .and_then(|path| std::fs::symlink_metadata(path).ok())
                .is_some_and(|metadata| metadata.is_dir());
            if is_directory {
                self.real.push(end);
            } else {
                self.not_real = Some(end);
            }
        }
    }
}
