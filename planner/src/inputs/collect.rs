//! Puts together the inputs of one image.
//!
//! In: the closure of a main package, its build list, the settings of the service. Out: [`ImageInputs`] and
//! the problems that leave them in doubt. It must never choose a file by its name alone: the graph stage
//! says which files are built.

use super::{
    ImageInputs, InputFile, ManifestFact, Setting, Tier,
    compiling_stages::Program,
    copied::GoFiles,
    declared::{RuleFiles, declared_inputs},
    package_files::PackageFiles,
    third_party::{Candidates, third_party},
};
use crate::{
    diagnostic::Diagnostic,
    digest::manifest_digest,
    discover::{
        manifest::{Manifest, diagnose_unreadable},
        services::{DockerfileService, Service},
    },
    file_kind::FileKind,
    graph::{
        build_list::{BuildList, Mode, ModuleSource},
        libraries::{LibraryFlags, libraries},
        load::{Package, PackageGraph},
        updates_needed::UpdatesNeeded,
    },
    path::RepoPath,
    recipe::{Recipe, Runtime},
    sources::Sources,
    target::{BuildContext, BuildFlag, Cgo, Platform},
    tree::{FileMode, TreeError},
};
use foldhash::HashSet;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The version of the build recipe that the keys assume. A change of the recipe changes every key.
const RECIPE_VERSION: &str = "3";

/// That of images on Alpine, which changed last.
const ALPINE_RECIPE_VERSION: &str = "4";

/// The recipe of a service that has none of ours.
const DOCKERFILE_RECIPE: &str = "dockerfile";

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
    /// What the rules of rebake.toml add.
    pub(crate) rules: &'a RuleFiles,
}

/// Collects the inputs of a service on the platform of the build context.
pub(crate) fn collect_inputs(
    collection: &Collection<'_, '_>,
    service: &Service,
    build_flags: &[BuildFlag],
    recipe: &Recipe,
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
        rules,
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
    match linked_libraries(sources, &closure, back_edges, tier, &packaged) {
        Ok(linked) => files.extend(linked),
        Err(error) => problems.push(diagnose_unreadable(&error)),
    }
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
    if sources.view().holds_file(&service.directory, "default.pgo") {
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
    let main = graph.package(&service.main);
    let compiled = main.iter().flat_map(|main| &main.files);
    let go_files: Vec<&str> = compiled
        .filter(|file| matches!(file.kind, FileKind::Go | FileKind::Cgo))
        .filter_map(|file| file.path.file_name())
        .collect();
    files.extend(declared_inputs(
        sources,
        &service.files,
        rules,
        GoFiles::ByGo(Program {
            import_path: &service.main,
            directory: &service.directory,
            go_files: &go_files,
            context,
        }),
        &mut problems,
    ));
    files.extend_from_slice(rules.of(&service.name));
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
        settings: settings(list, context, service, build_flags, recipe),
    };
    (inputs, problems)
}

/// The inputs of a service without Go: its Dockerfile, and what is declared.
pub(crate) fn collect_dockerfile_inputs(
    sources: &Sources<'_>,
    service: &DockerfileService,
    platform: &Platform,
    rules: &RuleFiles,
) -> (ImageInputs, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let mut files = declared_inputs(
        sources,
        &service.files,
        rules,
        GoFiles::ByDockerfile,
        &mut problems,
    );
    files.extend_from_slice(rules.of(&service.name));
    files.sort_unstable();
    files.dedup();
    let inputs = ImageInputs {
        service: service.name.clone(),
        main: String::new(),
        directory: service.directory.clone(),
        platform: platform.clone(),
        tier: Tier::None,
        files,
        facts: Vec::new(),
        modules: Arc::default(),
        settings: BTreeMap::from([
            (Setting::Recipe, DOCKERFILE_RECIPE.to_owned()),
            (Setting::Goos, platform.os().to_string()),
            (Setting::Goarch, platform.architecture().to_string()),
            (Setting::ArchitectureLevel, platform.level_setting()),
        ]),
    };
    (inputs, problems)
}

/// The libraries that the flags of all packages together name: one may say where they are, and another which. Third-party
/// code may name any.
fn linked_libraries(
    sources: &Sources<'_>,
    closure: &[&Arc<Package>],
    back_edges: &[Arc<Package>],
    tier: Tier,
    packaged: &[InputFile],
) -> Result<Vec<InputFile>, TreeError> {
    let mut flags = LibraryFlags::default();
    for package in closure.iter().copied().chain(back_edges) {
        flags.add(&package.libraries);
    }
    if flags.directories.is_empty() {
        return Ok(Vec::new());
    }
    flags.any_name = tier == Tier::Module;
    let known: HashSet<&RepoPath> = packaged.iter().map(|file| &file.path).collect();
    let paths = libraries(sources, &flags)?.into_iter();
    paths
        .filter(|path| !known.contains(path))
        .map(|path| {
            Ok(InputFile {
                digest: sources.input_digest(&path)?,
                path,
                kind: FileKind::CgoInclude,
                mode: FileMode::Regular,
            })
        })
        .collect()
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

fn settings(
    list: &BuildList,
    context: &BuildContext,
    service: &Service,
    build_flags: &[BuildFlag],
    recipe: &Recipe,
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
    let recipe_version = match recipe.runtime {
        Runtime::Alpine => ALPINE_RECIPE_VERSION,
        _ => RECIPE_VERSION,
    };
    let mut settings = BTreeMap::from([
        (Setting::Recipe, recipe_version.to_owned()),
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
    ]);
    // A Dockerfile of the service's own says these itself.
    if service.files.dockerfile.is_none() {
        settings.insert(Setting::GoImage, recipe.go_image.to_string());
        settings.insert(Setting::Runtime, recipe.runtime_image());
        if let Some(variable) = &recipe.version_variable {
            settings.insert(Setting::VersionVariable, variable.as_str().to_owned());
        }
    }
    settings
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
