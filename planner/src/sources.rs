//! The Go files and manifests of one tree, each read, hashed and parsed once.
//!
//! In: a [`TreeView`] and paths. Out: digests and parsed files, shared between every service, platform
//! and build context. It must never decide what a file is for; that is the next stages' part.

mod saved;
mod texts;

use crate::{
    concurrent_map::ConcurrentMap,
    digest::linked_digest,
    parse::{
        c_file::{self, Include},
        constraint_header::ConstraintHeader,
        go_file::{GoFile, parse_go_file, parse_header, parse_header_within},
    },
    path::RepoPath,
    tree::{
        ContentDigest, ContentIdentity, Entry, LARGEST_HELD, ReadLimit, SourceTree, TreeError,
        TreeErrorKind,
        view::{Directory, LinkHop, Listings, TreeView},
    },
};
use foldhash::HashMap;
use rayon::prelude::*;
use saved::{Facts, SavedContents};
use serde::{Deserialize, Serialize};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::LocalKey,
};

pub(crate) use texts::{Asked, RememberedTexts};

/// As much of a test file as nearly always holds its package clause and imports.
const TEST_FILE_PREFIX: usize = 4 * 1024;

/// The content of a file.
enum Content<'buffer> {
    Whole(&'buffer [u8]),
    /// The first bytes of a file that is too long to be held.
    Start(&'buffer [u8]),
}

/// Longer than nearly every Go file, and than the pieces in which a tree reads the others: one buffer a thread is enough.
const SMALLEST_BUFFER: usize = 128 * 1024;

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
/// directory has no such name until [`identify`](Self::identify) gives it one. What has a name can be
/// [saved](Self::to_save), and a later process begins [with that](Self::with_saved).
#[derive(Clone)]
pub struct ContentMemory(Arc<Memory>);

struct Memory {
    retention: Retention,
    parsed: ConcurrentMap<ContentDigest, Arc<GoFile>>,
    scanned: ConcurrentMap<ContentDigest, Arc<OtherSource>>,
    digests: ConcurrentMap<ContentIdentity, ContentDigest>,
    test_headers: ConcurrentMap<ContentIdentity, Arc<GoFile>>,
    texts: ConcurrentMap<ContentIdentity, Arc<[u8]>>,
    /// What was read from a tree without names for its contents, in no order.
    unnamed: Mutex<Vec<(RepoPath, Learned)>>,
    /// What an earlier process saved.
    saved: Option<SavedContents>,
    /// The names of what was learned since, in no order, some of them twice.
    learned: Mutex<Vec<ContentIdentity>>,
}

/// Whether anything is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retention {
    Kept,
    /// No other plan will ask.
    None,
}

/// What is known of a content.
enum Learned {
    Digest(ContentDigest),
    TestHeader(Arc<GoFile>),
    Text(Arc<[u8]>),
}

impl ContentMemory {
    /// Nothing remembered yet.
    pub fn new() -> Self {
        Self::beginning_with(None, Retention::Kept)
    }

    /// Nothing remembered, now or later: for a plan that shares nothing with another, which then need not note what it
    /// reads.
    pub fn forgetful() -> Self {
        Self::beginning_with(None, Retention::None)
    }

    /// What an earlier process [saved](Self::to_save). Bytes that are damaged, or that another version of the planner
    /// saved, are nothing remembered. They are believed about contents, so nobody else may be able to write them.
    pub fn with_saved(bytes: Vec<u8>) -> Self {
        Self::beginning_with(SavedContents::read(bytes), Retention::Kept)
    }

    fn beginning_with(saved: Option<SavedContents>, retention: Retention) -> Self {
        Self(Arc::new(Memory {
            retention,
            parsed: ConcurrentMap::new(),
            scanned: ConcurrentMap::new(),
            digests: ConcurrentMap::new(),
            test_headers: ConcurrentMap::new(),
            texts: ConcurrentMap::new(),
            unnamed: Mutex::default(),
            saved,
            learned: Mutex::default(),
        }))
    }

    /// The bytes to save: everything with a name that is remembered, within a few dozen megabytes. Nothing where that is no
    /// more than was saved before. `length_of` yields the length of a content; what it doesn't know is left out.
    pub fn to_save(
        &self,
        length_of: &(dyn Fn(&ContentIdentity) -> Option<u64> + Sync),
    ) -> Option<Vec<u8>> {
        let mut names = std::mem::take(&mut *lock(&self.0.learned));
        names.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        names.dedup();
        let learned = names.into_par_iter().filter_map(|name| {
            let length = length_of(&name)?;
            let bytes = <[u8; saved::NAME]>::try_from(&*name.0).ok()?;
            Some((bytes, (length, self.facts(&name))))
        });
        saved::block(self.0.saved.as_ref(), learned.collect())
    }

