//! A go.work and the directories that it uses.
//!
//! In: a module directory, or the directory of a go.work. Out: a [`Workspace`] with every fault of the file. It must never
//! read the go.mod of a used directory.
//!
//! Source: cmd/go/internal/modload/init.go (`findWorkspaceFile`, `loadWorkFile`).

use crate::{
    diagnostic::{Code, Diagnostic, Located, error_at},
    discover::manifest,
    parse::go_mod::{GoWork, parse_go_work},
    path::RepoPath,
    tree::view::TreeView,
};
use std::collections::BTreeSet;

/// The go.work of a directory with the directories that it uses.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) directory: RepoPath,
    pub(crate) go_work: GoWork,
    pub(crate) used: Vec<Located<RepoPath>>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// Reads a go.work.
pub(crate) fn read_workspace(view: &TreeView<'_>, directory: &RepoPath) -> Workspace {
    let path = directory.child("go.work");
    let mut workspace = Workspace {
        directory: directory.clone(),
        go_work: GoWork::default(),
        used: Vec::new(),
        problems: Vec::new(),
    };
    match manifest::read_beside(view, directory, "go.work") {
        Ok(Some(text)) => {
            let parsed = parse_go_work(&text);
            workspace
                .problems
                .extend(manifest::diagnose(&path, &parsed.faults));
            workspace.go_work = parsed.value;
        }
        Ok(None) => {}
        Err(error) => workspace
            .problems
            .push(manifest::diagnose_unreadable(&error)),
    }
    let mut seen = BTreeSet::new();
    for used in &workspace.go_work.r#use {
        match directory.join_lexically(&used.value) {
            Ok(used_directory) => {
                if seen.insert(used_directory.clone()) {
                    let position = used.position;
                    workspace.used.push(Located {
                        value: used_directory,
                        position,
                    });
                } else {
                    workspace.problems.push(error_at(
                        Code::Conflict,
                        format!(
                            "`{used_directory}` is used twice, which Go refuses; remove one line"
                        ),
                        &path,
                        used.position,
                    ));
                }
            }
            Err(error) => workspace.problems.push(error_at(
                Code::OutsideRoot,
                format!("{error}: files outside the root can't be planned"),
                &path,
                used.position,
            )),
        }
    }
    workspace
}

/// The go.work that governs a module directory: the nearest one at or above it.
///
/// Source: cmd/go/internal/modload/init.go (`findWorkspaceFile`).
pub(crate) fn nearest_workspace(
    view: &TreeView<'_>,
    module_directory: &RepoPath,
) -> Option<RepoPath> {
    let mut candidate = Some(module_directory.clone());
    while let Some(directory) = candidate {
        if view.holds_file(&directory, "go.work") {
            return Some(directory);
        }
        candidate = directory.parent();
    }
    None
}
