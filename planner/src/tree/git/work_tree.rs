//! What git knows of a checkout.
//!
//! In: a repository with a work tree, and the directory in it that is the root. Out: a [`WorkTreeState`], which says what
//! is tracked and what was converted on checkout, and holds what others have found to differ. It must never write, the
//! index least of all.
//!
//! Entries that a sparse checkout leaves out are tracked, and no change while they are absent. A
//! checked-out submodule answers for the files in it. Flags by which a person hides changes from git
//! (`assume-unchanged`, `skip-worktree`) do not hide them here.

use super::attributes::{
    AttributeFiles, AutomaticConversion, Case, CheckoutFilter, KnownRules, LineEnd, LineEndings,
    below,
};
use super::error::WorkTreeError;
use super::objects::{CommitId, NodeKind, reason};
use super::repository::Repository;
use super::tree::LONGEST_PATH;
use crate::path::RepoPath;
use crate::tree::disk::DiskTree;
use crate::tree::{ReadLimit, SourceTree as _, TreeError, TreeErrorKind};
use camino::Utf8PathBuf;
use gix::bstr::{BStr, ByteSlice as _};
use gix::index::entry::{Mode, Stage};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Extensions of the index up to this length are read before a thread for them would run.
const SMALL_EXTENSION: usize = 1024 * 1024;

/// What git knows of a checkout, at the moment when it was read.
pub struct WorkTreeState {
    pub(super) repository: Repository,
    pub(super) top_level: Utf8PathBuf,
    /// Where the root is below the top level.
    pub(super) root: RepoPath,
    pub(super) index: gix::index::File,
    /// The entries below the root.
    pub(super) range: Range<usize>,
    pub(super) settings: Settings,
    head: Option<CommitId>,
    pub(super) changes: Result<Vec<Change>, WorkTreeError>,
    /// Files in directories that a sparse index holds as one entry, from the top level.
    sparse: BTreeSet<RepoPath>,
    /// What was read of attribute files.
    rules: Mutex<Option<KnownRules>>,
    /// The submodules below the root, by their path from the root; without a state where there is no
    /// checkout of them.
    pub(super) submodules: Vec<(RepoPath, Option<Self>)>,
}

impl std::fmt::Debug for WorkTreeState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("WorkTreeState")
            .field("top_level", &self.top_level)
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

/// What the repository's own configuration says of files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) executable_bit: Support,
    pub(super) symlinks: Support,
    pub(super) stat: gix::index::entry::stat::Options,
    pub(super) line_endings: LineEndings,
    /// Programs that rewrite files on checkout, those of Git LFS left out, which replace a file by another one.
    pub(super) drivers: Support,
    case: Case,
}

/// Whether the file system, or the repository, has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Support {
    Present,
    Absent,
}

/// One tracked path that is not as the commit has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The path below the root; bytes that are not UTF-8 are shown as U+FFFD.
    pub path: String,
    /// What differs.
    pub kind: ChangeKind,
}

/// How a tracked path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// The index differs from the commit.
    Staged,
    /// A merge left the path in conflict.
    Conflicted,
    /// The file is gone.
    Deleted,
    /// The content differs from the index.
    Modified,
    /// It is another kind of thing, or may be executed where it could not, or the reverse.
    Retyped,
    /// A submodule's checkout is at another commit.
    Submodule,
}

impl Change {
    /// A change at a path from the top level.
    pub(super) fn new(state: &WorkTreeState, path: &BStr, kind: ChangeKind) -> Self {
        let root = state.root.as_tree_str();
        let below = path
            .strip_prefix(root.as_bytes())
            .map_or(path.as_bytes(), |rest| {
                rest.strip_prefix(b"/").unwrap_or(rest)
            });
        Self {
            path: below.to_str_lossy().into_owned(),
            kind,
        }
    }
}

/// What the index says of a file.
pub(crate) struct StagedFile<'index>(&'index gix::index::Entry);

