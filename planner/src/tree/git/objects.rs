//! Trees and blobs from the object store, for many threads at once.
//!
//! In: object ids. Out: decoded trees, each decoded once, and blobs. It must never fetch what is missing,
//! or hand out an entry whose name no checkout could have.

use crate::concurrent_map::ConcurrentMap;
use crate::path::RepoPath;
use crate::tree::{EntryKind, FileMode, ReadLimit, TreeErrorKind};
use gix::ObjectId;
use gix::objs::{Find as _, Kind, TreeRefIter, tree::EntryKind as GitKind};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A reader gives back a buffer that grew beyond this, so that one large blob is not kept for good.
const KEPT_BUFFER: usize = 4 * 1024 * 1024;

/// What each reader keeps of decoded packs: the bases of delta chains, which neighbours share.
const PACK_CACHE: usize = 16 * 1024 * 1024;

/// The id of a commit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub(super) ObjectId);

impl fmt::Display for CommitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// The object store of one repository.
pub(super) struct Objects {
    repository: gix::ThreadSafeRepository,
    completeness: Completeness,
    /// Readers that no thread uses at the moment. Each has a pack cache of its own.
    idle: Mutex<Vec<Reader>>,
    trees: ConcurrentMap<ObjectId, Arc<DecodedTree>>,
}

/// Whether every object can be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Completeness {
    Complete,
    /// A partial clone: git would fetch what is missing from a promisor remote.
    Partial,
}

struct Reader {
    repository: gix::Repository,
    buffer: Vec<u8>,
}

/// A tree object in the planner's terms.
#[derive(Debug)]
pub(super) struct DecodedTree {
    /// Sorted by the bytes of the name, which is not git's own order.
    entries: Vec<DecodedEntry>,
    /// The entries whose name is not UTF-8, sorted.
    not_utf8: Vec<(Vec<u8>, NodeKind, ObjectId)>,
}

#[derive(Debug)]
pub(super) struct DecodedEntry {
    pub(super) name: Box<str>,
    pub(super) kind: NodeKind,
    pub(super) id: ObjectId,
}

/// What an entry of a tree object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeKind {
    File(FileMode),
    Directory,
    Symlink,
    Submodule,
}

impl NodeKind {
    pub(super) fn entry_kind(self) -> EntryKind {
        match self {
            Self::File(_) => EntryKind::File,
            Self::Directory => EntryKind::Directory,
            Self::Symlink => EntryKind::Symlink,
            Self::Submodule => EntryKind::Submodule,
        }
    }
}

impl DecodedTree {
    pub(super) fn entries(&self) -> &[DecodedEntry] {
        &self.entries
    }

    pub(super) fn not_utf8(&self) -> &[(Vec<u8>, NodeKind, ObjectId)] {
        &self.not_utf8
    }

    /// Every entry, those with other names included: name, kind and id.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&[u8], NodeKind, ObjectId)> {
        let utf8 = self
            .entries
            .iter()
            .map(|entry| (entry.name.as_bytes(), entry.kind, entry.id));
        let other = self
            .not_utf8
            .iter()
            .map(|(name, kind, id)| (name.as_slice(), *kind, *id));
        utf8.chain(other)
    }

    pub(super) fn entry(&self, name: &str) -> Option<&DecodedEntry> {
        let index = self
            .entries
            .binary_search_by(|entry| (*entry.name).cmp(name))
            .ok()?;
        self.entries.get(index)
    }

    fn decode(id: &ObjectId, data: &[u8]) -> Result<Self, TreeErrorKind> {
        let mut entries = Vec::new();
        let mut not_utf8 = Vec::new();
        for entry in TreeRefIter::from_bytes(data, id.kind()) {
            let entry =
                entry.map_err(|_| TreeErrorKind::Other(format!("the tree {id} is damaged")))?;
            let kind = match entry.mode.kind() {
                GitKind::Tree => NodeKind::Directory,
                GitKind::Blob => NodeKind::File(FileMode::Regular),
                GitKind::BlobExecutable => NodeKind::File(FileMode::Executable),
                GitKind::Link => NodeKind::Symlink,
                GitKind::Commit => NodeKind::Submodule,
            };
            let name: &[u8] = entry.filename;
            if is_refused(name) {
                return Err(TreeErrorKind::Other(format!(
                    "the tree {id} has an entry `{}`, which git refuses to check out",
                    name.escape_ascii()
                )));
            }
            match std::str::from_utf8(name) {
                Ok(name) => entries.push(DecodedEntry {
                    name: name.into(),
                    kind,
                    id: entry.oid.to_owned(),
                }),
                Err(_) => not_utf8.push((name.to_vec(), kind, entry.oid.to_owned())),
            }
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        not_utf8.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let twice = entries
            .array_windows()
            .find(|[first, second]| first.name == second.name);
        if let Some([first, _]) = twice {
            return Err(TreeErrorKind::Other(format!(
                "the tree {id} has two entries `{}`",
                first.name
            )));
        }
        Ok(Self { entries, not_utf8 })
    }
}

