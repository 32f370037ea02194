//! The files of one commit.
//!
//! In: a repository, a commit and the directory in it that is the root. Out: listings and contents, as
//! a checkout of that commit without filters would have them. It must never need a checkout, and never
//! decode a tree object twice.
//!
//! A directory whose tree object has an entry that git refuses to check out (`..`, `.git`, a name with
//! a slash, the same name twice) can't be listed as a whole: no checkout could tell what belongs there.

use super::attributes::{self, AttributeFiles, CheckoutFilter, LineEndings};
use super::objects::{CommitId, DecodedEntry, DecodedTree, NodeKind, Objects};
use crate::concurrent_map::ConcurrentMap;
use crate::path::RepoPath;
use crate::tree::{
    ContentDigest, ContentIdentity, Entry, FileMode, Listing, ReadLimit, SourceTree, TreeError,
    TreeErrorKind,
};
use gix::ObjectId;
use std::{collections::BTreeMap, sync::Arc};

/// `PATH_MAX`: no checkout can hold a longer path. It keeps hostile trees from costing a square.
pub(super) const LONGEST_PATH: usize = 4096;

/// A source tree in a git commit, without a checkout.
pub struct GitTree {
    objects: Arc<Objects>,
    commit: CommitId,
    /// The tree of the commit.
    top: ObjectId,
    /// Where the root is in the commit.
    root: RepoPath,
    directories: ConcurrentMap<RepoPath, Arc<DecodedTree>>,
}

