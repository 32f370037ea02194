//! From what `go list` printed for a module to the files of each of its main packages.
//!
//! In: packages. Out: this module's part of an [`Answer`].

use super::{
    Answer, Attempt, Context, Environment, ListedFile, MainPackage, Module, OracleError, State,
    go_list::{Dependencies, Package, PackageError, go_list},
};
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

/// What `go` says when it may not fetch a module.
const LOOKUP_DISABLED: &str = "module lookup disabled by GOPROXY=off";

/// Asks about one module, as often as it takes.
pub(super) fn ask_module(
    root: &Path,
    module: &Module,
    module_paths: &[&str],
    context: &Context,
    environment: &Environment,
) -> Result<Answer, OracleError> {
    let mut patterns = vec!["./...".to_owned()];
    for directory in &module.named_directories {
        patterns.push(format!("./{}", directory.display()));
    }
    let attempts = environment.attempts();
    let mut reason = String::new();
    for attempt in attempts {
        if *attempt == Attempt::ProxyUpdatingGoMod && module.workspace.is_some() {
            continue;
        }
        let list = |patterns: &[String], dependencies| {
            go_list(
                root,
                module,
                patterns,
                dependencies,
                context,
                environment,
                *attempt,
            )
        };
        let packages = match list(&patterns, Dependencies::Listed)? {
            Ok(packages) => packages,
            Err(complaint) => {
                // No module proxy makes up for a toolchain that is too old.
                let hopeless = complaint.contains("GOTOOLCHAIN=local");
                reason = complaint;
                if hopeless {
                    break;
                }
                continue;
            }
        };
        let mut short = unavailable_under(&packages, module_paths);
        if short.is_none() {
            let unlisted = unlisted_mains(root, module, &packages);
            if !unlisted.is_empty() {
                short = match list(&unlisted, Dependencies::LeftOut)? {
                    Ok(packages) => unexplained(&packages),
                    Err(complaint) => Some(complaint),
                };
            }
        }
        let last = attempts.last() == Some(attempt);
        match short {
            // Without any proxy to ask, a package that only a proxy has is no reason to doubt the rest.
            Some(why) if !(last && why.contains(LOOKUP_DISABLED) && lists_main(&packages)) => {
                reason = why;
            }
            _ => return Ok(collect(root, &packages, environment, *attempt)),
        }
    }
    Ok(cannot_load(
        module,
        &environment.without_places(&reason, root),
    ))
}

fn lists_main(packages: &[Package]) -> bool {
    packages.iter().any(is_main)
}

fn cannot_load(module: &Module, reason: &str) -> Answer {
    let mut answer = Answer::default();
    let directory = relative(&module.directory);
    for main in &module.main_directories {
        answer.mains.insert(
            relative(&module.directory.join(main)),
            MainPackage {
                import_path: String::new(),
                state: State::CannotLoad(reason.to_owned()),
            },
        );
    }
    answer.unloadable.insert(directory, reason.to_owned());
    answer
}

/// A main package that is built: directories with nothing but tests have the name, too.
fn is_main(package: &Package) -> bool {
    package.name == "main"
        && !package.dep_only
        && !package.standard
        && !(package.go_files.is_empty() && package.cgo_files.is_empty())
}

