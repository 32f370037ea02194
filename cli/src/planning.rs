//! From typed arguments to a plan.
//!
//! In: what was typed. Out: a [`Planned`]: the plan, what it was made of, and how long it took. It must never print.

use crate::{
    arguments::{BuildArguments, TreeArguments},
    failure::Failure,
    root::find_root,
};
use rebake_planner::{
    diagnostic::Severity,
    discover::service_name::ServiceName,
    plan::{Plan, PlanOptions, plan},
    target::Cgo,
    tree::{
        SourceTree,
        disk::DiskTree,
        git::{GitError, Repository, inspect_commit},
    },
    wire::{Root, VersionControl},
};
use std::{
    mem::ManuallyDrop,
    time::{Duration, Instant},
};

/// A plan with what the output says beside it.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) root: Root,
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

    /// Fails when the plan has no service of that name.
    pub(crate) fn check_service(&self, name: Option<&ServiceName>) -> Result<(), Failure> {
        let Some(name) = name else { return Ok(()) };
        let mut known: Vec<String> = self
            .plan
            .images
            .iter()
            .map(|image| image.inputs.service.to_string())
            .collect();
        known.dedup();
        if known.iter().any(|known| known == name.as_str()) {
            return Ok(());
        }
        Err(Failure::UnknownService {
            name: name.clone(),
            known,
        })
    }
}

/// Plans what the arguments name. The plan is never freed piece by piece: the process ends when it has been
/// printed, and the system takes its memory back at once.
pub(crate) fn plan_tree(
    tree: &TreeArguments,
    build: &BuildArguments,
) -> Result<ManuallyDrop<Planned>, Failure> {
    let started = Instant::now();
    if let Some(threads) = tree.threads {
        let threads = threads.get();
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .map_err(|error| Failure::Threads { threads, error })?;
    }
    let root = find_root(tree.root.as_deref())?;
    let options = ManuallyDrop::new(options(build));
    let name = root
        .directory
        .canonicalize_utf8()
        .ok()
        .and_then(|path| path.file_name().map(str::to_owned))
        .unwrap_or_else(|| root.directory.to_string());
    let (plan, root) = match (&tree.head, root.repository) {
        (Some(revision), Some(repository)) => {
            let commit = repository.resolve(revision).map_err(GitError::from)?;
            let source = repository.tree_at(commit, &root.directory)?;
            let commit = Some(commit.to_string());
            let mut planned = plan(&source, &options)?;
            inspect_commit(&source, &mut planned);
            (
                planned,
                Root {
                    vcs: VersionControl::Git,
                    commit,
                    dirty: Some(false),
                },
            )
        }
        (Some(_), None) => return Err(Failure::NoRepository(root.directory)),
        (None, repository) => {
            let source = DiskTree::open(&root.directory).map_err(|error| Failure::Root {
                path: root.directory.clone(),
                error,
            })?;
            plan_directory(&source, &options, repository.as_ref(), &root.directory)?
        }
    };
    Ok(ManuallyDrop::new(Planned {
        plan,
        root,
        name,
        took: started.elapsed(),
    }))
}

/// Plans a directory, and says what git knows of its inputs.
fn plan_directory(
    source: &dyn SourceTree,
    options: &PlanOptions,
    repository: Option<&Repository>,
    directory: &camino::Utf8Path,
) -> Result<(Plan, Root), Failure> {
    let Some(repository) = repository else {
        return Ok((plan(source, options)?, Root::without_version_control()));
    };
    // What git knows is read while the plan is made: neither needs the other.
    let (planned, state) = rayon::join(
        || plan(source, options),
        || repository.work_tree_state(directory),
    );
    let mut planned = planned?;
    let state = state?;
    state.inspect(&mut planned);
    let root = Root {
        vcs: VersionControl::Git,
        commit: state.head().map(|head| head.to_string()),
        dirty: Some(state.is_dirty()),
    };
    Ok((planned, root))
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
