//! What stands at the paths of an index, on Linux.
//!
//! In: a work tree and the index's paths in order. Out: kind and stat data of each. It must never take a file behind a
//! linked directory for the tracked one.
//!
//! Every file is looked at from its open directory, so that the kernel walks one element and not the whole path: half
//! of what a look costs.

use super::{Found, FoundKind, Unseen};
use crate::tree::disk::{DiskTree, FileStamp};
use crate::tree::git::work_tree::WorkTreeState;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::index::entry::{Stat, stat::Time};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// A directory that one only passes through, without the right to list it.
const PASSING: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The top directory of a work tree; nothing where it is gone.
pub(super) struct TopLevel(Option<OwnedFd>);

impl TopLevel {
    pub(super) fn open(state: &WorkTreeState) -> Self {
        // The top level itself may be reached through a link.
        let flags = PASSING.difference(OFlags::NOFOLLOW);
        Self(rustix::fs::open(state.top_level.as_std_path(), flags, Mode::empty()).ok())
    }
}

/// What stood at a path below the root when it was opened; nothing where it was not.
pub(super) fn seen(disk: &DiskTree, path: &str) -> Option<Found> {
    disk.stamp(path).map(Found::from)
}

/// The directories above the files of one chunk, each opened once, since the index is sorted: git does not see a file
/// behind a linked directory as the tracked one.
pub(super) struct Directories<'t> {
    top_level: &'t TopLevel,
    /// The directory that was asked about last.
    last: BString,
    /// The directories on the way to it, and where their elements end.
    opened: Vec<(usize, OwnedFd)>,
    /// Where the first element ends that is no directory.
    not_real: Option<usize>,
}

impl<'t> Directories<'t> {
    pub(super) fn new(top_level: &'t TopLevel) -> Self {
        Self {
            top_level,
            last: BString::default(),
            opened: Vec::new(),
            not_real: None,
        }
    }

    /// What stands at a clean path; nothing where nothing does, or where a directory on the way is none.
    pub(super) fn look_up(&mut self, path: &BStr) -> Result<Option<Found>, Unseen> {
        let name = match path.rfind_byte(b'/') {
            Some(slash) => {
                let directory = path[..slash].as_bstr();
                if self.last != directory {
                    self.move_to(directory);
                }
                &path[slash + 1..]
            }
            None => {
                self.move_to(BStr::new(b""));
                path
            }
        };
        let Some(directory) = self.current() else {
            return Ok(None);
        };
        let stat = match rustix::fs::statat(directory, &**name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(_) => return Err(Unseen),
        };
        let mut found = Found::from(FileStamp::of(&stat));
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Symlink => found.kind = FoundKind::Symlink,
            _ => found.kind = FoundKind::Other,
        }
        Ok(Some(found))
    }

    fn current(&self) -> Option<BorrowedFd<'_>> {
        if self.not_real.is_some() {
            return None;
        }
        match self.opened.last() {
            Some((_, opened)) => Some(opened.as_fd()),
            None => self.top_level.0.as_ref().map(OwnedFd::as_fd),
        }
    }

    fn move_to(&mut self, directory: &BStr) {
        let last = self.last.as_bytes();
        let is_shared = |end: usize| {
            directory.get(..end) == last.get(..end)
                && matches!(directory.get(end), None | Some(b'/'))
        };
        while self.opened.last().is_some_and(|(end, _)| !is_shared(*end)) {
            self.opened.pop();
        }
        self.not_real = self.not_real.filter(|end| is_shared(*end));
        self.last = directory.to_owned();
        while self.not_real.is_none() {
            let start = match self.opened.last() {
                None => 0,
                Some((end, _)) if *end >= directory.len() => return,
                Some((end, _)) => end + 1,
            };
            if directory.is_empty() {
                return;
            }
            let length = directory[start..].find_byte(b'/');
            let end = length.map_or(directory.len(), |length| start + length);
            let opened = self.current().and_then(|above| {
                let element = &directory.as_bytes()[start..end];
                rustix::fs::openat(above, element, PASSING, Mode::empty()).ok()
            });
            match opened {
                Some(opened) => self.opened.push((end, opened)),
                None => self.not_real = Some(end),
            }
        }
    }
}

impl From<FileStamp> for Found {
    fn from(stamp: FileStamp) -> Self {
        let time = |(secs, nsecs)| Time { secs, nsecs };
        Self {
            kind: FoundKind::File(stamp.mode),
            stat: Stat {
                mtime: time(stamp.modified),
                ctime: time(stamp.changed),
                dev: stamp.device,
                ino: stamp.inode,
                uid: stamp.user,
                gid: stamp.group,
                size: stamp.length,
            },
        }
    }
}
