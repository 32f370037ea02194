//! From typed arguments to a plan.
//!
//! In: what was typed. Out: a [`Planned`]: the plan, what it was made of, and how long it took. It must never print.

mod following;

use crate::{
    arguments::{BaselineArguments, BuildArguments, RegistryArguments, TreeArguments},
    content_cache::ContentCache,
    failure::Failure,
    progress::{Progress, Talk},
    registry::decide_by_registry,
    root::{find_root, standpoint_in},
    standpoint::Standpoint,
};
use camino::{Utf8Path, Utf8PathBuf};
use rebake_planner::{
    diagnostic::{Code, Diagnostic, Severity},
    discover::service_name::ServiceName,
    path::RepoPath,
    plan::{
        BaselineImage, ContentMemory, FoundationsKept, Plan, PlanError, PlanOptions, PlannedImage,
        PlannedTree, inspect_commit, inspect_work_tree, plan, plan_by_difference,
    },
    target::Cgo,
    tree::{
        ContentIdentity, SourceTree, TreeErrorKind,
        disk::DiskTree,
        git::{CommitId, GitError, GitTree, Repository, RepositoryError, WorkTreeState},
        view::TreeView,
    },
    wire::{Baseline, BaselineDocument, Root, VersionControl},
};
use std::{
    collections::BTreeSet,
    mem::ManuallyDrop,
    time::{Duration, Instant},
};

pub(crate) use following::Following;

/// A plan with what the output says beside it.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) root: Root,
    /// What it was compared with.
    pub(crate) baseline: Option<Baseline>,
    /// The paths that differ between the two, where the baseline is a commit.
    pub(crate) changed: Vec<String>,
    /// The plan of the baseline, where that is a commit.
    pub(crate) before: Option<Plan>,
    side: Side,
    /// The root itself.
    pub(crate) directory: Utf8PathBuf,
    /// Where the reader stands in it.
    pub(crate) standpoint: Standpoint,
    /// The last element of the root's path, to greet with.
    pub(crate) name: String,
    pub(crate) took: Duration,
}

impl Planned {
    /// Whether `--strict` must refuse.
    pub(crate) fn has_faults(&self) -> bool {
        self.plan
            .diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity != Severity::Note)
    }

    /// Whether an error concerns the tree and no single service, so that services may be missing.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.plan.diagnostics.iter().any(|diagnostic| {
            diagnostic.severity == Severity::Error && diagnostic.services.is_empty()
        })
    }

    /// The images of one service, or all.
    pub(crate) fn images_of(&self, service: Option<&ServiceName>) -> Vec<&PlannedImage> {
        let images = self.plan.images.iter();
        images
            .filter(|image| service.is_none_or(|service| image.inputs.service == *service))
            .collect()
    }

    /// Adds what will hurt in builds, for those who build.
    pub(crate) fn lint(&mut self) {
        let lints = self.plan.lints();
        self.plan.add_diagnostics(lints);
    }

    /// The paths that differ from the baseline, those that git does not track and a build may see included.
    pub(crate) fn changed_for_builds(&self) -> Result<BTreeSet<RepoPath>, Failure> {
        let changed = self.changed.iter();
        let mut changed: BTreeSet<RepoPath> = changed
            .filter_map(|path| RepoPath::new(path).ok())
            .collect();
        if let Side::WorkTree(_, state) = &self.side {
            let tree = open_directory(&self.directory)?;
            let is_tracked = |path: &RepoPath| state.is_tracked(path);
            let untracked = self.plan.untracked_beside_inputs(&tree, &is_tracked);
            changed.extend(untracked.map_err(|error| Failure::Context(error.into()))?);
        }
        Ok(changed)
    }

    /// Whether the plan has a service of that name.
    pub(crate) fn is_service(&self, name: &str) -> bool {
        let mut images = self.plan.images.iter();
        images.any(|image| image.inputs.service.as_str() == name)
    }

    /// Fails when the plan has no service of that name.
    pub(crate) fn check_service(&self, name: Option<&ServiceName>) -> Result<(), Failure> {
        let Some(name) = name else { return Ok(()) };
        if self.is_service(name.as_str()) {
            return Ok(());
        }
        let mut known: Vec<String> = self
            .plan
            .images
            .iter()
            .map(|image| image.inputs.service.to_string())
            .collect();
        known.dedup();
        Err(Failure::UnknownService {
            name: name.clone(),
            known,
        })
    }
}

