//! What earlier runs learned of a repository's contents, in the user's cache directory.
//!
//! In: the environment, and the root of a repository. Out: a memory that begins with what was saved, and a file that the
//! next run begins with. It must never be a reason to fail: whatever is wrong with the directory or a file, there is no
//! cache. It must never believe a file that another user could have written.

use camino::Utf8Path;
use rebake_planner::{
    plan::ContentMemory,
    tree::{ContentDigest, ContentIdentity},
};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

/// Of the repositories that were not planned for long, the files go.
const MOST_FILES: usize = 32;

/// More than any file that is written here.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The file of one repository.
pub(crate) struct ContentCache {
    file: PathBuf,
}

impl ContentCache {
    /// The cache of what is planned at this root; nothing where the system names no place for it.
    pub(crate) fn of_root(root: &Utf8Path) -> Option<Self> {
        let root = root.canonicalize_utf8().ok()?;
        let name = ContentDigest::of(root.as_str().as_bytes()).to_hex();
        let directory = user_directory()?.join("rebake").join("contents");
        Some(Self {
            file: directory.join(name),
        })
    }

    /// A memory that begins with what earlier runs learned.
    pub(crate) fn memory(&self) -> ContentMemory {
        match self.read() {
            Some(bytes) => ContentMemory::with_saved(bytes),
            None => ContentMemory::new(),
        }
    }

    fn read(&self) -> Option<Vec<u8>> {
        if !is_private(&fs::symlink_metadata(self.file.parent()?).ok()?) {
            return None;
        }
        // A link, a FIFO or a device is not opened at all.
        if !fs::symlink_metadata(&self.file).ok()?.is_file() {
            return None;
        }
        let file = File::open(&self.file).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || !is_private(&metadata) || metadata.len() > LARGEST {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Saves what was learned beyond what was saved already.
    pub(crate) fn save(
        &self,
        memory: &ContentMemory,
        length_of: &(dyn Fn(&ContentIdentity) -> Option<u64> + Sync),
    ) {
        // Without a cache everything is worked out again, and right.
        if let Some(bytes) = memory.to_save(length_of) {
            let _ = self.write(&bytes);
        }
    }

    fn write(&self, bytes: &[u8]) -> Option<()> {
        let directory = self.file.parent()?;
        create_private(directory).ok()?;
        if !is_private(&fs::symlink_metadata(directory).ok()?) {
            return None;
        }
        // The whole file or none appears, and what is interrupted leaves no half.
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(directory)
            .ok()?;
        file.write_all(bytes).ok()?;
        file.persist(&self.file).ok()?;
        remove_oldest(directory);
        Some(())
    }
}

/// The directory for what programs can make again: what the variables say, else the system's own place.
fn user_directory() -> Option<PathBuf> {
    let absolute = |variable: &str| {
        let path = PathBuf::from(std::env::var_os(variable)?);
        path.is_absolute().then_some(path)
    };
    absolute("XDG_CACHE_HOME").or_else(|| {
        if cfg!(windows) {
            absolute("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            Some(absolute("HOME")?.join("Library/Caches"))
        } else {
            Some(absolute("HOME")?.join(".cache"))
        }
    })
}

/// Whether this belongs to the user who runs this process, and nobody else can write it.
#[cfg(unix)]
fn is_private(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    metadata.uid() == rustix::process::geteuid().as_raw()
        && metadata.permissions().mode() & 0o022 == 0
        && !metadata.is_symlink()
}

/// Elsewhere the rights of the user's own directory have to do.
#[cfg(not(unix))]
fn is_private(metadata: &fs::Metadata) -> bool {
    !metadata.is_symlink()
}

fn create_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Keeps the files that were written last, and removes what an interrupted run left.
fn remove_oldest(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let written = entry.metadata().ok()?.modified().ok()?;
            Some((written, entry.path()))
        })
        .collect();
    files.sort_unstable_by(|left, right| right.cmp(left));
    for (_, path) in files.into_iter().skip(MOST_FILES) {
        let _ = fs::remove_file(path);
    }
}
