//! A walk over the tree: where modules begin, and which directories could hold a main package.
//!
//! In: a [`TreeView`]. Out: a [`Survey`]. It follows the rules of the pattern `./...` in every module, so it
//! must never enter `testdata`, `vendor`, names that start with `.` or `_`, links, or what a go.mod `ignore`s.
//!
//! Source: cmd/go/internal/modload/search.go (`matchPackages`), cmd/go/internal/search/search.go (`IgnorePatterns`).

use super::manifest::{Manifest, diagnose_unreadable};
use crate::{
    diagnostic::{Code, Diagnostic, Severity},
    path::RepoPath,
    tree::{
        EntryKind, TreeError, TreeErrorKind,
        view::{Directory, TreeView},
    },
};
use rayon::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

/// Deeper directories are reported, not entered: no checkout has them, but a made-up git tree could.
const DEEPEST: usize = 256;

/// The modules of a tree and the directories that belong to them.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The modules by directory.
    pub(crate) modules: BTreeMap<RepoPath, Arc<Manifest>>,
    /// Directories with Go files, each with the directory of its module, sorted.
    pub(crate) candidates: Vec<Candidate>,
    /// What could not be read on the way.
    pub(crate) problems: Vec<Diagnostic>,
}

/// A directory that `./...` visits.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) directory: Arc<Directory>,
    pub(crate) module: Arc<Manifest>,
}

/// The import path of a directory of a module.
pub(crate) fn import_path_in(module: &Manifest, directory: &RepoPath) -> String {
    match directory.strip_prefix(&module.directory) {
        None | Some("") => module.module_path().to_owned(),
        Some(rest) => format!("{}/{rest}", module.module_path()),
    }
}

/// Surveys a tree from a directory down.
pub(crate) fn survey(view: &TreeView<'_>, start: &RepoPath) -> Survey {
    let mut survey = Survey::default();
    for visit in visit(view, start, None, 0) {
        if let Some(module) = visit.begins {
            survey.modules.insert(module.directory.clone(), module);
        }
        survey.candidates.extend(visit.candidate);
        survey.problems.extend(visit.problem);
    }
    survey
}

#[derive(Default)]
struct Visit {
    begins: Option<Arc<Manifest>>,
    candidate: Option<Candidate>,
    problem: Option<Diagnostic>,
}

/// The module that a directory lies in, with what it ignores.
#[derive(Clone)]
struct Surroundings {
    module: Arc<Manifest>,
    ignored: Arc<IgnorePatterns>,
}

fn visit(
    view: &TreeView<'_>,
    path: &RepoPath,
    surroundings: Option<&Surroundings>,
    depth: usize,
) -> Vec<Visit> {
    let failed = |error: &TreeError| {
        vec![Visit {
            problem: Some(diagnose_unreadable(error)),
            ..Visit::default()
        }]
    };
    let directory = match view.directory(path) {
        Ok(Some(directory)) => directory,
        Ok(None) => return Vec::new(),
        Err(error) => return failed(&error),
    };
    let mut own = Visit::default();
    let mut surroundings = surroundings.cloned();
    if directory.entry("go.mod").is_some() {
        match Manifest::read(view, path) {
            Ok(Some(manifest)) => {
                let module = Arc::new(manifest);
                own.begins = Some(Arc::clone(&module));
                let ignored = Arc::new(IgnorePatterns::of(&module));
                surroundings = Some(Surroundings { module, ignored });
            }
            Ok(None) => {}
            Err(error) => return failed(&error),
        }
    }
    if let Some(surroundings) = &surroundings {
        // A module of the tree is matched in its own listing; the module's root is never ignored.
        let relative = path
            .strip_prefix(&surroundings.module.directory)
            .unwrap_or_default();
        if surroundings.ignored.matches(relative) {
            return Vec::new();
        }
        let has_go_files = directory.entries.iter().any(|entry| {
            entry.name.ends_with(".go")
                && matches!(
                    entry.kind,
                    EntryKind::File | EntryKind::Symlink | EntryKind::Special
                )
        }) || directory.not_utf8.iter().any(|name| name.ends_with(b".go"));
        if has_go_files {
            own.candidate = Some(Candidate {
                directory: Arc::clone(&directory),
                module: Arc::clone(&surroundings.module),
            });
        }
    }
    let mut visits = vec![own];
    // A package may be called vendor, but nothing below it counts.
    let is_vendor = path.file_name() == Some("vendor") && surroundings.is_some();
    if is_vendor {
        return visits;
    }
    let children: Vec<RepoPath> = directory
        .entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Directory && is_visited(&entry.name))
        .map(|entry| path.child(&entry.name))
        .collect();
    visits.extend(
        directory
            .entries
            .iter()
            .filter(|entry| entry.kind == EntryKind::Submodule && is_visited(&entry.name))
            .map(|entry| Visit {
                problem: Some(unseen_submodule(path.child(&entry.name))),
                ..Visit::default()
            }),
    );
    if depth >= DEEPEST {
        visits.extend(children.into_iter().map(|path| {
            let kind = TreeErrorKind::TooDeep { limit: DEEPEST };
            Visit {
                problem: Some(diagnose_unreadable(&TreeError { path, kind })),
                ..Visit::default()
            }
        }));
        return visits;
    }
    let below: Vec<Vec<Visit>> = children
        .par_iter()
        .map(|child| visit(view, child, surroundings.as_ref(), depth + 1))
        .collect();
    visits.extend(below.into_iter().flatten());
    visits
}

fn unseen_submodule(path: RepoPath) -> Diagnostic {
    Diagnostic {
        code: Code::Submodule,
        severity: Severity::Warning,
        message: "the content of the submodule is not in this tree, so main packages in it are not planned; plan from a checkout with `git submodule update --init`".to_owned(),
        path: Some(path),
        position: None,
        services: Vec::new(),
    }
}

fn is_visited(name: &str) -> bool {
    !name.starts_with(['.', '_']) && name != "testdata"
}

/// The `ignore` lines of a go.mod.
struct IgnorePatterns {
    from_module_root: Vec<String>,
    anywhere: Vec<String>,
}

impl IgnorePatterns {
    fn of(module: &Manifest) -> Self {
        let mut patterns = Self {
            from_module_root: Vec::new(),
            anywhere: Vec::new(),
        };
        for line in &module.go_mod.ignore {
            match line.value.strip_prefix("./") {
                Some(relative) => patterns.from_module_root.push(between_slashes(relative)),
                None => patterns.anywhere.push(between_slashes(&line.value)),
            }
        }
        patterns
    }

    fn matches(&self, relative: &str) -> bool {
        if relative.is_empty() || (self.from_module_root.is_empty() && self.anywhere.is_empty()) {
            return false;
        }
        let path = between_slashes(relative);
        self.from_module_root
            .iter()
            .any(|pattern| path.starts_with(pattern.as_str()))
            || self
                .anywhere
                .iter()
                .any(|pattern| path.contains(pattern.as_str()))
    }
}

fn between_slashes(path: &str) -> String {
    let start = if path.starts_with('/') { "" } else { "/" };
    let end = if path.ends_with('/') { "" } else { "/" };
    format!("{start}{path}{end}")
}
