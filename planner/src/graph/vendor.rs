//! The vendor directory of a module or a workspace.
//!
//! In: vendor/modules.txt. Out: which packages it vendors from which module, and whether it is consistent
//! with go.mod and go.work. It must never be used where the toolchain would ignore it.
//!
//! Source: cmd/go/internal/modload/vendor.go, and `setDefaultBuildMod` in init.go.

use super::build_list::{BuildList, Mode, at_least, error_at};
use crate::{
    diagnostic::{Code, Diagnostic, Position},
    discover::manifest,
    module_version::compare_versions,
    parse::{
        go_mod::{ModuleVersion, ReplacementTarget},
        modules_txt::{Explicitness, ModulesTxt, VendorScope, VendoredModule, parse_modules_txt},
    },
    path::RepoPath,
    tree::{TreeError, view::TreeView},
};
use foldhash::{HashMap, HashMapExt as _};
use std::{cmp::Ordering, collections::BTreeMap};

/// A vendor directory that the toolchain uses.
#[derive(Debug)]
pub(crate) struct Vendor {
    pub(crate) directory: RepoPath,
    text: ModulesTxt,
    problems: Vec<Diagnostic>,
    /// The index of the module that provides a package.
    package_module: HashMap<String, usize>,
}

impl Vendor {
    /// The vendor directory beside go.mod or go.work, when its kind matches the mode.
    pub(crate) fn find(
        view: &TreeView<'_>,
        beside: &RepoPath,
        mode: &Mode,
    ) -> Result<Option<Self>, TreeError> {
        let directory = beside.child("vendor");
        if view.directory(&directory)?.is_none() {
            return Ok(None);
        }
        let content = manifest::read_beside(view, &directory, "modules.txt")?;
        let parsed = parse_modules_txt(content.as_deref().unwrap_or_default());
        let scope = match mode {
            Mode::Module => VendorScope::Module,
            Mode::Workspace(_) => VendorScope::Workspace,
        };
        if parsed.value.scope != scope {
            return Ok(None);
        }
        let problems = manifest::diagnose(&directory.child("modules.txt"), &parsed.faults);
        let mut package_module = HashMap::new();
        for (index, module) in parsed.value.modules.iter().enumerate() {
            for package in &module.value.packages {
                package_module.insert(package.clone(), index);
            }
        }
        Ok(Some(Self {
            directory,
            text: parsed.value,
            problems,
            package_module,
        }))
    }

    /// Where modules.txt is, or would be.
    pub(crate) fn modules_txt_path(&self) -> RepoPath {
        self.directory.child("modules.txt")
    }

    /// The module that provides a package.
    pub(crate) fn module_of(&self, import_path: &str) -> Option<&VendoredModule> {
        self.package_module
            .get(import_path)
            .map(|index| &self.text.modules[*index].value)
    }

    /// The `go` versions of the vendored modules.
    pub(crate) fn go_lines(&self) -> impl Iterator<Item = (&str, Position)> {
        self.text
            .modules
            .iter()
            .filter_map(|module| module.value.go.as_deref().map(|go| (go, module.position)))
    }

    /// What the toolchain finds inconsistent between modules.txt and the manifests.
    ///
    /// Source: cmd/go/internal/modload/vendor.go (`checkVendorConsistency`). From `go 1.14` on, the only
    /// versions for which a vendor directory is used by itself.
    pub(crate) fn check(&self, list: &BuildList) -> Vec<Diagnostic> {
        let mut problems = self.problems.clone();
        let meta = self.meta();
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
                ReplacementTarget::Directory(written) => {
                    ReplacementTarget::Directory(written.clone())
                }
            };
            let same = match (recorded, &expected) {
                (
                    Some(ReplacementTarget::Module(recorded)),
                    ReplacementTarget::Module(expected),
                ) => recorded == expected,
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
        for module in self.listed_modules() {
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
                    &self.modules_txt_path(),
                    self.position_of(module),
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
                    &self.modules_txt_path(),
                    entry.position,
                ));
            }
        }
        problems
    }

    /// Whether a vendored package that modules.txt does not list may be used: up to `go 1.22`.
    pub(crate) fn takes_unlisted_packages(list: &BuildList) -> bool {
        !at_least(list.go_line(), "1.23")
    }

    fn position_of(&self, module: &ModuleVersion) -> Position {
        self.text
            .modules
            .iter()
            .find(|listed| listed.value.module == *module)
            .map_or(Position::START, |listed| listed.position)
    }

    /// The modules that provide packages, each at its highest version.
    fn listed_modules(&self) -> Vec<&ModuleVersion> {
        let mut highest: BTreeMap<&str, &ModuleVersion> = BTreeMap::new();
        for module in &self.text.modules {
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

    fn meta(&self) -> BTreeMap<(&str, Option<&str>), Meta<'_>> {
        let mut meta: BTreeMap<(&str, Option<&str>), Meta<'_>> = BTreeMap::new();
        for module in &self.text.modules {
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
        for replacement in &self.text.replacements {
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
}

struct Meta<'text> {
    explicit: Explicitness,
    replacement: Option<&'text ReplacementTarget>,
    position: Position,
}
