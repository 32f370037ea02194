//! Which modules can serve the imports of a main package.
//!
//! In: the go.mod or go.work that governs it. Out: a [`BuildList`]: members, replacements, selected versions, the vendor
//! directory, and everything that would make the toolchain refuse the lot. It must never look into a package directory;
//! [`resolve`](super::resolve) does.
//!
//! Source: cmd/go/internal/modload (`loadModFile`, `makeMainModules`, `requirementsFromModFiles`,
//! `replacementFrom`, `setDefaultBuildMod`).
//!
//! Known gaps: **the requirements of third-party modules are unknown without their sources**, so versions
//! in a workspace, or below `go 1.17`, are lower bounds.

use super::{
    build_list::{BuildList, Mode, Module, ModuleSource, Passes, Rank},
    replacements::Replacements,
    vendor::Vendor,
    vendor_consistency,
    workspace::Workspace,
};
use crate::{
    diagnostic::{Code, Diagnostic, Located, Severity, error_at, limit_alike},
    discover::manifest::{self, Manifest, ModuleSums, SumFile, SumLines},
    go_version::at_least,
    module_version::compare_versions,
    parse::{
        go_mod::{Godebug, ModuleVersion, ReplacementTarget, Requirement},
        modules_txt::VendorScope,
    },
    path::RepoPath,
    standard_library::is_godebug_key,
    tree::view::TreeView,
};
use foldhash::HashSet;
use rayon::prelude::*;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The `go` line from which on go.mod lists everything that the build needs.
///
/// Source: cmd/go/internal/gover (`ExplicitIndirectVersion`).
const PRUNED_SINCE: &str = "1.17";

impl BuildList {
    /// The build list of one main module by itself.
    pub(crate) fn of_module(view: &TreeView<'_>, main: Arc<Manifest>) -> Self {
        let mut problems = manifest::diagnose(&main.path(), &main.faults);
        problems.extend(unknown_godebug(&main.path(), &main.go_mod.godebug));
        let mut sums = ModuleSums::default();
        problems.extend(sums.add(SumFile::read(view, &main.directory, "go.sum").parse()));
        let mut replacements = Replacements::default();
        problems.extend(replacements.add_module(&main));
        let passes = if at_least(main.go_line(), PRUNED_SINCE) {
            Passes::RootsFirst
        } else {
            Passes::Everything
        };
        let list = Self {
            directory: main.directory.clone(),
            members: BTreeMap::from([(main.module_path().to_owned(), main)]),
            passes,
            replacements,
            sums,
            problems,
            ..Self::empty()
        };
        list.complete(view)
    }

    /// The build list of a workspace.
    pub(crate) fn of_workspace(
        view: &TreeView<'_>,
        workspace: Workspace,
        manifest_of: &dyn Fn(&RepoPath) -> Option<Arc<Manifest>>,
    ) -> Self {
        let Workspace {
            directory,
            go_work,
            used,
            mut problems,
        } = workspace;
        let path = directory.child("go.work");
        problems.extend(unknown_godebug(&path, &go_work.godebug));
        let mut members: BTreeMap<String, Arc<Manifest>> = BTreeMap::new();
        let mut sums = ModuleSums::default();
        let workspace_go = go_work
            .go
            .as_ref()
            .map_or("1.18", |go| go.value.as_str())
            .to_owned();
        let sum_files: Vec<SumFile> = used
            .par_iter()
            .map(|used| SumFile::read(view, &used.value, "go.sum"))
            .collect();
        let sum_lines: Vec<SumLines<'_>> = sum_files.par_iter().map(SumFile::parse).collect();
        for (used, sum_lines) in used.iter().zip(sum_lines) {
            let Some(member) = manifest_of(&used.value) else {
                problems.push(error_at(
                    Code::MissingModule,
                    format!("`{}` has no readable go.mod, which Go refuses; remove the line or add the module", used.value),
                    &path,
                    used.position,
                ));
                continue;
            };
            problems.extend(manifest::diagnose(&member.path(), &member.faults));
            if at_least(member.go_line(), "1.21") && !at_least(&workspace_go, member.go_line()) {
                problems.push(error_at(
                    Code::GoVersionConflict,
                    format!(
                        "module `{}` requires go {}, but this go.work says go {workspace_go}; run `go work use`",
                        used.value,
                        member.go_line(),
                    ),
                    &path,
                    used.position,
                ));
            }
            problems.extend(sums.add(sum_lines));
            let module_path = member.module_path().to_owned();
            if let Some(other) = members.insert(module_path.clone(), member) {
                problems.push(error_at(
                    Code::Conflict,
                    format!(
                        "module path `{module_path}` is declared by `{}` and by `{}`, which Go refuses in one workspace",
                        other.directory, used.value,
                    ),
                    &path,
                    used.position,
                ));
            }
        }
        problems.extend(sums.add(SumFile::read(view, &directory, "go.work.sum").parse()));
        let mut replacements = Replacements::default();
        problems.extend(replacements.add_workspace(&directory, &go_work, &members));
        for member in members.values() {
            problems.extend(replacements.add_module(member));
        }
        let list = Self {
            mode: Mode::Workspace(go_work),
            directory,
            members,
            replacements,
            sums,
            problems,
            ..Self::empty()
        };
        list.complete(view)
    }

