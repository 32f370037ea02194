//! The modules of a checkout, and the workspace that each is asked in.
//!
//! In: the checkout's directories. Out: [`Module`]s, sorted by directory. Links to directories are never followed.
//!
//! Source: cmd/go/internal/modload (`init.go`: `findWorkspaceFile`), cmd/go/internal/workcmd.

use super::{Attempt, Environment, OracleError};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A directory with a go.mod.
pub(super) struct Module {
    /// Relative to the checkout, empty for its root.
    pub(super) directory: PathBuf,
    /// The module's path, when the go.mod can be read.
    pub(super) path: Option<String>,
    /// The go.work that it is asked with; `None` stands for `GOWORK=off`.
    pub(super) workspace: Option<PathBuf>,
    /// Directories, relative to the module, that hold a file of a package `main`: a coarse reading, to notice what a
    /// listing leaves out.
    pub(super) main_directories: BTreeSet<PathBuf>,
    /// Directories, relative to the module, that are asked for by name.
    pub(super) named_directories: Vec<PathBuf>,
}

/// Finds the modules below the root; `packages` are directories to ask for by name.
pub(super) fn find_modules(
    root: &Path,
    packages: &[String],
    environment: &Environment,
) -> Result<Vec<Module>, OracleError> {
    let mut found = Vec::new();
    walk(root, &mut PathBuf::new(), &mut found)?;
    for package in packages {
        let directory = enclosing_module(root, Path::new(package));
        if !found.contains(&directory) {
            found.push(directory);
        }
    }
    found.sort();
    let mut workspaces = BTreeMap::new();
    let mut modules = Vec::new();
    for directory in found {
        let absolute = root.join(&directory);
        let mut main_directories = BTreeSet::new();
        find_main_directories(&absolute, &mut PathBuf::new(), &mut main_directories)?;
        let named_directories = packages
            .iter()
            .map(|package| plain(Path::new(package)))
            .filter(|package| enclosing_module(root, package) == directory)
            .filter_map(|package| package.strip_prefix(&directory).map(Path::to_owned).ok())
            .collect();
        modules.push(Module {
            path: module_path(&absolute, environment)?,
            workspace: workspace_of(root, &directory, environment, &mut workspaces)?,
            main_directories,
            named_directories,
            directory,
        });
    }
    Ok(modules)
}

/// Without `.` elements.
fn plain(path: &Path) -> PathBuf {
    path.components()
        .filter(|component| !matches!(component, std::path::Component::CurDir))
        .collect()
}

fn enclosing_module(root: &Path, package: &Path) -> PathBuf {
    let package = plain(package);
    package
        .ancestors()
        .find(|directory| is_module(&root.join(directory)))
        .map_or_else(PathBuf::new, Path::to_owned)
}

/// As cmd/go/internal/modload/search.go: a go.mod that is no directory cuts a module off, whatever it holds.
fn is_module(directory: &Path) -> bool {
    fs::metadata(directory.join("go.mod")).is_ok_and(|metadata| !metadata.is_dir())
}

/// The names that a pattern with `...` never descends into.
fn is_skipped(name: &str) -> bool {
    name.starts_with(['_', '.']) || name == "testdata" || name == "vendor"
}

fn walk(root: &Path, directory: &mut PathBuf, found: &mut Vec<PathBuf>) -> Result<(), OracleError> {
    let absolute = root.join(&*directory);
    if is_module(&absolute) {
        found.push(directory.clone());
    }
    for name in subdirectories(&absolute)? {
        directory.push(name);
        walk(root, directory, found)?;
        directory.pop();
    }
    Ok(())
}

/// Real directories that patterns descend into, by name.
fn subdirectories(directory: &Path) -> Result<Vec<String>, OracleError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(OracleError::io(directory))? {
        let entry = entry.map_err(OracleError::io(directory))?;
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if let Some(name) = entry.file_name().to_str()
            && is_directory
            && !is_skipped(name)
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn find_main_directories(
    module: &Path,
    directory: &mut PathBuf,
    found: &mut BTreeSet<PathBuf>,
) -> Result<(), OracleError> {
    let absolute = module.join(&*directory);
    if directory.as_os_str().is_empty() || !is_module(&absolute) {
        if holds_main_package(&absolute) {
            found.insert(directory.clone());
        }
        for name in subdirectories(&absolute)? {
            directory.push(name);
            find_main_directories(module, directory, found)?;
            directory.pop();
        }
    }
    Ok(())
}

fn holds_main_package(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return false;
        };
        name.ends_with(".go")
            && !name.ends_with("_test.go")
            && !name.starts_with(['_', '.'])
            && fs::read(entry.path()).is_ok_and(|bytes| {
                String::from_utf8_lossy(&bytes).lines().any(|line| {
                    let mut words = line.split_whitespace();
                    words.next() == Some("package")
                        && words.next().is_some_and(|word| {
                            word.trim_end_matches(';').split("//").next() == Some("main")
                        })
                })
            })
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GoMod {
    module: Option<ModuleLine>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModuleLine {
    path: String,
}

fn module_path(directory: &Path, environment: &Environment) -> Result<Option<String>, OracleError> {
    let json = edit_json(directory, &["mod", "edit", "-json"], environment)?;
    Ok(json
        .and_then(|json| serde_json::from_slice::<GoMod>(&json).ok())
        .and_then(|go_mod| go_mod.module)
        .map(|module| module.path))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GoWork {
    r#use: Option<Vec<UseLine>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UseLine {
    disk_path: String,
}

/// The used directories of a go.work; `None` when it can't be parsed.
type UsedDirectories = Option<Vec<PathBuf>>;

/// The nearest go.work at or above the module, if it uses the module. One that can't be parsed counts as using it,
/// so that Go's refusal is seen.
fn workspace_of(
    root: &Path,
    directory: &Path,
    environment: &Environment,
    known: &mut BTreeMap<PathBuf, UsedDirectories>,
) -> Result<Option<PathBuf>, OracleError> {
    let Some(workspace) = directory
        .ancestors()
        .map(|ancestor| root.join(ancestor).join("go.work"))
        .find(|path| fs::metadata(path).is_ok_and(|metadata| !metadata.is_dir()))
    else {
        return Ok(None);
    };
    let above = workspace.parent().unwrap_or(root).to_owned();
    if !known.contains_key(&workspace) {
        let arguments = ["work", "edit", "-json", "go.work"];
        let used = edit_json(&above, &arguments, environment)?
            .and_then(|json| serde_json::from_slice::<GoWork>(&json).ok())
            .map(|go_work| {
                go_work
                    .r#use
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|line| above.join(&line.disk_path).canonicalize().ok())
                    .collect()
            });
        known.insert(workspace.clone(), used);
    }
    let uses = match known.get(&workspace) {
        Some(Some(used)) => used.contains(&root.join(directory)),
        _ => true,
    };
    Ok(uses.then_some(workspace))
}

/// What `go mod edit -json` or `go work edit -json` prints; `None` when it refuses.
fn edit_json(
    directory: &Path,
    arguments: &[&str],
    environment: &Environment,
) -> Result<Option<Vec<u8>>, OracleError> {
    let output = environment
        .go(directory, Attempt::Offline)
        .args(arguments)
        .output()
        .map_err(|error| OracleError::Go {
            arguments: arguments.join(" "),
            reason: error.to_string(),
        })?;
    Ok(output.status.success().then_some(output.stdout))
}