/// Whether git tracks a file.
pub(crate) enum Tracking<'index> {
    Untracked,
    /// Without an entry of its own: in conflict, or in a directory that a sparse index holds as one.
    Tracked,
    Staged(StagedFile<'index>),
}

impl StagedFile<'_> {
    /// The length on disk when git last looked, as far as 32 bits tell; nothing where git wants to look again.
    pub(crate) fn length(&self) -> Option<u32> {
        let Self(entry) = self;
        // git writes 0 for files that it wants to look at again.
        let is_known =
            entry.stat.size != 0 || entry.id == gix::ObjectId::empty_blob(entry.id.kind());
        is_known.then_some(entry.stat.size)
    }

    /// Whether this is the content that is staged.
    pub(crate) fn holds(&self, content: &[u8]) -> bool {
        let Self(entry) = self;
        gix::objs::compute_hash(entry.id.kind(), gix::objs::Kind::Blob, content)
            .is_ok_and(|id| id == entry.id)
    }
}

impl WorkTreeState {
    /// Reads the index, and neither the submodules nor what differs from anything.
    pub(super) fn of_index(
        repository: &Repository,
        root: &RepoPath,
    ) -> Result<Self, WorkTreeError> {
        let top_level = repository
            .top_level()
            .ok_or(WorkTreeError::NoWorkTree)?
            .to_owned();
        let (index, settings) = repository.objects().with_repository(|repository| {
            let index = gix::index::File::at_or_default(
                repository.index_path(),
                repository.object_hash(),
                // git itself leaves the checksum to `git fsck`: it takes longer than everything else here.
                true,
                gix::index::decode::Options {
                    min_extension_block_in_bytes_for_threading: SMALL_EXTENSION,
                    ..Default::default()
                },
            )
            .map_err(|error| WorkTreeError::Index(reason(&error)))?;
            Ok::<_, WorkTreeError>((index, Settings::of(repository)))
        })?;
        let range = if root.is_root() {
            0..index.entries().len()
        } else {
            let prefix = format!("{}/", root.as_tree_str());
            index
                .prefixed_entries_range(BStr::new(&prefix))
                .unwrap_or_default()
        };
        let mut state = Self {
            repository: repository.clone(),
            top_level,
            root: root.clone(),
            index,
            range,
            settings,
            head: repository.head()?,
            changes: Ok(Vec::new()),
            sparse: BTreeSet::new(),
            rules: Mutex::default(),
            submodules: Vec::new(),
        };
        state.read_sparse_directories()?;
        Ok(state)
    }

    /// The tracked files below the root, sorted by path, those of checked-out submodules included.
    /// Names that are not UTF-8 are left out.
    pub fn tracked_paths(&self) -> Vec<RepoPath> {
        let mut paths: Vec<RepoPath> = self
            .entries()
            .filter(|entry| !matches!(entry.mode, Mode::DIR | Mode::COMMIT))
            .filter_map(|entry| self.path_from_root(entry.path(&self.index)))
            .collect();
        let sparse = self.sparse.iter();
        paths.extend(
            sparse
                .filter_map(|path| path.strip_prefix(&self.root))
                .filter_map(|path| RepoPath::new(path).ok()),
        );
        for (directory, submodule) in &self.submodules {
            let tracked = submodule.iter().flat_map(Self::tracked_paths);
            paths.extend(tracked.map(|path| below(directory, &path)));
        }
        paths.sort_unstable();
        // A file in conflict has an entry for each side.
        paths.dedup();
        paths
    }

    /// Whether a file below the root is tracked, by its repository or by the submodule it lies in.
    pub fn is_tracked(&self, path: &RepoPath) -> bool {
        if let Some((submodule, inner)) = self.submodule_of(path) {
            return submodule.is_some_and(|submodule| submodule.is_tracked(&inner));
        }
        let path = below(&self.root, path);
        let index = self
            .index
            .entry_index_by_path(BStr::new(path.as_tree_str()));
        let entry = index.ok().and_then(|index| self.index.entries().get(index));
        entry.is_some_and(|entry| entry.mode != Mode::COMMIT) || self.sparse.contains(&path)
    }

