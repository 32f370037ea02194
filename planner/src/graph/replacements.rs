//! Which module replaces which.
//!
//! In: the `replace` lines of go.work and of the main modules. Out: the one that applies to a module at a
//! version. It must never follow a chain: a replacement is not replaced again.
//!
//! Source: cmd/go/internal/modload (`makeMainModules`, `replacementFrom`, `replacement`).

use crate::{
    diagnostic::{Code, Diagnostic, Located, Position, error_at},
    discover::manifest::Manifest,
    parse::go_mod::{GoWork, Replacement, ReplacementTarget},
    path::RepoPath,
};
use foldhash::HashMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A `replace` line that counts.
#[derive(Debug, Clone)]
pub(crate) struct AppliedReplacement {
    pub(crate) target: ReplacementTarget,
    /// The target directory, where it is one within the root.
    pub(crate) directory: Option<RepoPath>,
    pub(crate) declared_in: RepoPath,
    pub(crate) position: Position,
}

/// The `replace` lines of a build list.
#[derive(Debug, Default)]
pub(crate) struct Replacements {
    by_path: HashMap<String, BTreeMap<Option<String>, AppliedReplacement>>,
    workspace_paths: BTreeSet<String>,
}

impl Replacements {
    /// The replacement of a module at a version: one for that version beats one for all.
    pub(crate) fn of(&self, module_path: &str, version: &str) -> Option<&AppliedReplacement> {
        let versions = self.by_path.get(module_path)?;
        versions
            .get(&Some(version.to_owned()))
            .or_else(|| versions.get(&None))
    }

    /// All of them, sorted by module path and version.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>, &AppliedReplacement)> {
        let mut all: Vec<_> = self
            .by_path
            .iter()
            .flat_map(|(path, versions)| {
                versions
                    .iter()
                    .map(move |(version, applied)| (path.as_str(), version.as_deref(), applied))
            })
            .collect();
        all.sort_by_key(|(path, version, _)| (*path, *version));
        all.into_iter()
    }

    /// Adds the lines of go.work. They drop every line of a go.mod for the same module path.
    pub(crate) fn add_workspace(
        &mut self,
        directory: &RepoPath,
        go_work: &GoWork,
        members: &BTreeMap<String, Arc<Manifest>>,
    ) -> Vec<Diagnostic> {
        let path = directory.child("go.work");
        let mut problems = Vec::new();
        for line in &go_work.replace {
            if line.value.old_version.is_none() && members.contains_key(&line.value.old_path) {
                problems.push(error_at(
                    Code::Conflict,
                    format!(
                        "the workspace module `{}` is replaced at all versions, which Go refuses; remove the line",
                        line.value.old_path
                    ),
                    &path,
                    line.position,
                ));
            }
            self.workspace_paths.insert(line.value.old_path.clone());
            problems.extend(self.insert(line, directory, &path));
        }
        problems
    }

    /// Adds the lines of a main module.
    pub(crate) fn add_module(&mut self, member: &Manifest) -> Vec<Diagnostic> {
        let path = member.path();
        let mut problems = Vec::new();
        for line in &member.go_mod.replace {
            if self.workspace_paths.contains(&line.value.old_path) {
                continue;
            }
            problems.extend(self.insert(line, &member.directory, &path));
        }
        problems
    }

    /// Two lines that replace one module differently are a conflict, whichever modules they stand in.
    fn insert(
        &mut self,
        line: &Located<Replacement>,
        directory: &RepoPath,
        declared_in: &RepoPath,
    ) -> Option<Diagnostic> {
        let Replacement {
            old_path,
            old_version,
            new,
        } = line.value.clone();
        let target_directory = match &new {
            ReplacementTarget::Directory(written) => directory.join_lexically(written).ok(),
            ReplacementTarget::Module(_) => None,
        };
        let applied = AppliedReplacement {
            target: new,
            directory: target_directory,
            declared_in: declared_in.clone(),
            position: line.position,
        };
        let versions = self.by_path.entry(old_path.clone()).or_default();
        let other = versions.insert(old_version, applied.clone())?;
        // Within one file the toolchain compares the lines as they are written.
        let is_same = if other.declared_in == *declared_in {
            other.target == applied.target
        } else {
            leads_to_the_same(&other, &applied)
        };
        if is_same {
            return None;
        }
        Some(error_at(
            Code::Conflict,
            format!(
                "`{old_path}` is replaced differently at {}:{}; Go refuses to choose",
                other.declared_in, other.position
            ),
            declared_in,
            line.position,
        ))
    }
}

fn leads_to_the_same(left: &AppliedReplacement, right: &AppliedReplacement) -> bool {
    match (&left.target, &right.target) {
        (ReplacementTarget::Module(left), ReplacementTarget::Module(right)) => left == right,
        (ReplacementTarget::Directory(left_text), ReplacementTarget::Directory(right_text)) => {
            match (&left.directory, &right.directory) {
                (Some(left), Some(right)) => left == right,
                _ => left_text == right_text,
            }
        }
        _ => false,
    }
}
