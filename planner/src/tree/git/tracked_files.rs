//! The files of a checkout, each with git's name for its content where git vouches for it.
//!
//! In: a directory, what git knows of it, and which contents are known. Out: a [`SourceTree`] that need not be read
//! where the content is known already. It must never name a content that may differ from the bytes on disk.
//!
//! git's index vouches for a file whose stat data matches, by its rule for racy timestamps. It vouches for the blob
//! that a commit would hold, and not for the bytes on disk: these are the same only where no conversion applies and
//! the lengths agree.
//!
//! A file stays as it was written when its attributes change, so attributes tell nothing for certain where the
//! repository has a program that they could have named: there nothing is vouched for.
//!
//! **Known gaps**: a conversion that keeps the length of a file is not seen where its attribute is set up in a user's own
//! git configuration alone, or was taken away since the file was written and the program that did it is not, or no more,
//! in the repository's configuration.

use super::attributes::{AttributeFiles, below};
use super::error::WorkTreeError;
use super::status;
use super::tree::blob_identity;
use super::work_tree::{Support, WorkTreeState};
use crate::concurrent_map::ConcurrentMap;
use crate::path::RepoPath;
use crate::tree::disk::DiskTree;
use crate::tree::{
    ContentDigest, ContentIdentity, FileMode, Listing, ReadLimit, SourceTree, TreeError,
};
use gix::bstr::BStr;
use gix::index::entry::Mode;
use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelIterator as _, IntoParallelRefIterator as _,
    ParallelIterator as _,
};

/// The files of a checkout. See [`WorkTreeState::with_tracked_files`].
pub struct TrackedFiles<'s, 'a> {
    state: &'s WorkTreeState,
    disk: &'s DiskTree,
    known_length: &'s (dyn Fn(&ContentIdentity) -> Option<u64> + Sync),
    attributes: &'s AttributeFiles<'a>,
    /// The directories that were listed and hold no attribute file.
    without_attributes: &'s ConcurrentMap<RepoPath, ()>,
}

impl std::fmt::Debug for TrackedFiles<'_, '_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TrackedFiles")
            .field("state", self.state)
            .finish_non_exhaustive()
    }
}

impl WorkTreeState {
    /// Hands out the files of the root as they stand on disk; `disk` must be of the same root. `known_length` yields the
    /// length of a content that is known already: such a content is named, so that it need not be read.
    ///
    /// # Errors
    /// When the `.gitattributes` at the top can't be read.
    pub fn with_tracked_files<T>(
        &self,
        disk: &DiskTree,
        known_length: &(dyn Fn(&ContentIdentity) -> Option<u64> + Sync),
        use_it: impl FnOnce(&TrackedFiles<'_, '_>) -> T,
    ) -> Result<T, WorkTreeError> {
        let without_attributes = ConcurrentMap::new();
        let has_none = |directory: &RepoPath| without_attributes.get(directory).is_some();
        self.with_attributes_where(&has_none, |attributes| {
            Ok(use_it(&TrackedFiles {
                state: self,
                disk,
                known_length,
                attributes,
                without_attributes: &without_attributes,
            }))
        })
    }
}

impl TrackedFiles<'_, '_> {
    /// What the index says of an unchanged regular file that is tracked in this repository.
    fn entry(&self, path: &RepoPath) -> Option<&gix::index::Entry> {
        let is_file =
            |entry: &&gix::index::Entry| matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE);
        unchanged_entry(self.state, path).filter(is_file)
    }

    /// The names under which what was read of these files may be remembered for good; to be asked after the reading.
    /// Nothing for a file that changed since git looked, or may have without a trace.
    pub fn settled_identities(&self, paths: &[&RepoPath]) -> Vec<Option<ContentIdentity>> {
        let entries = settled(self.state, self.attributes, self.known_length, paths);
        let identity = |entry: Option<&gix::index::Entry>| {
            let entry = entry.filter(|entry| entry.mode != Mode::SYMLINK)?;
            Some(blob_identity(&entry.id))
        };
        entries.into_iter().map(identity).collect()
    }
}

