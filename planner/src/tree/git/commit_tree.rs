//! The tree of a commit.
//!
//! In: a commit id. Out: what stands in the commit, straight from packs, loose objects and alternates. It must never
//! fetch what a partial clone lacks, and never trust a tree: names that no checkout could have are left out.

use super::{CommitId, GitError};
use crate::{
    concurrent_map::ConcurrentMap,
    path::RepoPath,
    tree::{
        ContentIdentity, Entry, EntryKind, FileMode, Listing, ReadLimit, SourceTree, TreeError,
        TreeErrorKind,
    },
};
use gix::{ObjectId, ThreadSafeRepository, objs::tree::EntryKind as GitKind};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// A source tree in a commit.
pub struct GitTree {
    repository: ThreadSafeRepository,
    commit: CommitId,
    root: ObjectId,
    /// Decoded trees by directory.
    trees: ConcurrentMap<RepoPath, Result<Arc<DecodedTree>, TreeError>>,
    /// Handles of threads that are not reading right now: making one costs more than a read.
    idle: Mutex<Vec<gix::Repository>>,
}

#[derive(Debug, Default)]
struct DecodedTree {
    entries: BTreeMap<Box<str>, (GitKind, ObjectId)>,
    not_utf8: Vec<Vec<u8>>,
}

impl fmt::Debug for GitTree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GitTree")
            .field("commit", &self.commit)
            .finish_non_exhaustive()
    }
}

impl GitTree {
    pub(super) fn new(
        repository: ThreadSafeRepository,
        commit: CommitId,
        prefix: &RepoPath,
    ) -> Result<Self, GitError> {
        let root = {
            let local = repository.to_thread_local();
            let commit = local
                .find_commit(commit.0)
                .map_err(|error| GitError::Object(error.to_string()))?;
            commit
                .tree_id()
                .map_err(|error| GitError::Object(error.to_string()))?
                .detach()
        };
        let mut tree = Self {
            repository,
            commit,
            root,
            trees: ConcurrentMap::new(),
            idle: Mutex::new(Vec::new()),
        };
        if !prefix.is_root() {
            let found = tree
                .entry(prefix)
                .map_err(|error| GitError::Object(error.to_string()))?;
            let (GitKind::Tree, id) = found else {
                return Err(GitError::Object(format!(
                    "{prefix}: {}",
                    TreeErrorKind::NotADirectory
                )));
            };
            tree.root = id;
            tree.trees = ConcurrentMap::new();
        }
        Ok(tree)
    }

    /// The commit.
    pub fn commit(&self) -> CommitId {
        self.commit
    }

    /// Runs a read with a handle of its own.
    fn with_handle<Answer>(&self, read: impl FnOnce(&gix::Repository) -> Answer) -> Answer {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let handle = waiting.unwrap_or_else(|| self.repository.to_thread_local());
        let answer = read(&handle);
        idle().push(handle);
        answer
    }

    fn object(&self, path: &RepoPath, id: ObjectId) -> Result<Vec<u8>, TreeError> {
        self.with_handle(|handle| match handle.try_find_object(id) {
            Ok(Some(mut object)) => Ok(std::mem::take(&mut object.data)),
            Ok(None) => Err(TreeError::new(path, missing(handle, id))),
            Err(error) => Err(TreeError::new(
                path,
                TreeErrorKind::Other(error.to_string()),
            )),
        })
    }

    fn decoded(&self, directory: &RepoPath) -> Result<Arc<DecodedTree>, TreeError> {
        // Listed from the top, so that a deep path needs no recursion.
        if let Some(known) = self.trees.get(directory) {
            return known;
        }
        let mut unknown = vec![directory.clone()];
        while let Some(parent) = unknown.last().and_then(RepoPath::parent) {
            if self.trees.get(&parent).is_some() {
                break;
            }
            unknown.push(parent);
        }
        while let Some(next) = unknown.pop() {
            let tree = self.decode(&next);
            let tree = self.trees.insert_first(next, tree);
            if unknown.is_empty() {
                return tree;
            }
            tree?;
        }
        Err(TreeError::new(directory, TreeErrorKind::NotFound))
    }