    /// The tracked files below the root that differ from the commit that is checked out, in the index
    /// or on disk, sorted by path; none when the work tree is clean. A tracked file that was deleted
    /// counts, an untracked one does not.
    ///
    /// A file whose stat data the index vouches for is not read, unless it was written in the same
    /// moment as the index (git's rule for racy timestamps).
    ///
    /// # Errors
    /// When the commit's trees could not be read.
    pub fn changes(&self) -> Result<&[Change], WorkTreeError> {
        match &self.changes {
            Ok(changes) => Ok(changes),
            Err(error) => Err(error.clone()),
        }
    }

    /// The root as it stands on disk.
    pub(crate) fn root_on_disk(&self) -> Result<DiskTree, TreeError> {
        DiskTree::open(&self.top_level.join(self.root.as_tree_str()))
    }

    /// What git knows of these files of the root, which must be sorted: one pass over the index, and not a search a file.
    pub(crate) fn tracking_of(&self, sorted: &[&RepoPath]) -> Vec<Tracking<'_>> {
        debug_assert!(sorted.is_sorted());
        let mut entries = self.entries().peekable();
        let tracking = |path: &&RepoPath| {
            if let Some((submodule, inner)) = self.submodule_of(path) {
                let known = submodule.map(|submodule| submodule.tracking_of(&[&inner]));
                return known
                    .and_then(|mut known| known.pop())
                    .unwrap_or(Tracking::Untracked);
            }
            let from_top = below(&self.root, path);
            let name = BStr::new(from_top.as_tree_str());
            while entries
                .next_if(|entry| entry.path(&self.index) < name)
                .is_some()
            {}
            match entries.peek() {
                Some(entry) if entry.path(&self.index) == name => match entry.mode {
                    Mode::COMMIT => Tracking::Untracked,
                    _ if entry.stage() == Stage::Unconflicted => {
                        Tracking::Staged(StagedFile(entry))
                    }
                    _ => Tracking::Tracked,
                },
                _ if self.sparse.contains(&from_top) => Tracking::Tracked,
                _ => Tracking::Untracked,
            }
        };
        sorted.iter().map(tracking).collect()
    }

    pub(super) fn is_unchanged(&self, path: &RepoPath) -> bool {
        self.changes.as_ref().is_ok_and(|changes| {
            let found = changes.binary_search_by(|change| (*change.path).cmp(path.as_tree_str()));
            found.is_err()
        })
    }

    /// Whether there are [`changes`](Self::changes), or no way to tell.
    pub fn is_dirty(&self) -> bool {
        match &self.changes {
            Ok(changes) => !changes.is_empty(),
            Err(_) => true,
        }
    }

    /// The commit that is checked out; nothing before the first commit.
    pub fn head(&self) -> Option<CommitId> {
        self.head
    }

    /// What a checkout does to these files' content, after the work tree's `.gitattributes`,
    /// `info/attributes`, and the line-ending settings of the repository's own configuration. Files with
    /// several conversions come several times, in the order asked; files with none do not come.
    ///
    /// Attributes come from the directories above the root, too, up to the top level.
    ///
    /// # Errors
    /// When a `.gitattributes` file can't be read.
    pub fn checkout_filters(
        &self,
        paths: &[RepoPath],
    ) -> Result<Vec<(RepoPath, CheckoutFilter)>, WorkTreeError> {
        let paths: Vec<&RepoPath> = paths.iter().collect();
        let filters = self.checkout_filters_where(&paths, &|_| false)?;
        let filters = filters.into_iter();
        Ok(filters
            .map(|(path, filter)| (path.clone(), filter))
            .collect())
    }

    /// As [`checkout_filters`](Self::checkout_filters); see [`with_attributes_where`](Self::with_attributes_where).
    pub(crate) fn checkout_filters_where<'p>(
        &self,
        paths: &[&'p RepoPath],
        has_none: &(dyn Fn(&RepoPath) -> bool + Sync),
    ) -> Result<Vec<(&'p RepoPath, CheckoutFilter)>, WorkTreeError> {
        let mut found = Vec::new();
        self.with_attributes_where(has_none, |files| {
            for path in paths {
                let filters = match self.submodule_of(path) {
                    None => {
                        files.filters_of(&below(&self.root, path), self.settings.line_endings)?
                    }
                    Some((None, _)) => continue,
                    Some((Some(submodule), inner)) => {
                        let filters = submodule.checkout_filters(&[inner])?.into_iter();
                        filters.map(|(_, filter)| filter).collect()
                    }
                };
                found.extend(filters.into_iter().map(|filter| (*path, filter)));
            }
            Ok(found)
        })
    }

    /// Hands out the attribute files of the work tree: from the disk, else from the index.
    pub(super) fn with_attributes<T>(
        &self,
        use_it: impl FnOnce(&AttributeFiles<'_>) -> Result<T, WorkTreeError>,
    ) -> Result<T, WorkTreeError> {
        self.with_attributes_where(&|_| false, use_it)
    }

    /// As [`with_attributes`](Self::with_attributes), where `has_none` knows of directories below the root that they hold no
    /// attribute file, so that the disk need not be asked.
    pub(super) fn with_attributes_where<T>(
        &self,
        has_none: &(dyn Fn(&RepoPath) -> bool + Sync),
        use_it: impl FnOnce(&AttributeFiles<'_>) -> Result<T, WorkTreeError>,
    ) -> Result<T, WorkTreeError> {
        let disk = DiskTree::open(&self.top_level)?;
        // Where names differ in case alone, another name may open the file.
        let is_listed_without = |file: &RepoPath| {
            self.settings.case == Case::Sensitive
                && file
                    .parent()
                    .and_then(|directory| self.path_below(&directory))
                    .is_some_and(|directory| has_none(&directory))
        };
        let read = |file: &RepoPath| {
            if is_listed_without(file) {
                return self.read_from_index(file);
            }
            match disk.read(file, ReadLimit::Whole) {
                Ok(content) => Ok(Some(content)),
                Err(error) => match error.kind {
                    TreeErrorKind::NotFound => self.read_from_index(file),
                    // git does not follow a link here.
                    TreeErrorKind::NotADirectory
                    | TreeErrorKind::NotAFile
                    | TreeErrorKind::PathTooLong => Ok(None),
                    _ => Err(error),
                },
            }
        };
        let files = match self.lend_rules() {
            Some(rules) => AttributeFiles::with_rules(&read, self.settings.case, rules),
            None => {
                let info = self.repository.objects().with_repository(|repository| {
                    std::fs::read(repository.common_dir().join("info/attributes")).ok()
                });
                AttributeFiles::new(&read, info.as_deref(), self.settings.case)?
            }
        };
        let result = use_it(&files);
        *self.rules() = Some(files.into_rules());
        result
    }

    /// What was read of attribute files already. Whoever asks meanwhile reads for himself.
    fn lend_rules(&self) -> Option<KnownRules> {
        self.rules().take()
    }

    fn rules(&self) -> MutexGuard<'_, Option<KnownRules>> {
        // A poisoned lock is no obstacle: rules are only ever put in whole.
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_from_index(&self, file: &RepoPath) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(entry) = self.index.entry_by_path(BStr::new(file.as_tree_str())) else {
            return Ok(None);
        };
        if !matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE) {
            return Ok(None);
        }
        self.repository
            .objects()
            .blob(&entry.id, ReadLimit::Whole)
            .map(Some)
            .map_err(|kind| TreeError::new(file, kind))
    }

    /// The index entries below the root.
    pub(super) fn entries(&self) -> impl Iterator<Item = &gix::index::Entry> {
        let entries = self.index.entries();
        entries.get(self.range.clone()).unwrap_or_default().iter()
    }

    /// An index path as one below the root; nothing where it is not UTF-8.
    pub(super) fn path_from_root(&self, path: &BStr) -> Option<RepoPath> {
        self.path_below(&RepoPath::new(path.to_str().ok()?).ok()?)
    }

    /// A path from the top as one below the root; nothing where it lies elsewhere.
    fn path_below(&self, path: &RepoPath) -> Option<RepoPath> {
        if self.root.is_root() {
            return Some(path.clone());
        }
        RepoPath::new(path.strip_prefix(&self.root)?).ok()
    }

    pub(super) fn submodule_of(&self, path: &RepoPath) -> Option<(Option<&Self>, RepoPath)> {
        // Sorted, and no submodule lies in another of the same repository.
        let next = self
            .submodules
            .partition_point(|(directory, _)| directory <= path);
        let (directory, submodule) = self.submodules.get(next.checked_sub(1)?)?;
        let inner = path.strip_prefix(directory)?;
        if inner.is_empty() {
            return None;
        }
        Some((submodule.as_ref(), RepoPath::new(inner).ok()?))
    }

    fn read_sparse_directories(&mut self) -> Result<(), WorkTreeError> {
        let mut pending: Vec<(RepoPath, gix::ObjectId)> = self
            .entries()
            .filter(|entry| entry.mode == Mode::DIR)
            .filter_map(|entry| {
                let path = entry.path(&self.index).to_str().ok()?;
                Some((RepoPath::new(path.trim_end_matches('/')).ok()?, entry.id))
            })
            .collect();
        while let Some((directory, id)) = pending.pop() {
            if directory.as_tree_str().len() > LONGEST_PATH {
                return Err(TreeError::new(&directory, TreeErrorKind::PathTooLong).into());
            }
            let tree = self
                .repository
                .objects()
                .tree(&id)
                .map_err(|kind| TreeError::new(&directory, kind))?;
            for entry in tree.entries() {
                let path = directory.child(&entry.name);
                match entry.kind {
                    NodeKind::Directory => pending.push((path, entry.id)),
                    NodeKind::File(_) | NodeKind::Symlink => {
                        self.sparse.insert(path);
                    }
                    NodeKind::Submodule => {}
                }
            }
        }
        Ok(())
    }
}