/// Uses as many threads as the arguments say. Once a process.
pub(crate) fn set_threads(tree: &TreeArguments) -> Result<(), Failure> {
    let Some(threads) = tree.threads else {
        return Ok(());
    };
    let threads = threads.get();
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| Failure::Threads { threads, error })
}

/// What a plan is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// With nothing.
    Nothing,
    /// With the best common ancestor of a revision and what is planned.
    CommonAncestor(String),
    /// With a revision itself.
    Commit(String),
    /// With an earlier answer.
    Recorded(Utf8PathBuf),
    /// With a revision that can't be had, and why.
    Unavailable { revision: String, message: String },
}

impl From<&BaselineArguments> for Comparison {
    fn from(arguments: &BaselineArguments) -> Self {
        match (&arguments.base, &arguments.baseline) {
            (Some(revision), _) => Self::CommonAncestor(revision.clone()),
            (None, Some(path)) => Self::Recorded(path.clone()),
            (None, None) => Self::Nothing,
        }
    }
}

/// Plans what the arguments name, and compares it with the baseline that they name.
pub(crate) fn plan_tree(
    talk: Talk,
    tree: &TreeArguments,
    build: &BuildArguments,
    baseline: &BaselineArguments,
) -> Result<ManuallyDrop<Planned>, Failure> {
    let comparison = Comparison::from(baseline);
    plan_and_compare(
        talk,
        tree,
        build,
        &comparison,
        &RegistryArguments::default(),
    )
}

/// Plans what the arguments name, compares it, and asks the registry where one is named. The plan is never freed piece by
/// piece: the process ends when it has been printed, and the system takes its memory back at once.
pub(crate) fn plan_and_compare(
    talk: Talk,
    tree: &TreeArguments,
    build: &BuildArguments,
    comparison: &Comparison,
    registry: &RegistryArguments,
) -> Result<ManuallyDrop<Planned>, Failure> {
    let _progress = Progress::start("planning", talk);
    // On a thread of the pool: from any other, each parallel step would have to be handed over to it.
    rayon::scope(|_| plan_in_the_pool(tree, build, comparison, registry))
}

fn plan_in_the_pool(
    tree: &TreeArguments,
    build: &BuildArguments,
    comparison: &Comparison,
    registry: &RegistryArguments,
) -> Result<ManuallyDrop<Planned>, Failure> {
    let started = Instant::now();
    // What can be wrong with the arguments is told before the work is done.
    let recorded = match comparison {
        Comparison::Recorded(path) => read_baseline(path)?,
        _ => Vec::new(),
    };
    let root = find_root(tree.root.as_deref())?;
    let mut options = ManuallyDrop::new(options(build));
    let cache = match (tree.no_cache, &root.repository) {
        (false, Ok(Some(_))) => ContentCache::of_root(&root.directory),
        _ => None,
    };
    match (&cache, comparison) {
        (Some(cache), _) => options.memory = cache.memory(),
        (None, Comparison::CommonAncestor(_) | Comparison::Commit(_)) => {}
        // No other tree will be planned.
        (None, _) => options.memory = ContentMemory::forgetful(),
    }
    if let Comparison::CommonAncestor(_) | Comparison::Commit(_) = comparison {
        // The commit is planned by what differs, where that is little.
        options.foundations = FoundationsKept::Yes;
    }
    let name = name_of(&root.directory);
    let base = match comparison {
        Comparison::CommonAncestor(revision) => Some(revision),
        _ => None,
    };
    let flags = [("--head", tree.head.as_ref()), ("--base", base)];
    if let (Ok(None), Some((flag, _))) = (
        &root.repository,
        flags.iter().find(|(_, revision)| revision.is_some()),
    ) {
        return Err(Failure::NoRepository {
            flag,
            root: root.directory,
        });
    }
    let mut current = match (&tree.head, root.repository) {
        (Some(_), Err(error)) => return Err(GitError::from(error).into()),
        (Some(revision), Ok(Some(repository))) => {
            Current::of_commit(repository, revision, &root.directory, &options)?
        }
        (_, repository) if cache.is_some() => {
            Current::of_tracked_files(repository, &root.directory, &options)?
        }
        (_, repository) => Current::of_directory(repository, &root.directory, &options)?,
    };
    let consequence = match &registry.registry {
        Some(_) => "the registry decides without it",
        None => "everything is rebuilt",
    };
    let baseline = match comparison {
        Comparison::Nothing => None,
        Comparison::CommonAncestor(revision) | Comparison::Commit(revision) => {
            let compared = current.try_to_compare(comparison, revision, &root.directory, &options);
            Some(match compared {
                Ok(commit) => Baseline::Commit {
                    revision: revision.clone(),
                    commit: commit.to_string(),
                },
                Err(message) => current.without_baseline(revision, message, consequence),
            })
        }
        Comparison::Recorded(path) => {
            current.plan.compare_with(&recorded);
            Some(Baseline::File {
                path: path.to_string(),
            })
        }
        Comparison::Unavailable { revision, message } => {
            Some(current.without_baseline(revision, message.clone(), consequence))
        }
    };
    if let (Some(cache), Some(repository)) = (cache, current.repository()) {
        cache.save(&options.memory, &|name| repository.content_length(name));
    }
    decide_by_registry(registry, &mut current.plan);
    std::mem::forget(current.compared);
    Ok(ManuallyDrop::new(Planned {
        plan: current.plan,
        root: current.root,
        baseline,
        changed: current.changed,
        before: current.before,
        side: current.side,
        standpoint: standpoint_in(&root.directory),
        directory: root.directory,
        name,
        took: started.elapsed(),
    }))
}