impl WorkTreeState {
    /// Which of these files and links of the root stand on disk, and stood there when they were read, as they are staged;
    /// to be asked after the reading. `known_length` yields the length of a content where it is known already, and
    /// `has_none` knows of directories that they hold no attribute file.
    pub(crate) fn stand_as_staged(
        &self,
        known_length: &(dyn Fn(&ContentIdentity) -> Option<u64> + Sync),
        has_none: &(dyn Fn(&RepoPath) -> bool + Sync),
        paths: &[&RepoPath],
    ) -> Result<Vec<bool>, WorkTreeError> {
        self.with_attributes_where(has_none, |attributes| {
            let entries = settled(self, attributes, known_length, paths);
            Ok(entries.iter().map(Option::is_some).collect())
        })
    }
}

/// What the index says of an unchanged file or link that is tracked in this repository.
fn unchanged_entry<'s>(state: &'s WorkTreeState, path: &RepoPath) -> Option<&'s gix::index::Entry> {
    if state.submodule_of(path).is_some() || !state.is_unchanged(path) {
        return None;
    }
    let from_top = below(&state.root, path);
    let entry = state
        .index
        .entry_by_path(BStr::new(from_top.as_tree_str()))?;
    let is_leaf = matches!(
        entry.mode,
        Mode::FILE | Mode::FILE_EXECUTABLE | Mode::SYMLINK
    );
    is_leaf.then_some(entry)
}

/// Whether the bytes on disk are those of the commit, as far as attributes and the repository's configuration tell.
fn is_as_committed(
    state: &WorkTreeState,
    attributes: &AttributeFiles<'_>,
    path: &RepoPath,
) -> bool {
    if state.settings.drivers == Support::Present {
        return false;
    }
    attributes
        .filters_of(&below(&state.root, path), state.settings.line_endings)
        .is_ok_and(|filters| filters.is_empty())
}

/// The entries of those files and links that stand on disk as they are staged, and stood so when git looked.
fn settled<'s>(
    state: &'s WorkTreeState,
    attributes: &AttributeFiles<'_>,
    known_length: &(dyn Fn(&ContentIdentity) -> Option<u64> + Sync),
    paths: &[&RepoPath],
) -> Vec<Option<&'s gix::index::Entry>> {
    let entries: Vec<_> = paths
        .par_iter()
        .map(|path| unchanged_entry(state, path))
        .collect();
    let are_settled = status::are_settled(state, &entries);
    let is_whole = |entry: &gix::index::Entry, path: &RepoPath| {
        let length = || {
            known_length(&blob_identity(&entry.id))
                .or_else(|| state.repository.objects().size(&entry.id))
        };
        // A link holds its text as it is committed.
        entry.mode == Mode::SYMLINK
            || is_as_committed(state, attributes, path)
                && length() == Some(u64::from(entry.stat.size))
    };
    entries
        .into_par_iter()
        .zip(are_settled)
        .zip(paths)
        .map(|((entry, is_settled), path)| {
            entry.filter(|entry| is_settled && is_whole(entry, path))
        })
        .collect()
}

impl SourceTree for TrackedFiles<'_, '_> {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        let listing = self.disk.list(directory)?;
        let names = &listing.entries;
        if !names.iter().any(|entry| &*entry.name == ".gitattributes") {
            self.without_attributes.claim(directory.clone());
        }
        Ok(listing)
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        self.disk.read(file, limit)
    }

    fn read_into(
        &self,
        file: &RepoPath,
        limit: ReadLimit,
        content: &mut Vec<u8>,
    ) -> Result<(), TreeError> {
        self.disk.read_into(file, limit, content)
    }

    fn read_start(
        &self,
        file: &RepoPath,
        content: &mut Vec<u8>,
    ) -> Result<Option<ContentDigest>, TreeError> {
        self.disk.read_start(file, content)
    }

    fn digest(&self, file: &RepoPath) -> Result<ContentDigest, TreeError> {
        self.disk.digest(file)
    }

    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError> {
        self.disk.read_link(link)
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        self.disk.mode(file)
    }

    fn content_identity(&self, file: &RepoPath) -> Option<ContentIdentity> {
        let entry = self.entry(file)?;
        let name = blob_identity(&entry.id);
        let length = (self.known_length)(&name)?;
        let is_whole = length == u64::from(entry.stat.size)
            && is_as_committed(self.state, self.attributes, file);
        is_whole.then_some(name)
    }

    fn lasting_identity(&self, _file: &RepoPath) -> Option<ContentIdentity> {
        // The file may be written while it is read.
        None
    }
}