    /// Decodes one directory whose parent is known.
    fn decode(&self, directory: &RepoPath) -> Result<Arc<DecodedTree>, TreeError> {
        let id = match (directory.parent(), directory.file_name()) {
            (Some(parent), Some(name)) => {
                let parent = self
                    .trees
                    .get(&parent)
                    .unwrap_or_else(|| self.decoded(&parent))?;
                match parent.entries.get(name) {
                    Some((GitKind::Tree, id)) => *id,
                    Some((GitKind::Commit, _)) => {
                        return Err(TreeError::new(directory, TreeErrorKind::Submodule));
                    }
                    Some(_) => return Err(TreeError::new(directory, TreeErrorKind::NotADirectory)),
                    None => return Err(TreeError::new(directory, TreeErrorKind::NotFound)),
                }
            }
            _ => self.root,
        };
        let data = self.object(directory, id)?;
        let mut tree = DecodedTree::default();
        for entry in gix::objs::TreeRefIter::from_bytes(&data, id.kind()) {
            let entry = entry.map_err(|_| {
                TreeError::new(
                    directory,
                    TreeErrorKind::Other(format!("the tree object {id} is damaged")),
                )
            })?;
            let name: &[u8] = entry.filename;
            let is_possible =
                !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/') && !name.contains(&0);
            let is_git_directory = directory.is_root() && name.eq_ignore_ascii_case(b".git");
            if !is_possible || is_git_directory {
                continue;
            }
            match std::str::from_utf8(name) {
                Ok(name) => {
                    tree.entries
                        .entry(name.into())
                        .or_insert((entry.mode.kind(), entry.oid.to_owned()));
                }
                Err(_) => tree.not_utf8.push(name.to_vec()),
            }
        }
        tree.not_utf8.sort_unstable();
        Ok(Arc::new(tree))
    }

    fn entry(&self, path: &RepoPath) -> Result<(GitKind, ObjectId), TreeError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok((GitKind::Tree, self.root));
        };
        let parent = self
            .decoded(&parent)
            .map_err(|error| TreeError::new(path, error.kind))?;
        parent
            .entries
            .get(name)
            .copied()
            .ok_or_else(|| TreeError::new(path, TreeErrorKind::NotFound))
    }

    fn file(&self, path: &RepoPath) -> Result<(FileMode, ObjectId), TreeError> {
        match self.entry(path)? {
            (GitKind::Blob, id) => Ok((FileMode::Regular, id)),
            (GitKind::BlobExecutable, id) => Ok((FileMode::Executable, id)),
            _ => Err(TreeError::new(path, TreeErrorKind::NotAFile)),
        }
    }
}

/// Why an object is not there, and what to do.
fn missing(repository: &gix::Repository, id: ObjectId) -> TreeErrorKind {
    let is_partial = repository
        .config_snapshot()
        .plumbing()
        .sections_by_name("remote")
        .into_iter()
        .flatten()
        .any(|section| {
            section.value("promisor").is_some() || section.value("partialclonefilter").is_some()
        });
    TreeErrorKind::MissingObject(if is_partial {
        format!(
            "object {id} was left out of this partial clone; run `git fetch --refetch --no-filter`, or plan the directory"
        )
    } else {
        format!("object {id} is missing; `git fsck` tells more")
    })
}

impl SourceTree for GitTree {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        let tree = self
            .decoded(directory)
            .map_err(|error| TreeError::new(directory, error.kind))?;
        let entries = tree
            .entries
            .iter()
            .map(|(name, (kind, _))| Entry {
                name: name.clone(),
                kind: match kind {
                    GitKind::Tree => EntryKind::Directory,
                    GitKind::Blob | GitKind::BlobExecutable => EntryKind::File,
                    GitKind::Link => EntryKind::Symlink,
                    GitKind::Commit => EntryKind::Submodule,
                },
            })
            .collect();
        Ok(Listing {
            entries,
            not_utf8: tree.not_utf8.clone(),
        })
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        let (_, id) = self.file(file)?;
        let mut content = self.object(file, id)?;
        if let ReadLimit::Bytes(limit) = limit {
            content.truncate(limit);
        }
        Ok(content)
    }

    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError> {
        match self.entry(link)? {
            (GitKind::Link, id) => String::from_utf8(self.object(link, id)?)
                .map_err(|_| TreeError::new(link, TreeErrorKind::NotUtf8)),
            _ => Err(TreeError::new(link, TreeErrorKind::NotALink)),
        }
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        Ok(self.file(file)?.0)
    }

    fn content_identity(&self, file: &RepoPath) -> Option<ContentIdentity> {
        let (_, id) = self.file(file).ok()?;
        Some(ContentIdentity(Arc::from(id.as_slice())))
    }
}