/// What to greet with.
fn name_of(directory: &Utf8Path) -> String {
    let real = directory.canonicalize_utf8().ok();
    let name = real.and_then(|path| path.file_name().map(str::to_owned));
    name.unwrap_or_else(|| directory.to_string())
}

/// Plans what the arguments name, and compares it with nothing.
pub(crate) fn plan_alone(
    talk: Talk,
    tree: &TreeArguments,
    build: &BuildArguments,
) -> Result<ManuallyDrop<Planned>, Failure> {
    plan_tree(talk, tree, build, &BaselineArguments::default())
}

/// The tree that was planned, to read from again.
pub(crate) fn tree_of(
    tree: &TreeArguments,
    planned: &Planned,
) -> Result<Box<dyn SourceTree>, Failure> {
    let directory = &planned.directory;
    if let Some(revision) = &tree.head
        && let Some(repository) = Repository::discover(directory).map_err(GitError::from)?
    {
        // The name may mean another commit by now.
        let planned = planned.root.commit.as_deref().unwrap_or(revision);
        let commit = repository.resolve(planned).map_err(GitError::from)?;
        return Ok(Box::new(repository.tree_at(commit, directory)?));
    }
    Ok(Box::new(open_directory(directory)?))
}

/// Fails when nothing of that path is in the tree that was planned, nor among what changed.
pub(crate) fn check_path(
    tree: &TreeArguments,
    planned: &Planned,
    path: &RepoPath,
) -> Result<(), Failure> {
    let is_below = |changed: &String| RepoPath::new(changed).is_ok_and(|it| it.starts_with(path));
    if planned.changed.iter().any(is_below) {
        return Ok(());
    }
    let tree = tree_of(tree, planned)?;
    // What can't be looked at is there.
    match TreeView::new(&*tree).locate(path) {
        Ok(None) => Err(Failure::NoSuchPath {
            path: path.clone(),
            root: planned.directory.clone(),
        }),
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

fn open_directory(directory: &Utf8Path) -> Result<DiskTree, Failure> {
    DiskTree::open(directory).map_err(|error| Failure::Root {
        path: directory.to_owned(),
        error,
    })
}

/// Reads the images of an earlier answer.
pub(crate) fn read_baseline(path: &Utf8Path) -> Result<Vec<BaselineImage>, Failure> {
    let path = path.to_owned();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) => return Err(Failure::ReadBaseline { path, error }),
    };
    let document: BaselineDocument = match serde_json::from_slice(&text) {
        Ok(document) => document,
        Err(error) => return Err(Failure::ParseBaseline { path, error }),
    };
    match document.images() {
        Ok(images) => Ok(images),
        Err(error) => Err(Failure::Baseline { path, error }),
    }
}

/// The plan of what is there now, and where it came from.
struct Current {
    plan: Plan,
    root: Root,
    side: Side,
    /// What differs between the baseline and this.
    changed: Vec<String>,
    /// The plan of the baseline.
    before: Option<Plan>,
    /// The plan before anything was added to it, with what it rests on, where that was to be kept.
    uncompared: Option<Plan>,
    /// The commit with which it was compared, and the images that it had.
    compared: Option<(GitTree, Vec<BaselineImage>)>,
}

/// What git knows of a side.
enum Side {
    Commit(Repository, GitTree),
    WorkTree(Repository, Box<WorkTreeState>),
    /// No version control, or none that can be asked, and why.
    Unknown(Option<String>),
}

