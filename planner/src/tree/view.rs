//! A cached view of a source tree that follows symbolic links.
//!
//! In: any [`SourceTree`] and paths as Go, git or a person names them. Out: directories and files
//! behind these paths, with the links that were passed on the way, because a link's own text is an
//! input too. Each directory is listed once. A view must never follow a link out of the root, follow
//! links without end, or take a path that it could not resolve for one where nothing is.
//!
//! **Known gap**: an absolute link counts as leaving the root even where it leads back into it, since
//! whether it does depends on where the tree stands on this machine.

use super::{
    ContentDigest, Entry, EntryKind, FileMode, ReadLimit, SourceTree, TreeError, TreeErrorKind,
};
use crate::path::RepoPath;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// As many links as Linux follows in one path before it says `ELOOP`.
const LINK_LIMIT: usize = 40;

/// `PATH_MAX`: no checkout can hold a longer path. It keeps hostile git trees from costing a square.
const PATH_LIMIT: usize = 4096;

/// Enough that a few dozen threads seldom meet at one lock.
const SHARDS: usize = 32;

/// One symbolic link that was followed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkHop {
    /// Where the link stands, itself not behind any link.
    pub link: RepoPath,
    /// Its text.
    pub target: String,
}

/// A directory, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// The path as asked.
    pub path: RepoPath,
    /// The same directory without links in its path.
    pub real: RepoPath,
    /// The entries with a UTF-8 name, sorted by its bytes.
    pub entries: Vec<Entry>,
    /// The names that are not UTF-8, sorted.
    pub not_utf8: Vec<Vec<u8>>,
    /// The links passed on the way, in order; none on most paths.
    pub links: Vec<LinkHop>,
}

impl Directory {
    /// The entry of that name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        let index = self
            .entries
            .binary_search_by(|entry| (*entry.name).cmp(name))
            .ok()?;
        self.entries.get(index)
    }
}

/// What stands behind a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Its path without links.
    pub real: RepoPath,
    /// What it is; never a link.
    pub kind: EntryKind,
    /// The links passed on the way, in order.
    pub links: Vec<LinkHop>,
}

/// What a walk found.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    /// The directories, sorted by path.
    pub directories: Vec<Arc<Directory>>,
    /// What could not be listed, sorted by path. Whoever needs the whole is in doubt.
    pub errors: Vec<TreeError>,
}

type Listed = Arc<OnceLock<Result<Arc<Directory>, TreeError>>>;

/// Directories that were listed, by their path without links.
pub(crate) struct Listings {
    hasher: RandomState,
    shards: [RwLock<HashMap<RepoPath, Listed, RandomState>>; SHARDS],
}

/// A cached, link-following view of a tree, for many threads at once.
///
/// What it has once seen it does not ask again: for a directory that is being edited, make a new view.
pub struct TreeView<'t> {
    tree: &'t dyn SourceTree,
    listings: Listings,
    /// Directories by a path that passes links. Filled outside of any lock, since resolving one may
    /// need another; listing happens in `listings` alone.
    linked: RwLock<HashMap<RepoPath, Option<Arc<Directory>>, RandomState>>,
}

impl std::fmt::Debug for TreeView<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TreeView").finish_non_exhaustive()
    }
}

impl<'t> TreeView<'t> {
    /// A view in which nothing has been looked at yet.
    pub fn new(tree: &'t dyn SourceTree) -> Self {
        Self {
            tree,
            listings: Listings {
                hasher: RandomState::default(),
                shards: std::array::from_fn(|_| RwLock::default()),
            },
            linked: RwLock::default(),
        }
    }

    /// A view that knows these directories already, by their path without links.
    pub(crate) fn knowing(
        tree: &'t dyn SourceTree,
        listings: impl IntoIterator<Item = (RepoPath, Arc<Directory>)>,
    ) -> Self {
        let view = Self::new(tree);
        for (path, directory) in listings {
            let mut shard = view
                .listings
                .shard(&path)
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            shard.insert(path, Arc::new(OnceLock::from(Ok(directory))));
        }
        view
    }

