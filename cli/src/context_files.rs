//! Build contexts on disk, and as archives.
//!
//! In: a [`ServiceContext`], the tree that it names files of, and files of ours. Out: a directory or an archive, whole or not
//! at all. The same context is the same archive, byte for byte: sorted, without owners or times, with git's two modes. It
//! must never write what is not the content that was planned.

use crate::{
    build_files::{directory_of, new_file_in},
    failure::Failure,
};
use camino::{Utf8Path, Utf8PathBuf};
use rebake_planner::{
    emit::EmittedFile,
    path::RepoPath,
    plan::{ContextEntry, ServiceContext},
    tree::{ContentDigest, FileMode, ReadLimit, SourceTree},
};
use std::{fs, io};

/// Where a context goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    Directory(Utf8PathBuf),
    Archive(Utf8PathBuf),
    Stdout,
}

impl Destination {
    /// What a typed path means.
    pub(crate) fn of(typed: &Utf8Path) -> Self {
        match (typed.as_str(), typed.extension()) {
            ("-", _) => Self::Stdout,
            (_, Some("tar")) => Self::Archive(typed.to_owned()),
            _ => Self::Directory(typed.to_owned()),
        }
    }
}

/// What becomes of a directory that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Refused,
    Replaced,
}

/// One thing to write.
enum Item {
    File { mode: FileMode, content: Vec<u8> },
    Link { target: String },
}

/// What a context is made of.
pub(crate) struct Content<'a> {
    pub(crate) tree: &'a dyn SourceTree,
    pub(crate) context: &'a ServiceContext,
    /// Files that are added to those of the tree.
    pub(crate) build_files: &'a [EmittedFile],
}

impl Content<'_> {
    pub(crate) fn len(&self) -> usize {
        self.context.entries.len() + self.build_files.len()
    }

    /// Reads one thing after the other, since a context may be larger than memory.
    fn for_each(
        &self,
        mut write: impl FnMut(&str, Item) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for (path, entry) in &self.context.entries {
            let Some(name) = path.strip_prefix(&self.context.root) else {
                continue;
            };
            let item = match entry {
                ContextEntry::Link { target } => Item::Link {
                    target: target.clone(),
                },
                ContextEntry::File { mode, digest } => Item::File {
                    mode: *mode,
                    content: self.read(path, *digest)?,
                },
            };
            write(name, item)?;
        }
        for file in self.build_files {
            let item = Item::File {
                mode: FileMode::Regular,
                content: file.text.clone().into_bytes(),
            };
            write(file.path.as_str(), item)?;
        }
        Ok(())
    }

    fn read(&self, path: &RepoPath, digest: Option<ContentDigest>) -> Result<Vec<u8>, Failure> {
        let content = self
            .tree
            .read(path, ReadLimit::Whole)
            .map_err(|error| Failure::Context(error.into()))?;
        if digest.is_some_and(|planned| planned != ContentDigest::of(&content)) {
            return Err(Failure::ChangedMeanwhile(path.clone()));
        }
        Ok(content)
    }
}

/// Writes a context where it should go.
pub(crate) fn write(
    content: &Content<'_>,
    destination: &Destination,
    existing: Existing,
) -> Result<(), Failure> {
    match destination {
        Destination::Directory(path) => write_directory(content, path, existing),
        Destination::Archive(path) => {
            let directory = directory_of(path);
            let failed = |error| write_failure(path, error);
            let mut file = new_file_in(directory).map_err(failed)?;
            write_archive(content, path, io::BufWriter::new(file.as_file_mut()))?;
            file.persist(path)
                .map_err(|error| write_failure(path, error.error))?;
            Ok(())
        }
        Destination::Stdout => {
            let path = Utf8Path::new("the archive");
            let failed = |error| write_failure(path, error);
            // Nothing goes out before all of it is there.
            let mut file = tempfile::tempfile().map_err(failed)?;
            write_archive(content, path, io::BufWriter::new(&mut file))?;
            io::Seek::rewind(&mut file).map_err(failed)?;
            match io::copy(&mut file, &mut io::stdout().lock()) {
                // A reader that has seen enough is no failure.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed(error)),
                _ => Ok(()),
            }
        }
    }
}

fn write_archive(
    content: &Content<'_>,
    path: &Utf8Path,
    writer: impl io::Write,
) -> Result<(), Failure> {
    let failed = |error| write_failure(path, error);
    let mut archive = tar::Builder::new(writer);
    content.for_each(|name, item| {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        match item {
            Item::File { mode, content } => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(mode_bits(mode));
                header.set_size(content.len() as u64);
                archive.append_data(&mut header, name, content.as_slice())
            }
            Item::Link { target } => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                archive.append_link(&mut header, name, target)
            }
        }
        .map_err(failed)
    })?;
    let mut writer = archive.into_inner().map_err(failed)?;
    io::Write::flush(&mut writer).map_err(failed)
}

fn write_directory(
    content: &Content<'_>,
    path: &Utf8Path,
    existing: Existing,
) -> Result<(), Failure> {
    let failed = |error| write_failure(path, error);
    let is_empty = match path.read_dir_utf8() {
        Ok(mut entries) => Some(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    if is_empty == Some(false) && existing == Existing::Refused {
        return Err(Failure::DirectoryNotEmpty(path.to_owned()));
    }
    if is_empty == Some(false) && path.join(".git").exists() {
        return Err(Failure::DirectoryIsCheckout(path.to_owned()));
    }
    let parent = directory_of(path);
    fs::create_dir_all(parent).map_err(failed)?;
    let scratch = tempfile::Builder::new()
        .prefix(".rebake.")
        .tempdir_in(parent)
        .map_err(failed)?;
    let scratch_path = Utf8Path::from_path(scratch.path())
        .ok_or(Failure::CurrentDirectoryNotUtf8)?
        .to_owned();
    let new = scratch_path.join("new");
    fs::create_dir(&new).map_err(failed)?;
    content.for_each(|name, item| {
        let place = new.join(name);
        write_item(&place, item).map_err(|error| write_failure(&place, error))
    })?;
    if is_empty.is_some() {
        fs::rename(path, scratch_path.join("old")).map_err(failed)?;
    }
    fs::rename(&new, path).map_err(failed)
}

fn write_item(place: &Utf8Path, item: Item) -> io::Result<()> {
    fs::create_dir_all(directory_of(place))?;
    match item {
        Item::File { mode, content } => {
            fs::write(place, content)?;
            set_mode(place, mode)
        }
        Item::Link { target } => make_link(place, &target),
    }
}

#[cfg(unix)]
fn set_mode(place: &Utf8Path, mode: FileMode) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(place, fs::Permissions::from_mode(mode_bits(mode)))
}

#[cfg(unix)]
fn make_link(place: &Utf8Path, target: &str) -> io::Result<()> {
    std::os::unix::fs::symlink(target, place)
}

#[cfg(not(unix))]
fn set_mode(_: &Utf8Path, _: FileMode) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn make_link(_: &Utf8Path, _: &str) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this system has no links like those of the tree; write an archive",
    ))
}

fn mode_bits(mode: FileMode) -> u32 {
    match mode {
        FileMode::Regular => 0o644,
        FileMode::Executable => 0o755,
    }
}

fn write_failure(path: &Utf8Path, error: io::Error) -> Failure {
    Failure::Write {
        path: path.to_owned(),
        error,
    }
}
