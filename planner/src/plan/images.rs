//! The images of a plan: graphs loaded, inputs collected, keys worked out.
//!
//! In: services and build lists. Out: [`PlannedImage`]s. Services that share a build list and a build context share
//! one package graph. It must never decide: every image comes out as one to rebuild.

use super::{
    PlannedImage,
    build_lists::BuildLists,
    builds::{GoBuild, Origin},
    choices::Choices,
    problems::{
        CycleProblems, Findings, go_version_problems, not_a_program, possible_back_edges,
        unknown_back_edge, unusable_main_path,
    },
    stages::Stage,
};
use crate::{
    config::DeclaredFiles,
    decide::Verdict,
    diagnostic::{Code, Diagnostic, Severity},
    discover::{
        services::{Discovered, Service},
        survey::{Survey, survey as survey_from},
    },
    graph::{
        build_list::BuildList,
        load::{Loader, Package, PackageGraph},
        resolve::{LocalPackage, Resolution},
        updates_needed::UpdatesNeeded,
    },
    hash::{DependencyKeys, ImageKeys, image_keys_with, service_tag},
    inputs::{
        ImageInputs, Tier,
        collect::{Collection, collect_dockerfile_inputs, collect_inputs},
        copied::missing_certificates,
        declared::RuleFiles,
        package_files::PackageFiles,
        third_party::Candidates,
    },
    parse::go_mod::Directness,
    path::RepoPath,
    sources::Sources,
    target::BuildContext,
};
use rayon::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A build list under a build context, with the services that are built so.
struct Group<'a> {
    list: &'a Arc<BuildList>,
    context: BuildContext,
    services: Vec<&'a Service>,
}

pub(super) fn plan_images(
    sources: &Sources<'_>,
    survey: &Survey,
    lists: &BuildLists,
    choices: &Choices,
    discovered: &Discovered,
    findings: &mut Findings,
) -> Vec<PlannedImage> {
    let mut groups: BTreeMap<(RepoPath, BuildContext), Group<'_>> = BTreeMap::new();
    for service in &discovered.services {
        let list = lists.of_module(&service.module.directory);
        for context in choices.contexts(&service.directory, list).iter() {
            let context = context.clone();
            groups
                .entry((list.governing_path(), context.clone()))
                .or_insert_with(|| Group {
                    list,
                    context,
                    services: Vec::new(),
                })
                .services
                .push(service);
        }
    }
    let groups: Vec<Group<'_>> = groups.into_values().collect();
    let names = discovered.services.iter().map(|service| &service.name);
    let other_names = discovered.dockerfile_services.iter();
    let names = names.chain(other_names.map(|service| &service.name));
    let rules = RuleFiles::apply(sources, &choices.rules, &choices.groups, &names.collect());
    let mut planned: Vec<Vec<(PlannedImage, Vec<Diagnostic>)>> = groups
        .par_iter()
        .map(|group| plan_group(sources, survey, choices, group, &rules))
        .collect();
    planned.push(plan_dockerfile_services(
        sources, choices, discovered, &rules,
    ));
    findings.add_all(rules.problems.clone(), &[]);
    let mut images = Vec::new();
    for (image, problems) in planned.into_iter().flatten() {
        findings.add_all(problems, &[image.inputs.service.as_str()]);
        images.push(image);
    }
    images.sort_by(|left, right| {
        (&left.inputs.service, left.inputs.platform.to_string())
            .cmp(&(&right.inputs.service, right.inputs.platform.to_string()))
    });
    images
}

