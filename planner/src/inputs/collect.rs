//! Puts together the inputs of one image.
//!
//! In: the closure of a main package, its build list, the settings of the service. Out: [`ImageInputs`] and
//! the problems that leave them in doubt. It must never choose a file by its name alone: the graph stage
//! says which files are built.

use super::{
    ImageInputs, InputFile, ManifestFact, Setting, Tier,
    package_files::PackageFiles,
    third_party::{Candidates, third_party},
};
use crate::{
    config::FILE_NAME,
    diagnostic::{Code, Diagnostic, Located, Severity},
    digest::manifest_digest,
    discover::{
        manifest::{Manifest, diagnose_unreadable},
        path_glob::PathGlob,
        services::Service,
    },
    file_kind::FileKind,
    graph::{
        build_list::{BuildList, Mode, ModuleSource, holds_file},
        load::{Package, PackageGraph},
        updates_needed::UpdatesNeeded,
    },
    path::RepoPath,
    sources::Sources,
    target::{BuildContext, BuildFlag, Cgo},
    tree::{EntryKind, FileMode, TreeError, TreeErrorKind},
};
use foldhash::HashSet;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The version of the build recipe that the keys assume. A change of the recipe changes every key.
const RECIPE_VERSION: &str = "1";

/// What a set of inputs is worked out from.
pub(crate) struct Collection<'a, 'tree> {
    pub(crate) sources: &'a Sources<'tree>,
    pub(crate) list: &'a BuildList,
    pub(crate) context: &'a BuildContext,
    pub(crate) graph: &'a PackageGraph,
    /// The hashed files of the graph's packages.
    pub(crate) package_files: &'a PackageFiles,
    /// Packages that third-party code may import, with everything that they reach.
    pub(crate) back_edges: &'a [Arc<Package>],
    /// What the build list says of third-party modules.
    pub(crate) candidates: Candidates,
    /// What its replacement directories demand.
    pub(crate) updates_needed: UpdatesNeeded<'a>,
}

/// Collects the inputs of a service on the platform of the build context.
pub(crate) fn collect_inputs(
    collection: &Collection<'_, '_>,
    service: &Service,
    build_flags: &[BuildFlag],
) -> (ImageInputs, Vec<Diagnostic>) {
    let Collection {
        sources,
        list,
        context,
        graph,
        package_files,
        back_edges,
        candidates,
        updates_needed,
    } = collection;
    let closure = graph.closure(&service.main);
    let mut problems: Vec<Diagnostic> = list.problems.clone();
    for package in &closure {
        problems.extend(package.problems.iter().cloned());
        problems.extend(package_files.problems(package).iter().cloned());
    }
    let linked: HashSet<&str> = closure
        .iter()
        .map(|package| package.local.module.as_str())
        .collect();
    let is_linked = |module_path: &str| linked.contains(module_path);
    problems.extend(updates_needed.for_linked(&is_linked).cloned());
    let (tier, modules, mut facts) = third_party(list, &closure, candidates);
    let packaged = package_files.of(closure.iter().copied());
    let mut files: Vec<InputFile> = Vec::new();
    if tier == Tier::Module && !back_edges.is_empty() {
        let compiled: HashSet<&RepoPath> = packaged.iter().map(|file| &file.path).collect();
        for package in *back_edges {
            // Whether third-party code imports the package is not known. If it does, what Go refuses makes the
            // build fail; what can't be read would be missing from the key.
            let unreadable = package
                .problems
                .iter()
                .filter(|problem| problem.code.is_about_reading());
            problems.extend(unreadable.cloned());
            problems.extend(package_files.problems(package).iter().cloned());
        }
        let mut reached = package_files.of(back_edges.iter());
        reached.retain(|file| !compiled.contains(&file.path));
        for file in &mut reached {
            file.kind = FileKind::BackEdge;
        }
        reached.dedup();
        files.extend(reached);
    }
    if holds_file(sources.view(), &service.directory, "default.pgo") {
        let path = service.directory.child("default.pgo");
        match sources.input_digest(&path) {
            Ok(digest) => files.push(InputFile {
                path,
                kind: FileKind::Pgo,
                digest,
                mode: FileMode::Regular,
            }),
            Err(error) => problems.push(diagnose_unreadable(&error)),
        }
    }
    for (globs, kind) in [
        (&service.assets, FileKind::Asset),
        (&service.inputs, FileKind::Extra),
    ] {
        for glob in globs {
            files.extend(declared_files(sources, glob, kind, &mut problems));
        }
    }
    facts.extend(manifest_facts(list, &closure, &service.module));
    facts.sort();
    facts.dedup();
    files.extend(manifest_files(&facts));
    files.sort_unstable();
    let mut files = merge(packaged, files);
    files.dedup();
    let inputs = ImageInputs {
        service: service.name.clone(),
        main: service.main.clone(),
        directory: service.directory.clone(),
        platform: context.platform().clone(),
        tier,
        files,
        facts,
        modules,
        settings: settings(list, context, service, build_flags),
    };
    (inputs, problems)
}