    /// The length of a content of which something was saved.
    pub fn saved_length(&self, name: &ContentIdentity) -> Option<u64> {
        self.0.saved.as_ref()?.length(name)
    }

    /// Everything that is known of a content.
    fn facts(&self, name: &ContentIdentity) -> Facts {
        let mut facts = Facts::default();
        facts.test_header = self.0.test_headers.get(name);
        facts.text = self.0.texts.get(name);
        if let Some(digest) = self.0.digests.get(name) {
            facts.set_digest(digest);
            facts.go_file = self.0.parsed.get(&digest);
            facts.other = self.0.scanned.get(&digest);
        }
        facts
    }

    /// Takes what was saved of a content among what is remembered.
    fn recall(&self, name: &ContentIdentity) -> Option<()> {
        let facts = self.0.saved.as_ref()?.facts(name)?;
        let digest = facts.digest();
        if let Some(text) = facts.text {
            self.0.texts.insert_first(name.clone(), text);
        }
        if let Some(file) = facts.test_header {
            self.0.test_headers.insert_first(name.clone(), file);
        }
        if let Some(digest) = digest {
            if let Some(file) = facts.go_file {
                self.0.parsed.insert_first(digest, file);
            }
            if let Some(source) = facts.other {
                self.0.scanned.insert_first(digest, source);
            }
            self.0.digests.insert_first(name.clone(), digest);
        }
        Some(())
    }

    /// What is remembered of a content, or was saved.
    fn known<Fact>(
        &self,
        name: Option<&ContentIdentity>,
        find: impl Fn(&ContentIdentity) -> Option<Fact>,
    ) -> Option<Fact> {
        let name = name?;
        find(name).or_else(|| {
            self.recall(name)?;
            find(name)
        })
    }

    fn digest(&self, name: Option<&ContentIdentity>) -> Option<ContentDigest> {
        self.known(name, |name| self.0.digests.get(name))
    }

    fn go_source(&self, name: Option<&ContentIdentity>) -> Option<GoSource> {
        self.known(name, |name| {
            let digest = self.0.digests.get(name)?;
            let file = self.0.parsed.get(&digest)?;
            Some(GoSource { digest, file })
        })
    }

    fn test_header(&self, name: Option<&ContentIdentity>) -> Option<Arc<GoFile>> {
        self.known(name, |name| self.0.test_headers.get(name))
    }

    fn text(&self, name: Option<&ContentIdentity>) -> Option<Arc<[u8]>> {
        self.known(name, |name| self.0.texts.get(name))
    }

    fn other_source(&self, name: Option<&ContentIdentity>) -> Option<Arc<OtherSource>> {
        self.known(name, |name| self.0.scanned.get(&self.0.digests.get(name)?))
    }

    /// Gives names to what the last plan read from a directory. `names_of` yields, for paths without links, the names
    /// under which another tree has the very same contents, and nothing where it can't vouch for that.
    pub fn identify(&self, names_of: impl FnOnce(&[&RepoPath]) -> Vec<Option<ContentIdentity>>) {
        let mut unnamed = std::mem::take(&mut *lock(&self.0.unnamed));
        unnamed.par_sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let paths: Vec<&RepoPath> = unnamed.iter().map(|(path, _)| path).collect();
        let names = names_of(&paths);
        for (name, (_, learned)) in names.into_iter().zip(unnamed) {
            if let Some(name) = name {
                self.keep(name, learned);
            }
        }
    }

    fn forgets(&self) -> bool {
        self.0.retention == Retention::None
    }

    fn learn(&self, path: &RepoPath, name: Option<ContentIdentity>, learned: Learned) {
        if self.forgets() {
            return;
        }
        match name {
            Some(name) => self.keep(name, learned),
            None => lock(&self.0.unnamed).push((path.clone(), learned)),
        }
    }

    fn keep(&self, name: ContentIdentity, learned: Learned) {
        lock(&self.0.learned).push(name.clone());
        match learned {
            Learned::Digest(digest) => {
                self.0.digests.insert_first(name, digest);
            }
            Learned::TestHeader(file) => {
                self.0.test_headers.insert_first(name, file);
            }
            Learned::Text(text) => {
                self.0.texts.insert_first(name, text);
            }
        }
    }
}

