//! What differs in a checkout.
//!
//! In: a repository with a work tree, and the directory in it that is the root. Out: what git knows of the checkout, that of
//! checked-out submodules included, with the tracked files that differ from the commit that is checked out or from another
//! one. It must never look at a file for which the index vouches, but to find out whether it does.

use super::attributes::below;
use super::error::{GitError, WorkTreeError};
use super::repository::Repository;
use super::tree::GitTree;
use super::work_tree::{Change, ChangeKind, WorkTreeState};
use super::{staged, status};
use crate::path::RepoPath;
use crate::tree::disk::DiskTree;
use camino::Utf8Path;
use gix::bstr::BStr;
use gix::index::entry::{Mode, Stage};
use std::collections::BTreeSet;

/// Deeper nests of submodules are not looked into.
const DEEPEST_SUBMODULE: usize = 32;

/// What git knows of a checkout before anybody has looked at its files.
#[derive(Debug)]
pub struct StagedState(WorkTreeState);

impl StagedState {
    /// Reads the index, and compares it with the commit.
    ///
    /// # Errors
    /// As for [`WorkTreeState::read`].
    pub fn read(repository: &Repository, root: &RepoPath) -> Result<Self, WorkTreeError> {
        read_nested(repository, root, DEEPEST_SUBMODULE).map(Self)
    }

    /// Compares the index with the disk. `seen` must be of the same root: what it has opened and
    /// [kept](DiskTree::keeping_stamps) is not looked at again.
    pub fn look_at_files(self, seen: Option<&DiskTree>) -> WorkTreeState {
        let Self(mut state) = self;
        let staged = std::mem::replace(&mut state.changes, Ok(Vec::new()));
        state.changes = staged.and_then(|staged| state.find_changes(staged, seen));
        state
    }
}

impl Repository {
    /// What git knows of a directory of the work tree.
    ///
    /// # Errors
    /// When the directory is not in the work tree, and as for [`WorkTreeState::read`].
    pub fn work_tree_state(&self, directory: &Utf8Path) -> Result<WorkTreeState, GitError> {
        Ok(WorkTreeState::read(self, &self.root_at(directory)?)?)
    }

    /// What git knows of a directory of the work tree before anybody has looked at its files.
    ///
    /// # Errors
    /// As for [`work_tree_state`](Self::work_tree_state).
    pub fn staged_state(&self, directory: &Utf8Path) -> Result<StagedState, GitError> {
        Ok(StagedState::read(self, &self.root_at(directory)?)?)
    }
}

/// Reads a state down to that depth of submodules, with what is staged.
fn read_nested(
    repository: &Repository,
    root: &RepoPath,
    depth: usize,
) -> Result<WorkTreeState, WorkTreeError> {
    let mut state = WorkTreeState::of_index(repository, root)?;
    state.read_submodules(depth)?;
    state.changes = staged::changes(&state);
    Ok(state)
}

impl WorkTreeState {
    /// Reads the index, and that of every submodule that is checked out below the root, and compares it
    /// with the commit and the disk.
    ///
    /// # Errors
    /// When there is no work tree, or HEAD or an index can't be read.
    pub fn read(repository: &Repository, root: &RepoPath) -> Result<Self, WorkTreeError> {
        Ok(StagedState::read(repository, root)?.look_at_files(None))
    }

    /// The tracked paths below the root that differ between a commit and the disk, sorted; the commit's tree must have the
    /// same root. What a merge base has and HEAD has not counts, as does what is staged or edited.
    ///
    /// # Errors
    /// When a tree object can't be read.
    pub fn changed_paths_since(&self, tree: &GitTree) -> Result<Vec<String>, WorkTreeError> {
        let staged = staged::changes_since(self, Some(tree.root_id()?))?;
        let on_disk = self.changes()?.iter().cloned();
        let mut paths: Vec<String> = staged
            .into_iter()
            .chain(on_disk)
            .map(|change| change.path)
            .collect();
        paths.sort_unstable();
        paths.dedup();
        Ok(paths)
    }

    /// Looks again at files of the root that may have been edited since this was read, the index not. Nothing where only
    /// reading everything again can tell, as with submodules and conflicts; this state is then of no use any more.
    pub fn look_again(&mut self, paths: &[RepoPath]) -> Option<()> {
        let mut entries = Vec::new();
        for path in paths {
            if self.submodule_of(path).is_some() {
                return None;
            }
            let from_top = below(&self.root, path);
            let Some(entry) = self.index.entry_by_path(BStr::new(from_top.as_tree_str())) else {
                continue;
            };
            if entry.stage() != Stage::Unconflicted || entry.mode == Mode::COMMIT {
                return None;
            }
            entries.push(entry);
        }
        let found = status::changes_of(self, &entries, None).ok()?;
        let mut changes = std::mem::replace(&mut self.changes, Ok(Vec::new())).ok()?;
        let again: BTreeSet<&str> = paths.iter().map(RepoPath::as_tree_str).collect();
        changes.retain(|change| {
            change.kind == ChangeKind::Staged || !again.contains(change.path.as_str())
        });
        changes.extend(found);
        changes.sort_unstable();
        changes.dedup();
        self.changes = Ok(changes);
        Some(())
    }

    /// Adds what differs on disk to what is staged.
    fn find_changes(
        &self,
        mut changes: Vec<Change>,
        seen: Option<&DiskTree>,
    ) -> Result<Vec<Change>, WorkTreeError> {
        changes.extend(status::changes(self, seen)?);
        for (directory, submodule) in &self.submodules {
            let Some(submodule) = submodule else { continue };
            changes.extend(submodule.changes()?.iter().map(|change| Change {
                path: format!("{directory}/{}", change.path),
                kind: change.kind,
            }));
        }
        changes.sort_unstable();
        changes.dedup();
        Ok(changes)
    }

    fn read_submodules(&mut self, depth: usize) -> Result<(), WorkTreeError> {
        let mut directories: Vec<RepoPath> = self
            .entries()
            .filter(|entry| entry.mode == Mode::COMMIT)
            .filter_map(|entry| self.path_from_root(entry.path(&self.index)))
            .collect();
        directories.sort_unstable();
        directories.dedup();
        for directory in directories {
            let from_top = below(&self.root, &directory);
            let on_disk = self.top_level.join(from_top.as_tree_str());
            let state = match depth.checked_sub(1) {
                Some(depth) => match open_submodule(&on_disk) {
                    Some(submodule) => {
                        let staged = read_nested(&submodule, &RepoPath::root(), depth)?;
                        Some(StagedState(staged).look_at_files(None))
                    }
                    None => None,
                },
                None => None,
            };
            self.submodules.push((directory, state));
        }
        Ok(())
    }
}

/// The repository whose checkout is in this directory, and in no other.
fn open_submodule(directory: &Utf8Path) -> Option<Repository> {
    std::fs::symlink_metadata(directory.join(".git")).ok()?;
    let repository = Repository::open(directory).ok()?;
    let top_level = repository.top_level()?.canonicalize_utf8().ok()?;
    (top_level == directory.canonicalize_utf8().ok()?).then_some(repository)
}