fn plan_group(
    sources: &Sources<'_>,
    survey: &Survey,
    choices: &Choices,
    group: &Group<'_>,
    rules: &RuleFiles,
) -> Vec<(PlannedImage, Vec<Diagnostic>)> {
    let loader = Loader::new(sources, group.list, &group.context);
    let mut starts: BTreeMap<String, LocalPackage> = BTreeMap::new();
    for service in &group.services {
        let local = LocalPackage {
            directory: service.directory.clone(),
            module: service.module.module_path().to_owned(),
        };
        starts.insert(service.main.clone(), local);
    }
    let back_edge_starts = back_edge_starts(survey, choices, group, &loader);
    starts.extend(
        back_edge_starts
            .iter()
            .map(|(path, local)| (path.clone(), local.clone())),
    );
    let observed = &choices.observed;
    let graph = observed.during(Stage::Graph, || Arc::new(loader.load(&starts)));
    let back_edges: Vec<Arc<Package>> = {
        let mut reached = BTreeMap::new();
        for import_path in back_edge_starts.keys() {
            for package in graph.closure(import_path) {
                reached.insert(package.import_path.clone(), Arc::clone(package));
            }
        }
        reached.into_values().collect()
    };
    let version_problems = go_version_problems(group.list, &group.context);
    let cycle_problems = CycleProblems::of(&graph);
    let back_edge_note = possible_back_edges(group.list);
    let package_files = observed.during(Stage::Hash, || {
        PackageFiles::hash(sources, graph.packages())
    });
    let collection = Collection {
        sources,
        list: group.list,
        context: &group.context,
        graph: &graph,
        package_files: &package_files,
        back_edges: &back_edges,
        candidates: Candidates::default(),
        updates_needed: UpdatesNeeded::of(group.list),
        rules,
    };
    let dependency_keys = DependencyKeys::default();
    let keys = |inputs: &ImageInputs| {
        observed.during(Stage::Hash, || image_keys_with(inputs, &dependency_keys))
    };
    group
        .services
        .par_iter()
        .map(|service| {
            let flags = choices.build_flags(&service.directory);
            let recipe = choices.recipe(&service.directory, &group.context);
            let (inputs, mut problems) = observed.during(Stage::Inputs, || {
                collect_inputs(&collection, service, &flags, &recipe)
            });
            problems.extend(version_problems.iter().cloned());
            problems.extend(cycle_problems.reached_from(&graph, &service.main));
            problems.extend(not_a_program(&graph, service));
            problems.extend(unusable_main_path(service));
            problems.extend(
                choices
                    .back_edges(&service.directory)
                    .filter(|path| !matches!(&*loader.resolution(path), Resolution::Local(_)))
                    .map(unknown_back_edge),
            );
            if inputs.tier == Tier::Module && !choices.declares_back_edges(&service.directory) {
                problems.extend(back_edge_note.clone());
            }
            if let Some(dockerfile) = &service.files.dockerfile {
                let closure = graph.closure(&service.main);
                problems.extend(missing_certificates(sources, &dockerfile.value, closure));
            }
            let go = Box::new(GoBuild {
                list: Arc::clone(group.list),
                module: Arc::clone(&service.module),
                context: group.context.clone(),
                flags,
                recipe,
            });
            let origin = match &service.files.dockerfile {
                Some(dockerfile) => own_dockerfile(&dockerfile.value, &service.files, Some(go)),
                None => Origin::Go(go),
            };
            finished(inputs, problems, &graph, origin, rules, &keys)
        })
        .collect()
}

fn own_dockerfile(path: &RepoPath, files: &DeclaredFiles, go: Option<Box<GoBuild>>) -> Origin {
    Origin::Dockerfile {
        path: path.clone(),
        context: files.context.clone().unwrap_or_else(RepoPath::root),
        go,
    }
}

/// Works out the key of an image, unless something leaves it in doubt.
fn finished(
    inputs: ImageInputs,
    mut problems: Vec<Diagnostic>,
    graph: &Arc<PackageGraph>,
    origin: Origin,
    rules: &RuleFiles,
    keys: &dyn Fn(&ImageInputs) -> ImageKeys,
) -> (PlannedImage, Vec<Diagnostic>) {
    problems.extend_from_slice(rules.doubts_of(&inputs.service));
    problems.extend(rules.without_effect(&inputs.files));
    let mut doubts: Vec<Code> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(|problem| problem.code)
        .collect();
    doubts.sort_unstable();
    doubts.dedup();
    let image = PlannedImage {
        keys: doubts.is_empty().then(|| keys(&inputs)),
        inputs,
        doubts,
        tag: None,
        verdict: Verdict::Rebuild,
        reasons: Vec::new(),
        graph: Arc::clone(graph),
        origin,
    };
    (image, problems)
}

