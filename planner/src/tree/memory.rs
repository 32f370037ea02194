//! A source tree in memory.
//!
//! In: paths with contents. Out: the same answers that a directory with these files would give. It
//! serves tests, the demo and tools that have their sources elsewhere; it must never touch a disk.

use super::{
    ContentDigest, Entry, EntryKind, FileMode, Listing, ReadLimit, SourceTree, TreeError,
    TreeErrorKind,
};
use crate::path::{RepoPath, RepoPathError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A source tree in memory. Directories come and go with the files in them, as in git.
///
/// ```
/// use rebake_planner::path::RepoPath;
/// use rebake_planner::tree::{SourceTree as _, memory::MemoryTree};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tree = MemoryTree::new()
///     .with_file("go.mod", "module ex.com/shop\n")?
///     .with_file("services/api/main.go", "package main\n")?
///     .with_symlink("current", "services/api")?;
/// assert_eq!(tree.list(&RepoPath::new("services")?)?.entries.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MemoryTree {
    /// Every directory with its children; the root is always there.
    directories: BTreeMap<RepoPath, BTreeMap<Box<str>, Node>>,
    failures: BTreeMap<RepoPath, TreeErrorKind>,
}

#[derive(Debug, Clone)]
enum Node {
    File { content: Arc<[u8]>, mode: FileMode },
    Symlink { target: String },
    Directory,
    Submodule,
    Special,
}

impl Node {
    fn kind(&self) -> EntryKind {
        match self {
            Self::File { .. } => EntryKind::File,
            Self::Symlink { .. } => EntryKind::Symlink,
            Self::Directory => EntryKind::Directory,
            Self::Submodule => EntryKind::Submodule,
            Self::Special => EntryKind::Special,
        }
    }
}

impl Default for MemoryTree {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryTree {
    /// An empty tree.
    pub fn new() -> Self {
        Self {
            directories: BTreeMap::from([(RepoPath::root(), BTreeMap::new())]),
            failures: BTreeMap::new(),
        }
    }

    /// Adds a regular file, with the directories above it.
    ///
    /// # Errors
    /// When `path` is no clean path below the root.
    pub fn with_file(
        mut self,
        path: &str,
        content: impl AsRef<[u8]>,
    ) -> Result<Self, RepoPathError> {
        self.set(&RepoPath::new(path)?, content)?;
        Ok(self)
    }

    /// Adds a file that may be executed.
    ///
    /// # Errors
    /// As for [`with_file`](Self::with_file).
    pub fn with_executable(
        mut self,
        path: &str,
        content: impl AsRef<[u8]>,
    ) -> Result<Self, RepoPathError> {
        let content = Arc::from(content.as_ref());
        let mode = FileMode::Executable;
        self.place(&RepoPath::new(path)?, Node::File { content, mode })?;
        Ok(self)
    }

    /// Adds a symbolic link with this text.
    ///
    /// # Errors
    /// As for [`with_file`](Self::with_file).
    pub fn with_symlink(mut self, path: &str, target: &str) -> Result<Self, RepoPathError> {
        let target = target.to_owned();
        self.place(&RepoPath::new(path)?, Node::Symlink { target })?;
        Ok(self)
    }

    /// Adds something that must never be opened: what a FIFO, socket or device is on a disk.
    ///
    /// # Errors
    /// As for [`with_file`](Self::with_file).
    pub fn with_special(mut self, path: &str) -> Result<Self, RepoPathError> {
        self.place(&RepoPath::new(path)?, Node::Special)?;
        Ok(self)
    }

    /// Adds a submodule without content.
    ///
    /// # Errors
    /// As for [`with_file`](Self::with_file).
    pub fn with_submodule(mut self, path: &str) -> Result<Self, RepoPathError> {
        self.place(&RepoPath::new(path)?, Node::Submodule)?;
        Ok(self)
    }

    /// Makes every look at this path fail, so that a test can see what becomes of it: listing it,
    /// reading it, or reading it as a link.
    ///
    /// # Errors
    /// When `path` is no clean path.
    pub fn with_failure(mut self, path: &str, kind: TreeErrorKind) -> Result<Self, RepoPathError> {
        self.failures.insert(RepoPath::new(path)?, kind);
        Ok(self)
    }

    /// Writes a regular file, with the directories above it, over whatever stood there.
    ///
    /// # Errors
    /// When `path` is the root.
    pub fn set(&mut self, path: &RepoPath, content: impl AsRef<[u8]>) -> Result<(), RepoPathError> {
        let content = Arc::from(content.as_ref());
        let mode = FileMode::Regular;
        self.place(path, Node::File { content, mode })
    }

