//! The main modules of a build and the modules that can serve its imports.
//!
//! In: what [`selection`](super::selection) found. Out: answers about it: where a module is, which `go` line holds, which
//! lines name Go releases. It must never read a file.

use super::{replacements::Replacements, vendor::Vendor};
use crate::{
    diagnostic::{Diagnostic, Located, Position},
    discover::manifest::{Manifest, ModuleSums},
    go_version::{GoVersion, at_least},
    parse::go_mod::{GoWork, ModuleVersion},
    path::RepoPath,
};
use foldhash::{HashMap, HashMapExt as _};
use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr as _,
    sync::Arc,
};

/// How the main modules are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One main module, its go.mod alone.
    Module,
    /// A go.work and the modules that it uses.
    Workspace(GoWork),
}

/// In what order modules are tried for an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passes {
    /// The roots first, then everything: a pruned module, and a workspace.
    RootsFirst,
    /// Everything at once: a module below `go 1.17`.
    Everything,
}

/// A module of the build list, other than a main module.
#[derive(Debug, Clone)]
pub(crate) struct Module {
    pub(crate) version: String,
    pub(crate) source: ModuleSource,
    pub(crate) rank: Rank,
    /// Where it is required, for diagnostics.
    pub(crate) required_at: (RepoPath, Position),
}

/// Whether a module is tried in the first pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rank {
    Root,
    Transitive,
}

/// Where a module's files come from.
#[derive(Debug, Clone)]
pub(crate) enum ModuleSource {
    /// A replacement directory of the tree.
    Directory(Arc<Manifest>),
    /// A replacement that can't be used, and why.
    Broken(Box<Diagnostic>),
    /// Elsewhere: the module itself, or the module that replaces it.
    ThirdParty { replacement: Option<ModuleVersion> },
}

/// The modules that can serve the imports of a main package.
#[derive(Debug)]
pub(crate) struct BuildList {
    pub(crate) mode: Mode,
    /// The directory of the go.work, else of the go.mod.
    pub(crate) directory: RepoPath,
    /// The main modules by module path.
    pub(crate) members: BTreeMap<String, Arc<Manifest>>,
    /// All other modules by module path.
    pub(crate) modules: HashMap<String, Module>,
    pub(crate) passes: Passes,
    pub(crate) vendor: Option<Vendor>,
    pub(crate) replacements: Replacements,
    pub(crate) sums: ModuleSums,
    /// What Go reads besides the manifests of modules, as far as it is there: go.sum, go.work.sum, modules.txt, and the
    /// go.mod of every directory that replaces some version of a module.
    pub(crate) companions: BTreeSet<RepoPath>,
    /// What holds for every main package of this list.
    pub(crate) problems: Vec<Diagnostic>,
}

impl BuildList {
    /// A list without any module, for a directory that belongs to none.
    pub(crate) fn empty() -> Self {
        Self {
            mode: Mode::Module,
            directory: RepoPath::root(),
            members: BTreeMap::new(),
            modules: HashMap::new(),
            passes: Passes::RootsFirst,
            vendor: None,
            replacements: Replacements::default(),
            sums: ModuleSums::default(),
            companions: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    /// The go.mod of a module that the tree holds, where it does.
    pub(crate) fn local_manifest(&self, module_path: &str) -> Option<&Arc<Manifest>> {
        if let Some(member) = self.members.get(module_path) {
            return Some(member);
        }
        match &self.modules.get(module_path)?.source {
            ModuleSource::Directory(manifest) => Some(manifest),
            ModuleSource::Broken(_) | ModuleSource::ThirdParty { .. } => None,
        }
    }

    /// The directory of the tree that holds a module, where one does.
    pub(crate) fn local_directory(&self, module_path: &str) -> Option<&RepoPath> {
        if let Some(member) = self.members.get(module_path) {
            return Some(&member.directory);
        }
        match &self.modules.get(module_path)?.source {
            ModuleSource::Directory(manifest) => Some(&manifest.directory),
            ModuleSource::Broken(_) | ModuleSource::ThirdParty { .. } => None,
        }
    }

    /// The `go` version of the main module or the workspace, as the toolchain takes it.
    pub(crate) fn go_line(&self) -> &str {
        match &self.mode {
            Mode::Workspace(go_work) => go_work.go.as_ref().map_or("1.18", |go| go.value.as_str()),
            Mode::Module => self
                .members
                .values()
                .next()
                .map_or("1.16", |main| main.go_line()),
        }
    }

    /// Whether a vendored package that modules.txt does not list may be used: up to `go 1.22`.
    pub(crate) fn takes_unlisted_packages(&self) -> bool {
        !at_least(self.go_line(), "1.23")
    }

    /// The manifest that governs the list: go.work or go.mod.
    pub(crate) fn governing_path(&self) -> RepoPath {
        match self.mode {
            Mode::Workspace(_) => self.directory.child("go.work"),
            Mode::Module => self.directory.child("go.mod"),
        }
    }

    /// Every `go` and `toolchain` line that the toolchain reads for this list, with its place.
    pub(crate) fn go_version_lines(&self) -> Vec<(GoVersion, RepoPath, Position)> {
        let mut lines = Vec::new();
        let mut add = |version: Option<GoVersion>, path: &RepoPath, position| {
            if let Some(version) = version {
                lines.push((version, path.clone(), position));
            }
        };
        let go = |text: &Located<String>| GoVersion::from_str(&text.value).ok();
        let toolchain = |text: &Located<String>| GoVersion::from_toolchain_name(&text.value);
        if let Mode::Workspace(go_work) = &self.mode {
            let path = self.governing_path();
            if let Some(line) = &go_work.go {
                add(go(line), &path, line.position);
            }
            if let Some(line) = &go_work.toolchain {
                add(toolchain(line), &path, line.position);
            }
        }
        for member in self.members.values() {
            if let Some(line) = &member.go_mod.go {
                add(go(line), &member.path(), line.position);
            }
            if self.mode == Mode::Module
                && let Some(line) = &member.go_mod.toolchain
            {
                add(toolchain(line), &member.path(), line.position);
            }
        }
        if let Some(vendor) = &self.vendor {
            for (version, position) in vendor.go_lines() {
                add(
                    GoVersion::from_str(version).ok(),
                    &vendor.modules_txt_path(),
                    position,
                );
            }
        } else {
            for module in self.modules.values() {
                if let ModuleSource::Directory(manifest) = &module.source
                    && let Some(line) = &manifest.as_dependency().value.go
                {
                    add(go(line), &manifest.path(), line.position);
                }
            }
        }
        lines.sort();
        lines
    }
}
