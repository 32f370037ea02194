//! A source tree in a directory of the file system.
//!
//! In: the root directory. Out: what stands in it now, untracked and ignored files included, and the
//! files of submodules that are checked out: to a directory they are files like all others. It must
//! never follow a link, not even one that another process swaps in while the tree is read, and never
//! wait for a FIFO or a device.
//!
//! Every call is made relative to the open root. On Linux `openat2` refuses links in the whole path in
//! one call; elsewhere, and where a sandbox forbids that call, the path is opened element by element.
//! **Known gap**: on systems other than Unix the check for links and the reading are two steps, so a
//! link that is swapped in between them is followed.

#[cfg(not(unix))]
#[path = "disk/portable.rs"]
mod system;
#[cfg(unix)]
#[path = "disk/unix.rs"]
mod system;

use super::{ContentDigest, FileMode, Listing, ReadLimit, SourceTree, TreeError, TreeErrorKind};
use crate::concurrent_map::ConcurrentMap;
use crate::path::RepoPath;
use camino::{Utf8Path, Utf8PathBuf};
use std::fs::File;
use std::io::Read as _;

/// A source tree in a directory.
pub struct DiskTree {
    root: Utf8PathBuf,
    system: system::Root,
    /// What the system said of the files that were opened, where that is kept.
    stamps: Option<ConcurrentMap<RepoPath, FileStamp>>,
}

impl std::fmt::Debug for DiskTree {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("DiskTree")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

/// What the system says of a file beside its content, as git's index keeps it: the lower 32 bits of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileStamp {
    pub(super) mode: FileMode,
    /// Seconds and nanoseconds.
    pub(super) modified: (u32, u32),
    pub(super) changed: (u32, u32),
    pub(super) device: u32,
    pub(super) inode: u32,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) length: u32,
}

/// A regular file that was opened.
struct Opened {
    file: File,
    length: u64,
    /// Nothing on systems where git's index is compared in another way.
    stamp: Option<FileStamp>,
}

impl DiskTree {
    /// Opens a directory as the root of a tree. The root itself may be a link.
    ///
    /// # Errors
    /// When it can't be opened, or is no directory; the path of the error is the root's, `.`.
    pub fn open(root: &Utf8Path) -> Result<Self, TreeError> {
        let system =
            system::Root::open(root).map_err(|kind| TreeError::new(&RepoPath::root(), kind))?;
        Ok(Self {
            root: root.to_owned(),
            system,
            stamps: None,
        })
    }

    /// Keeps what the system says of every file that is opened, so that whoever compares the directory with git's index
    /// need not ask again.
    pub fn keeping_stamps(mut self) -> Self {
        self.stamps = Some(ConcurrentMap::new());
        self
    }

    /// What the system said of a file when it was opened; nothing where it was not, or nothing was kept.
    #[cfg(all(feature = "git", target_os = "linux"))]
    pub(super) fn stamp(&self, file: &str) -> Option<FileStamp> {
        self.stamps.as_ref()?.get(file)
    }

    /// The directory, as it was given.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    fn open_file(&self, file: &RepoPath) -> Result<(File, u64), TreeErrorKind> {
        let opened = self.system.open_file(file)?;
        if let (Some(stamps), Some(stamp)) = (&self.stamps, opened.stamp) {
            stamps.insert_first(file.clone(), stamp);
        }
        Ok((opened.file, opened.length))
    }
}