/// A poisoned lock is no obstacle: a value is only ever put in whole.
fn lock<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// The files that were read by another path than their own.
    behind: ConcurrentMap<RepoPath, ()>,
    memory: ContentMemory,
}

/// What a tree answered, or answers that are known before one is asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownAnswers {
    /// By their path without links.
    pub(crate) listings: HashMap<RepoPath, Arc<Directory>>,
    pub(crate) go_files: HashMap<RepoPath, Result<GoSource, TreeError>>,
    pub(crate) test_files: HashMap<RepoPath, Result<Arc<GoFile>, TreeError>>,
    pub(crate) other_files: HashMap<RepoPath, Result<Arc<OtherSource>, TreeError>>,
    pub(crate) digests: HashMap<RepoPath, Result<ContentDigest, TreeError>>,
    /// What was read as a text, such as manifests, as far as it is remembered.
    pub(crate) texts: HashMap<RepoPath, Arc<[u8]>>,
}

/// Everything that was asked of a tree, with the answers.
pub(crate) struct SourcesParts {
    pub(crate) listings: Listings,
    pub(crate) go_files: ConcurrentMap<RepoPath, Result<GoSource, TreeError>>,
    pub(crate) test_files: ConcurrentMap<RepoPath, Result<Arc<GoFile>, TreeError>>,
    pub(crate) other_files: ConcurrentMap<RepoPath, Result<Arc<OtherSource>, TreeError>>,
    pub(crate) digests: ConcurrentMap<RepoPath, Result<ContentDigest, TreeError>>,
    /// The files that were read by another path than their own.
    pub(crate) behind: ConcurrentMap<RepoPath, ()>,
    /// The paths of which anything else was asked, with what was read as a text.
    pub(crate) others: Vec<Asked>,
}

impl SourcesParts {
    /// The files that were read, and what else was asked for by its path.
    pub(crate) fn files(&self) -> BTreeSet<RepoPath> {
        let others = self.others.iter();
        let mut files: BTreeSet<RepoPath> = others.map(|(path, _)| path.clone()).collect();
        let mut add = |path: &RepoPath| files.extend([path.clone()]);
        self.go_files.for_each(|path, _| add(path));
        self.test_files.for_each(|path, _| add(path));
        self.other_files.for_each(|path, _| add(path));
        self.digests.for_each(|path, _| add(path));
        self.behind.for_each(|path, ()| add(path));
        files
    }
}

impl fmt::Debug for SourcesParts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SourcesParts")
            .finish_non_exhaustive()
    }
}

/// A C, assembler or similar file: its digest, its build constraint, and what it includes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OtherSource {
    #[serde(with = "saved::digest_bytes")]
    pub(crate) digest: ContentDigest,
    pub(crate) constraint: ConstraintHeader,
    pub(crate) includes: Vec<Include>,
}

impl<'tree> Sources<'tree> {
    pub(crate) fn new(
        tree: &'tree dyn SourceTree,
        memory: ContentMemory,
        known: KnownAnswers,
    ) -> Self {
        Self {
            view: TreeView::knowing(tree, known.listings),
            go_files: ConcurrentMap::beginning_with(known.go_files),
            test_files: ConcurrentMap::beginning_with(known.test_files),
            other_files: ConcurrentMap::beginning_with(known.other_files),
            digests: ConcurrentMap::beginning_with(known.digests),
            linked: ConcurrentMap::new(),
            behind: ConcurrentMap::new(),
            memory,
        }
    }

    /// What was asked through this, and `others` in another way.
    pub(crate) fn into_parts(self, others: Vec<Asked>) -> SourcesParts {
        SourcesParts {
            listings: self.view.into_listings(),
            go_files: self.go_files,
            test_files: self.test_files,
            other_files: self.other_files,
            digests: self.digests,
            behind: self.behind,
            others,
        }
    }