/// A package under one of the checkout's own module paths that could not be had without a module proxy: the published
/// version of a module of this checkout, whose files may or may not be local.
fn unavailable_under(packages: &[Package], module_paths: &[&str]) -> Option<String> {
    packages.iter().find_map(|package| {
        let error = package.error.as_ref()?;
        let own = module_paths.iter().any(|path| {
            package
                .import_path
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        (own && error.err.contains(LOOKUP_DISABLED)).then(|| error.err.clone())
    })
}

/// Patterns for the directories that seem to hold a main package and are not in the listing.
fn unlisted_mains(root: &Path, module: &Module, packages: &[Package]) -> Vec<String> {
    let listed: BTreeSet<&Path> = packages
        .iter()
        .filter(|package| package.saw_go_files())
        .map(|package| Path::new(&package.dir))
        .collect();
    module
        .main_directories
        .iter()
        .filter(|directory| {
            let absolute = root.join(&module.directory).join(directory);
            !listed.contains(absolute.components().as_path())
        })
        .map(|directory| format!("./{}", directory.display()))
        .collect()
}

/// Why a package that was asked for by name has no files, when that is not because of its build constraints.
fn unexplained(packages: &[Package]) -> Option<String> {
    packages
        .iter()
        .filter(|package| !package.saw_go_files())
        .find_map(|package| package.error.as_ref())
        .map(|error| error.err.clone())
}

fn collect(
    root: &Path,
    packages: &[Package],
    environment: &Environment,
    attempt: Attempt,
) -> Answer {
    let by_path: HashMap<&str, &Package> = packages
        .iter()
        .map(|package| (package.import_path.as_str(), package))
        .collect();
    let module_cache = environment.module_cache(attempt);
    let mut answer = Answer::default();
    for main in packages.iter().filter(|package| is_main(package)) {
        let mut files = BTreeSet::new();
        let mut errors = BTreeSet::new();
        let closure = main
            .deps
            .iter()
            .filter_map(|path| by_path.get(path.as_str()).copied())
            .chain([main]);
        for package in closure {
            match Origin::of(package, root, module_cache) {
                Origin::Checkout(directory) => {
                    files.extend(package.files().map(|(file, kind)| -> ListedFile {
                        (relative(&directory.join(file)), kind)
                    }));
                    errors.extend(package.error.as_ref().map(error_text));
                }
                Origin::Outside => {
                    errors.insert(format!(
                        "{} is outside of the checkout: {}",
                        package.import_path, package.dir
                    ));
                }
                Origin::Missing => {
                    let Some(error) = &package.error else {
                        continue;
                    };
                    let by_third_party = importer(error)
                        .and_then(|path| by_path.get(path))
                        .is_some_and(|importer| {
                            Origin::of(importer, root, module_cache) == Origin::ThirdParty
                        });
                    if !by_third_party && !error.err.contains(LOOKUP_DISABLED) {
                        errors.insert(error_text(error));
                    }
                }
                Origin::ThirdParty => {}
            }
        }
        let Origin::Checkout(directory) = Origin::of(main, root, module_cache) else {
            continue;
        };
        answer.mains.insert(
            relative(directory),
            MainPackage {
                import_path: main.import_path.clone(),
                state: State::Loaded {
                    files,
                    errors: errors
                        .iter()
                        .map(|error| environment.without_places(error, root))
                        .collect(),
                    attempt,
                },
            },
        );
    }
    answer
}

/// Where a package's directory lies.
#[derive(PartialEq, Eq)]
enum Origin<'a> {
    /// In the checkout, vendored packages included.
    Checkout(&'a Path),
    /// In the standard library or the module cache.
    ThirdParty,
    /// Anywhere else: a replacement that leads out of the checkout.
    Outside,
    /// Nowhere.
    Missing,
}

impl<'a> Origin<'a> {
    fn of(package: &'a Package, root: &Path, module_cache: &Path) -> Self {
        let directory = Path::new(&package.dir);
        if package.dir.is_empty() {
            return if package.standard {
                Self::ThirdParty
            } else {
                Self::Missing
            };
        }
        if package.standard || directory.starts_with(module_cache) {
            return Self::ThirdParty;
        }
        match directory.strip_prefix(root) {
            Ok(below) => Self::Checkout(below),
            Err(_) => Self::Outside,
        }
    }
}

fn importer(error: &PackageError) -> Option<&str> {
    let stack = error.import_stack.as_ref()?;
    stack
        .len()
        .checked_sub(2)
        .and_then(|index| stack.get(index))
        .map(String::as_str)
}

fn error_text(error: &PackageError) -> String {
    if error.pos.is_empty() {
        error.err.clone()
    } else {
        format!("{}: {}", error.pos, error.err)
    }
}

/// With `/` between elements, and `.` for the root.
fn relative(path: &Path) -> String {
    let elements: Vec<_> = path
        .components()
        .map(|component| component.as_os_str().to_string_lossy())
        .collect();
    if elements.is_empty() {
        ".".to_owned()
    } else {
        elements.join("/")
    }
}
