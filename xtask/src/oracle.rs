//! The oracle: which files the real Go toolchain takes for every main package of a checkout.
//!
//! In: a checkout, contexts (platform, cgo, tags). Out: an [`Answer`] per context: the files of each main package's
//! first-party and vendored closure, and what Go refuses. It knows nothing of the planner, and it must never take
//! anything from the caller's Go settings, nor leave the checkout changed.
//!
//! How it asks, one `go list` per module and context:
//! 1. offline, with an empty module cache: first-party answers are complete although third-party packages are missing;
//! 2. when that fails, or is silently short, once more with the module proxy, if [`Network`] allows;
//! 3. when that fails too, and the module is in no workspace, with `-mod=mod` on a copy of its go.mod and go.sum.
//!
//! An answer is *silently short* when a directory with a main package is missing from the listing without a reason,
//! or when a package under one of the checkout's own module paths could not be had offline: the `go` command ends with
//! 0 in both cases.
//!
//! Modules below `testdata`, `vendor` and directories that start with `_` or `.` are not asked about.
//!
//! Source: cmd/go/internal/list, cmd/go/internal/load (`pkg.go`), cmd/go/internal/modload (`init.go`, `load.go`).
//!
//! **Known gap: packages in third-party modules that replace nothing are dropped, so the oracle can't judge the
//! `linked` tier; Known gap: file names that are not UTF-8.**

mod collect;
mod environment;
mod go_list;
mod modules;
mod restore;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt, io,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use environment::Environment;
use modules::{Module, find_modules};
use restore::RestoreManifests;

/// What the image is built for, as the Go toolchain takes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Context {
    /// `os/architecture`, or with a level: `linux/amd64/v3`.
    pub(crate) platform: String,
    /// Whether cgo is on.
    pub(crate) cgo: Cgo,
    /// Build tags.
    pub(crate) tags: Vec<String>,
}

/// Whether cgo is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Cgo {
    /// `CGO_ENABLED=0`.
    Off,
    /// `CGO_ENABLED=1`.
    On,
}

impl fmt::Display for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cgo = match self.cgo {
            Cgo::Off => 0,
            Cgo::On => 1,
        };
        write!(formatter, "{} cgo={cgo}", self.platform)?;
        if !self.tags.is_empty() {
            write!(formatter, " tags={}", self.tags.join(","))?;
        }
        Ok(())
    }
}

/// Where third-party modules may come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Network {
    /// Nowhere.
    Off,
    /// From a directory with the layout of a module proxy, from the first attempt on.
    Directory(PathBuf),
    /// From the machine's module proxies, but only when the answer without them fails or is short.
    Proxy,
}

/// A file of a closure: its path relative to the checkout, and its kind as in the machine contract.
pub(crate) type ListedFile = (String, &'static str);

/// What Go says about a checkout in one context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The main packages, by directory relative to the checkout (`.` for its root).
    pub(crate) mains: BTreeMap<String, MainPackage>,
    /// Modules that could not be loaded, by directory, with the reason.
    pub(crate) unloadable: BTreeMap<String, String>,
}

/// What Go says about one main package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MainPackage {
    /// Its import path; empty when it can't be loaded.
    pub(crate) import_path: String,
    /// What became of it.
    pub(crate) state: State,
}

/// What became of a main package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Go listed its closure.
    Loaded {
        /// The files, sorted.
        files: BTreeSet<ListedFile>,
        /// What Go refuses in first-party and vendored packages of the closure; empty when it would build.
        errors: Vec<String>,
        /// Which attempt gave the answer.
        attempt: Attempt,
    },
    /// Go could not be brought to answer.
    CannotLoad(String),
}

/// How the toolchain was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attempt {
    /// Without any third-party module that is not in the tree.
    Offline,
    /// With a module proxy.
    Proxy,
    /// With a module proxy, and with permission to update go.mod.
    ProxyUpdatingGoMod,
}

/// Why the oracle itself failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OracleError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The `go` command could not be run, or printed what it never prints.
    #[error("go {arguments}: {reason}")]
    Go {
        /// What it was asked.
        arguments: String,
        /// What went wrong.
        reason: String,
    },
}

impl OracleError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Io { path, source }
    }
}

/// Asks the toolchain about a checkout, once for every context; `packages` are directories of main packages that no
/// pattern finds.
///
/// # Errors
/// The oracle's own failures only; what Go refuses is part of the answer.
pub(crate) fn ask(
    checkout: &Path,
    contexts: &[Context],
    packages: &[String],
    network: &Network,
) -> Result<Vec<Answer>, OracleError> {
    let root = checkout.canonicalize().map_err(OracleError::io(checkout))?;
    let environment = Environment::new(network)?;
    let modules = find_modules(&root, packages, &environment)?;
    let _restore = RestoreManifests::new(&root, &modules)?;

    let answers = Mutex::new(vec![Answer::default(); contexts.len()]);
    let failure = Mutex::new(None);
    let jobs: VecDeque<(usize, &Module)> = contexts
        .iter()
        .enumerate()
        .flat_map(|(index, _)| modules.iter().map(move |module| (index, module)))
        .collect();
    let jobs = Mutex::new(jobs);
    let workers = thread::available_parallelism().map_or(1, |count| count.get().min(4));
    let module_paths: Vec<&str> = modules
        .iter()
        .filter_map(|module| module.path.as_deref())
        .collect();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((index, module)) = lock(&jobs).pop_front() {
                    let asked = contexts.get(index).map(|context| {
                        collect::ask_module(&root, module, &module_paths, context, &environment)
                    });
                    match asked {
                        Some(Ok(part)) => {
                            if let Some(answer) = lock(&answers).get_mut(index) {
                                answer.mains.extend(part.mains);
                                answer.unloadable.extend(part.unloadable);
                            }
                        }
                        Some(Err(error)) => {
                            lock(&failure).get_or_insert(error);
                            lock(&jobs).clear();
                        }
                        None => {}
                    }
                }
            });
        }
    });
    if let Some(error) = lock(&failure).take() {
        return Err(error);
    }
    let answers = std::mem::take(&mut *lock(&answers));
    Ok(answers)
}

/// A worker that panicked has not left a half-written value behind: every update is one insertion.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
