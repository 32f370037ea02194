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
//! 0 in both cases. What a short answer does list is kept when no further attempt gives more.
//!
//! Modules below `testdata`, `vendor` and directories that start with `_` or `.` are not asked about.
//!
//! Source: cmd/go/internal/list, cmd/go/internal/load (`pkg.go`), cmd/go/internal/modload (`init.go`, `load.go`).
//!
//! **Known gap: file names that are not UTF-8.**
//! **Known gap: which third-party modules are linked is not part of an answer.**
//! **Known gap: Go's refusal is noticed, not its kind: only the cases of the fixtures name the code that fits.**

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

impl MainPackage {
    fn unloadable(reason: String) -> Self {
        Self {
            import_path: String::new(),
            state: State::CannotLoad(reason),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::{Answer, Attempt, Cgo, Context, Network, State, ask};
    use rebake_fixtures::{Case, module_proxy::write_module_proxy};
    use std::{fs, path::Path};

    /// Builds a tree and asks about it on linux/amd64, and holds the oracle to leaving the tree as it was.
    fn answer_of(text: &str, cgo: Cgo) -> Answer {
        let case =
            Case::parse("test", "inline", &format!("title: t\n{text}")).expect("well-formed");
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let checkout = scratch.path().join("checkout");
        case.write_to(&checkout).expect("the tree can be written");
        let network = if case.module_proxy.is_empty() {
            Network::Off
        } else {
            let proxy = scratch.path().join("proxy");
            write_module_proxy(&case.module_proxy, &proxy).expect("the proxy can be written");
            Network::Directory(proxy)
        };
        let before = listing(&checkout);
        let answer = ask(&checkout, &[context(cgo)], &case.packages, &network)
            .expect("the go command can be run")
            .remove(0);
        assert_eq!(listing(&checkout), before, "the checkout is as it was");
        answer
    }

    fn context(cgo: Cgo) -> Context {
        Context {
            platform: "linux/amd64".to_owned(),
            cgo,
            tags: Vec::new(),
        }
    }

    fn listing(directory: &Path) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            if entry.path().is_dir() {
                files.extend(listing(&entry.path()));
            } else {
                let bytes = fs::read(entry.path()).unwrap_or_default();
                files.push((entry.path().display().to_string(), bytes));
            }
        }
        files.sort();
        files
    }

    /// The files of a main package as `kind path`, or its errors as `! error`.
    fn said(answer: &Answer, directory: &str) -> Vec<String> {
        match &answer.mains[directory].state {
            State::Loaded { files, errors, .. } => files
                .iter()
                .map(|(path, kind)| format!("{kind} {path}"))
                .chain(errors.iter().map(|error| format!("! {error}")))
                .collect(),
            State::CannotLoad(reason) => vec![format!("can't load: {reason}")],
        }
    }

    const MAIN: &str = "package main\n\nfunc main() {}\n";

    #[test]
    fn every_kind_of_file_is_named_as_in_the_contract() {
        let answer = answer_of(
            "-- go.mod --\nmodule ex.com/m\n\ngo 1.22\n-- main.go --\npackage main\n\nimport _ \"embed\"\n\n\
             //go:embed e.txt\nvar e string\n-- c.go --\npackage main\n\nimport \"C\"\n-- a.c --\n-- a.cc --\n\
             -- a.m --\n-- a.f --\n-- a.h --\n-- a.s --\n-- a.swig --\n-- a.swigcxx --\n-- a.syso --\n-- e.txt --\n",
            Cgo::On,
        );
        let expected = [
            "c a.c",
            "cxx a.cc",
            "fortran a.f",
            "header a.h",
            "objc a.m",
            "asm a.s",
            "swig a.swig",
            "swig a.swigcxx",
            "syso a.syso",
            "cgo c.go",
            "embed e.txt",
            "go main.go",
        ];
        assert_eq!(said(&answer, "."), expected);
    }