/// Merges two sorted lists. The first one is long and the second short, so that sorting both would cost more.
fn merge(long: Vec<InputFile>, short: Vec<InputFile>) -> Vec<InputFile> {
    let mut merged = Vec::with_capacity(long.len() + short.len());
    let mut long = long.into_iter();
    for file in short {
        let before = long.as_slice().partition_point(|other| *other < file);
        merged.extend(long.by_ref().take(before));
        merged.push(file);
    }
    merged.extend(long);
    merged
}

/// The files that a glob of rebake.toml names. A directory of the glob's own name stands for all that it holds.
fn declared_files(
    sources: &Sources<'_>,
    glob: &Located<PathGlob>,
    kind: FileKind,
    problems: &mut Vec<Diagnostic>,
) -> Vec<InputFile> {
    let mut files = Vec::new();
    let view = sources.view();
    let walk = view.walk(glob.value.fixed_prefix(), &|_, _| true);
    problems.extend(walk.errors.iter().map(diagnose_unreadable));
    for directory in &walk.directories {
        let is_chosen = glob.value.matches(&directory.path)
            || (!directory.path.is_root() && {
                let mut above = directory.path.parent();
                std::iter::from_fn(move || {
                    let current = above.take()?;
                    above = current.parent();
                    Some(current)
                })
                .any(|above| glob.value.matches(&above))
            });
        for name in &directory.not_utf8 {
            let shown = String::from_utf8_lossy(name);
            if is_chosen || glob.value.matches(&directory.path.child(&shown)) {
                problems.push(Diagnostic {
                    code: Code::NotUtf8,
                    severity: Severity::Error,
                    message: format!(
                        "the name of the file `{}` is not UTF-8; rename it",
                        name.escape_ascii()
                    ),
                    path: Some(directory.path.clone()),
                    position: None,
                    services: Vec::new(),
                });
            }
        }
        for entry in &directory.entries {
            let path = directory.path.child(&entry.name);
            if entry.kind == EntryKind::Submodule && (is_chosen || glob.value.matches(&path)) {
                let error = TreeError::new(&path, TreeErrorKind::Submodule);
                problems.push(diagnose_unreadable(&error));
                continue;
            }
            if !matches!(entry.kind, EntryKind::File | EntryKind::Symlink)
                || !(is_chosen || glob.value.matches(&path))
            {
                continue;
            }
            match declared_file(sources, &path, kind) {
                Ok(file) => files.push(file),
                Err(error) => problems.push(diagnose_unreadable(&error)),
            }
        }
    }
    if files.is_empty() {
        problems.push(Diagnostic {
            code: Code::UnmatchedGlob,
            severity: Severity::Warning,
            message: format!(
                "the glob `{}` matches no file",
                glob.value.as_str().escape_debug()
            ),
            path: Some(RepoPath::root().child(FILE_NAME)),
            position: Some(glob.position),
            services: Vec::new(),
        });
    }
    files
}

fn declared_file(
    sources: &Sources<'_>,
    path: &RepoPath,
    kind: FileKind,
) -> Result<InputFile, TreeError> {
    let mode = match kind {
        FileKind::Asset => sources.view().mode(path)?,
        _ => FileMode::Regular,
    };
    Ok(InputFile {
        path: path.clone(),
        kind,
        digest: sources.input_digest(path)?,
        mode,
    })
}

