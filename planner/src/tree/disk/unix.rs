//! The system calls behind [`DiskTree`](super::DiskTree) on Unix.
//!
//! In: the open root and clean relative paths. Out: open files, names and modes. It must never hand
//! out a descriptor that was reached through a link below the root.

#[cfg(target_os = "linux")]
use super::FileStamp;
use super::{Opened as OpenedFile, system_error};
use crate::path::RepoPath;
use crate::tree::{Entry, EntryKind, FileMode, Listing, TreeErrorKind};
use camino::Utf8Path;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

#[derive(Debug)]
pub(super) struct Root {
    directory: OwnedFd,
    resolution: Resolution,
}

/// How links are kept out of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resolution {
    /// The kernel refuses them, in one call.
    #[cfg(target_os = "linux")]
    Kernel,
    /// Every element is opened by itself.
    ByElement,
}

/// Opens nothing that stays open in a child process, follows no link, waits for nothing, and makes no
/// terminal the controlling one.
const SAFE: OFlags = OFlags::CLOEXEC
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// The flags to open with. `openat2` refuses those about waiting where nothing is opened for reading.
fn safe(flags: OFlags) -> OFlags {
    #[cfg(target_os = "linux")]
    if flags.contains(OFlags::PATH) {
        return flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    }
    flags | SAFE
}

impl Root {
    pub(super) fn open(root: &Utf8Path) -> Result<Self, TreeErrorKind> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            rustix::fs::open(root.as_std_path(), flags, Mode::empty()).map_err(kind_of)?;
        let resolution = Resolution::of(directory.as_fd());
        Ok(Self {
            directory,
            resolution,
        })
    }

    pub(super) fn list(&self, directory: &RepoPath) -> Result<Listing, TreeErrorKind> {
        let opened = self
            .open_at(directory, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(|error| match error {
                Errno::LOOP => TreeErrorKind::NotADirectory,
                other => kind_of(other),
            })?;
        list_opened(&opened)
    }

    pub(super) fn open_file(&self, file: &RepoPath) -> Result<OpenedFile, TreeErrorKind> {
        let opened = self
            .open_at(file, OFlags::RDONLY)
            .map_err(|error| match error {
                Errno::LOOP => self.link_in_the_way(file, TreeErrorKind::NotAFile),
                // A socket, or a device without a driver.
                Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP => TreeErrorKind::NotAFile,
                other => kind_of(other),
            })?;
        let stat = rustix::fs::fstat(&opened).map_err(kind_of)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(TreeErrorKind::NotAFile);
        }
        Ok(OpenedFile {
            file: File::from(opened),
            length: u64::try_from(stat.st_size).unwrap_or(0),
            #[cfg(target_os = "linux")]
            stamp: Some(FileStamp::of(&stat)),
            #[cfg(not(target_os = "linux"))]
            stamp: None,
        })
    }

    pub(super) fn read_link(&self, link: &RepoPath) -> Result<String, TreeErrorKind> {
        let (parent, name) = self.open_parent(link)?;
        let target =
            rustix::fs::readlinkat(parent.as_fd(), name, Vec::new()).map_err(
                |error| match error {
                    Errno::INVAL => TreeErrorKind::NotALink,
                    other => kind_of(other),
                },
            )?;
        target.into_string().map_err(|_| TreeErrorKind::NotUtf8)
    }

    pub(super) fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeErrorKind> {
        let (parent, name) = self.open_parent(file)?;
        let stat =
            rustix::fs::statat(parent.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW).map_err(kind_of)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(TreeErrorKind::NotAFile);
        }
        Ok(file_mode(&stat))
    }

    /// The directory that holds a path, and the path's last element.
    fn open_parent<'p>(&self, path: &'p RepoPath) -> Result<(Opened<'_>, &'p str), TreeErrorKind> {
        let name = path.file_name().unwrap_or(".");
        let parent = match path.parent() {
            None => return Ok((Opened::Root(self.directory.as_fd()), name)),
            Some(parent) if parent.is_root() => {
                return Ok((Opened::Root(self.directory.as_fd()), name));
            }
            Some(parent) => parent,
        };
        let opened = self
            .open_at(&parent, PASSING)
            .map_err(|error| match error {
                Errno::LOOP => TreeErrorKind::NotADirectory,
                other => kind_of(other),
            })?;
        Ok((Opened::Below(opened), name))
    }

    /// Whether it was the path's own link that was refused, or one on the way to it.
    fn link_in_the_way(&self, path: &RepoPath, own: TreeErrorKind) -> TreeErrorKind {
        match self.open_parent(path) {
            Ok(_) => own,
            Err(kind) => kind,
        }
    }

    fn open_at(&self, path: &RepoPath, flags: OFlags) -> Result<OwnedFd, Errno> {
        let text = if path.is_root() {
            "."
        } else {
            path.as_tree_str()
        };
        match self.resolution {
            #[cfg(target_os = "linux")]
            Resolution::Kernel => retry(|| {
                rustix::fs::openat2(
                    &self.directory,
                    text,
                    safe(flags),
                    Mode::empty(),
                    rustix::fs::ResolveFlags::NO_SYMLINKS,
                )
            }),
            Resolution::ByElement => {
                let (way, last) = text.rsplit_once('/').unwrap_or(("", text));
                let mut reached: Option<OwnedFd> = None;
                for element in way.split('/').filter(|element| !element.is_empty()) {
                    let from = reached
                        .as_ref()
                        .map_or(self.directory.as_fd(), OwnedFd::as_fd);
                    reached = Some(open_element(from, element, PASSING)?);
                }
                let from = reached
                    .as_ref()
                    .map_or(self.directory.as_fd(), OwnedFd::as_fd);
                open_element(from, last, flags)
            }
        }
    }

    #[cfg(test)]
    pub(super) fn by_element(mut self) -> Self {
        self.resolution = Resolution::ByElement;
        self
    }
}

