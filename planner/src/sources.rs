//! The Go files and manifests of one tree, each read, hashed and parsed once.
//!
//! In: a [`TreeView`] and paths. Out: digests and parsed files, shared between every service, platform
//! and build context. It must never decide what a file is for; that is the next stages' part.

use crate::{
    concurrent_map::ConcurrentMap,
    digest::linked_digest,
    parse::{
        c_file,
        go_file::{ConstraintHeader, GoFile, Include, header_is_complete_within, parse_go_file},
    },
    path::RepoPath,
    tree::{
        ContentDigest, ContentIdentity, ReadLimit, SourceTree, TreeError, TreeErrorKind,
        view::TreeView,
    },
};
use std::sync::Arc;

/// As much of a test file as nearly always holds its package clause and imports.
const TEST_FILE_PREFIX: usize = 4 * 1024;

/// Files up to this length are held in memory and read whole. Of a longer Go file the header alone is: no person wrote
/// it, and a repository must not choose how much memory its planner takes.
pub(crate) const LARGEST_HELD: usize = 64 * 1024 * 1024;

/// The content of a file.
enum Content {
    Whole(Vec<u8>),
    /// The first bytes of a file that is too long to be held.
    Start(Vec<u8>),
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

    /// Reads, hashes and parses a Go file.
    pub(crate) fn go_file(&self, path: &RepoPath) -> Result<GoSource, TreeError> {
        self.go_files
            .get_or_insert_with(path, || self.read_go_file(path))
    }

    fn read_go_file(&self, path: &RepoPath) -> Result<GoSource, TreeError> {
        let identity = self.view.tree().content_identity(path);
        if let Some(digest) = identity
            .as_ref()
            .and_then(|identity| self.memory.0.digests.get(identity))
            && let Some(file) = self.memory.0.parsed.get(&digest)
        {
            return Ok(GoSource { digest, file });
        }
        let (content, digest) = match self.read(path)? {
            Content::Whole(content) => {
                let digest = ContentDigest::of(&content);
                (content, digest)
            }
            Content::Start(start) => {
                // The patterns of `//go:embed` may stand anywhere in the file.
                let header = parse_go_file(&start);
                let is_enough = header_is_complete_within(&start)
                    && !header.imports.iter().any(|import| import.value == "embed");
                if !is_enough {
                    return Err(too_large(path));
                }
                (start, self.view.digest(path)?)
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
                .insert_first(digest, Arc::new(parse_go_file(&content))),
        };
        Ok(GoSource { digest, file })
    }

    /// Reads as much of a test file as its header takes. Test files are no inputs, but a broken one
    /// makes Go refuse the package.
    pub(crate) fn test_file(&self, path: &RepoPath) -> Result<Arc<GoFile>, TreeError> {
        if let Some(Ok(source)) = self.go_files.get(path) {
            return Ok(source.file);
        }
        self.test_files.get_or_insert_with(path, || {
            let prefix = self.view.read(path, ReadLimit::Bytes(TEST_FILE_PREFIX))?;
            if prefix.len() < TEST_FILE_PREFIX || header_is_complete_within(&prefix) {
                return Ok(Arc::new(parse_go_file(&prefix)));
            }
            match self.read(path)? {
                Content::Start(start) if !header_is_complete_within(&start) => Err(too_large(path)),
                Content::Whole(content) | Content::Start(content) => {
                    Ok(Arc::new(parse_go_file(&content)))
                }
            }
        })
    }

    /// Reads, hashes and scans a file that is not Go.
    pub(crate) fn other_file(&self, path: &RepoPath) -> Result<Arc<OtherSource>, TreeError> {
        self.other_files.get_or_insert_with(path, || {
            // What such a file includes may stand anywhere in it.
            let Content::Whole(content) = self.read(path)? else {
                return Err(too_large(path));
            };
            Ok(Arc::new(OtherSource {
                digest: ContentDigest::of(&content),
                constraint: c_file::parse_constraint(&content),
                includes: c_file::includes(&content)
                    .into_iter()
                    .map(|include| include.value)
                    .collect(),
            }))
        })
    }

    fn read(&self, path: &RepoPath) -> Result<Content, TreeError> {
        let content = self.view.read(path, ReadLimit::Bytes(LARGEST_HELD + 1))?;
        Ok(if content.len() <= LARGEST_HELD {
            Content::Whole(content)
        } else {
            Content::Start(content)
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