impl Settings {
    fn of(repository: &gix::Repository) -> Self {
        let configuration = repository.config_snapshot();
        let support = |key: &str| match configuration.boolean(key) {
            Some(false) => Support::Absent,
            Some(true) | None => Support::Present,
        };
        let automatic = match configuration.string("core.autocrlf") {
            Some(value) if value.eq_ignore_ascii_case(b"input") => AutomaticConversion::Input,
            _ => match configuration.boolean("core.autocrlf") {
                Some(true) => AutomaticConversion::On,
                Some(false) | None => AutomaticConversion::Off,
            },
        };
        let native = if cfg!(windows) {
            LineEnd::CarriageReturnLineFeed
        } else {
            LineEnd::LineFeed
        };
        let text = match configuration.string("core.eol") {
            Some(value) if value.eq_ignore_ascii_case(b"crlf") => LineEnd::CarriageReturnLineFeed,
            Some(value) if value.eq_ignore_ascii_case(b"lf") => LineEnd::LineFeed,
            _ => native,
        };
        let filters = configuration.plumbing().sections_by_name("filter");
        let has_driver = filters.into_iter().flatten().any(|filter| {
            let is_lfs = filter.header().subsection_name() == Some("lfs".into());
            !is_lfs && (filter.value("smudge").is_some() || filter.value("process").is_some())
        });
        Self {
            drivers: if has_driver {
                Support::Present
            } else {
                Support::Absent
            },
            executable_bit: if cfg!(windows) {
                Support::Absent
            } else {
                support("core.fileMode")
            },
            symlinks: support("core.symlinks"),
            stat: repository.stat_options().unwrap_or_default(),
            line_endings: LineEndings { automatic, text },
            case: match configuration.boolean("core.ignoreCase") {
                Some(true) => Case::Fold,
                Some(false) | None => Case::Sensitive,
            },
        }
    }
}