impl std::fmt::Debug for GitTree {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("GitTree")
            .field("commit", &self.commit)
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl GitTree {
    pub(super) fn open(
        objects: Arc<Objects>,
        commit: CommitId,
        top: ObjectId,
        root: &RepoPath,
    ) -> Result<Self, TreeError> {
        let whole = Self {
            objects,
            commit,
            top,
            root: RepoPath::root(),
            directories: ConcurrentMap::new(),
        };
        let at = |kind| TreeError::new(root, kind);
        let first = whole.objects.tree(&top).map_err(at)?;
        whole.directories.insert_first(RepoPath::root(), first);
        if root.is_root() {
            return Ok(whole);
        }
        let below = whole.directory(root).map_err(at)?;
        let directories = ConcurrentMap::new();
        directories.insert_first(RepoPath::root(), below);
        Ok(Self {
            root: root.clone(),
            directories,
            ..whole
        })
    }

    /// The commit whose files these are.
    pub fn commit(&self) -> CommitId {
        self.commit
    }

    /// Where the root of this tree is in the commit; the commit's own root is the empty path.
    pub fn root(&self) -> &RepoPath {
        &self.root
    }

    /// What a checkout would do to these files' content, after the `.gitattributes` of this commit
    /// alone, so that the answer is the same in every clone. Files with several conversions come several
    /// times, in the order asked; files with none do not come.
    ///
    /// A `text` file without `eol` is checked out unchanged here, as it is on Unix.
    ///
    /// # Errors
    /// When a `.gitattributes` file can't be read.
    pub fn checkout_filters(
        &self,
        paths: &[RepoPath],
    ) -> Result<Vec<(RepoPath, CheckoutFilter)>, TreeError> {
        // Attributes come from above the root, too.
        let above;
        let whole = if self.root.is_root() {
            self
        } else {
            above = Self::open(
                Arc::clone(&self.objects),
                self.commit,
                self.top,
                &RepoPath::root(),
            )?;
            &above
        };
        let read = |file: &RepoPath| match whole.read(file, ReadLimit::Whole) {
            Ok(content) => Ok(Some(content)),
            Err(error) => match error.kind {
                // git does not follow a link here.
                TreeErrorKind::NotFound
                | TreeErrorKind::NotADirectory
                | TreeErrorKind::NotAFile
                | TreeErrorKind::Submodule
                | TreeErrorKind::PathTooLong => Ok(None),
                _ => Err(error),
            },
        };
        let files = AttributeFiles::new(&read, None, attributes::Case::Sensitive)?;
        files.checkout_filters(&self.root, paths, LineEndings::AS_COMMITTED)
    }

    /// The paths below the root that differ between two commits, sorted: files and links whose content, kind or executable
    /// bit differs, and submodules at another commit. A rename is two paths. Names that are not UTF-8 are shown with U+FFFD.
    /// Directories that both commits share are not entered.
    ///
    /// # Errors
    /// When a tree object can't be read.
    pub fn changed_paths(&self, other: &Self) -> Result<Vec<String>, TreeError> {
        let mut changed = Vec::new();
        let mut pending = vec![(
            RepoPath::root(),
            Some(self.root_id()?),
            Some(other.root_id()?),
        )];
        while let Some((directory, ours, theirs)) = pending.pop() {
            if ours == theirs {
                continue;
            }
            if directory.as_tree_str().len() > LONGEST_PATH {
                return Err(TreeError::new(&directory, TreeErrorKind::PathTooLong));
            }
            let nodes = |objects: &Objects, id: Option<ObjectId>| {
                id.map(|id| objects.tree(&id))
                    .transpose()
                    .map_err(|kind| TreeError::new(&directory, kind))
            };
            let ours = nodes(&self.objects, ours)?;
            let theirs = nodes(&other.objects, theirs)?;
            let mut by_name: BTreeMap<&[u8], [Option<Node>; 2]> = BTreeMap::new();
            for (side, tree) in [ours.as_deref(), theirs.as_deref()].into_iter().enumerate() {
                for (name, kind, id) in tree.into_iter().flat_map(DecodedTree::nodes) {
                    by_name.entry(name).or_default()[side] = Some((kind, id));
                }
            }
            for (name, sides) in by_name {
                if sides[0] == sides[1] {
                    continue;
                }
                let subtree = |side: Option<Node>| match side {
                    Some((NodeKind::Directory, id)) => Some(id),
                    _ => None,
                };
                let is_leaf =
                    |side: &Option<Node>| side.is_some_and(|(kind, _)| kind != NodeKind::Directory);
                let shown = String::from_utf8_lossy(name);
                if sides.iter().any(is_leaf) {
                    changed.push(if directory.is_root() {
                        shown.clone().into_owned()
                    } else {
                        format!("{directory}/{shown}")
                    });
                }
                let below = sides.map(subtree);
                if below.iter().any(Option::is_some) {
                    pending.push((directory.child(&shown), below[0], below[1]));
                }
            }
        }
        changed.sort_unstable();
        changed.dedup();
        Ok(changed)
    }

    /// The tree object of the root.
    pub(super) fn root_id(&self) -> Result<ObjectId, TreeError> {
        self.objects
            .subtree(self.top, &self.root)
            .and_then(|found| found.ok_or(TreeErrorKind::NotADirectory))
            .map_err(|kind| TreeError::new(&self.root, kind))
    }

    /// The directory at a path, from the nearest one that is known.
    fn directory(&self, path: &RepoPath) -> Result<Arc<DecodedTree>, TreeErrorKind> {
        if let Some(known) = self.directories.get(path) {
            return Ok(known);
        }
        if path.as_tree_str().len() > LONGEST_PATH {
            return Err(TreeErrorKind::PathTooLong);
        }
        let mut unknown = vec![path.clone()];
        let mut current = loop {
            let Some(parent) = unknown.last().and_then(RepoPath::parent) else {
                // The root is put in when the tree is opened.
                return Err(TreeErrorKind::NotFound);
            };
            match self.directories.get(&parent) {
                Some(directory) => break directory,
                None => unknown.push(parent),
            }
        };
        while let Some(next) = unknown.pop() {
            let name = next.file_name().unwrap_or_default();
            let entry = current.entry(name).ok_or(TreeErrorKind::NotFound)?;
            let id = match entry.kind {
                NodeKind::Directory => entry.id,
                NodeKind::Submodule => return Err(TreeErrorKind::Submodule),
                NodeKind::File(_) | NodeKind::Symlink => return Err(TreeErrorKind::NotADirectory),
            };
            let decoded = self.objects.tree(&id)?;
            current = self.directories.insert_first(next, decoded);
        }
        Ok(current)
    }

    /// What a path's entry says; for the root there is none.
    fn with_entry<T>(
        &self,
        path: &RepoPath,
        root: TreeErrorKind,
        use_it: impl FnOnce(&DecodedEntry) -> Result<T, TreeErrorKind>,
    ) -> Result<T, TreeErrorKind> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(root);
        };
        let directory = self.directory(&parent)?;
        use_it(directory.entry(name).ok_or(TreeErrorKind::NotFound)?)
    }

    /// The content of a regular file of at most `limit` bytes; nothing for a longer one, which is not unpacked, and
    /// for one that can't be read.
    pub(crate) fn small_file(&self, path: &RepoPath, limit: usize) -> Option<Vec<u8>> {
        let (id, _) = self.file(path).ok()?;
        let size = usize::try_from(self.objects.size(&id)?).ok()?;
        if size > limit {
            return None;
        }
        self.objects.blob(&id, ReadLimit::Whole).ok()
    }

    fn file(&self, path: &RepoPath) -> Result<(ObjectId, FileMode), TreeErrorKind> {
        self.with_entry(path, TreeErrorKind::NotAFile, |entry| match entry.kind {
            NodeKind::File(mode) => Ok((entry.id, mode)),
            NodeKind::Directory | NodeKind::Symlink | NodeKind::Submodule => {
                Err(TreeErrorKind::NotAFile)
            }
        })
    }
}