/// As git: the owner's bit decides, so a umask can't.
fn file_mode(stat: &Stat) -> FileMode {
    if Mode::from_raw_mode(stat.st_mode).contains(Mode::XUSR) {
        FileMode::Executable
    } else {
        FileMode::Regular
    }
}

#[cfg(target_os = "linux")]
impl FileStamp {
    /// What the system says of a regular file.
    pub(in crate::tree) fn of(stat: &Stat) -> Self {
        let time = |seconds: i64, nanoseconds| match u64::try_from(seconds) {
            Ok(seconds) => (
                seconds as u32,
                u32::try_from(nanoseconds).unwrap_or_default(),
            ),
            // Before 1970.
            Err(_) => (0, 0),
        };
        Self {
            mode: file_mode(stat),
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
            device: stat.st_dev as u32,
            inode: stat.st_ino as u32,
            user: stat.st_uid,
            group: stat.st_gid,
            length: stat.st_size as u32,
        }
    }
}

/// Reads behind what is already there, up to `wanted` bytes in all, into memory that is not written twice.
pub(super) fn read_more(
    file: &File,
    content: &mut Vec<u8>,
    wanted: usize,
) -> std::io::Result<usize> {
    debug_assert!(content.capacity() >= wanted);
    let read = rustix::io::read(file, rustix::buffer::spare_capacity(content))?;
    // The file may have grown since it was measured.
    content.truncate(wanted);
    Ok(read)
}

/// A directory that one only passes through: where the system allows, without the right to list it.
const PASSING: OFlags = {
    #[cfg(target_os = "linux")]
    let flags = OFlags::PATH.union(OFlags::DIRECTORY);
    #[cfg(not(target_os = "linux"))]
    let flags = OFlags::RDONLY.union(OFlags::DIRECTORY);
    flags
};

enum Opened<'r> {
    Root(BorrowedFd<'r>),
    Below(OwnedFd),
}

impl Opened<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(directory) => *directory,
            Self::Below(directory) => directory.as_fd(),
        }
    }
}

impl Resolution {
    #[cfg(target_os = "linux")]
    fn of(directory: BorrowedFd<'_>) -> Self {
        // Kernels before 5.6 do not have the call, and some sandboxes refuse it.
        let probe = rustix::fs::openat2(
            directory,
            ".",
            PASSING | OFlags::CLOEXEC,
            Mode::empty(),
            rustix::fs::ResolveFlags::NO_SYMLINKS,
        );
        if probe.is_ok() {
            Self::Kernel
        } else {
            Self::ByElement
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn of(_directory: BorrowedFd<'_>) -> Self {
        Self::ByElement
    }
}

fn open_element(from: BorrowedFd<'_>, element: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    match retry(|| rustix::fs::openat(from, element, safe(flags), Mode::empty())) {
        // With `O_DIRECTORY` a link is "not a directory"; BSD has names of its own for a refused link.
        #[cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
        Err(Errno::MLINK) => Err(Errno::LOOP),
        other => other,
    }
}

fn list_opened(directory: &OwnedFd) -> Result<Listing, TreeErrorKind> {
    let mut listing = Listing::default();
    #[cfg(target_os = "linux")]
    {
        let mut buffer = [const { std::mem::MaybeUninit::uninit() }; 16 * 1024];
        let mut entries = rustix::fs::RawDir::new(directory, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(kind_of)?;
            add(
                &mut listing,
                directory.as_fd(),
                entry.file_name(),
                entry.file_type(),
            )?;
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let mut entries = rustix::fs::Dir::read_from(directory).map_err(kind_of)?;
        while let Some(entry) = entries.read() {
            let entry = entry.map_err(kind_of)?;
            add(
                &mut listing,
                directory.as_fd(),
                entry.file_name(),
                entry.file_type(),
            )?;
        }
    }
    Ok(listing)
}

fn add(
    listing: &mut Listing,
    directory: BorrowedFd<'_>,
    name: &CStr,
    file_type: FileType,
) -> Result<(), TreeErrorKind> {
    if name == c"." || name == c".." {
        return Ok(());
    }
    let Ok(text) = name.to_str() else {
        listing.not_utf8.push(name.to_bytes().to_vec());
        return Ok(());
    };
    let file_type = if file_type == FileType::Unknown {
        // Some file systems leave the type out of a listing.
        match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            // Gone since.
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(kind_of(error)),
        }
    } else {
        file_type
    };
    let kind = match file_type {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink,
        _ => EntryKind::Special,
    };
    listing.entries.push(Entry {
        name: text.into(),
        kind,
    });
    Ok(())
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

fn kind_of(error: Errno) -> TreeErrorKind {
    match error {
        Errno::LOOP => TreeErrorKind::LinkLoop,
        other => system_error(&other.into()),
    }
}
