//! The Go files and manifests of one tree, each read, hashed and parsed once.
//!
//! In: a [`TreeView`] and paths. Out: digests and parsed files, shared between every service, platform
//! and build context. It must never decide what a file is for; that is the next stages' part.

use crate::{
    concurrent_map::ConcurrentMap,
    digest::linked_digest,
    parse::{
        c_file,
        go_file::{
            ConstraintHeader, GoFile, Include, parse_go_file, parse_header, parse_header_within,
        },
    },
    path::RepoPath,
    tree::{
        ContentDigest, ContentIdentity, Entry, ReadLimit, SourceTree, TreeError, TreeErrorKind,
        view::{Directory, LinkHop, TreeView},
    },
};
use rayon::prelude::*;
use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::LocalKey,
};

/// As much of a test file as nearly always holds its package clause and imports.
const TEST_FILE_PREFIX: usize = 4 * 1024;

/// Files up to this length are held in memory and read whole. Of a longer Go file the header alone is: no person wrote
/// it, and a repository must not choose how much memory its planner takes.
pub(crate) const LARGEST_HELD: usize = 64 * 1024 * 1024;

/// The content of a file.
enum Content<'buffer> {
    Whole(&'buffer [u8]),
    /// The first bytes of a file that is too long to be held.
    Start(&'buffer [u8]),
}

/// Longer than nearly every Go file, so that most threads need one buffer each.
const SMALLEST_BUFFER: usize = 64 * 1024;

/// A buffer that grew beyond this is given back: one long file should not cost its length until the end.
const LARGEST_BUFFER: usize = 4 * 1024 * 1024;

thread_local! {
    static CONTENT_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// Apart from the other, since a read fills as much as a buffer holds.
    static PREFIX_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends this thread's buffer, which begins with a capacity. Whoever asks again meanwhile gets an empty one, which is right and only slower.
fn with_buffer<T>(
    buffer: &'static LocalKey<Cell<Vec<u8>>>,
    capacity: usize,
    use_it: impl FnOnce(&mut Vec<u8>) -> T,
) -> T {
    let mut content = buffer.take();
    if content.capacity() == 0 {
        content.reserve_exact(capacity);
    }
    let result = use_it(&mut content);
    if content.capacity() <= LARGEST_BUFFER {
        buffer.set(content);
    }
    result
}

/// What the planner remembers of contents, whatever their path: shared between two trees, it makes
/// the second cost only what differs.
///
/// A tree that names its contents itself, such as a git commit, finds them again by these names. What was read from a
/// directory has no such name until [`identify`](Self::identify) gives it one.
#[derive(Clone)]
pub struct ContentMemory(Arc<Memory>);

struct Memory {
    parsed: ConcurrentMap<ContentDigest, Arc<GoFile>>,
    scanned: ConcurrentMap<ContentDigest, Arc<OtherSource>>,
    digests: ConcurrentMap<ContentIdentity, ContentDigest>,
    test_headers: ConcurrentMap<ContentIdentity, Arc<GoFile>>,
    /// What was read from a tree without names for its contents, in no order.
    unnamed: Mutex<Vec<(RepoPath, Learned)>>,
}

/// What is known of a content.
enum Learned {
    Digest(ContentDigest),
    TestHeader(Arc<GoFile>),
}

impl ContentMemory {
    /// Nothing remembered yet.
    pub fn new() -> Self {
        Self(Arc::new(Memory {
            parsed: ConcurrentMap::new(),
            scanned: ConcurrentMap::new(),
            digests: ConcurrentMap::new(),
            test_headers: ConcurrentMap::new(),
            unnamed: Mutex::default(),
        }))
    }

    /// Gives names to what the last plan read from a directory. `name_of` yields, for a path without links,
    /// the name under which another tree has the very same content, and nothing where it can't vouch for that.
    pub fn identify(&self, name_of: &(dyn Fn(&RepoPath) -> Option<ContentIdentity> + Sync)) {
        let unnamed = std::mem::take(&mut *self.unnamed());
        unnamed.into_par_iter().for_each(|(path, learned)| {
            if let Some(name) = name_of(&path) {
                self.keep(name, learned);
            }
        });
    }

    /// What an earlier plan read from a directory may stand there no more, so its paths name nothing now.
    fn forget_unnamed(&self) {
        self.unnamed().clear();
    }

    fn learn(&self, path: &RepoPath, name: Option<ContentIdentity>, learned: Learned) {
        match name {
            Some(name) => self.keep(name, learned),
            None => self.unnamed().push((path.clone(), learned)),
        }
    }

    fn keep(&self, name: ContentIdentity, learned: Learned) {
        match learned {
            Learned::Digest(digest) => {
                self.0.digests.insert_first(name, digest);
            }
            Learned::TestHeader(file) => {
                self.0.test_headers.insert_first(name, file);
            }
        }
    }

    fn unnamed(&self) -> MutexGuard<'_, Vec<(RepoPath, Learned)>> {
        self.0
            .unnamed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ContentMemory {
    fn default() -> Self {
        Self::new()
    }
}

/// A Go file's digest and what the build reads in it.
#[derive(Debug, Clone)]
pub(crate) struct GoSource {
    pub(crate) digest: ContentDigest,
    pub(crate) file: Arc<GoFile>,
}

/// One tree's files, read at most once each.
pub(crate) struct Sources<'tree> {
    view: TreeView<'tree>,
    go_files: ConcurrentMap<RepoPath, Result<GoSource, TreeError>>,
    test_files: ConcurrentMap<RepoPath, Result<Arc<GoFile>, TreeError>>,
    other_files: ConcurrentMap<RepoPath, Result<Arc<OtherSource>, TreeError>>,
    digests: ConcurrentMap<RepoPath, Result<ContentDigest, TreeError>>,
    /// The way to inputs behind links.
    linked: ConcurrentMap<RepoPath, Arc<[RepoPath]>>,
    memory: ContentMemory,
}

/// A C, assembler or similar file: its digest, its build constraint, and what it includes.
#[derive(Debug)]
pub(crate) struct OtherSource {
    pub(crate) digest: ContentDigest,
    pub(crate) constraint: ConstraintHeader,
    pub(crate) includes: Vec<Include>,
}

impl<'tree> Sources<'tree> {
    pub(crate) fn new(tree: &'tree dyn SourceTree, memory: ContentMemory) -> Self {
        memory.forget_unnamed();
        Self {
            view: TreeView::new(tree),
            go_files: ConcurrentMap::new(),
            test_files: ConcurrentMap::new(),
            other_files: ConcurrentMap::new(),
            digests: ConcurrentMap::new(),
            linked: ConcurrentMap::new(),
            memory,
        }
    }

    pub(crate) fn view(&self) -> &TreeView<'tree> {
        &self.view
    }

    /// Reads, hashes and parses a Go file. `path` is that of the entry in the directory.
    pub(crate) fn go_file(
        &self,
        directory: &Directory,
        entry: &Entry,
        path: &RepoPath,
    ) -> Result<GoSource, TreeError> {
        self.go_files.get_or_insert_with(path, || {
            self.read_go_file(&self.view.real_file(directory, entry, path)?)
        })
    }

    fn read_go_file(&self, real: &RepoPath) -> Result<GoSource, TreeError> {
        let identity = self.view.tree().content_identity(real);
        if let Some(digest) = self.known_digest(identity.as_ref())
            && let Some(file) = self.memory.0.parsed.get(&digest)
        {
            return Ok(GoSource { digest, file });
        }
        self.with_content(real, |content| {
            let (digest, content) = match content {
                Content::Whole(content) => (ContentDigest::of(content), content),
                Content::Start(start) => {
                    // The patterns of `//go:embed` may stand anywhere in the file.
                    let is_enough = parse_header_within(start).is_some_and(|header| {
                        !header.imports.iter().any(|import| import.value == "embed")
                    });
                    if !is_enough {
                        return Err(too_large(real));
                    }
                    (self.view.tree().digest(real)?, start)
                }
            };
            self.memory.learn(real, identity, Learned::Digest(digest));
            let file = match self.memory.0.parsed.get(&digest) {
                Some(file) => file,
                None => self
                    .memory
                    .0
                    .parsed
                    .insert_first(digest, Arc::new(parse_go_file(content))),
            };
            Ok(GoSource { digest, file })
        })
    }

    fn known_digest(&self, identity: Option<&ContentIdentity>) -> Option<ContentDigest> {
        self.memory.0.digests.get(identity?)
    }

    /// Reads as much of a test file as its header takes. Test files are no inputs, but a broken one
    /// makes Go refuse the package.
    pub(crate) fn test_file(
        &self,
        directory: &Directory,
        entry: &Entry,
        path: &RepoPath,
    ) -> Result<Arc<GoFile>, TreeError> {
        if let Some(Ok(source)) = self.go_files.get(path) {
            return Ok(source.file);
        }
        self.test_files.get_or_insert_with(path, || {
            let real = self.view.real_file(directory, entry, path)?;
            let identity = self.view.tree().content_identity(&real);
            let known = identity.as_ref();
            if let Some(file) = known.and_then(|name| self.memory.0.test_headers.get(name)) {
                return Ok(file);
            }
            let file = self.read_test_header(&real)?;
            let learned = Learned::TestHeader(Arc::clone(&file));
            self.memory.learn(&real, identity, learned);
            Ok(file)
        })
    }

    fn read_test_header(&self, real: &RepoPath) -> Result<Arc<GoFile>, TreeError> {
        let limit = ReadLimit::Bytes(TEST_FILE_PREFIX);
        let within_prefix = with_buffer(&PREFIX_BUFFER, TEST_FILE_PREFIX, |prefix| {
            self.view.tree().read_into(real, limit, prefix)?;
            Ok(if prefix.len() < TEST_FILE_PREFIX {
                Some(parse_header(prefix))
            } else {
                parse_header_within(prefix)
            })
        })?;
        if let Some(file) = within_prefix {
            return Ok(Arc::new(file));
        }
        self.with_content(real, |content| match content {
            Content::Whole(content) => Ok(Arc::new(parse_header(content))),
            Content::Start(start) => parse_header_within(start)
                .map(Arc::new)
                .ok_or_else(|| too_large(real)),
        })
    }

    /// Reads, hashes and scans a file that is not Go.
    pub(crate) fn other_file(&self, path: &RepoPath) -> Result<Arc<OtherSource>, TreeError> {
        self.other_files.get_or_insert_with(path, || {
            let real = self.view.real_file_at(path)?;
            let identity = self.view.tree().content_identity(&real);
            if let Some(digest) = self.known_digest(identity.as_ref())
                && let Some(source) = self.memory.0.scanned.get(&digest)
            {
                return Ok(source);
            }
            self.with_content(&real, |content| {
                // What such a file includes may stand anywhere in it.
                let Content::Whole(content) = content else {
                    return Err(too_large(path));
                };
                let digest = ContentDigest::of(content);
                self.memory.learn(&real, identity, Learned::Digest(digest));
                let source = Arc::new(OtherSource {
                    digest,
                    constraint: c_file::parse_constraint(content),
                    includes: c_file::includes(content)
                        .into_iter()
                        .map(|include| include.value)
                        .collect(),
                });
                Ok(self.memory.0.scanned.insert_first(digest, source))
            })
        })
    }

    fn with_content<T>(
        &self,
        real: &RepoPath,
        use_it: impl FnOnce(Content<'_>) -> Result<T, TreeError>,
    ) -> Result<T, TreeError> {
        with_buffer(&CONTENT_BUFFER, SMALLEST_BUFFER, |content| {
            let limit = ReadLimit::Bytes(LARGEST_HELD + 1);
            self.view.tree().read_into(real, limit, content)?;
            use_it(if content.len() <= LARGEST_HELD {
                Content::Whole(content)
            } else {
                Content::Start(content)
            })
        })
    }

    /// The digest of any file's content.
    pub(crate) fn digest(&self, path: &RepoPath) -> Result<ContentDigest, TreeError> {
        if let Some(Ok(source)) = self.go_files.get(path) {
            return Ok(source.digest);
        }
        if let Some(Ok(source)) = self.other_files.get(path) {
            return Ok(source.digest);
        }
        self.digests.get_or_insert_with(path, || {
            let real = self.view.real_file_at(path)?;
            let identity = self.view.tree().content_identity(&real);
            if let Some(digest) = self.known_digest(identity.as_ref()) {
                return Ok(digest);
            }
            let digest = self.view.tree().digest(&real)?;
            self.memory.learn(&real, identity, Learned::Digest(digest));
            Ok(digest)
        })
    }

    fn note_links(&self, path: &RepoPath, links: &[LinkHop]) -> Result<(), TreeError> {
        let real = self.view.real_file_at(path)?;
        let way: Vec<RepoPath> = links
            .iter()
            .map(|hop| hop.link.clone())
            .chain([real])
            .collect();
        self.linked.insert_first(path.clone(), way.into());
        Ok(())
    }

    /// The inputs behind links: the links on the way to each, and where it really is.
    pub(crate) fn behind_links(&self) -> BTreeMap<RepoPath, Vec<RepoPath>> {
        let mut behind = BTreeMap::new();
        self.linked.for_each(|path, way| {
            behind.insert(path.clone(), way.to_vec());
        });
        behind
    }

    /// The digest under which a file is an input: of its content, and where links lead to it of their
    /// texts too.
    pub(crate) fn input_digest(&self, path: &RepoPath) -> Result<ContentDigest, TreeError> {
        let links = self
            .view
            .locate(path)?
            .map(|resolved| resolved.links)
            .unwrap_or_default();
        let content = self.digest(path)?;
        if links.is_empty() {
            return Ok(content);
        }
        self.note_links(path, &links)?;
        let hops = links
            .iter()
            .map(|hop| (hop.link.as_str(), hop.target.as_str()));
        Ok(linked_digest(hops, content))
    }
}

/// A file that would have to be held whole and is too long for that.
pub(crate) fn too_large(path: &RepoPath) -> TreeError {
    let limit = LARGEST_HELD;
    TreeError::new(path, TreeErrorKind::TooLarge { limit })
}
