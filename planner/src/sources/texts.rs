//! Short texts, such as manifests, that need not be read again.
//!
//! In: a tree, and what is remembered of contents. Out: the same tree. It must never answer with another content than the
//! tree's own name for it means.

use super::{ContentMemory, Learned, lock};
use crate::{
    path::RepoPath,
    tree::{ContentDigest, ContentIdentity, FileMode, Listing, ReadLimit, SourceTree, TreeError},
};
use std::sync::{Arc, Mutex};

/// Texts up to this length are remembered.
const LONGEST_TEXT: usize = 1024 * 1024;

/// A tree whose short texts, such as manifests, are remembered and need not be read again.
pub(crate) struct RememberedTexts<'tree> {
    tree: &'tree dyn SourceTree,
    memory: ContentMemory,
    /// The paths of what was read as a text, of links, and of files whose mode was asked.
    asked: Mutex<Vec<RepoPath>>,
}

impl<'tree> RememberedTexts<'tree> {
    pub(crate) fn new(tree: &'tree dyn SourceTree, memory: ContentMemory) -> Self {
        // What an earlier plan read from a directory may stand there no more, so its paths name nothing now.
        lock(&memory.0.unnamed).clear();
        Self {
            tree,
            memory,
            asked: Mutex::default(),
        }
    }

    /// The paths of what was read as a text, of links, and of files whose mode was asked.
    pub(crate) fn take_asked(&self) -> Vec<RepoPath> {
        std::mem::take(&mut *lock(&self.asked))
    }

    fn note(&self, path: &RepoPath) {
        lock(&self.asked).push(path.clone());
    }
}

impl SourceTree for RememberedTexts<'_> {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        self.tree.list(directory)
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        self.note(file);
        let most = match limit {
            ReadLimit::Whole => usize::MAX,
            ReadLimit::Bytes(most) => most,
        };
        let known = self.memory.text(self.tree.content_identity(file).as_ref());
        if let Some(text) = known.filter(|text| text.len() < most) {
            return Ok(text.to_vec());
        }
        let content = self.tree.read(file, limit)?;
        // What is shorter than the limit is the whole.
        if content.len() < most && content.len() <= LONGEST_TEXT && !self.memory.forgets() {
            let text = Learned::Text(Arc::from(content.as_slice()));
            let name = self.tree.lasting_identity(file);
            self.memory.learn(file, name, text);
        }
        Ok(content)
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
        self.note(link);
        self.tree.read_link(link)
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        self.note(file);
        self.tree.mode(file)
    }

    fn content_identity(&self, file: &RepoPath) -> Option<ContentIdentity> {
        self.tree.content_identity(file)
    }

    fn lasting_identity(&self, file: &RepoPath) -> Option<ContentIdentity> {
        self.tree.lasting_identity(file)
    }
}