    /// Notes where a file is read by another path than its own.
    fn noted(&self, path: &RepoPath, real: RepoPath) -> RepoPath {
        if real != *path {
            self.behind.claim(real.clone());
        }
        real
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
            self.read_go_file(&self.noted(path, self.view.real_file(directory, entry, path)?))
        })
    }

    fn read_go_file(&self, real: &RepoPath) -> Result<GoSource, TreeError> {
        if let Some(source) = self.memory.go_source(self.name_of(real).as_ref()) {
            return Ok(source);
        }
        let read = with_buffer(&CONTENT_BUFFER, SMALLEST_BUFFER, |content| {
            Ok(match self.view.tree().read_start(real, content)? {
                None => {
                    let digest = ContentDigest::of(content);
                    self.parsed(real, digest, || Some(parse_go_file(content)))
                }
                Some(digest) => self.parsed(real, digest, || parse_start(content)),
            })
        })?;
        match read {
            Some(source) => Ok(source),
            None => self.with_content(real, |content| {
                let source = match content {
                    Content::Whole(content) => {
                        let digest = ContentDigest::of(content);
                        self.parsed(real, digest, || Some(parse_go_file(content)))
                    }
                    Content::Start(start) => {
                        let digest = self.view.tree().digest(real)?;
                        self.parsed(real, digest, || parse_start(start))
                    }
                };
                source.ok_or_else(|| too_large(real))
            }),
        }
    }

    /// What is known of a content, or what parsing it says; nothing where that needs more of it.
    fn parsed(
        &self,
        real: &RepoPath,
        digest: ContentDigest,
        parse: impl FnOnce() -> Option<GoFile>,
    ) -> Option<GoSource> {
        if self.memory.forgets() {
            let file = Arc::new(parse()?);
            return Some(GoSource { digest, file });
        }
        let parsed = &self.memory.0.parsed;
        let file = match parsed.get(&digest) {
            Some(file) => file,
            None => parsed.insert_first(digest, Arc::new(parse()?)),
        };
        self.learn(real, Learned::Digest(digest));
        Some(GoSource { digest, file })
    }

    fn name_of(&self, real: &RepoPath) -> Option<ContentIdentity> {
        self.view.tree().content_identity(real)
    }

    fn learn(&self, real: &RepoPath, learned: Learned) {
        let name = self.view.tree().lasting_identity(real);
        self.memory.learn(real, name, learned);
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
            let real = self.noted(path, self.view.real_file(directory, entry, path)?);
            if let Some(file) = self.memory.test_header(self.name_of(&real).as_ref()) {
                return Ok(file);
            }
            let file = self.read_test_header(&real)?;
            self.learn(&real, Learned::TestHeader(Arc::clone(&file)));
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
            let real = self.noted(path, self.view.real_file_at(path)?);
            if let Some(source) = self.memory.other_source(self.name_of(&real).as_ref()) {
                return Ok(source);
            }
            self.with_content(&real, |content| {
                // What such a file includes may stand anywhere in it.
                let Content::Whole(content) = content else {
                    return Err(too_large(path));
                };
                let digest = ContentDigest::of(content);
                self.learn(&real, Learned::Digest(digest));
                let source = Arc::new(scan_other(digest, content));
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
            let real = self.noted(path, self.view.real_file_at(path)?);
            if let Some(digest) = self.memory.digest(self.name_of(&real).as_ref()) {
                return Ok(digest);
            }
            let digest = self.view.tree().digest(&real)?;
            self.learn(&real, Learned::Digest(digest));
            Ok(digest)
        })
    }

    /// Notes the links on the way to a file, if there are any.
    pub(crate) fn note_way(&self, path: &RepoPath) -> Result<(), TreeError> {
        match self.view.locate(path)? {
            Some(found) if !found.links.is_empty() => self.note_links(path, &found.links),
            _ => Ok(()),
        }
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

/// Reads a Go file in its beginning; nothing where more of it may say something to the build.
fn parse_start(start: &[u8]) -> Option<GoFile> {
    // The patterns of `//go:embed` may stand anywhere in the file.
    let embeds = |file: &GoFile| file.imports.iter().any(|import| import.value == "embed");
    parse_header_within(start).filter(|file| !embeds(file))
}

/// Reads what matters in a file that is not Go.
pub(crate) fn scan_other(digest: ContentDigest, content: &[u8]) -> OtherSource {
    let includes = c_file::includes(content).into_iter();
    OtherSource {
        digest,
        constraint: c_file::parse_constraint(content),
        includes: includes.map(|include| include.value).collect(),
    }
}

/// A file that would have to be held whole and is too long for that.
pub(crate) fn too_large(path: &RepoPath) -> TreeError {
    let limit = LARGEST_HELD;
    TreeError::new(path, TreeErrorKind::TooLarge { limit })
}
