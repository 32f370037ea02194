//! The main modules of a build and the modules that can serve its imports.
//!
//! In: the go.mod or go.work that governs a main package. Out: a [`BuildList`]: members, replacements,
//! selected versions, the vendor directory, and everything that would make the toolchain refuse the lot.
//! It must never look into a package directory; [`resolve`](super::resolve) does.
//!
//! Source: cmd/go/internal/modload (`loadModFile`, `makeMainModules`, `requirementsFromModFiles`,
//! `replacementFrom`, `setDefaultBuildMod`).
//!
//! Known gaps: **the requirements of third-party modules are unknown without their sources**, so versions
//! in a workspace, or below `go 1.17`, are lower bounds.

use super::{replacements::Replacements, vendor::Vendor};
use crate::{
    diagnostic::{Code, Diagnostic, Located, Position, Severity, limit_alike},
    discover::manifest::{self, Manifest, ModuleSums, SumFile},
    go_version::GoVersion,
    module_version::compare_versions,
    parse::go_mod::{
        GoWork, Godebug, ModuleVersion, ReplacementTarget, Requirement, parse_go_work,
    },
    path::RepoPath,
    standard_library::is_godebug_key,
    tree::{EntryKind, TreeErrorKind, view::TreeView},
};
use foldhash::{HashMap, HashMapExt as _, HashSet};
use rayon::prelude::*;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    str::FromStr as _,
    sync::Arc,
};

/// The `go` line from which on go.mod lists everything that the build needs.
///
/// Source: cmd/go/internal/gover (`ExplicitIndirectVersion`).
const PRUNED_SINCE: &str = "1.17";

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

/// The go.work that governs a module directory: the nearest one at or above it.
///
/// Source: cmd/go/internal/modload/init.go (`findWorkspaceFile`).
pub(crate) fn nearest_workspace(
    view: &TreeView<'_>,
    module_directory: &RepoPath,
) -> Option<RepoPath> {
    let mut candidate = Some(module_directory.clone());
    while let Some(directory) = candidate {
        if holds_file(view, &directory, "go.work") {
            return Some(directory);
        }
        candidate = directory.parent();
    }
    None
}

/// Whether a directory holds a file of that name, or a link to one. What is there and can't be read counts: to find that
/// out is the part of whoever reads it.
pub(crate) fn holds_file(view: &TreeView<'_>, directory: &RepoPath, name: &str) -> bool {
    let Ok(Some(listing)) = view.directory(directory) else {
        return false;
    };
    match listing.entry(name).map(|entry| entry.kind) {
        Some(EntryKind::File | EntryKind::Special) => true,
        Some(EntryKind::Symlink) => match view.locate(&directory.child(name)) {
            Ok(Some(resolved)) => {
                matches!(resolved.kind, EntryKind::File | EntryKind::Special)
            }
            Ok(None) => false,
            Err(error) => !matches!(
                error.kind,
                TreeErrorKind::NotFound
                    | TreeErrorKind::DanglingLink { .. }
                    | TreeErrorKind::LinkLoop
            ),
        },
        _ => false,
    }
}

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

/// A diagnostic of severity error with a place.
pub(crate) fn error_at(
    code: Code,
    message: String,
    path: &RepoPath,
    position: Position,
) -> Diagnostic {
    Diagnostic {
        code,
        severity: Severity::Error,
        message,
        path: Some(path.clone()),
        position: Some(position),
        services: Vec::new(),
    }
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

    /// The build list of one main module by itself.
    pub(crate) fn of_module(view: &TreeView<'_>, main: Arc<Manifest>) -> Self {
        let mut problems = manifest::diagnose(&main.path(), &main.faults);
        problems.extend(unknown_godebug(&main.path(), &main.go_mod.godebug));
        let mut sums = ModuleSums::default();
        problems.extend(sums.add(&SumFile::read(view, &main.directory, "go.sum")));
        let mut replacements = Replacements::default();
        problems.extend(replacements.add_module(&main));
        let passes = if at_least(main.go_line(), PRUNED_SINCE) {
            Passes::RootsFirst
        } else {
            Passes::Everything
        };
        let mut list = Self {
            mode: Mode::Module,
            directory: main.directory.clone(),
            members: BTreeMap::from([(main.module_path().to_owned(), main)]),
            modules: HashMap::new(),
            passes,
            vendor: None,
            replacements,
            sums,
            companions: BTreeSet::new(),
            problems,
        };
        list.note_companions(view);
        list.find_vendor(view);
        list.select_modules(view);
        list.problems = limit_alike(list.problems);
        list
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
        for (used, sum_file) in used.iter().zip(&sum_files) {
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
            problems.extend(sums.add(sum_file));
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
        problems.extend(sums.add(&SumFile::read(view, &directory, "go.work.sum")));
        let mut replacements = Replacements::default();
        problems.extend(replacements.add_workspace(&directory, &go_work, &members));
        for member in members.values() {
            problems.extend(replacements.add_module(member));
        }
        let mut list = Self {
            mode: Mode::Workspace(go_work),
            directory,
            members,
            modules: HashMap::new(),
            passes: Passes::RootsFirst,
            vendor: None,
            replacements,
            sums,
            companions: BTreeSet::new(),
            problems,
        };
        list.note_companions(view);
        list.find_vendor(view);
        list.select_modules(view);
        list.problems = limit_alike(list.problems);
        list
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
            .filter(|(directory, name)| holds_file(view, directory, name))
            .map(|(directory, name)| directory.child(name))
            .collect();
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

    fn find_vendor(&mut self, view: &TreeView<'_>) {
        let go_line_present = match &self.mode {
            // A workspace counts as having a go line only when go.work states one.
            Mode::Workspace(go_work) => go_work.go.is_some(),
            Mode::Module => self.members.values().any(|main| main.go_mod.go.is_some()),
        };
        if !go_line_present || !at_least(self.go_line(), "1.14") {
            return;
        }
        match Vendor::find(view, &self.directory, &self.mode) {
            Ok(None) => {}
            Ok(Some(vendor)) => {
                let problems = vendor.check(self);
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

/// Whether a `go` line is at least a version. A line that is no version was reported by its parser.
pub(crate) fn at_least(line: &str, version: &str) -> bool {
    match (GoVersion::from_str(line), GoVersion::from_str(version)) {
        (Ok(line), Ok(version)) => line >= version,
        _ => false,
    }
}
