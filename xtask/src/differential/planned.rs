//! The planner's side of the comparison.
//!
//! In: a root and a context. Out: what the planner says about every main package, as it stands in the machine
//! contract. This is the only place that knows how the planner is asked.

use super::without_rule::{Rule, WithoutRule};
use crate::oracle::{Cgo, Context};
use camino::Utf8Path;
use rebake_planner::{
    diagnostic::Severity,
    plan::{PlanOptions, plan},
    target,
    tree::disk::DiskTree,
};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
};

/// What the planner says about a tree in one context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Planned {
    /// The main packages, by directory (`.` for the root).
    pub(crate) mains: BTreeMap<String, PlannedMain>,
    /// Errors that name no service.
    pub(crate) general_errors: Vec<PlannedError>,
}

/// What the planner says about one main package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PlannedMain {
    /// Path and kind, without the kinds that only the planner adds.
    pub(crate) files: BTreeSet<(String, String)>,
    /// Why it has no key; empty when it has one.
    pub(crate) errors: Vec<PlannedError>,
}

/// A diagnostic of severity error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedError {
    /// The diagnostic's code.
    pub(crate) code: String,
    /// What it says.
    pub(crate) message: String,
}

/// Why the planner gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlannedFilesError {
    /// The library refused.
    #[error("the planner: {0}")]
    Library(String),
    /// The binary could not be run, or printed what the contract does not allow.
    #[error("rebake {arguments}: {reason}")]
    Binary {
        /// How it was called.
        arguments: String,
        /// What went wrong.
        reason: String,
    },
}

/// Which planner is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Planner {
    /// The library of this workspace.
    Library,
    /// The same with one rule switched off.
    LibraryWithout(Rule),
    /// A `rebake` binary, through its machine contract.
    Binary(PathBuf),
}

/// Asks the planner for the inputs of every main package below a root.
///
/// # Errors
/// The planner refuses as a whole, can't be run, or prints what the contract does not allow.
pub(crate) fn planned_files(
    planner: &Planner,
    root: &Path,
    context: &Context,
    go_version: &str,
) -> Result<Planned, PlannedFilesError> {
    match planner {
        Planner::Library => {
            ask_library(root, context, go_version, None).map_err(PlannedFilesError::Library)
        }
        Planner::LibraryWithout(rule) => {
            ask_library(root, context, go_version, Some(*rule)).map_err(PlannedFilesError::Library)
        }
        Planner::Binary(rebake) => ask_binary(rebake, root, context, go_version),
    }
}

fn ask_library(
    root: &Path,
    context: &Context,
    go_version: &str,
    without: Option<Rule>,
) -> Result<Planned, String> {
    let root = root.canonicalize().map_err(|error| error.to_string())?;
    let root = Utf8Path::from_path(&root).ok_or("the root is not UTF-8")?;
    let tree = DiskTree::open(root).map_err(|error| error.to_string())?;
    let mut options = PlanOptions::new();
    options.services = vec!["**".to_owned()];
    options.platforms = vec![parse(&context.platform)?];
    options.cgo = Some(match context.cgo {
        Cgo::Off => target::Cgo::Disabled,
        Cgo::On => target::Cgo::Enabled,
    });
    options.tags = context
        .tags
        .iter()
        .map(|tag| parse(tag))
        .collect::<Result<_, _>>()?;
    options.go = Some(parse(go_version)?);
    let plan = match without {
        None => plan(&tree, &options),
        Some(rule) => plan(&WithoutRule { tree: &tree, rule }, &options),
    }
    .map_err(|error| error.to_string())?;

    let rows = plan
        .images
        .iter()
        .map(|image| Row {
            name: image.inputs.service.to_string(),
            dir: image.inputs.directory.to_string(),
            key: if image.keys.is_some() {
                some_key()
            } else {
                Value::Null
            },
            files: image
                .inputs
                .files
                .iter()
                .map(|file| File {
                    path: file.path.to_string(),
                    kind: file.kind.as_str().to_owned(),
                })
                .collect(),
        })
        .collect();
    let diagnostics = plan
        .diagnostics
        .into_iter()
        .map(|diagnostic| Diagnostic {
            code: diagnostic.code.as_str().to_owned(),
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning | Severity::Note => "less",
            }
            .to_owned(),
            message: diagnostic.message,
            path: diagnostic.path.map(|path| path.to_string()),
            services: diagnostic.services,
        })
        .collect();
    Ok(planned(Document {
        services: rows,
        diagnostics,
    }))
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Kinds that the Go toolchain does not report.
const ADDED_BY_THE_PLANNER: &[&str] = &[
    "manifest",
    "pgo",
    "asset",
    "cgo-include",
    "back-edge",
    "dockerfile",
    "extra",
];

#[derive(Deserialize)]
struct Document {
    services: Vec<Row>,
    diagnostics: Vec<Diagnostic>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    dir: String,
    /// `null` where the planner is in doubt.
    #[serde(default = "some_key")]
    key: Value,
    files: Vec<File>,
}

