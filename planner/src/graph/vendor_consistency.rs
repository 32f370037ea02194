//! Whether a vendor directory agrees with the manifests.
//!
//! In: a [`Vendor`] and the [`BuildList`] that it serves. Out: what the toolchain finds inconsistent. It must never look
//! into a vendored package.

use super::{
    build_list::{BuildList, Mode},
    vendor::Vendor,
};
use crate::{
    diagnostic::{Code, Diagnostic, Position, error_at},
    module_version::compare_versions,
    parse::{
        go_mod::{ModuleVersion, ReplacementTarget},
        modules_txt::{Explicitness, ModulesTxt},
    },
    path::RepoPath,
};
use std::{cmp::Ordering, collections::BTreeMap};

/// What the toolchain finds inconsistent between modules.txt and the manifests.
///
/// Source: cmd/go/internal/modload/vendor.go (`checkVendorConsistency`). Its rules from `go 1.14` on, the
/// only versions for which a vendor directory is used by itself.
pub(super) fn check(vendor: &Vendor, list: &BuildList) -> Vec<Diagnostic> {
    let mut problems = vendor.problems.clone();
    let meta = meta(&vendor.text);
    let inconsistent = |message: String, path: &RepoPath, position| {
        error_at(
            Code::InconsistentVendoring,
            format!("{message}; run `go mod vendor` (`go work vendor` in a workspace)"),
            path,
            position,
        )
    };
    for member in list.members.values() {
        for requirement in &member.go_mod.require {
            let module = &requirement.value.module;
            let explicit = meta
                .get(&(module.path.as_str(), Some(module.version.as_str())))
                .is_some_and(|meta| meta.explicit == Explicitness::Explicit);
            if !explicit {
                problems.push(inconsistent(
                    format!(
                        "`{} {}` is required here, but not marked as explicit in vendor/modules.txt",
                        module.path, module.version
                    ),
                    &member.path(),
                    requirement.position,
                ));
            }
        }
    }
    for (old_path, old_version, applied) in list.replacements.iter() {
        if list.members.contains_key(old_path) && old_version.is_none() {
            continue;
        }
        let recorded = meta
            .get(&(old_path, old_version))
            .and_then(|meta| meta.replacement);
        let expected = match &applied.target {
            ReplacementTarget::Module(module) => ReplacementTarget::Module(module.clone()),
            ReplacementTarget::Directory(written) => ReplacementTarget::Directory(written.clone()),
        };
        let same = match (recorded, &expected) {
            (Some(ReplacementTarget::Module(recorded)), ReplacementTarget::Module(expected)) => {
                recorded == expected
            }
            (
                Some(ReplacementTarget::Directory(recorded)),
                ReplacementTarget::Directory(written),
            ) => {
                match list.mode {
                    Mode::Module => recorded == written,
                    // Relative to the workspace, whatever go.mod says it.
                    Mode::Workspace(_) => {
                        recorded == written
                            || list.directory.join_lexically(recorded).ok() == applied.directory
                    }
                }
            }
            _ => false,
        };
        if !same {
            problems.push(inconsistent(
                format!("`{old_path}` is replaced here, but vendor/modules.txt says otherwise"),
                &applied.declared_in,
                applied.position,
            ));
        }
    }
    for module in listed_modules(&vendor.text) {
        let explicit = meta
            .get(&(module.path.as_str(), Some(module.version.as_str())))
            .is_some_and(|meta| meta.explicit == Explicitness::Explicit);
        let required = || {
            list.members.values().any(|member| {
                member
                    .go_mod
                    .require
                    .iter()
                    .any(|requirement| requirement.value.module == *module)
            })
        };
        if explicit && !required() {
            problems.push(inconsistent(
                format!(
                    "`{} {}` is marked as explicit, but required in no go.mod",
                    module.path, module.version
                ),
                &vendor.modules_txt_path(),
                position_of(&vendor.text, module),
            ));
        }
    }
    for ((path, version), entry) in &meta {
        if entry.replacement.is_some()
            && list
                .replacements
                .of(path, version.unwrap_or_default())
                .is_none()
        {
            problems.push(inconsistent(
                format!("`{path}` is marked as replaced, but replaced in no go.mod or go.work"),
                &vendor.modules_txt_path(),
                entry.position,
            ));
        }
    }
    problems
}

fn position_of(text: &ModulesTxt, module: &ModuleVersion) -> Position {
    text.modules
        .iter()
        .find(|listed| listed.value.module == *module)
        .map_or(Position::START, |listed| listed.position)
}

/// The modules that provide packages, each at its highest version.
fn listed_modules(text: &ModulesTxt) -> Vec<&ModuleVersion> {
    let mut highest: BTreeMap<&str, &ModuleVersion> = BTreeMap::new();
    for module in &text.modules {
        if module.value.packages.is_empty() {
            continue;
        }
        let module = &module.value.module;
        let known = highest.entry(&module.path).or_insert(module);
        if compare_versions(&known.version, &module.version) == Ordering::Less {
            *known = module;
        }
    }
    highest.into_values().collect()
}

fn meta(text: &ModulesTxt) -> BTreeMap<(&str, Option<&str>), Meta<'_>> {
    let mut meta: BTreeMap<(&str, Option<&str>), Meta<'_>> = BTreeMap::new();
    for module in &text.modules {
        let key = (
            module.value.module.path.as_str(),
            Some(module.value.module.version.as_str()),
        );
        let entry = meta.entry(key).or_insert(Meta {
            explicit: Explicitness::Implicit,
            replacement: None,
            position: module.position,
        });
        if module.value.explicit == Explicitness::Explicit {
            entry.explicit = Explicitness::Explicit;
        }
        if let Some(replacement) = &module.value.replacement {
            entry.replacement = Some(replacement);
        }
    }
    for replacement in &text.replacements {
        let key = (
            replacement.value.old_path.as_str(),
            replacement.value.old_version.as_deref(),
        );
        let entry = meta.entry(key).or_insert(Meta {
            explicit: Explicitness::Implicit,
            replacement: None,
            position: replacement.position,
        });
        entry.replacement = Some(&replacement.value.new);
    }
    meta
}

/// What modules.txt says of one version of a module, over all of its lines.
struct Meta<'text> {
    explicit: Explicitness,
    replacement: Option<&'text ReplacementTarget>,
    position: Position,
}