fn plan_dockerfile_services(
    sources: &Sources<'_>,
    choices: &Choices,
    discovered: &Discovered,
    rules: &RuleFiles,
) -> Vec<(PlannedImage, Vec<Diagnostic>)> {
    let graph = Arc::new(PackageGraph::default());
    let dependency_keys = DependencyKeys::default();
    let keys = &|inputs: &ImageInputs| image_keys_with(inputs, &dependency_keys);
    let services = discovered.dockerfile_services.iter();
    services
        .flat_map(|service| {
            let platforms = choices.platforms(&service.directory).into_iter();
            platforms.map(move |platform| (service, platform))
        })
        .map(|(service, platform)| {
            let (inputs, problems) = collect_dockerfile_inputs(sources, service, &platform, rules);
            let dockerfile = service.files.dockerfile.as_ref();
            let origin = dockerfile.map_or(Origin::Gone, |dockerfile| {
                own_dockerfile(&dockerfile.value, &service.files, None)
            });
            finished(inputs, problems, &graph, origin, rules, keys)
        })
        .collect()
}

/// The modules that a main module requires `// indirect` without another first-party module of its requirements that
/// requires them directly: then only third-party code can be why.
fn unexplained_requirements(list: &BuildList) -> BTreeSet<&str> {
    let mut unexplained = BTreeSet::new();
    for member in list.members.values() {
        let own = &member.go_mod.require;
        let explained: BTreeSet<&str> = own
            .iter()
            .filter_map(|requirement| list.local_manifest(&requirement.value.module.path))
            .flat_map(|first_party| &first_party.as_dependency().value.require)
            .filter(|requirement| requirement.value.directness == Directness::Direct)
            .map(|requirement| requirement.value.module.path.as_str())
            .collect();
        unexplained.extend(
            own.iter()
                .filter(|requirement| requirement.value.directness == Directness::Indirect)
                .map(|requirement| requirement.value.module.path.as_str())
                .filter(|path| !explained.contains(path)),
        );
    }
    unexplained
}

/// The packages that third-party code may import: those that rebake.toml names, and every package of a first-party module
/// whose requirement only third-party code explains.
fn back_edge_starts(
    survey: &Survey,
    choices: &Choices,
    group: &Group<'_>,
    loader: &Loader<'_, '_>,
) -> BTreeMap<String, LocalPackage> {
    let mut starts = BTreeMap::new();
    if group.list.vendor.is_some() {
        return starts;
    }
    for module_path in unexplained_requirements(group.list) {
        let Some(directory) = group.list.local_directory(module_path) else {
            continue;
        };
        let elsewhere;
        let candidates = if survey.modules.contains_key(directory) {
            &survey.candidates
        } else {
            // A replacement directory that no pattern visits.
            elsewhere = survey_from(loader.sources.view(), directory).candidates;
            &elsewhere
        };
        for candidate in candidates {
            if candidate.module.directory != *directory {
                continue;
            }
            let rest = candidate
                .directory
                .path
                .strip_prefix(directory)
                .unwrap_or_default();
            let import_path = if rest.is_empty() {
                module_path.to_owned()
            } else {
                format!("{module_path}/{rest}")
            };
            let local = LocalPackage {
                directory: candidate.directory.path.clone(),
                module: module_path.to_owned(),
            };
            starts.insert(import_path, local);
        }
    }
    for service in &group.services {
        for import_path in choices.back_edges(&service.directory) {
            if let Resolution::Local(local) = &*loader.resolution(import_path) {
                starts.insert(import_path.to_owned(), local.clone());
            }
        }
    }
    starts
}

/// A service's tag is over all its platforms, and there is none when any of them is in doubt.
pub(super) fn tag_services(images: &mut [PlannedImage]) {
    let mut keys_of: BTreeMap<String, Vec<(String, Option<ImageKeys>)>> = BTreeMap::new();
    for image in images.iter() {
        let row = (image.inputs.platform.to_string(), image.keys);
        keys_of
            .entry(image.inputs.service.to_string())
            .or_default()
            .push(row);
    }
    for image in images {
        let Some(rows) = keys_of.get(image.inputs.service.as_str()) else {
            continue;
        };
        let keys: Option<Vec<_>> = rows
            .iter()
            .map(|(platform, keys)| keys.map(|keys| (platform.as_str(), keys.image)))
            .collect();
        image.tag = keys.map(service_tag);
    }
}
