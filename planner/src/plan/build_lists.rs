//! Which go.mod or go.work governs which module of the tree.
//!
//! In: a survey. Out: one build list for each workspace and for each module outside of one. It must never decide
//! which module serves an import: the graph stage does.

use crate::{
    diagnostic::{Code, Diagnostic, Severity, limit_alike},
    discover::{
        manifest::Manifest,
        survey::{Survey, survey},
    },
    graph::{
        build_list::BuildList,
        workspace::{Workspace, nearest_workspace, read_workspace},
    },
    path::RepoPath,
    sources::Sources,
};
use foldhash::HashMap;
use rayon::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Surveys the tree, and the workspace members that `./...` does not visit from above.
pub(super) fn survey_all(sources: &Sources<'_>) -> Survey {
    let view = sources.view();
    let mut found = survey(view, &RepoPath::root());
    let workspaces: BTreeSet<RepoPath> = found
        .modules
        .keys()
        .filter_map(|module| nearest_workspace(view, module))
        .chain(nearest_workspace(view, &RepoPath::root()))
        .collect();
    for directory in workspaces {
        for used in read_workspace(view, &directory).used {
            if !found.modules.contains_key(&used.value) {
                let more = survey(view, &used.value);
                found.modules.extend(more.modules);
                found.candidates.extend(more.candidates);
                found.problems.extend(more.problems);
            }
        }
    }
    found
        .candidates
        .sort_by(|left, right| left.directory.path.cmp(&right.directory.path));
    found
        .candidates
        .dedup_by(|left, right| left.directory.path == right.directory.path);
    found
}

/// A workspace that governs modules of the tree.
struct GoverningWorkspace {
    used: BTreeSet<RepoPath>,
    /// Why it can't be known what it uses.
    doubts: Vec<Diagnostic>,
    list: Arc<BuildList>,
}

/// A go.work that can't be read, or not in whole, may use more modules than are known.
fn doubts_of_use(workspace: &Workspace) -> Vec<Diagnostic> {
    let is_doubt = |problem: &&Diagnostic| {
        problem.severity == Severity::Error
            && !matches!(problem.code, Code::OutsideRoot | Code::Conflict)
    };
    let doubts = workspace.problems.iter().filter(is_doubt);
    limit_alike(doubts.cloned().collect())
}

/// The build lists of all modules of the tree: one a workspace, one for every module outside of it.
pub(super) struct BuildLists {
    by_module: HashMap<RepoPath, Arc<BuildList>>,
    empty: Arc<BuildList>,
}

impl BuildLists {
    pub(super) fn of(sources: &Sources<'_>, survey: &Survey) -> Self {
        let view = sources.view();
        let manifest_of = |directory: &RepoPath| {
            survey
                .modules
                .get(directory)
                .cloned()
                .or_else(|| Manifest::read(view, directory).ok().flatten().map(Arc::new))
        };
        let mut workspace_of: BTreeMap<RepoPath, Option<RepoPath>> = BTreeMap::new();
        for module in survey.modules.keys() {
            workspace_of.insert(module.clone(), nearest_workspace(view, module));
        }
        let directories: BTreeSet<RepoPath> = workspace_of.values().flatten().cloned().collect();
        let workspaces: BTreeMap<RepoPath, GoverningWorkspace> = directories
            .into_par_iter()
            .map(|directory| {
                let workspace = read_workspace(view, &directory);
                let used = workspace
                    .used
                    .iter()
                    .map(|used| used.value.clone())
                    .collect();
                let doubts = doubts_of_use(&workspace);
                let list = Arc::new(BuildList::of_workspace(view, workspace, &manifest_of));
                (directory, GoverningWorkspace { used, doubts, list })
            })
            .collect();
        let by_module: HashMap<RepoPath, Arc<BuildList>> = workspace_of
            .into_par_iter()
            .filter_map(|(module, workspace)| {
                let governing = workspace
                    .as_ref()
                    .and_then(|directory| workspaces.get(directory));
                if let Some(governing) = governing
                    && governing.used.contains(&module)
                {
                    return Some((module, Arc::clone(&governing.list)));
                }
                let manifest = survey.modules.get(&module)?;
                let mut list = BuildList::of_module(view, Arc::clone(manifest));
                if let Some(workspace) = workspace {
                    let doubts = governing.map(|governing| governing.doubts.as_slice());
                    match doubts {
                        None | Some([]) => {
                            list.problems.push(outside_workspace(manifest, &workspace));
                        }
                        Some(doubts) => list.problems.extend_from_slice(doubts),
                    }
                }
                Some((module, Arc::new(list)))
            })
            .collect();
        Self {
            by_module,
            empty: Arc::new(BuildList::empty()),
        }
    }

    pub(super) fn of_module(&self, directory: &RepoPath) -> &Arc<BuildList> {
        self.by_module.get(directory).unwrap_or(&self.empty)
    }
}

fn outside_workspace(manifest: &Manifest, workspace: &RepoPath) -> Diagnostic {
    Diagnostic {
        code: Code::OutsideWorkspace,
        severity: Severity::Warning,
        message: format!(
            "`{}` does not use this module, so it is planned with GOWORK=off; set that in its build too, or `go work use` it",
            workspace.child("go.work")
        ),
        path: Some(manifest.path()),
        position: manifest
            .go_mod
            .module
            .as_ref()
            .map(|module| module.position),
        services: Vec::new(),
    }
}