    /// The tree behind the view.
    pub fn tree(&self) -> &'t dyn SourceTree {
        self.tree
    }

    /// Whether a directory holds a file of that name, or a link to one. What is there and can't be read counts: to find that
    /// out is the part of whoever reads it.
    pub(crate) fn holds_file(&self, directory: &RepoPath, name: &str) -> bool {
        let Ok(Some(listing)) = self.directory(directory) else {
            return false;
        };
        match listing.entry(name).map(|entry| entry.kind) {
            Some(EntryKind::File | EntryKind::Special) => true,
            Some(EntryKind::Symlink) => match self.locate(&directory.child(name)) {
                Ok(Some(resolved)) => {
                    matches!(resolved.kind, EntryKind::File | EntryKind::Special)
                }
                Ok(None) => false,
                Err(error) => !matches!(
                    error.kind,
                    TreeErrorKind::NotFound
                        | TreeErrorKind::DanglingLink { .. }
                        | TreeErrorKind::LinkLoop
                ),
            },
            _ => false,
        }
    }

    /// Every directory that was listed.
    pub(crate) fn into_listings(self) -> Listings {
        self.listings
    }

    /// The directory at this path, through links where there are any; nothing when nothing is there
    /// or it is not a directory.
    ///
    /// # Errors
    /// [`TreeErrorKind::DanglingLink`], [`TreeErrorKind::LinkLoop`] and
    /// [`TreeErrorKind::LinkLeavesRoot`] with the path of the link, [`TreeErrorKind::Submodule`] where
    /// only a submodule could know, and whatever the tree says.
    pub fn directory(&self, path: &RepoPath) -> Result<Option<Arc<Directory>>, TreeError> {
        if let Some(known) = self.known(path) {
            return known;
        }
        if path.as_tree_str().len() > PATH_LIMIT {
            return Err(TreeError::new(path, TreeErrorKind::PathTooLong));
        }
        // Up to the nearest directory that is known, and down again.
        let mut unknown = vec![path.clone()];
        let mut current = loop {
            let Some(parent) = unknown.last().and_then(RepoPath::parent) else {
                unknown.pop();
                break self.list_real(&RepoPath::root())?;
            };
            match self.known(&parent) {
                Some(Ok(Some(directory))) => break directory,
                Some(other) => return other,
                None => unknown.push(parent),
            }
        };
        while let Some(next) = unknown.pop() {
            match self.step(&current, &next)? {
                Some(directory) => current = directory,
                None => return Ok(None),
            }
        }
        Ok(Some(current))
    }

    /// What stands at this path, through links where there are any; nothing when nothing does.
    ///
    /// # Errors
    /// As for [`directory`](Self::directory).
    pub fn locate(&self, path: &RepoPath) -> Result<Option<Resolved>, TreeError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(Some(Resolved {
                real: RepoPath::root(),
                kind: EntryKind::Directory,
                links: Vec::new(),
            }));
        };
        match self.directory(&parent)? {
            Some(directory) => self.locate_in(&directory, name),
            None => Ok(None),
        }
    }

    /// What stands behind a name in this directory: [`locate`](Self::locate) without the way there.
    ///
    /// # Errors
    /// As for [`directory`](Self::directory).
    pub fn locate_in(
        &self,
        directory: &Directory,
        name: &str,
    ) -> Result<Option<Resolved>, TreeError> {
        let Some(entry) = directory.entry(name) else {
            return Ok(None);
        };
        let real = directory.real.child(name);
        if entry.kind != EntryKind::Symlink {
            return Ok(Some(Resolved {
                real,
                kind: entry.kind,
                links: directory.links.clone(),
            }));
        }
        self.follow(directory, &real).map(Some)
    }

    /// Reads the regular file at this path, through links.
    ///
    /// # Errors
    /// As for [`directory`](Self::directory); [`TreeErrorKind::NotFound`] and
    /// [`TreeErrorKind::NotAFile`] where there is no regular file.
    pub fn read(&self, path: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        self.tree.read(&self.file(path)?, limit)
    }

    /// Reads the regular file of this name in a directory, through links. The cheapest way to read.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_in(
        &self,
        directory: &Directory,
        name: &str,
        limit: ReadLimit,
    ) -> Result<Vec<u8>, TreeError> {
        self.tree.read(&self.file_in(directory, name)?, limit)
    }

    /// The path without links of the regular file behind an entry of this directory. `path` is the entry's path in it,
    /// which is the answer for nearly every file.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn real_file(
        &self,
        directory: &Directory,
        entry: &Entry,
        path: &RepoPath,
    ) -> Result<RepoPath, TreeError> {
        if entry.kind == EntryKind::File && directory.links.is_empty() {
            return Ok(path.clone());
        }
        self.file_in(directory, &entry.name)
    }

    /// The path without links of the regular file at this path.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn real_file_at(&self, path: &RepoPath) -> Result<RepoPath, TreeError> {
        self.file(path)
    }

    /// The digest of the regular file at this path, through links.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn digest(&self, path: &RepoPath) -> Result<ContentDigest, TreeError> {
        self.tree.digest(&self.file(path)?)
    }

    /// Whether the regular file at this path, through links, may be executed.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn mode(&self, path: &RepoPath) -> Result<FileMode, TreeError> {
        self.tree.mode(&self.file(path)?)
    }

    /// All directories from `start` down, `start` included, into which `descend` agrees to go. It
    /// lists in parallel, does not enter linked directories, and the answer is always in the same order.
    pub fn walk(
        &self,
        start: &RepoPath,
        descend: &(dyn Fn(&Directory, &Entry) -> bool + Sync),
    ) -> Walk {
        let found = Mutex::new(Walk::default());
        match self.directory(start) {
            Ok(None) => {}
            Err(error) => lock(&found).errors.push(error),
            // Tasks of a scope are spawned, not nested: a deep tree costs no stack.
            Ok(Some(first)) => {
                rayon::scope(|scope| self.walk_from(scope, first, descend, &found));
            }
        }
        let mut walk = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        walk.directories
            .sort_unstable_by(|a, b| a.path.cmp(&b.path));
        walk.errors.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        walk
    }

    fn walk_from<'scope>(
        &'scope self,
        scope: &rayon::Scope<'scope>,
        directory: Arc<Directory>,
        descend: &'scope (dyn Fn(&Directory, &Entry) -> bool + Sync),
        found: &'scope Mutex<Walk>,
    ) {
        for entry in &directory.entries {
            if entry.kind != EntryKind::Directory || !descend(&directory, entry) {
                continue;
            }
            let path = directory.path.child(&entry.name);
            let parent = Arc::clone(&directory);
            scope.spawn(move |scope| match self.walk_step(&parent, &path) {
                Ok(Some(next)) => self.walk_from(scope, next, descend, found),
                Ok(None) => {}
                Err(error) => lock(found).errors.push(error),
            });
        }
        lock(found).directories.push(directory);
    }

    fn walk_step(
        &self,
        parent: &Directory,
        path: &RepoPath,
    ) -> Result<Option<Arc<Directory>>, TreeError> {
        if path.as_tree_str().len() > PATH_LIMIT {
            return Err(TreeError::new(path, TreeErrorKind::PathTooLong));
        }
        match self.known(path) {
            Some(known) => known,
            None => self.step(parent, path),
        }
    }

    /// What is already known of a path.
    fn known(&self, path: &RepoPath) -> Option<Result<Option<Arc<Directory>>, TreeError>> {
        if let Some(result) = self.listings.get(path) {
            return Some(result.map(Some));
        }
        let linked = self.linked.read().unwrap_or_else(PoisonError::into_inner);
        linked.get(path).map(|directory| Ok(directory.clone()))
    }

    /// From a directory to the one at `path`, which is a child of it.
    fn step(
        &self,
        parent: &Directory,
        path: &RepoPath,
    ) -> Result<Option<Arc<Directory>>, TreeError> {
        let name = path.file_name().unwrap_or_default();
        let Some(entry) = parent.entry(name) else {
            return Ok(None);
        };
        let resolved = match entry.kind {
            EntryKind::Directory if parent.links.is_empty() => {
                return self.list_real(path).map(Some);
            }
            EntryKind::Directory => Resolved {
                real: parent.real.child(name),
                kind: EntryKind::Directory,
                links: parent.links.clone(),
            },
            EntryKind::Symlink => self.follow(parent, &parent.real.child(name))?,
            EntryKind::Submodule => {
                return Err(TreeError::new(path, TreeErrorKind::Submodule));
            }
            EntryKind::File | EntryKind::Special => return Ok(None),
        };
        let directory = match resolved.kind {
            EntryKind::Directory => {
                let real = self.list_real(&resolved.real)?;
                Some(Arc::new(Directory {
                    path: path.clone(),
                    real: resolved.real,
                    entries: real.entries.clone(),
                    not_utf8: real.not_utf8.clone(),
                    links: resolved.links,
                }))
            }
            EntryKind::Submodule => {
                return Err(TreeError::new(path, TreeErrorKind::Submodule));
            }
            EntryKind::File | EntryKind::Special | EntryKind::Symlink => None,
        };
        let mut linked = self.linked.write().unwrap_or_else(PoisonError::into_inner);
        Ok(linked.entry(path.clone()).or_insert(directory).clone())
    }

    /// The directory at a path without links. It asks the tree only, never this view, so that no two
    /// threads can wait for each other.
    fn list_real(&self, real: &RepoPath) -> Result<Arc<Directory>, TreeError> {
        let shard = self.listings.shard(real);
        let known = shard
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(real)
            .cloned();
        let listed = known.unwrap_or_else(|| {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(shard.entry(real.clone()).or_default())
        });
        listed
            .get_or_init(|| {
                let listing = self.tree.list(real)?;
                Ok(Arc::new(Directory {
                    path: real.clone(),
                    real: real.clone(),
                    entries: listing.entries,
                    not_utf8: listing.not_utf8,
                    links: Vec::new(),
                }))
            })
            .clone()
    }

    /// Follows the link at `link` in `directory` to something that is no link.
    fn follow(&self, directory: &Directory, link: &RepoPath) -> Result<Resolved, TreeError> {
        let mut links = directory.links.clone();
        let mut at = directory.real.clone();
        let mut pending: Vec<String> = Vec::new();
        self.pass(link, &mut links, &mut pending)?;
        let dangling = |links: &[LinkHop]| {
            let last = links.last().map(|hop| (&hop.link, hop.target.clone()));
            let (path, target) = last.unwrap_or((link, String::new()));
            TreeError::new(path, TreeErrorKind::DanglingLink { target })
        };
        while let Some(element) = pending.pop() {
            match &*element {
                "" | "." => continue,
                ".." => {
                    let Some(parent) = at.parent() else {
                        let last = links.last().map(|hop| (&hop.link, hop.target.clone()));
                        let (path, target) = last.unwrap_or((link, String::new()));
                        return Err(TreeError::new(
                            path,
                            TreeErrorKind::LinkLeavesRoot { target },
                        ));
                    };
                    at = parent;
                    continue;
                }
                _ => {}
            }
            let current = self.list_real(&at)?;
            let Some(entry) = current.entry(&element) else {
                return Err(dangling(&links));
            };
            let real = at.child(&element);
            match entry.kind {
                EntryKind::Symlink => self.pass(&real, &mut links, &mut pending)?,
                EntryKind::Directory => at = real,
                kind if pending.is_empty() => return Ok(Resolved { real, kind, links }),
                EntryKind::Submodule => {
                    return Err(TreeError::new(&real, TreeErrorKind::Submodule));
                }
                // Something below a file, or a slash after it.
                EntryKind::File | EntryKind::Special => return Err(dangling(&links)),
            }
        }
        Ok(Resolved {
            real: at,
            kind: EntryKind::Directory,
            links,
        })
    }

    /// Reads one link and puts what it says before what is still to be resolved.
    fn pass(
        &self,
        link: &RepoPath,
        links: &mut Vec<LinkHop>,
        pending: &mut Vec<String>,
    ) -> Result<(), TreeError> {
        if links.len() >= LINK_LIMIT {
            return Err(TreeError::new(link, TreeErrorKind::LinkLoop));
        }
        let target = self.tree.read_link(link)?;
        if target.len() > PATH_LIMIT {
            return Err(TreeError::new(link, TreeErrorKind::PathTooLong));
        }
        if target.starts_with('/') {
            return Err(TreeError::new(
                link,
                TreeErrorKind::LinkLeavesRoot { target },
            ));
        }
        if target.is_empty() || target.contains('\0') {
            return Err(TreeError::new(link, TreeErrorKind::DanglingLink { target }));
        }
        pending.extend(target.split('/').rev().map(str::to_owned));
        links.push(LinkHop {
            link: link.clone(),
            target,
        });
        Ok(())
    }

    fn file(&self, path: &RepoPath) -> Result<RepoPath, TreeError> {
        regular(self.locate(path)?, || path.clone())
    }

    fn file_in(&self, directory: &Directory, name: &str) -> Result<RepoPath, TreeError> {
        match directory.entry(name) {
            Some(entry) if entry.kind == EntryKind::File => Ok(directory.real.child(name)),
            _ => regular(self.locate_in(directory, name)?, || {
                directory.path.child(name)
            }),
        }
    }
}