/// An entry without its name.
type Node = (NodeKind, ObjectId);

/// The name of a blob's content.
pub(super) fn blob_identity(id: &ObjectId) -> ContentIdentity {
    ContentIdentity(Arc::from(id.as_bytes()))
}

impl SourceTree for GitTree {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        let decoded = self
            .directory(directory)
            .map_err(|kind| TreeError::new(directory, kind))?;
        Ok(Listing {
            entries: decoded
                .entries()
                .iter()
                .map(|entry| Entry {
                    name: entry.name.clone(),
                    kind: entry.kind.entry_kind(),
                })
                .collect(),
            not_utf8: decoded
                .not_utf8()
                .iter()
                .map(|(name, _, _)| name.clone())
                .collect(),
        })
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        self.file(file)
            .and_then(|(id, _)| self.objects.blob(&id, limit))
            .map_err(|kind| TreeError::new(file, kind))
    }

    fn digest(&self, file: &RepoPath) -> Result<ContentDigest, TreeError> {
        self.file(file)
            .and_then(|(id, _)| self.objects.with_blob(&id, ContentDigest::of))
            .map_err(|kind| TreeError::new(file, kind))
    }

    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError> {
        let target = |entry: &DecodedEntry| match entry.kind {
            NodeKind::Symlink => Ok(entry.id),
            NodeKind::File(_) | NodeKind::Directory | NodeKind::Submodule => {
                Err(TreeErrorKind::NotALink)
            }
        };
        self.with_entry(link, TreeErrorKind::NotALink, target)
            .and_then(|id| self.objects.blob(&id, ReadLimit::Whole))
            .and_then(|target| String::from_utf8(target).map_err(|_| TreeErrorKind::NotUtf8))
            .map_err(|kind| TreeError::new(link, kind))
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        self.file(file)
            .map(|(_, mode)| mode)
            .map_err(|kind| TreeError::new(file, kind))
    }

    fn content_identity(&self, file: &RepoPath) -> Option<ContentIdentity> {
        let (id, _) = self.file(file).ok()?;
        Some(blob_identity(&id))
    }
}
