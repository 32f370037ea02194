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
        view::{Directory, TreeView},
    },
};
use std::{cell::Cell, sync::Arc, thread::LocalKey};

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

/// A buffer that grew beyond this is given back: one long file should not cost its length until the end.
const LARGEST_BUFFER: usize = 4 * 1024 * 1024;

thread_local! {
    static CONTENT_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// Apart from the other, since a read fills as much as a buffer holds.
    static PREFIX_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends this thread's buffer. Whoever asks again meanwhile gets an empty one, which is right and only slower.
fn with_buffer<T>(
    buffer: &'static LocalKey<Cell<Vec<u8>>>,
    use_it: impl FnOnce(&mut Vec<u8>) -> T,
) -> T {
    let mut content = buffer.take();
    let result = use_it(&mut content);
    if content.capacity() <= LARGEST_BUFFER {
        buffer.set(content);
    }
    result
}

/// What the planner remembers of contents, whatever their path: shared between two trees, it makes
/// the second cost only what differs.
#[derive(Clone)]
pub struct ContentMemory(Arc<Memory>);

struct Memory {
    parsed: ConcurrentMap<ContentDigest, Arc<GoFile>>,
    digests: ConcurrentMap<ContentIdentity, ContentDigest>,
}

impl ContentMemory {
    /// Nothing remembered yet.
    pub fn new() -> Self {
        Self(Arc::new(Memory {
            parsed: ConcurrentMap::new(),
            digests: ConcurrentMap::new(),
        }))
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
        Self {
            view: TreeView::new(tree),
            go_files: ConcurrentMap::new(),
            test_files: ConcurrentMap::new(),
            other_files: ConcurrentMap::new(),
            digests: ConcurrentMap::new(),
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
        if let Some(digest) = identity
            .as_ref()
            .and_then(|identity| self.memory.0.digests.get(identity))
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
            if let Some(identity) = identity {
                self.memory.0.digests.insert_first(identity, digest);
            }
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
            let limit = ReadLimit::Bytes(TEST_FILE_PREFIX);
            let within_prefix = with_buffer(&PREFIX_BUFFER, |prefix| {
                self.view.tree().read_into(&real, limit, prefix)?;
                Ok(if prefix.len() < TEST_FILE_PREFIX {
                    Some(parse_header(prefix))
                } else {
                    parse_header_within(prefix)
                })
            })?;
            if let Some(file) = within_prefix {
                return Ok(Arc::new(file));
            }
            self.with_content(&real, |content| match content {
                Content::Whole(content) => Ok(Arc::new(parse_header(content))),
                Content::Start(start) => parse_header_within(start)
                    .map(Arc::new)
                    .ok_or_else(|| too_large(path)),
            })
        })
    }

    /// Reads, hashes and scans a file that is not Go.
    pub(crate) fn other_file(&self, path: &RepoPath) -> Result<Arc<OtherSource>, TreeError> {
        self.other_files.get_or_insert_with(path, || {
            let real = self.view.real_file_at(path)?;
            self.with_content(&real, |content| {
                // What such a file includes may stand anywhere in it.
                let Content::Whole(content) = content else {
                    return Err(too_large(path));
                };
                Ok(Arc::new(OtherSource {
                    digest: ContentDigest::of(content),
                    constraint: c_file::parse_constraint(content),
                    includes: c_file::includes(content)
                        .into_iter()
                        .map(|include| include.value)
                        .collect(),
                }))
            })
        })
    }

    fn with_content<T>(
        &self,
        real: &RepoPath,
        use_it: impl FnOnce(Content<'_>) -> Result<T, TreeError>,
    ) -> Result<T, TreeError> {
        with_buffer(&CONTENT_BUFFER, |content| {
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
        self.digests
            .get_or_insert_with(path, || self.view.digest(path))
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