    /// Adds what follows from the main modules and their replacements.
    fn complete(mut self, view: &TreeView<'_>) -> Self {
        self.note_companions(view);
        self.find_vendor(view);
        self.select_modules(view);
        self.problems = limit_alike(self.problems);
        self
    }

    fn note_companions(&mut self, view: &TreeView<'_>) {
        let of_members = self.members.values();
        let of_members = of_members.map(|member| (&member.directory, "go.sum"));
        let of_workspace = match self.mode {
            Mode::Module => None,
            Mode::Workspace(_) => Some((&self.directory, "go.work.sum")),
        };
        let vendor = self.directory.child("vendor");
        let replacing = self.replacements.iter();
        let replacing = replacing.filter_map(|(.., applied)| applied.directory.as_ref());
        self.companions = of_members
            .chain(of_workspace)
            .chain([(&vendor, "modules.txt")])
            .chain(replacing.map(|directory| (directory, "go.mod")))
            .filter(|(directory, name)| view.holds_file(directory, name))
            .map(|(directory, name)| directory.child(name))
            .collect();
    }

    fn find_vendor(&mut self, view: &TreeView<'_>) {
        let go_line_present = match &self.mode {
            // A workspace counts as having a go line only when go.work states one.
            Mode::Workspace(go_work) => go_work.go.is_some(),
            Mode::Module => self.members.values().any(|main| main.go_mod.go.is_some()),
        };
        if !go_line_present || !at_least(self.go_line(), "1.14") {
            return;
        }
        let scope = match &self.mode {
            Mode::Module => VendorScope::Module,
            Mode::Workspace(_) => VendorScope::Workspace,
        };
        match Vendor::find(view, &self.directory, scope) {
            Ok(None) => {}
            Ok(Some(vendor)) => {
                let problems = vendor_consistency::check(&vendor, self);
                self.problems.extend(problems);
                self.vendor = Some(vendor);
            }
            Err(error) => self.problems.push(manifest::diagnose_unreadable(&error)),
        }
    }

    /// Works out which modules the build can know without third-party sources: the requirements of the
    /// main modules, and those of the replacement directories that they lead to.
    fn select_modules(&mut self, view: &TreeView<'_>) {
        if self.vendor.is_some() {
            return;
        }
        let main_rank = match self.mode {
            Mode::Module => Rank::Root,
            Mode::Workspace(_) => Rank::Transitive,
        };
        let mut pending: Vec<(Located<Requirement>, RepoPath, Rank)> = Vec::new();
        for member in self.members.values() {
            let excluded = member.go_mod.exclude.iter();
            let excluded: HashSet<&ModuleVersion> = excluded.map(|line| &line.value).collect();
            for requirement in &member.go_mod.require {
                if !excluded.contains(&requirement.value.module) {
                    pending.push((requirement.clone(), member.path(), main_rank));
                }
            }
        }
        let mut visited: BTreeSet<RepoPath> = BTreeSet::new();
        while let Some((requirement, path, rank)) = pending.pop() {
            let ModuleVersion {
                path: module_path,
                version,
            } = requirement.value.module;
            if self.members.contains_key(&module_path) {
                continue;
            }
            let known = self.modules.get(&module_path);
            let keep = known.is_some_and(|known| match (known.rank, rank) {
                // A pruned module's own go.mod states the versions; what others require cannot raise them.
                (Rank::Root, Rank::Transitive) if self.passes == Passes::RootsFirst => true,
                _ => compare_versions(&known.version, &version) != Ordering::Less,
            });
            if keep {
                continue;
            }
            let rank = match known.map(|known| known.rank) {
                Some(Rank::Root) => Rank::Root,
                _ => rank,
            };
            let source = self.locate(view, &module_path, &version);
            if let ModuleSource::Directory(manifest) = &source
                && visited.insert(manifest.directory.clone())
            {
                for requirement in &manifest.as_dependency().value.require {
                    pending.push((requirement.clone(), manifest.path(), Rank::Transitive));
                }
            }
            let required_at = (path, requirement.position);
            self.modules.insert(
                module_path,
                Module {
                    version,
                    source,
                    rank,
                    required_at,
                },
            );
        }
        self.check_replacement_directories();
    }

