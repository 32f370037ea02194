//! The names in directories against the index.
//!
//! In: directories as they were listed, and what git knows of the checkout. Out: those that hold something else than what
//! is tracked in them. It must never read a file, or list a directory again.

use super::status::below_root;
use super::work_tree::{Support, WorkTreeState};
use crate::path::RepoPath;
use crate::tree::{EntryKind, view::Directory};
use foldhash::{HashMap, HashSet};
use gix::index::entry::{Mode, Stage};
use std::sync::Arc;

impl WorkTreeState {
    /// Those of these directories, which are named by their path without links, that hold a name that is not tracked, or
    /// not one that is, or one of another kind. Nothing where the checkout can't show that: with submodules, conflicts,
    /// directories that a sparse index holds as one, and file systems without links or executable bits.
    pub(crate) fn untracked_in(
        &self,
        listings: &HashMap<RepoPath, Arc<Directory>>,
    ) -> Option<HashSet<RepoPath>> {
        let shows_kinds = self.settings.executable_bit == Support::Present
            && self.settings.symlinks == Support::Present;
        if !shows_kinds || !self.submodules.is_empty() {
            return None;
        }
        unlike_tracked(self, listings)
    }
}

/// A directory on the way to the entry that is looked at.
struct Above<'a> {
    /// Where its path ends.
    end: usize,
    /// What it was seen to hold, where it was listed.
    listed: Option<&'a Directory>,
    /// How many of these names are tracked.
    tracked: usize,
}

impl<'a> Above<'a> {
    fn track(&mut self, name: &str, kind: EntryKind) {
        let is_same = |entry: &crate::tree::Entry| entry.kind == kind;
        if self
            .listed
            .and_then(|listed| listed.entry(name))
            .is_some_and(is_same)
        {
            self.tracked += 1;
        } else {
            // One more than there are is never what there is.
            self.tracked = usize::MAX / 2;
        }
    }

    /// The directory, where it was listed and is just what is tracked.
    fn if_alike(self) -> Option<&'a Directory> {
        let listed = self.listed?;
        (listed.not_utf8.is_empty() && listed.entries.len() == self.tracked).then_some(listed)
    }
}

/// One pass over the index, which is sorted, so that each directory is entered once.
fn unlike_tracked(
    state: &WorkTreeState,
    listings: &HashMap<RepoPath, Arc<Directory>>,
) -> Option<HashSet<RepoPath>> {
    let enter = |path: &str| Above {
        end: path.len(),
        listed: listings.get(path).map(|listed| &**listed),
        tracked: 0,
    };
    let mut unlike: HashSet<RepoPath> = listings.keys().cloned().collect();
    let mut leave = |above: Above<'_>| {
        if let Some(directory) = above.if_alike() {
            unlike.remove(&directory.real);
        }
    };
    let mut last = "";
    let mut way = vec![enter("")];
    for entry in state.entries() {
        let kind = match entry.mode {
            Mode::FILE | Mode::FILE_EXECUTABLE => EntryKind::File,
            Mode::SYMLINK => EntryKind::Symlink,
            _ => return None,
        };
        if entry.stage() != Stage::Unconflicted {
            return None;
        }
        let path = below_root(state, entry.path(&state.index))?;
        let is_above = |end: usize| {
            end == 0 || path.as_bytes().get(end) == Some(&b'/') && path[..end] == last[..end]
        };
        while let Some(above) = way.pop_if(|above| !is_above(above.end)) {
            leave(above);
        }
        loop {
            let above = way.last_mut()?;
            let start = if above.end == 0 { 0 } else { above.end + 1 };
            match path[start..].split_once('/') {
                None => {
                    above.track(&path[start..], kind);
                    break;
                }
                Some((name, _)) => {
                    above.track(name, EntryKind::Directory);
                    way.push(enter(&path[..start + name.len()]));
                }
            }
        }
        last = path;
    }
    way.into_iter().for_each(leave);
    Some(unlike)
}