impl Current {
    fn of_commit(
        repository: Repository,
        revision: &str,
        directory: &Utf8Path,
        options: &PlanOptions,
    ) -> Result<Self, Failure> {
        let commit = repository.resolve(revision).map_err(GitError::from)?;
        let source = repository.tree_at(commit, directory)?;
        let mut planned = plan(&source, options)?;
        let uncompared = set_aside(&planned, options);
        inspect_commit(&source, &mut planned);
        planned.forget_foundations();
        Ok(Self {
            plan: planned,
            root: Root {
                vcs: VersionControl::Git,
                commit: Some(commit.to_string()),
                dirty: Some(false),
            },
            side: Side::Commit(repository, source),
            changed: Vec::new(),
            before: None,
            uncompared,
            compared: None,
        })
    }

    /// Plans a directory, and says what git knows of its inputs.
    fn of_directory(
        repository: Result<Option<Repository>, RepositoryError>,
        directory: &Utf8Path,
        options: &PlanOptions,
    ) -> Result<Self, Failure> {
        let source = open_directory(directory)?.keeping_stamps();
        // What git knows is read while the plan is made: neither needs the other. The files that the plan opens are looked
        // at by that.
        let (planned, staged) = rayon::join(
            || plan(&source, options),
            || match repository {
                Ok(None) => Ok(None),
                Ok(Some(repository)) => repository
                    .staged_state(directory)
                    .map(|state| Some((repository, state))),
                Err(error) => Err(GitError::from(error)),
            },
        );
        let state = staged.map(|known| {
            known.map(|(repository, staged)| (repository, staged.look_at_files(Some(&source))))
        });
        Ok(Self::of_state(planned?, state, options))
    }

    /// Plans a directory in which git vouches for files, so that what is known of them need not be read again.
    fn of_tracked_files(
        repository: Result<Option<Repository>, RepositoryError>,
        directory: &Utf8Path,
        options: &PlanOptions,
    ) -> Result<Self, Failure> {
        let Ok(Some(repository)) = repository else {
            return Self::of_directory(repository, directory, options);
        };
        let source = DiskTree::open(directory).map_err(|error| Failure::Root {
            path: directory.to_owned(),
            error,
        })?;
        let state = repository.work_tree_state(directory);
        let memory = &options.memory;
        let planned = state.as_ref().ok().and_then(|state| {
            let planned =
                state.with_tracked_files(&source, &|name| memory.saved_length(name), |files| {
                    let planned = plan(files, options);
                    memory.identify(|paths| files.settled_identities(paths));
                    planned
                });
            planned.ok()
        });
        let planned = match planned {
            Some(planned) => planned,
            None => plan(&source, options),
        };
        let state = state.map(|state| Some((repository, state)));
        Ok(Self::of_state(planned?, state, options))
    }

    /// Adds what git knows to a plan of a directory.
    fn of_state(
        mut planned: Plan,
        state: Result<Option<(Repository, WorkTreeState)>, GitError>,
        options: &PlanOptions,
    ) -> Self {
        let uncompared = set_aside(&planned, options);
        let (root, side) = match state {
            Ok(Some((repository, state))) => {
                inspect_work_tree(&state, &mut planned);
                planned.forget_foundations();
                let root = Root {
                    vcs: VersionControl::Git,
                    commit: state.head().map(|head| head.to_string()),
                    dirty: Some(state.is_dirty()),
                };
                (root, Side::WorkTree(repository, Box::new(state)))
            }
            Ok(None) => (Root::without_version_control(), Side::Unknown(None)),
            // The files are there all the same.
            Err(error) => {
                let error = error.to_string();
                planned.add_diagnostics(vec![warning(
                    Code::UnreadableRepository,
                    format!("{error}; the directory is planned without it"),
                )]);
                (Root::without_version_control(), Side::Unknown(Some(error)))
            }
        };
        Self {
            plan: planned,
            root,
            side,
            changed: Vec::new(),
            before: None,
            uncompared,
            compared: None,
        }
    }

    fn repository(&self) -> Option<&Repository> {
        match &self.side {
            Side::Commit(repository, _) | Side::WorkTree(repository, _) => Some(repository),
            Side::Unknown(_) => None,
        }
    }

    /// Where there is a baseline and it can't be had, everything is rebuilt, and a diagnostic says what mends it.
    fn without_baseline(&mut self, revision: &str, message: String, consequence: &str) -> Baseline {
        self.plan.compare_with_unavailable(&message);
        self.plan.add_diagnostics(vec![warning(
            Code::BaselineUnavailable,
            format!("{message}; {consequence}"),
        )]);
        Baseline::Unavailable {
            revision: revision.to_owned(),
            message,
        }
    }

