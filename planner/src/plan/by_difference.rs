//! The plan of a commit, made from the plan of a tree that differs from it in little.
//!
//! In: a plan with all that it rests on, where its tree came from, a commit, and the paths that differ between the two.
//! Out: the plan of the commit as a fresh one would be. What is the same on both sides is not asked of the commit again.
//! It must never take what stands in a work tree for the commit's where it may have been edited, converted, or put beside
//! what is tracked.

use super::{Followed, Foundations, Plan, PlanError, PlanOptions, plan_knowing};
use crate::{
    path::RepoPath,
    plan::FoundationsKept,
    sources::KnownAnswers,
    tree::{
        ContentIdentity, EntryKind,
        git::{GitTree, WorkTreeState},
    },
};
use foldhash::HashSet;
use std::collections::BTreeSet;

/// Where a planned tree came from.
pub enum PlannedTree<'a> {
    /// From a commit of the same repository.
    Commit,
    /// From the root of a work tree.
    WorkTree {
        /// What git knows of it, as of a moment before or during the plan.
        state: &'a WorkTreeState,
        /// Yields the length of a content where it is known already.
        known_length: &'a (dyn Fn(&ContentIdentity) -> Option<u64> + Sync),
    },
}

/// How a commit was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Contents differ, and say the same to the build.
    Followed,
    /// With the answers that are the same on both sides.
    Knowing,
}

/// Plans a commit by what differs between it and a tree that was planned, with the same options. `plan` is that of the
/// tree with its [foundations](Foundations), without a baseline and without findings of others, and `changed` holds the
/// paths of files, links and submodules that git says differ.
///
/// Nothing where it can't be known what stands in the tree as it is committed, as with submodules or conflicts, or where
/// the foundations were not kept.
///
/// # Errors
/// As for [`plan`](super::plan()).
pub fn plan_by_difference(
    plan: Plan,
    planned: &PlannedTree<'_>,
    commit: &GitTree,
    changed: &[String],
    options: &PlanOptions,
) -> Option<Result<Plan, PlanError>> {
    let (planned, _) = plan_in_a_way(plan, planned, commit, changed, options)?;
    Some(planned)
}

/// As [`plan_by_difference`], and says how.
pub(crate) fn plan_in_a_way(
    mut plan: Plan,
    planned: &PlannedTree<'_>,
    commit: &GitTree,
    changed: &[String],
    options: &PlanOptions,
) -> Option<(Result<Plan, PlanError>, Way)> {
    let mut foundations = plan.take_foundations()?;
    let changed = changed.iter().map(|path| RepoPath::new(path).ok());
    let mut differing = changed.collect::<Option<BTreeSet<RepoPath>>>()?;
    let mut untracked = HashSet::default();
    if let PlannedTree::WorkTree {
        state,
        known_length,
    } = planned
    {
        untracked = state.untracked_in(&foundations.answers.listings)?;
        differing.extend(foundations.not_as_staged(state, known_length)?);
    }
    if untracked.is_empty() {
        let differing: Vec<RepoPath> = differing.iter().cloned().collect();
        if foundations.follow(&mut plan, commit, &differing) == Followed::Whole {
            return Some((Ok(plan), Way::Followed));
        }
    }
    let known = foundations.answers_without(&differing, untracked);
    let mut options = options.clone();
    options.foundations = FoundationsKept::No;
    let planned = plan_knowing(commit, &options, known);
    Some((planned, Way::Knowing))
}

impl Foundations {
    /// What was asked of a work tree that may not be what is staged there.
    fn not_as_staged(
        &self,
        state: &WorkTreeState,
        known_length: &(dyn Fn(&ContentIdentity) -> Option<u64> + Sync),
    ) -> Option<Vec<RepoPath>> {
        let asked = self.asked_files();
        let has_none = |directory: &RepoPath| {
            let listed = self.listing(directory);
            listed.is_some_and(|listed| listed.entry(".gitattributes").is_none())
        };
        let as_staged = state
            .stand_as_staged(known_length, &has_none, &asked)
            .ok()?;
        let others = asked.into_iter().zip(as_staged);
        let others = others.filter(|(path, is_as_staged)| !is_as_staged || self.is_lost(path));
        Some(others.map(|(path, _)| path.clone()).collect())
    }

    /// The files and links that were asked for and are there, sorted.
    fn asked_files(&self) -> Vec<&RepoPath> {
        let is_absent = |path: &RepoPath| {
            let name = path.file_name()?;
            Some(self.listing(&path.parent()?)?.entry(name).is_none())
        };
        let others = self.others.iter();
        let mut asked: Vec<&RepoPath> = self
            .answers
            .go_files
            .keys()
            .chain(self.answers.test_files.keys())
            .chain(self.answers.other_files.keys())
            .chain(self.answers.digests.keys())
            .chain(others.filter(|path| is_absent(path) != Some(true)))
            .collect();
        asked.sort_unstable();
        asked.dedup();
        asked
    }

    /// Whether a file could not be had.
    fn is_lost(&self, path: &RepoPath) -> bool {
        self.answers.go_files.get(path).is_some_and(Result::is_err)
            || self
                .answers
                .test_files
                .get(path)
                .is_some_and(Result::is_err)
            || self
                .answers
                .other_files
                .get(path)
                .is_some_and(Result::is_err)
            || self.answers.digests.get(path).is_some_and(Result::is_err)
    }

    /// The answers that another tree would give, too: one that differs in these files and links alone, and may differ in
    /// the names in these directories.
    fn answers_without(
        self,
        differing: &BTreeSet<RepoPath>,
        unlike: HashSet<RepoPath>,
    ) -> KnownAnswers {
        let KnownAnswers {
            mut listings,
            mut go_files,
            mut test_files,
            mut other_files,
            mut digests,
            mut texts,
        } = self.answers;
        // Behind a link the path says nothing of where the file is.
        let is_file = |path: &RepoPath| {
            let directory = path.parent().and_then(|parent| listings.get(&parent));
            let entry = directory.and_then(|directory| directory.entry(path.file_name()?));
            entry.is_some_and(|entry| entry.kind == EntryKind::File)
        };
        let is_same = |path: &RepoPath| !differing.contains(path) && is_file(path);
        go_files.retain(|path, _| is_same(path));
        test_files.retain(|path, _| is_same(path));
        other_files.retain(|path, _| is_same(path));
        digests.retain(|path, _| is_same(path));
        texts.retain(|path, _| is_same(path));
        for directory in unlike {
            listings.remove(&directory);
        }
        for path in differing {
            // Any directory on the way may be there on one side alone.
            for directory in std::iter::successors(path.parent(), RepoPath::parent) {
                listings.remove(&directory);
            }
        }
        KnownAnswers {
            listings,
            go_files,
            test_files,
            other_files,
            digests,
            texts,
        }
    }
}
