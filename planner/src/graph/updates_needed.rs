//! What replacement directories demand beyond the main module's go.mod, which Go then refuses to use until it is updated.
//!
//! In: a [`BuildList`]. Out: problems by module; a main package has those of the modules that its packages come from. It
//! must never judge a workspace or a vendored build, where Go does not ask.
//!
//! Source: cmd/go/internal/modload/buildlist.go (`updatePrunedRoots`, `updateUnprunedRoots`).

use super::build_list::{BuildList, Mode, ModuleSource, Passes};
use crate::{
    diagnostic::{Code, Diagnostic, error_at},
    discover::manifest::Manifest,
    go_version::at_least,
    module_version::compare_versions,
};
use foldhash::HashMap;
use std::cmp::Ordering;

/// The problems of a build list's replacement directories.
pub(crate) struct UpdatesNeeded<'list> {
    passes: Passes,
    /// By module path, sorted; modules without a problem are left out.
    by_module: Vec<(&'list str, Vec<Diagnostic>)>,
}

impl<'list> UpdatesNeeded<'list> {
    /// Compares every replacement directory with the main module.
    pub(crate) fn of(list: &'list BuildList) -> Self {
        let mut by_module = Vec::new();
        if list.mode == Mode::Module && list.vendor.is_none() {
            let stated: HashMap<&str, &str> = list
                .members
                .values()
                .flat_map(|member| &member.go_mod.require)
                .map(|requirement| &requirement.value.module)
                .map(|module| (module.path.as_str(), module.version.as_str()))
                .collect();
            for (module_path, module) in &list.modules {
                let ModuleSource::Directory(manifest) = &module.source else {
                    continue;
                };
                let problems = demands(list.go_line(), &stated, manifest);
                if !problems.is_empty() {
                    by_module.push((module_path.as_str(), problems));
                }
            }
            by_module.sort_by_key(|(module_path, _)| *module_path);
        }
        Self {
            passes: list.passes,
            by_module,
        }
    }

    /// The problems of a main package. A pruned module is held to the directories that its packages come from; `linked`
    /// says which these are.
    pub(crate) fn for_linked(
        &self,
        linked: &dyn Fn(&str) -> bool,
    ) -> impl Iterator<Item = &Diagnostic> {
        self.by_module
            .iter()
            .filter(|(module_path, _)| self.passes == Passes::Everything || linked(module_path))
            .flat_map(|(_, problems)| problems)
    }
}

fn demands(go_line: &str, stated: &HashMap<&str, &str>, manifest: &Manifest) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let dependency = &manifest.as_dependency().value;
    if let Some(go) = &dependency.go
        && at_least(&go.value, "1.21")
        && !at_least(go_line, &go.value)
    {
        problems.push(error_at(
            Code::GoVersionConflict,
            format!(
                "this module demands go {}, and the go.mod of the main module states {go_line}; run `go mod tidy` there",
                go.value,
            ),
            &manifest.path(),
            go.position,
        ));
    }
    for requirement in &dependency.require {
        let required = &requirement.value.module;
        let Some(stated) = stated.get(required.path.as_str()) else {
            continue;
        };
        if compare_versions(stated, &required.version) == Ordering::Less {
            problems.push(error_at(
                Code::UpdatesNeeded,
                format!(
                    "`{}` is required at {} here and at {stated} by the main module; run `go mod tidy` there",
                    required.path, required.version
                ),
                &manifest.path(),
                requirement.position,
            ));
        }
    }
    problems
}