    fn try_to_compare(
        &mut self,
        comparison: &Comparison,
        revision: &str,
        directory: &Utf8Path,
        options: &PlanOptions,
    ) -> Result<CommitId, String> {
        let (repository, head) = match &self.side {
            Side::Commit(repository, tree) => (repository, Some(tree.commit())),
            Side::WorkTree(repository, state) => (repository, state.head()),
            Side::Unknown(Some(error)) => return Err(error.clone()),
            Side::Unknown(None) => return Err("the tree is in no git repository".to_owned()),
        };
        let asked = repository
            .resolve(revision)
            .map_err(|error| error.to_string())?;
        let head = head.ok_or("nothing is committed yet, so there is nothing to compare with")?;
        let base = match comparison {
            Comparison::Commit(_) => asked,
            _ => repository
                .merge_base(asked, head)
                .map_err(|error| error.to_string())?,
        };
        let tree = match repository.tree_at(base, directory) {
            Ok(tree) => tree,
            Err(GitError::Tree(error)) if is_absence(&error.kind) => {
                // The root is younger than that commit: every service is new.
                self.plan.compare_with(&[]);
                return Ok(base);
            }
            Err(error) => return Err(error.to_string()),
        };
        let changed = match &self.side {
            Side::Commit(_, current) => tree
                .changed_paths(current)
                .map_err(|error| error.to_string())?,
            Side::WorkTree(_, state) => state
                .changed_paths_since(&tree)
                .map_err(|error| error.to_string())?,
            Side::Unknown(_) => Vec::new(),
        };
        let before = self
            .plan_by_difference(&tree, &changed, options)
            .unwrap_or_else(|| self.plan_base(&tree, directory, options))
            .map_err(|error| format!("the commit {base} can't be planned: {error}"))?;
        let images: Vec<BaselineImage> = before.images.iter().map(BaselineImage::from).collect();
        self.plan.compare_with(&images);
        self.plan.note_changes(&changed, &images);
        self.changed = changed;
        self.before = Some(before);
        self.compared = Some((tree, images));
        Ok(base)
    }

    /// The plan of a commit from this one, where they differ in little.
    fn plan_by_difference(
        &mut self,
        commit: &GitTree,
        changed: &[String],
        options: &PlanOptions,
    ) -> Option<Result<Plan, PlanError>> {
        let plan = self.uncompared.take()?;
        let known_length = |name: &ContentIdentity| options.memory.saved_length(name);
        let planned = match &self.side {
            Side::Commit(..) => PlannedTree::Commit,
            Side::WorkTree(_, state) => PlannedTree::WorkTree {
                state,
                known_length: &known_length,
            },
            Side::Unknown(_) => return None,
        };
        plan_by_difference(plan, &planned, commit, changed, options)
    }

    /// The plan of a commit, made anew from its objects.
    fn plan_base(
        &self,
        commit: &GitTree,
        directory: &Utf8Path,
        options: &PlanOptions,
    ) -> Result<Plan, PlanError> {
        if let Side::WorkTree(_, state) = &self.side {
            // What stands on disk as it is committed, and stood so when it was read, need not be read from git's objects
            // again. Where that can't be told, it is.
            if let Ok(disk) = DiskTree::open(directory) {
                let _ = state.with_tracked_files(&disk, &|_| None, |files| {
                    options
                        .memory
                        .identify(|paths| files.settled_identities(paths));
                });
            }
        }
        let mut options = options.clone();
        options.foundations = FoundationsKept::No;
        plan(commit, &options)
    }
}

/// The plan as it is, where another tree is to be planned by what differs from it.
fn set_aside(planned: &Plan, options: &PlanOptions) -> Option<Plan> {
    (options.foundations == FoundationsKept::Yes).then(|| planned.clone())
}

/// A finding about the repository as a whole.
fn warning(code: Code, message: String) -> Diagnostic {
    Diagnostic {
        code,
        severity: Severity::Warning,
        message,
        path: None,
        position: None,
        services: Vec::new(),
    }
}

fn is_absence(kind: &TreeErrorKind) -> bool {
    matches!(kind, TreeErrorKind::NotFound | TreeErrorKind::NotADirectory)
}

fn options(build: &BuildArguments) -> PlanOptions {
    let mut options = PlanOptions::new();
    options.services.clone_from(&build.services);
    options.platforms.clone_from(&build.platform);
    options.cgo = build
        .cgo
        .map(|cgo| if cgo { Cgo::Enabled } else { Cgo::Disabled });
    options.tags.clone_from(&build.tags);
    options.go.clone_from(&build.go);
    options
}