/// An output without keys says nothing about doubt.
fn some_key() -> Value {
    Value::Bool(true)
}

#[derive(Deserialize)]
struct File {
    path: String,
    kind: String,
}

#[derive(Deserialize)]
struct Diagnostic {
    code: String,
    severity: String,
    message: String,
    path: Option<String>,
    #[serde(default)]
    services: Vec<String>,
}

fn ask_binary(
    rebake: &Path,
    root: &Path,
    context: &Context,
    go_version: &str,
) -> Result<Planned, PlannedFilesError> {
    let mut arguments = vec!["inputs".to_owned(), "--root".to_owned()];
    arguments.push(root.display().to_string());
    arguments.extend(["--services", "**"].map(str::to_owned));
    arguments.extend(["--platform".to_owned(), context.platform.clone()]);
    if context.cgo == Cgo::On {
        arguments.push("--cgo".to_owned());
    }
    if !context.tags.is_empty() {
        arguments.extend(["--tags".to_owned(), context.tags.join(",")]);
    }
    arguments.extend(["--go", go_version, "--format", "json"].map(str::to_owned));

    let failure = |reason: String| PlannedFilesError::Binary {
        arguments: arguments.join(" "),
        reason,
    };
    let output = Command::new(rebake)
        .args(&arguments)
        .output()
        .map_err(|error| failure(format!("{}: {error}", rebake.display())))?;
    let document: Document = serde_json::from_slice(&output.stdout).map_err(|error| {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        failure(format!("{}, {error}: {complaint}", output.status))
    })?;
    Ok(planned(document))
}

fn planned(document: Document) -> Planned {
    let mut planned = Planned::default();
    let mut directories = BTreeMap::new();
    let mut without_key = Vec::new();
    for row in document.services {
        directories.insert(row.name, row.dir.clone());
        let files = row
            .files
            .into_iter()
            .filter(|file| !ADDED_BY_THE_PLANNER.contains(&file.kind.as_str()))
            .map(|file| (file.path, file.kind))
            .collect();
        let directory = row.dir.clone();
        planned.mains.insert(
            row.dir,
            PlannedMain {
                files,
                errors: Vec::new(),
            },
        );
        if row.key.is_null() {
            without_key.push(directory);
        }
    }
    for diagnostic in document.diagnostics {
        if diagnostic.severity != "error" {
            continue;
        }
        let place = diagnostic.path.map_or_else(String::new, |path| path + ": ");
        let error = PlannedError {
            code: diagnostic.code,
            message: place + &diagnostic.message,
        };
        if diagnostic.services.is_empty() {
            planned.general_errors.push(error);
            continue;
        }
        for service in diagnostic.services {
            if let Some(main) = directories
                .get(&service)
                .and_then(|directory| planned.mains.get_mut(directory))
            {
                main.errors.push(error.clone());
            }
        }
    }
    // A diagnostic for the whole plan, or one of less than an error, may have cost a service its key.
    for directory in without_key {
        if let Some(main) = planned.mains.get_mut(&directory)
            && main.errors.is_empty()
        {
            main.errors.push(PlannedError {
                code: "none".to_owned(),
                message: "there is no key, and no error names the service".to_owned(),
            });
        }
    }
    planned
}

#[cfg(test)]
mod tests {
    use super::{Document, planned};

    #[test]
    fn the_contract_is_read() {
        let json = r#"{"version": 1, "services": [
            {"name": "api", "main": "ex.com/m/api", "dir": "api", "platform": "linux/amd64", "files": [
                {"path": "api/main.go", "kind": "go", "digest": "00", "executable": false},
                {"path": "go.mod", "kind": "manifest", "digest": "00"}]},
            {"name": "web", "main": "ex.com/m/web", "dir": "web", "key": null, "files": []},
            {"name": "cli", "main": "ex.com/m/cli", "dir": "cli", "key": null, "files": []}],
            "diagnostics": [
                {"code": "embed", "severity": "error", "message": "no match", "path": "web/x.go", "services": ["web"]},
                {"code": "syntax", "severity": "error", "message": "odd", "path": null, "services": []},
                {"code": "untracked-input", "severity": "warning", "message": "x", "services": ["api"]}]}"#;
        let document: Document = serde_json::from_str(json).expect("it follows the contract");
        let planned = planned(document);
        let api = &planned.mains["api"];
        assert_eq!(api.files.len(), 1, "manifests are not compared");
        assert!(api.errors.is_empty(), "a warning refuses nothing");
        assert_eq!(planned.mains["web"].errors.len(), 1);
        assert_eq!(planned.mains["web"].errors[0].message, "web/x.go: no match");
        assert_eq!(
            planned.mains["cli"].errors[0].code, "none",
            "without a key there is doubt"
        );
        assert_eq!(planned.general_errors[0].code, "syntax");
    }
}