    /// Takes away a file, or a directory with all that it holds, and the directories that become
    /// empty by it. Says whether anything was there.
    pub fn remove(&mut self, path: &RepoPath) -> bool {
        if !self.detach(path) {
            return false;
        }
        let mut emptied = path.parent();
        while let Some(directory) = emptied {
            if directory.is_root()
                || self
                    .directories
                    .get(&directory)
                    .is_some_and(|c| !c.is_empty())
            {
                break;
            }
            self.detach(&directory);
            emptied = directory.parent();
        }
        true
    }

    fn place(&mut self, path: &RepoPath, node: Node) -> Result<(), RepoPathError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(RepoPathError::NotClean(path.as_str().to_owned()));
        };
        self.detach(path);
        let mut directory = RepoPath::root();
        for element in parent.elements() {
            let child = directory.child(element);
            if !self.directories.contains_key(&child) {
                // A file where a directory must now stand gives way to it.
                self.directories
                    .entry(directory)
                    .or_default()
                    .insert(element.into(), Node::Directory);
                self.directories.insert(child.clone(), BTreeMap::new());
            }
            directory = child;
        }
        self.directories
            .entry(directory)
            .or_default()
            .insert(name.into(), node);
        Ok(())
    }

    /// Removes one entry and all below it, and leaves its parent alone.
    fn detach(&mut self, path: &RepoPath) -> bool {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return false;
        };
        let removed = self
            .directories
            .get_mut(&parent)
            .and_then(|children| children.remove(name));
        if matches!(removed, Some(Node::Directory)) {
            self.directories
                .retain(|directory, _| !directory.starts_with(path));
        }
        removed.is_some()
    }

    fn node(&self, path: &RepoPath) -> Result<&Node, TreeErrorKind> {
        if let Some(kind) = self.failures.get(path) {
            return Err(kind.clone());
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(&Node::Directory);
        };
        match self.directories.get(&parent) {
            Some(children) => children.get(name).ok_or(TreeErrorKind::NotFound),
            None => Err(self.absence(&parent)),
        }
    }

    /// Why there is no such directory: an element on the way is missing, or is something else.
    fn absence(&self, directory: &RepoPath) -> TreeErrorKind {
        let mut reached = RepoPath::root();
        for element in directory.elements() {
            let Some(children) = self.directories.get(&reached) else {
                return TreeErrorKind::NotADirectory;
            };
            match children.get(element) {
                None => return TreeErrorKind::NotFound,
                Some(Node::Directory) => reached = reached.child(element),
                Some(_) => return TreeErrorKind::NotADirectory,
            }
        }
        TreeErrorKind::NotFound
    }

    fn file(&self, path: &RepoPath) -> Result<(&Arc<[u8]>, FileMode), TreeError> {
        match self.node(path) {
            Ok(Node::File { content, mode }) => Ok((content, *mode)),
            Ok(_) => Err(TreeError::new(path, TreeErrorKind::NotAFile)),
            Err(kind) => Err(TreeError::new(path, kind)),
        }
    }
}

impl SourceTree for MemoryTree {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        if let Some(kind) = self.failures.get(directory) {
            return Err(TreeError::new(directory, kind.clone()));
        }
        let Some(children) = self.directories.get(directory) else {
            return Err(TreeError::new(directory, self.absence(directory)));
        };
        let entries = children
            .iter()
            .filter(|(name, _)| !(directory.is_root() && &***name == ".git"))
            .map(|(name, node)| Entry {
                name: name.clone(),
                kind: node.kind(),
            })
            .collect();
        Ok(Listing {
            entries,
            not_utf8: Vec::new(),
        })
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        let (content, _) = self.file(file)?;
        Ok(match limit {
            ReadLimit::Whole => content.to_vec(),
            ReadLimit::Bytes(limit) => content[..content.len().min(limit)].to_vec(),
        })
    }

    fn digest(&self, file: &RepoPath) -> Result<ContentDigest, TreeError> {
        Ok(ContentDigest::of(self.file(file)?.0))
    }

    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError> {
        match self.node(link) {
            Ok(Node::Symlink { target }) => Ok(target.clone()),
            Ok(_) => Err(TreeError::new(link, TreeErrorKind::NotALink)),
            Err(kind) => Err(TreeError::new(link, kind)),
        }
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        Ok(self.file(file)?.1)
    }
}