impl Listings {
    /// What listing a directory said; nothing where it was not listed.
    pub(crate) fn get(&self, real: &RepoPath) -> Option<Result<Arc<Directory>, TreeError>> {
        let shard = self
            .shard(real)
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        shard.get(real).and_then(|listed| listed.get()).cloned()
    }

    /// All, in no order.
    pub(crate) fn into_all(
        self,
    ) -> impl Iterator<Item = (RepoPath, Result<Arc<Directory>, TreeError>)> {
        let shards = self.shards.into_iter();
        shards
            .flat_map(|shard| shard.into_inner().unwrap_or_else(PoisonError::into_inner))
            .filter_map(|(path, listed)| Some((path, listed.get()?.clone())))
    }

    fn shard(&self, path: &RepoPath) -> &RwLock<HashMap<RepoPath, Listed, RandomState>> {
        let hash = self.hasher.hash_one(path);
        // The high bits, since the map itself uses the low ones.
        &self.shards[(hash >> 59) as usize % SHARDS]
    }
}

fn regular(
    resolved: Option<Resolved>,
    path: impl FnOnce() -> RepoPath,
) -> Result<RepoPath, TreeError> {
    match resolved {
        Some(Resolved {
            real,
            kind: EntryKind::File,
            ..
        }) => Ok(real),
        Some(_) => Err(TreeError {
            path: path(),
            kind: TreeErrorKind::NotAFile,
        }),
        None => Err(TreeError {
            path: path(),
            kind: TreeErrorKind::NotFound,
        }),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