    #[test]
    fn modules_outside_of_the_nearest_workspace_are_asked_without_it() {
        let answer = answer_of(
            &format!(
                "-- go.work --\ngo 1.22\n\nuse ./in\n-- in/go.mod --\nmodule ex.com/in\n\ngo 1.22\n-- in/main.go --\n{MAIN}\
                 -- out/go.mod --\nmodule ex.com/out\n\ngo 1.22\n-- out/main.go --\n{MAIN}"
            ),
            Cgo::Off,
        );
        assert_eq!(said(&answer, "in"), ["go in/main.go"]);
        assert_eq!(said(&answer, "out"), ["go out/main.go"]);
    }

    #[test]
    fn third_party_packages_that_are_not_there_refuse_nothing() {
        let sum = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let answer = answer_of(
            &format!(
                "-- go.mod --\nmodule ex.com/m\n\ngo 1.22\n\nrequire third.org/party v1.0.0\n-- go.sum --\n\
                 third.org/party v1.0.0 {sum}\nthird.org/party v1.0.0/go.mod {sum}\n-- main.go --\n\
                 package main\n\nimport _ \"third.org/party\"\n"
            ),
            Cgo::Off,
        );
        assert_eq!(said(&answer, "."), ["go main.go"]);
    }

    #[test]
    fn a_package_that_nothing_provides_is_a_refusal() {
        let answer = answer_of(
            "-- go.mod --\nmodule ex.com/m\n\ngo 1.22\n-- main.go --\npackage main\n\nimport _ \"ex.com/m/no\"\n",
            Cgo::Off,
        );
        let said = said(&answer, ".");
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[1].contains("no required module provides package ex.com/m/no"));
    }

    #[test]
    fn a_listing_that_is_silently_short_does_not_pass() {
        // Go ends with 0 and an empty list: it can't tell whether ex.com/m provides ex.com/m/tools as well.
        let sum = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let answer = answer_of(
            &format!(
                "-- go.mod --\nmodule ex.com/m\n\ngo 1.22\n-- tools/go.mod --\nmodule ex.com/m/tools\n\ngo 1.22\n\n\
                 require ex.com/m v1.0.0\n-- tools/go.sum --\nex.com/m v1.0.0 {sum}\nex.com/m v1.0.0/go.mod {sum}\n\
                 -- tools/main.go --\n{MAIN}"
            ),
            Cgo::Off,
        );
        let said = said(&answer, "tools");
        assert!(
            said[0].starts_with("can't load: module lookup disabled"),
            "{said:?}"
        );
    }

    #[test]
    fn programs_that_constraints_exclude_are_no_gap() {
        let answer = answer_of(
            &format!(
                "-- go.mod --\nmodule ex.com/m\n\ngo 1.22\n-- a/main.go --\n{MAIN}\
                 -- b/main.go --\n//go:build never\n\n{MAIN}"
            ),
            Cgo::Off,
        );
        assert_eq!(answer.mains.keys().collect::<Vec<_>>(), ["a"]);
        assert!(answer.unloadable.is_empty());
    }

    #[test]
    fn modules_of_a_proxy_are_read_and_left_out_of_the_answer() {
        let case = rebake_fixtures::cases()
            .expect("all cases are well-formed")
            .into_iter()
            .find(|case| {
                (case.topic.as_str(), case.name.as_str()) == ("third-party", "imports-first-party")
            })
            .expect("the case exists");
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let checkout = scratch.path().join("checkout");
        case.write_to(&checkout).expect("the tree can be written");
        let proxy = scratch.path().join("proxy");
        write_module_proxy(&case.module_proxy, &proxy).expect("the proxy can be written");
        let network = Network::Directory(proxy);
        let answer = ask(&checkout, &[context(Cgo::Off)], &[], &network)
            .expect("the go command can be run")
            .remove(0);
        assert_eq!(said(&answer, "cmd"), ["go cmd/main.go", "go pkg/pkg.go"]);
        assert!(matches!(
            answer.mains["cmd"].state,
            State::Loaded {
                attempt: Attempt::Proxy,
                ..
            }
        ));
    }
}