    /// Where a selected module's files are.
    fn locate(&self, view: &TreeView<'_>, module_path: &str, version: &str) -> ModuleSource {
        let Some(replacement) = self.replacements.of(module_path, version) else {
            return ModuleSource::ThirdParty { replacement: None };
        };
        let broken = |code, message: String| {
            ModuleSource::Broken(Box::new(error_at(
                code,
                message,
                &replacement.declared_in,
                replacement.position,
            )))
        };
        match &replacement.target {
            ReplacementTarget::Module(module) => ModuleSource::ThirdParty {
                replacement: Some(module.clone()),
            },
            ReplacementTarget::Directory(written) => match &replacement.directory {
                None => broken(
                    Code::OutsideRoot,
                    format!(
                        "the replacement directory `{written}` lies outside the root, where nothing can be planned; move it in, or plan from a higher root"
                    ),
                ),
                Some(directory) => match Manifest::read(view, directory) {
                    Ok(Some(manifest)) => ModuleSource::Directory(Arc::new(manifest)),
                    Ok(None) => broken(
                        Code::MissingModule,
                        format!(
                            "the replacement directory `{directory}` has no go.mod, which Go refuses"
                        ),
                    ),
                    Err(error) => broken(
                        error.kind.code(),
                        format!("can't read go.mod there: {error}"),
                    ),
                },
            },
        }
    }

    /// A workspace and an unpruned module load the go.mod of every replacement directory, so a missing
    /// one breaks every build; two module paths may never share one directory.
    fn check_replacement_directories(&mut self) {
        let everything_loaded =
            self.passes == Passes::Everything || matches!(self.mode, Mode::Workspace(_));
        let mut problems = Vec::new();
        let mut paths_of: BTreeMap<&RepoPath, Vec<&str>> = BTreeMap::new();
        for (path, module) in &self.modules {
            match &module.source {
                ModuleSource::Broken(problem) if everything_loaded => {
                    problems.push((**problem).clone());
                }
                ModuleSource::Directory(manifest) => {
                    paths_of.entry(&manifest.directory).or_default().push(path);
                    if everything_loaded {
                        let faults = &manifest.as_dependency().faults;
                        problems.extend(manifest::diagnose(&manifest.path(), faults));
                    }
                }
                ModuleSource::Broken(_) | ModuleSource::ThirdParty { .. } => {}
            }
        }
        for (directory, mut paths) in paths_of {
            if paths.len() > 1 {
                paths.sort_unstable();
                problems.push(Diagnostic {
                    code: Code::Conflict,
                    severity: Severity::Error,
                    message: format!(
                        "the directory replaces two module paths, `{}` and `{}`, which Go refuses",
                        paths[0], paths[1]
                    ),
                    path: Some(directory.clone()),
                    position: None,
                    services: Vec::new(),
                });
            }
        }
        problems.sort_by(|left, right| {
            (&left.path, left.position, &left.message).cmp(&(
                &right.path,
                right.position,
                &right.message,
            ))
        });
        self.problems.extend(problems);
    }
}

/// The toolchain refuses settings that no release knows, in the file that counts.
///
/// Source: cmd/go/internal/modload/init.go (`CheckGodebug`).
fn unknown_godebug(path: &RepoPath, settings: &[Located<Godebug>]) -> Vec<Diagnostic> {
    settings
        .iter()
        .filter(|setting| !is_godebug_key(&setting.value.key))
        .map(|setting| {
            let message = format!(
                "unknown godebug `{}`; remove the line",
                setting.value.key.escape_debug()
            );
            error_at(Code::InvalidValue, message, path, setting.position)
        })
        .collect()
}
