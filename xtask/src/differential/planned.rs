//! The planner's side of the comparison.
//!
//! In: a root and a context. Out: what the planner says about every main package, as it stands in the machine
//! contract. This is the only place that knows how the planner is asked.

use crate::oracle::{Cgo, Context};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
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
#[error("rebake {arguments}: {reason}")]
pub(crate) struct PlannedFilesError {
    arguments: String,
    reason: String,
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
    files: Vec<File>,
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

/// Asks the planner for the inputs of every main package below a root; `named` are directories of main packages that
/// no pattern finds.
///
/// # Errors
/// The planner can't be run, or prints what the contract does not allow.
pub(crate) fn planned_files(
    rebake: &Path,
    root: &Path,
    context: &Context,
    named: &[String],
    go_version: &str,
) -> Result<Planned, PlannedFilesError> {
    let mut arguments = vec!["inputs".to_owned(), "--root".to_owned()];
    arguments.push(root.display().to_string());
    for glob in ["**"].into_iter().chain(named.iter().map(String::as_str)) {
        arguments.extend([
            "--services".to_owned(),
            glob.trim_start_matches("./").to_owned(),
        ]);
    }
    arguments.extend(["--platform".to_owned(), context.platform.clone()]);
    if context.cgo == Cgo::On {
        arguments.push("--cgo".to_owned());
    }
    if !context.tags.is_empty() {
        arguments.extend(["--tags".to_owned(), context.tags.join(",")]);
    }
    arguments.extend(["--go", go_version, "--format", "json"].map(str::to_owned));

    let failure = |reason: String| PlannedFilesError {
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
    for row in document.services {
        directories.insert(row.name, row.dir.clone());
        let files = row
            .files
            .into_iter()
            .filter(|file| !ADDED_BY_THE_PLANNER.contains(&file.kind.as_str()))
            .map(|file| (file.path, file.kind))
            .collect();
        planned.mains.insert(
            row.dir,
            PlannedMain {
                files,
                errors: Vec::new(),
            },
        );
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
            {"name": "web", "main": "ex.com/m/web", "dir": "web", "files": []}],
            "diagnostics": [
                {"code": "embed", "severity": "error", "message": "no match", "path": "web/x.go", "services": ["web"]},
                {"code": "syntax", "severity": "error", "message": "odd", "path": null, "services": []},
                {"code": "untracked-input", "severity": "warning", "message": "x", "services": ["api"]}]}"#;
        let document: Document = serde_json::from_str(json).expect("it follows the contract");
        let planned = planned(document);
        let api = &planned.mains["api"];
        assert_eq!(api.files.len(), 1, "manifests are not compared");
        assert!(api.errors.is_empty(), "a warning refuses nothing");
        assert_eq!(planned.mains["web"].errors[0].message, "web/x.go: no match");
        assert_eq!(planned.general_errors[0].code, "syntax");
    }
}
