//! From what `go list` printed for a module to the files of each of its main packages.
//!
//! In: packages. Out: this module's part of an [`Answer`].

use super::{
    Answer, Attempt, Context, Environment, ListedFile, MainPackage, Module, OracleError, State,
    go_list::{Dependencies, Package, PackageError, go_list},
};
use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
};

/// What `go` says when it may not fetch a module.
const LOOKUP_DISABLED: &str = "module lookup disabled by GOPROXY=off";

/// What `go` says of a directory whose name no import path may have: no module proxy helps there.
const MALFORMED_PATH: &str = "malformed import path";

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
        patterns.push(pattern(directory));
    }
    let mut attempts = environment
        .attempts()
        .iter()
        .copied()
        .filter(|attempt| *attempt != Attempt::ProxyUpdatingGoMod || module.workspace.is_none())
        .peekable();
    let mut reason = String::new();
    // The best answer so far, when that is a short one.
    let mut short = None;
    while let Some(attempt) = attempts.next() {
        let list = |patterns: &[String], dependencies| {
            go_list(
                root,
                module,
                patterns,
                dependencies,
                context,
                environment,
                attempt,
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
        let gaps = find_gaps(root, module, &packages, list)?;
        let mut answer = collect(root, &packages, environment, attempt);
        for gap in &gaps {
            answer.mains.insert(
                relative(&module.directory.join(&gap.directory)),
                MainPackage::unloadable(environment.without_places(&gap.reason, root)),
            );
        }
        let proxy_may_help = names_unavailable(&packages, module_paths)
            || gaps.iter().any(|gap| !gap.reason.contains(MALFORMED_PATH));
        if !proxy_may_help || attempts.peek().is_none() {
            return Ok(answer);
        }
        short = Some(answer);
    }
    Ok(short.unwrap_or_else(|| cannot_load(module, &environment.without_places(&reason, root))))
}

/// A directory of a module as an argument of `go list`.
fn pattern(directory: &Path) -> String {
    format!("./{}", directory.display())
}

/// A directory that seems to hold a main package, and that Go left out of the listing for no good reason.
struct Gap {
    directory: PathBuf,
    reason: String,
}

/// Asks for the unlisted directories by name: build constraints, which keep a package out of a pattern, then show as
/// ignored files, and an `ignore`d directory shows its files.
fn find_gaps(
    root: &Path,
    module: &Module,
    packages: &[Package],
    list: impl Fn(&[String], Dependencies) -> Result<Result<Vec<Package>, String>, OracleError>,
) -> Result<Vec<Gap>, OracleError> {
    let unlisted = unlisted_mains(root, module, packages);
    let patterns: Vec<String> = unlisted
        .iter()
        .map(|directory| pattern(directory))
        .collect();
    if patterns.is_empty() || why_no_files(list(&patterns, Dependencies::LeftOut)?).is_none() {
        return Ok(Vec::new());
    }
    let mut gaps = Vec::new();
    for directory in unlisted {
        let listed = list(&[pattern(directory)], Dependencies::LeftOut)?;
        if let Some(reason) = why_no_files(listed) {
            gaps.push(Gap {
                directory: directory.clone(),
                reason,
            });
        }
    }
    Ok(gaps)
}

/// Why packages that were asked for by name have no files, if any has none.
fn why_no_files(listed: Result<Vec<Package>, String>) -> Option<String> {
    match listed {
        Err(complaint) => Some(complaint),
        Ok(packages) => packages
            .iter()
            .filter(|package| !package.saw_go_files())
            .find_map(|package| package.error.as_ref())
            .map(|error| error.err.clone()),
    }
}

fn cannot_load(module: &Module, reason: &str) -> Answer {
    let mut answer = Answer::default();
    let directory = relative(&module.directory);
    for main in &module.main_directories {
        answer.mains.insert(
            relative(&module.directory.join(main)),
            MainPackage::unloadable(reason.to_owned()),
        );
    }
    answer.unloadable.insert(directory, reason.to_owned());
    answer
}

/// A main package that is built: directories with nothing but tests have the name, too. One whose first file is of
/// another package has that one's name, and is a main package all the same, which Go refuses.
fn is_main(package: &Package) -> bool {
    let has_files = !package.go_files.is_empty() || !package.cgo_files.is_empty();
    let holds_main = || {
        let error = package.error.as_ref();
        let packages = error.and_then(|error| error.err.strip_prefix("found packages "));
        let file = packages.and_then(|packages| packages.split_once(" and main ("));
        let name = file.and_then(|(_, rest)| rest.split_once(')'));
        name.is_some_and(|(name, _)| !name.ends_with("_test.go"))
    };
    let is_named = !package.dep_only && !package.standard;
    is_named && (package.name == "main" && has_files || holds_main())
}

/// Whether a package under one of the checkout's own module paths could not be had without a module proxy: it belongs
/// to the published version of a module of this checkout, so that its files may or may not be local ones.
fn names_unavailable(packages: &[Package], module_paths: &[&str]) -> bool {
    packages.iter().any(|package| {
        let unavailable = package
            .error
            .as_ref()
            .is_some_and(|error| error.err.contains(LOOKUP_DISABLED));
        unavailable
            && module_paths.iter().any(|path| {
                package
                    .import_path
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
    })
}

/// The directories that seem to hold a main package and are not in the listing.
fn unlisted_mains<'a>(root: &Path, module: &'a Module, packages: &[Package]) -> Vec<&'a PathBuf> {
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
        .collect()
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
