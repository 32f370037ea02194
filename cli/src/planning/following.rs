//! Plans that follow the edits of a directory.
//!
//! In: what was typed, and what changed since the last plan. Out: a [`Planned`], as a fresh plan would answer. Where an
//! edit leaves everything but digests as it was, nothing else is worked out again; where that is in doubt, everything is.

use super::{Comparison, Current, Planned, Side, options, plan_tree};
use crate::{
    arguments::{BaselineArguments, BuildArguments, TreeArguments},
    failure::Failure,
    progress::{Progress, Talk},
    root::{find_root, standpoint_in},
    watch::Changes,
};
use camino::{Utf8Path, Utf8PathBuf};
use rebake_planner::{
    config::FILE_NAME,
    path::RepoPath,
    plan::{BaselineImage, Followed, Foundations, FoundationsKept, Plan, findings_stay},
    tree::{
        disk::DiskTree,
        git::{CommitId, GitTree, Repository, RepositoryStamp},
    },
    wire::Baseline,
};
use std::{collections::BTreeSet, mem::ManuallyDrop, time::Instant};

/// A plan that is made again and again.
pub(crate) struct Following<'a> {
    tree: &'a TreeArguments,
    build: &'a BuildArguments,
    baseline: &'a BaselineArguments,
    held: Option<Held>,
    /// The files that the last plan read, where it was made anew.
    files_read: Option<BTreeSet<RepoPath>>,
}

/// The last plan with all that it rests on.
struct Held {
    /// With the plan before it was compared.
    current: Current,
    /// Where git stood before and after that plan was made.
    git: Option<GitStanding>,
    foundations: Foundations,
    source: DiskTree,
    base: Option<Base>,
    directory: Utf8PathBuf,
    name: String,
}

/// What a plan takes from git that no change below the root need tell of.
#[derive(PartialEq, Eq)]
struct GitStanding {
    head: Option<CommitId>,
    /// What the revision to compare with means. With HEAD and the end of a shallow history it tells the merge base.
    asked: Option<CommitId>,
    files: RepositoryStamp,
}

impl GitStanding {
    /// Nothing where it can't be told.
    fn of(repository: &Repository, asked: Option<&str>, directory: &Utf8Path) -> Option<Self> {
        let asked = asked.map(|revision| repository.resolve(revision));
        Some(Self {
            head: repository.head().ok()?,
            asked: asked.transpose().ok()?,
            files: repository.stamp(directory),
        })
    }
}

/// The commit with which is compared.
struct Base {
    baseline: Baseline,
    tree: GitTree,
    images: Vec<BaselineImage>,
}

impl<'a> Following<'a> {
    /// Follows what the arguments name.
    pub(crate) fn new(
        tree: &'a TreeArguments,
        build: &'a BuildArguments,
        baseline: &'a BaselineArguments,
    ) -> Self {
        Self {
            tree,
            build,
            baseline,
            held: None,
            files_read: None,
        }
    }

    /// The files that the last plan read, where they may be others than those of the plan before; once.
    pub(crate) fn take_files_read(&mut self) -> Option<BTreeSet<RepoPath>> {
        self.files_read.take()
    }

    /// The plan after these changes.
    pub(crate) fn plan(&mut self, talk: Talk, changes: &Changes) -> Result<Planned, Failure> {
        let started = Instant::now();
        if let (Changes::Of(paths), Some(mut held)) = (changes, self.held.take())
            && held.follow(paths, self.baseline.base.as_deref())
            && let Some(planned) = held.planned(started)
        {
            self.held = Some(held);
            return Ok(planned);
        }
        // A commit stands still, and with a file there is little to gain.
        if self.tree.head.is_some() || self.baseline.baseline.is_some() {
            let planned = plan_tree(talk, self.tree, self.build, self.baseline);
            self.files_read = Some(match &planned {
                Ok(planned) if self.tree.head.is_none() => planned.plan.files_read(),
                Ok(_) => BTreeSet::new(),
                Err(_) => configuration(),
            });
            let planned = planned?;
            return Ok(ManuallyDrop::into_inner(planned));
        }
        self.plan_anew(talk, started)
    }

