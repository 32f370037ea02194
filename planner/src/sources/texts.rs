//! Short texts, such as manifests, that need not be read again.
//!
//! In: a tree, and what is remembered of contents. Out: the same tree. It must never answer with another content than the
//! tree's own name for it means.

use super::{ContentMemory, Learned, lock};
use crate::{
    path::RepoPath,
    tree::{ContentDigest, ContentIdentity, FileMode, Listing, ReadLimit, SourceTree, TreeError},
};
use foldhash::HashMap;
use std::sync::{Arc, Mutex};

/// Texts up to this length are remembered.
const LONGEST_TEXT: usize = 1024 * 1024;

/// A tree whose short texts, such as manifests, are remembered and need not be read again.
pub(crate) struct RememberedTexts<'tree> {
    tree: &'tree dyn SourceTree,
    memory: ContentMemory,
    /// Texts that are known by their path.
    known: HashMap<RepoPath, Arc<[u8]>>,
    asked: Mutex<Vec<Asked>>,
}

/// A path of which a text, a link or a mode was asked, and the text where it is remembered.
pub(crate) type Asked = (RepoPath, Option<Arc<[u8]>>);

impl<'tree> RememberedTexts<'tree> {
    pub(crate) fn new(
        tree: &'tree dyn SourceTree,
        memory: ContentMemory,
        known: HashMap<RepoPath, Arc<[u8]>>,
    ) -> Self {
        // What an earlier plan read from a directory may stand there no more, so its paths name nothing now.
        lock(&memory.0.unnamed).clear();
        Self {
            tree,
            memory,
            known,
            asked: Mutex::default(),
        }
    }

    /// What was asked in these ways.
    pub(crate) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *lock(&self.asked))
    }

    fn note(&self, path: &RepoPath, text: Option<Arc<[u8]>>) {
        lock(&self.asked).push((path.clone(), text));
    }

    /// The text of a file that is remembered, by its path or by its name.
    fn text(&self, file: &RepoPath) -> Option<Arc<[u8]>> {
        let by_path = self.known.get(file).cloned();
        by_path.or_else(|| self.memory.text(self.tree.content_identity(file).as_ref()))
    }
}

impl SourceTree for RememberedTexts<'_> {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        self.tree.list(directory)
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        let most = match limit {
            ReadLimit::Whole => usize::MAX,
            ReadLimit::Bytes(most) => most,
        };
        if let Some(text) = self.text(file).filter(|text| text.len() < most) {
            let content = text.to_vec();
            self.note(file, Some(text));
            return Ok(content);
        }
        let read = self.tree.read(file, limit);
        // What is shorter than the limit is the whole.
        let is_remembered = |content: &&Vec<u8>| {
            content.len() < most && content.len() <= LONGEST_TEXT && !self.memory.forgets()
        };
        let text: Option<Arc<[u8]>> = read
            .as_ref()
            .ok()
            .filter(is_remembered)
            .map(|content| Arc::from(content.as_slice()));
        self.note(file, text.clone());
        if let Some(text) = text {
            let name = self.tree.lasting_identity(file);
            self.memory.learn(file, name, Learned::Text(text));
        }
        read
    }

    fn read_into(
        &self,
        file: &RepoPath,
        limit: ReadLimit,
        content: &mut Vec<u8>,
    ) -> Result<(), TreeError> {
        self.tree.read_into(file, limit, content)
    }

    fn read_start(
        &self,
        file: &RepoPath,
        content: &mut Vec<u8>,
    ) -> Result<Option<ContentDigest>, TreeError> {
        self.tree.read_start(file, content)
    }

    fn digest(&self, file: &RepoPath) -> Result<ContentDigest, TreeError> {
        self.tree.digest(file)
    }

    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError> {
        self.note(link, None);
        self.tree.read_link(link)
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        self.note(file, None);
        self.tree.mode(file)
    }

    fn content_identity(&self, file: &RepoPath) -> Option<ContentIdentity> {
        self.tree.content_identity(file)
    }

    fn lasting_identity(&self, file: &RepoPath) -> Option<ContentIdentity> {
        self.tree.lasting_identity(file)
    }
}
