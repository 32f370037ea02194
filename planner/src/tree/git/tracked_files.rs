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
        if self.state.submodule_of(path).is_some() || !self.state.is_unchanged(path) {
            return None;
        }
        let from_top = below(&self.state.root, path);
        let entry = self
            .state
            .index
            .entry_by_path(BStr::new(from_top.as_tree_str()))?;
        matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE).then_some(entry)
    }

    /// Whether the bytes on disk are those of the commit, as far as attributes and the repository's configuration tell.
    fn is_as_committed(&self, path: &RepoPath) -> bool {
        if self.state.settings.drivers == Support::Present {
            return false;
        }
        let from_top = below(&self.state.root, path);
        self.attributes
            .filters_of(&from_top, self.state.settings.line_endings)
            .is_ok_and(|filters| filters.is_empty())
    }

    /// The name under which what was read of a file may be remembered for good; to be asked after the reading. Nothing
    /// where the file changed since git looked, or may have without a trace.
    pub fn settled_identity(&self, path: &RepoPath) -> Option<ContentIdentity> {
        let entry = self.entry(path)?;
        let length = self.state.repository.objects().size(&entry.id)?;
        let is_settled = length == u64::from(entry.stat.size)
            && status::is_settled(self.state, entry)
            && self.is_as_committed(path);
        is_settled.then(|| blob_identity(&entry.id))
    }
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
        (length == u64::from(entry.stat.size) && self.is_as_committed(file)).then_some(name)
    }

    fn lasting_identity(&self, _file: &RepoPath) -> Option<ContentIdentity> {
        // The file may be written while it is read.
        None
    }
}