impl SourceTree for DiskTree {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        let mut listing = self
            .system
            .list(directory)
            .map_err(|kind| TreeError::new(directory, kind))?;
        if directory.is_root() {
            listing.entries.retain(|entry| &*entry.name != ".git");
        }
        listing.entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        listing.not_utf8.sort_unstable();
        Ok(listing)
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        let mut content = Vec::new();
        self.read_into(file, limit, &mut content)?;
        Ok(content)
    }

    fn read_into(
        &self,
        file: &RepoPath,
        limit: ReadLimit,
        content: &mut Vec<u8>,
    ) -> Result<(), TreeError> {
        self.open_file(file)
            .and_then(|(mut opened, length)| read_limited(&mut opened, length, limit, content))
            .map_err(|kind| TreeError::new(file, kind))
    }

    fn read_start(
        &self,
        file: &RepoPath,
        content: &mut Vec<u8>,
    ) -> Result<Option<ContentDigest>, TreeError> {
        self.open_file(file)
            .and_then(|(mut opened, length)| read_pieces(&mut opened, length, content))
            .map_err(|kind| TreeError::new(file, kind))
    }

    fn digest(&self, file: &RepoPath) -> Result<ContentDigest, TreeError> {
        let digest = |(mut opened, length): (File, u64)| {
            if length <= SMALL {
                let mut content = Vec::new();
                read_limited(&mut opened, length, ReadLimit::Whole, &mut content)?;
                return Ok(ContentDigest::of(&content));
            }
            let mut hasher = blake3::Hasher::new();
            hasher
                .update_reader(opened)
                .map_err(|error| system_error(&error))?;
            Ok(ContentDigest(*hasher.finalize().as_bytes()))
        };
        self.open_file(file)
            .and_then(digest)
            .map_err(|kind| TreeError::new(file, kind))
    }

    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError> {
        self.system
            .read_link(link)
            .map_err(|kind| TreeError::new(link, kind))
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        self.system
            .mode(file)
            .map_err(|kind| TreeError::new(file, kind))
    }
}

/// Files up to this length are hashed from one read; longer ones piece by piece.
const SMALL: u64 = 256 * 1024;

/// The room for files up to this length is rounded up in a buffer that is used again.
const LARGEST_ROUNDED: usize = 4 * 1024 * 1024;

/// Reads as much of a file as its length promised when it was opened, so that one call is enough. A
/// file that is being written has no one content in any case.
fn read_limited(
    file: &mut File,
    length: u64,
    limit: ReadLimit,
    content: &mut Vec<u8>,
) -> Result<(), TreeErrorKind> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let wanted = match limit {
        ReadLimit::Whole => length,
        ReadLimit::Bytes(limit) => length.min(limit),
    };
    content.clear();
    if content.capacity() < wanted {
        // A buffer that is used again and again grows in leaps, and what it held is not worth a copy.
        let room = if content.capacity() > 0 && wanted <= LARGEST_ROUNDED {
            wanted.next_power_of_two()
        } else {
            wanted
        };
        *content = Vec::new();
        content.try_reserve_exact(room).map_err(|_| {
            TreeErrorKind::Other(format!(
                "the file has {wanted} bytes, more than fit into memory"
            ))
        })?;
    }
    while content.len() < wanted {
        match system::read_more(file, content, wanted) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(system_error(&error)),
        }
    }
    Ok(())
}

/// The pieces in which a long file is read: they are hashed while they are in the processor's cache.
const PIECE: usize = 64 * 1024;

/// Reads a file whole, or the first piece of a long one, with the digest of all its pieces.
fn read_pieces(
    file: &mut File,
    length: u64,
    content: &mut Vec<u8>,
) -> Result<Option<ContentDigest>, TreeErrorKind> {
    if length <= 2 * PIECE as u64 {
        read_limited(file, length, ReadLimit::Whole, content)?;
        return Ok(None);
    }
    let mut hasher = blake3::Hasher::new();
    content.clear();
    read_piece(file, content)?;
    hasher.update(content);
    while content.len() >= PIECE {
        // The other pieces are read behind the first one.
        content.truncate(PIECE);
        if read_piece(file, content)? == 0 {
            return Ok(Some(ContentDigest(*hasher.finalize().as_bytes())));
        }
        hasher.update(&content[PIECE..]);
    }
    // It was cut off since it was measured.
    Ok(None)
}

/// Reads the next piece behind what is there, and nothing of the one after it.
fn read_piece(file: &File, content: &mut Vec<u8>) -> Result<usize, TreeErrorKind> {
    content.reserve(PIECE);
    file.take(PIECE as u64)
        .read_to_end(content)
        .map_err(|error| system_error(&error))
}

/// What the system said, in the tree's terms.
fn system_error(error: &std::io::Error) -> TreeErrorKind {
    match error.kind() {
        std::io::ErrorKind::NotFound => TreeErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => TreeErrorKind::PermissionDenied,
        std::io::ErrorKind::NotADirectory => TreeErrorKind::NotADirectory,
        std::io::ErrorKind::InvalidFilename => TreeErrorKind::PathTooLong,
        _ => TreeErrorKind::Other(error.to_string()),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