    fn plan_anew(&mut self, talk: Talk, started: Instant) -> Result<Planned, Failure> {
        let _progress = Progress::start("planning", talk);
        let root = find_root(self.tree.root.as_deref())?;
        let directory = root.directory;
        if let (Ok(None), true) = (&root.repository, self.baseline.base.is_some()) {
            return Err(Failure::NoRepository {
                flag: "--base",
                root: directory,
            });
        }
        let repository = root.repository.clone().ok().flatten();
        let standing = || {
            let asked = self.baseline.base.as_deref();
            GitStanding::of(repository.as_ref()?, asked, &directory)
        };
        let before = standing();
        let mut options = options(self.build);
        options.foundations = FoundationsKept::Yes;
        let current = Current::of_directory(root.repository, &directory, &options);
        self.files_read = Some(match &current {
            Ok(current) => current
                .uncompared
                .as_ref()
                .map_or_else(configuration, Plan::files_read),
            Err(_) => configuration(),
        });
        let mut current = current?;
        let mut uncompared = current.uncompared.clone();
        let foundations = uncompared.as_mut().and_then(Plan::take_foundations);
        options.foundations = FoundationsKept::No;
        let uncompared = current.plan.clone();
        let comparison = Comparison::from(self.baseline);
        let baseline = self.baseline.base.as_ref().map(|revision| {
            match current.try_to_compare(&comparison, revision, &directory, &options) {
                Ok(commit) => Baseline::Commit {
                    revision: revision.clone(),
                    commit: commit.to_string(),
                },
                Err(message) => {
                    current.without_baseline(revision, message, "everything is rebuilt")
                }
            }
        });
        let base = match (&baseline, current.compared.take()) {
            (Some(baseline), Some((tree, images))) => Some(Base {
                baseline: baseline.clone(),
                tree,
                images,
            }),
            _ => None,
        };
        let name = super::name_of(&directory);
        let planned = Planned {
            plan: std::mem::replace(&mut current.plan, uncompared),
            root: current.root.clone(),
            baseline: baseline.clone(),
            changed: std::mem::take(&mut current.changed),
            before: None,
            side: Side::Unknown(None),
            standpoint: standpoint_in(&directory),
            directory: directory.clone(),
            name: name.clone(),
            took: started.elapsed(),
        };
        let git = standing();
        // A comparison that could not be made may be possible next time.
        let is_whole = baseline.is_some() == base.is_some() && before == git;
        self.held = match (foundations, DiskTree::open(&directory)) {
            (Some(foundations), Ok(source)) if is_whole => Some(Held {
                current,
                git,
                foundations,
                source,
                base,
                directory,
                name,
            }),
            _ => None,
        };
        Ok(planned)
    }
}

/// What alone can be in the way of any plan, and may be mended by another name.
fn configuration() -> BTreeSet<RepoPath> {
    RepoPath::new(FILE_NAME).into_iter().collect()
}

impl Held {
    /// Brings the plan up to date; only a fresh one can tell where this fails.
    fn follow(&mut self, paths: &[RepoPath], asked: Option<&str>) -> bool {
        if let Side::WorkTree(repository, _) = &self.current.side {
            let git = GitStanding::of(repository, asked, &self.directory);
            if git.is_none() || git != self.git {
                return false;
            }
        }
        let plan = &mut self.current.plan;
        let followed = self.foundations.follow(plan, &self.source, paths);
        if followed == Followed::Lost {
            return false;
        }
        match &mut self.current.side {
            Side::WorkTree(_, state) => {
                let is_followed =
                    state.look_again(paths).is_some() && findings_stay(state, plan, paths);
                self.current.root.dirty = Some(state.is_dirty());
                is_followed
            }
            Side::Unknown(None) => true,
            Side::Unknown(Some(_)) | Side::Commit(..) => false,
        }
    }

    /// The plan, compared with what it is to be compared with; nothing where that fails.
    fn planned(&self, started: Instant) -> Option<Planned> {
        let mut plan = self.current.plan.clone();
        let mut changed = Vec::new();
        if let (Some(base), Side::WorkTree(_, state)) = (&self.base, &self.current.side) {
            changed = state.changed_paths_since(&base.tree).ok()?;
            plan.compare_with(&base.images);
            plan.note_changes(&changed, &base.images);
        }
        Some(Planned {
            plan,
            root: self.current.root.clone(),
            baseline: self.base.as_ref().map(|base| base.baseline.clone()),
            changed,
            before: None,
            side: Side::Unknown(None),
            standpoint: standpoint_in(&self.directory),
            directory: self.directory.clone(),
            name: self.name.clone(),
            took: started.elapsed(),
        })
    }
}