fn settings(
    list: &BuildList,
    context: &BuildContext,
    service: &Service,
    build_flags: &[BuildFlag],
) -> BTreeMap<Setting, String> {
    let platform = context.platform();
    let workspace = match list.mode {
        Mode::Module => "off".to_owned(),
        Mode::Workspace(_) => list.governing_path().to_string(),
    };
    let cgo = match context.cgo() {
        Cgo::Enabled => "1",
        Cgo::Disabled => "0",
    };
    let tags: Vec<&str> = context.tags().collect();
    BTreeMap::from([
        (Setting::Recipe, RECIPE_VERSION.to_owned()),
        (Setting::Go, context.go_version().to_string()),
        (Setting::Goos, platform.os().to_string()),
        (Setting::Goarch, platform.architecture().to_string()),
        (Setting::ArchitectureLevel, platform.level_setting()),
        (Setting::Cgo, cgo.to_owned()),
        (Setting::Tags, tags.join(",")),
        (
            Setting::BuildFlags,
            quoted_list(build_flags.iter().map(BuildFlag::as_str)),
        ),
        (Setting::Main, service.main.clone()),
        (Setting::Workspace, workspace),
    ])
}

/// Texts in quotes, so that no two lists look the same.
fn quoted_list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = texts
        .map(|text| format!("\"{}\"", text.escape_default()))
        .collect();
    quoted.join(" ")
}

/// What the build takes from the manifests: the language version and path of every first-party module
/// that is linked, the main module's godebug settings, and how a replaced module was found.
fn manifest_facts(
    list: &BuildList,
    closure: &[&Arc<Package>],
    main_module: &Arc<Manifest>,
) -> Vec<ManifestFact> {
    let mut facts = Vec::new();
    let mut add = |manifest: RepoPath, name: String, value: String| {
        facts.push(ManifestFact {
            manifest,
            name,
            value,
        });
    };
    match &list.mode {
        Mode::Module => {
            for godebug in &main_module.go_mod.godebug {
                let name = format!("godebug {}", godebug.value.key);
                add(main_module.path(), name, godebug.value.value.clone());
            }
        }
        Mode::Workspace(go_work) => {
            let path = list.governing_path();
            let go = go_work.go.as_ref().map_or("none", |go| go.value.as_str());
            add(path.clone(), "go".to_owned(), go.to_owned());
            for godebug in &go_work.godebug {
                let name = format!("godebug {}", godebug.value.key);
                add(path.clone(), name, godebug.value.value.clone());
            }
        }
    }
    let linked: BTreeSet<&str> = closure
        .iter()
        .map(|package| package.local.module.as_str())
        .collect();
    for module_path in linked {
        if let Some(member) = list.members.get(module_path) {
            add(member.path(), "module".to_owned(), module_path.to_owned());
            let go = member
                .go_mod
                .go
                .as_ref()
                .map_or("none", |go| go.value.as_str());
            add(member.path(), "go".to_owned(), go.to_owned());
        } else if let Some(module) = list.modules.get(module_path)
            && let ModuleSource::Directory(manifest) = &module.source
        {
            let dependency = &manifest.as_dependency().value;
            let go = dependency
                .go
                .as_ref()
                .map_or("none", |go| go.value.as_str());
            add(manifest.path(), "go".to_owned(), go.to_owned());
            if let Some(applied) = list.replacements.of(module_path, &module.version) {
                let value = format!("{} => {}", module.version, manifest.directory);
                add(
                    applied.declared_in.clone(),
                    format!("replace {module_path}"),
                    value,
                );
            }
        }
    }
    facts
}

/// One row a manifest: its digest is over the facts that are taken from it.
fn manifest_files(facts: &[ManifestFact]) -> Vec<InputFile> {
    let mut by_manifest: BTreeMap<&RepoPath, Vec<(&str, &str)>> = BTreeMap::new();
    for fact in facts {
        by_manifest
            .entry(&fact.manifest)
            .or_default()
            .push((&fact.name, &fact.value));
    }
    by_manifest
        .into_iter()
        .map(|(path, facts)| InputFile {
            path: path.clone(),
            kind: FileKind::Manifest,
            digest: manifest_digest(facts.into_iter()),
            mode: FileMode::Regular,
        })
        .collect()
}