/// Names that git never checks out, on any system.
/// Source: git's `verify_path` and `verify_dotfile` in read-cache.c.
fn is_refused(name: &[u8]) -> bool {
    name.is_empty()
        || name == b"."
        || name == b".."
        || name.eq_ignore_ascii_case(b".git")
        || name.contains(&b'/')
}

impl Objects {
    pub(super) fn new(repository: gix::ThreadSafeRepository, completeness: Completeness) -> Self {
        Self {
            repository,
            completeness,
            idle: Mutex::default(),
            trees: ConcurrentMap::new(),
        }
    }

    pub(super) fn completeness(&self) -> Completeness {
        self.completeness
    }

    /// Lends a repository to one thread.
    pub(super) fn with_repository<T>(&self, use_it: impl FnOnce(&gix::Repository) -> T) -> T {
        self.with_reader(|reader| use_it(&reader.repository))
    }

    fn with_reader<T>(&self, use_it: impl FnOnce(&mut Reader) -> T) -> T {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut reader = idle.unwrap_or_else(|| {
            let mut repository = self.repository.to_thread_local();
            repository.objects.set_pack_cache(|| {
                Box::new(gix::odb::pack::cache::lru::MemoryCappedHashmap::new(
                    PACK_CACHE,
                ))
            });
            Reader {
                repository,
                buffer: Vec::new(),
            }
        });
        let result = use_it(&mut reader);
        if reader.buffer.capacity() > KEPT_BUFFER {
            reader.buffer = Vec::new();
        }
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(reader);
        result
    }

    /// The tree of this id. A tree that two commits share is decoded once.
    pub(super) fn tree(&self, id: &ObjectId) -> Result<Arc<DecodedTree>, TreeErrorKind> {
        if let Some(known) = self.trees.get(id) {
            return Ok(known);
        }
        let decoded = self.find(id, Kind::Tree, |data| DecodedTree::decode(id, data))??;
        Ok(self.trees.insert_first(*id, Arc::new(decoded)))
    }

    /// The tree below another one at this path; nothing where no directory is.
    pub(super) fn subtree(
        &self,
        top: ObjectId,
        path: &RepoPath,
    ) -> Result<Option<ObjectId>, TreeErrorKind> {
        let mut id = top;
        for element in path.elements() {
            match self.tree(&id)?.entry(element) {
                Some(entry) if entry.kind == NodeKind::Directory => id = entry.id,
                _ => return Ok(None),
            }
        }
        Ok(Some(id))
    }

    /// The blob of this id.
    pub(super) fn blob(&self, id: &ObjectId, limit: ReadLimit) -> Result<Vec<u8>, TreeErrorKind> {
        self.find(id, Kind::Blob, |data| match limit {
            ReadLimit::Whole => data.to_vec(),
            ReadLimit::Bytes(limit) => data.get(..limit).unwrap_or(data).to_vec(),
        })
    }

    /// The length of an object, without its content; nothing where it can't be had.
    pub(super) fn size(&self, id: &ObjectId) -> Option<u64> {
        self.with_repository(|repository| repository.find_header(*id).ok())
            .map(|header| header.size())
    }

    /// Hands the content of a blob to a function without copying it.
    pub(super) fn with_blob<T>(
        &self,
        id: &ObjectId,
        use_it: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, TreeErrorKind> {
        self.find(id, Kind::Blob, use_it)
    }

    fn find<T>(
        &self,
        id: &ObjectId,
        kind: Kind,
        use_it: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, TreeErrorKind> {
        // git takes these two for present in every store.
        if kind == Kind::Tree && *id == ObjectId::empty_tree(id.kind())
            || kind == Kind::Blob && *id == ObjectId::empty_blob(id.kind())
        {
            return Ok(use_it(&[]));
        }
        self.with_reader(|reader| {
            match reader.repository.objects.try_find(id, &mut reader.buffer) {
                Ok(Some(found)) if found.kind == kind => Ok(use_it(found.data)),
                Ok(Some(found)) => Err(TreeErrorKind::Other(format!(
                    "the object {id} is a {}, not a {kind}",
                    found.kind
                ))),
                Ok(None) => Err(self.missing(id, kind)),
                Err(error) => Err(TreeErrorKind::MissingObject(format!(
                    "the {kind} {id} can't be read: {error}"
                ))),
            }
        })
    }

    fn missing(&self, id: &ObjectId, kind: Kind) -> TreeErrorKind {
        TreeErrorKind::MissingObject(match self.completeness {
            Completeness::Complete => format!(
                "the {kind} {id} is missing; `git fsck` lists all that is, and a fresh clone has it"
            ),
            Completeness::Partial => format!(
                "the {kind} {id} was left out of this partial clone; fetch it with `git fetch --refetch --no-filter`, or plan from the directory"
            ),
        })
    }
}

/// Everything that an error says, in one line.
pub(super) fn reason(error: &gix::Error) -> String {
    let causes: Vec<String> = error.iter_errors().map(ToString::to_string).collect();
    causes.join(": ")
}
