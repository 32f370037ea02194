//! The index against a commit.
//!
//! In: the index and the trees of the commit, which mostly is HEAD. Out: the paths that differ. It must never read a file or a blob,
//! and it skips every directory whose tree the index still knows.
//!
//! Source: git's `unpack_trees` with `cache_tree` (unpack-trees.c, cache-tree.c).

use super::error::WorkTreeError;
use super::objects::{DecodedTree, NodeKind};
use super::tree::LONGEST_PATH;
use super::work_tree::{Change, ChangeKind, WorkTreeState};
use crate::path::RepoPath;
use crate::tree::{FileMode, TreeError, TreeErrorKind};
use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::index::entry::{Mode, Stage};
use gix::index::extension::Tree as CachedTree;

/// The paths in which the index differs from the commit that is checked out.
pub(super) fn changes(state: &WorkTreeState) -> Result<Vec<Change>, WorkTreeError> {
    changes_since(state, tree_of_head(state)?)
}

/// The paths in which the index differs from a tree at the root; every path, where there is no such tree.
pub(super) fn changes_since(
    state: &WorkTreeState,
    tree: Option<ObjectId>,
) -> Result<Vec<Change>, WorkTreeError> {
    let mut comparison = Comparison {
        state,
        seen: vec![false; state.range.len()],
        pending: Vec::new(),
        changes: Vec::new(),
    };
    if let Some(id) = tree {
        comparison.pending.push(Pending {
            directory: BString::from(state.root.as_tree_str()),
            id,
            cached: cached_tree(&state.index, &state.root),
        });
    }
    comparison.run()
}

/// The tree of HEAD at the root; nothing before the first commit, or where HEAD has no such directory.
fn tree_of_head(state: &WorkTreeState) -> Result<Option<ObjectId>, WorkTreeError> {
    let Some(head) = state.head() else {
        return Ok(None);
    };
    let at_root = |kind| TreeError::new(&state.root, kind);
    let top = state.repository.tree_id(head).map_err(at_root)?;
    let objects = state.repository.objects();
    Ok(objects.subtree(top, &state.root).map_err(at_root)?)
}

fn cached_tree<'i>(index: &'i gix::index::State, root: &RepoPath) -> Option<&'i CachedTree> {
    root.elements().try_fold(index.tree()?, |tree, element| {
        cached_child(tree, element.as_bytes())
    })
}

fn cached_child<'i>(tree: &'i CachedTree, name: &[u8]) -> Option<&'i CachedTree> {
    tree.children.iter().find(|child| child.name[..] == *name)
}

struct Pending<'i> {
    /// From the top level.
    directory: BString,
    id: ObjectId,
    /// What the index knows of this directory.
    cached: Option<&'i CachedTree>,
}

struct Comparison<'i> {
    state: &'i WorkTreeState,
    /// For each index entry below the root, whether the commit has its path.
    seen: Vec<bool>,
    /// A list and not the stack, so that a deep tree costs none.
    pending: Vec<Pending<'i>>,
    changes: Vec<Change>,
}

impl<'i> Comparison<'i> {
    fn run(mut self) -> Result<Vec<Change>, WorkTreeError> {
        while let Some(next) = self.pending.pop() {
            if self.is_known(&next) {
                continue;
            }
            let path = RepoPath::new(&next.directory.to_str_lossy()).unwrap_or(RepoPath::root());
            let failed = |kind| TreeError::new(&path, kind);
            if next.directory.len() > LONGEST_PATH {
                return Err(failed(TreeErrorKind::PathTooLong).into());
            }
            let tree = self
                .state
                .repository
                .objects()
                .tree(&next.id)
                .map_err(failed)?;
            self.compare(&next, &tree);
        }
        let entries = self.state.entries();
        for (entry, seen) in entries.zip(&self.seen) {
            if !seen && entry.mode != Mode::DIR {
                let path = entry.path(&self.state.index);
                self.changes
                    .push(Change::new(self.state, path, ChangeKind::Staged));
            }
        }
        Ok(self.changes)
    }

    /// Whether the index has this directory just as the commit has it.
    fn is_known(&mut self, directory: &Pending<'_>) -> bool {
        let valid = directory
            .cached
            .is_some_and(|cached| cached.num_entries.is_some() && cached.id == directory.id);
        if !valid {
            return false;
        }
        let range = if directory.directory.is_empty() {
            Some(self.state.range.clone())
        } else {
            let mut prefix = directory.directory.clone();
            prefix.push(b'/');
            self.state.index.prefixed_entries_range(prefix.as_bstr())
        };
        for index in range.into_iter().flatten() {
            self.mark(index);
        }
        true
    }

    fn mark(&mut self, index: usize) {
        let seen = index
            .checked_sub(self.state.range.start)
            .and_then(|index| self.seen.get_mut(index));
        if let Some(seen) = seen {
            *seen = true;
        }
    }

    fn compare(&mut self, directory: &Pending<'i>, tree: &DecodedTree) {
        for (name, kind, id) in tree.nodes() {
            let mut path = directory.directory.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            if kind == NodeKind::Directory {
                if !self.is_sparse_entry(path.as_bstr(), id) {
                    self.pending.push(Pending {
                        directory: path,
                        id,
                        cached: directory
                            .cached
                            .and_then(|cached| cached_child(cached, name)),
                    });
                }
                continue;
            }
            let index = self
                .state
                .index
                .entry_index_by_path_and_stage(path.as_bstr(), Stage::Unconflicted);
            let entry = index.and_then(|index| self.state.index.entries().get(index));
            if let Some(index) = index {
                self.mark(index);
            }
            if entry.is_none_or(|entry| entry.id != id || entry.mode != mode_of(kind)) {
                self.changes
                    .push(Change::new(self.state, path.as_bstr(), ChangeKind::Staged));
            }
        }
    }

    /// Whether a sparse index holds the directory as one entry, just as the commit has it.
    fn is_sparse_entry(&mut self, directory: &BStr, id: ObjectId) -> bool {
        if !self.state.index.is_sparse() {
            return false;
        }
        let mut path = directory.to_owned();
        path.push(b'/');
        let index = self
            .state
            .index
            .entry_index_by_path_and_stage(path.as_bstr(), Stage::Unconflicted);
        let same = index
            .and_then(|index| self.state.index.entries().get(index))
            .is_some_and(|entry| entry.mode == Mode::DIR && entry.id == id);
        if let (true, Some(index)) = (same, index) {
            self.mark(index);
        }
        same
    }
}

fn mode_of(kind: NodeKind) -> Mode {
    match kind {
        NodeKind::File(FileMode::Regular) => Mode::FILE,
        NodeKind::File(FileMode::Executable) => Mode::FILE_EXECUTABLE,
        NodeKind::Directory => Mode::DIR,
        NodeKind::Symlink => Mode::SYMLINK,
        NodeKind::Submodule => Mode::COMMIT,
    }
}
