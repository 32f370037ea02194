//! How each service of a plan is built.
//!
//! In: a plan. Out: [`Build`]s, over all platforms of a service, for the emit stage. It must never read a file: all that
//! it says is in the inputs, the package graph and the build list already.

use super::{Plan, PlannedImage};
use crate::{
    config::ServiceGroups,
    discover::manifest::Manifest,
    emit::{
        Asset, BackEdges, Build, CachePlan, Completeness, KeptBuild, Layout, Scope, ServiceBuild,
    },
    file_kind::FileKind,
    graph::{
        build_list::{BuildList, Mode, ModuleSource, Passes},
        load::Package,
    },
    path::RepoPath,
    recipe::Recipe,
    target::{BuildContext, BuildFlag},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the inputs of a Go image do not say about its build.
#[derive(Debug, Clone)]
pub(super) struct GoBuild {
    pub(super) list: Arc<BuildList>,
    pub(super) module: Arc<Manifest>,
    pub(super) context: BuildContext,
    pub(super) flags: Vec<BuildFlag>,
    pub(super) recipe: Recipe,
}

/// How an image comes about.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// From a Go main package, by a Dockerfile of ours.
    Go(Box<GoBuild>),
    /// From a Dockerfile of its own, with that context. A program in Go is still a Go build, by whatever that file says.
    Dockerfile {
        path: RepoPath,
        context: RepoPath,
        go: Option<Box<GoBuild>>,
    },
    /// From nothing that is still there: an image of the baseline.
    Gone,
}

impl PlannedImage {
    /// Its build, where it is one in Go from a Dockerfile of ours.
    pub(super) fn go_build(&self) -> Option<&GoBuild> {
        match &self.origin {
            Origin::Go(go) => Some(go),
            Origin::Dockerfile { .. } | Origin::Gone => None,
        }
    }
}

impl Plan {
    /// How every service is built, sorted by name. Services that are in doubt are left out: what can't be planned can't be
    /// built from a plan.
    pub fn builds(&self) -> Vec<Build> {
        let mut by_service: BTreeMap<&str, Vec<&PlannedImage>> = BTreeMap::new();
        for image in &self.images {
            let images = by_service.entry(image.inputs.service.as_str()).or_default();
            images.push(image);
        }
        by_service
            .into_values()
            .filter(|images| images.iter().all(|image| image.keys.is_some()))
            .filter_map(|images| self.build(&images))
            .collect()
    }

    /// The groups of `rebake.toml`.
    pub fn groups(&self) -> &ServiceGroups {
        &self.groups
    }

    /// The caches of an image's builds.
    pub fn caches(&self, image: &PlannedImage) -> CachePlan {
        let recipe = match &image.origin {
            Origin::Go(go) => Some(&go.recipe),
            Origin::Dockerfile { .. } | Origin::Gone => None,
        };
        CachePlan::of(&image.inputs.service, &self.cache_name(), recipe)
    }

    fn build(&self, images: &[&PlannedImage]) -> Option<Build> {
        let first = images.first()?;
        match &first.origin {
            Origin::Gone => None,
            Origin::Dockerfile { path, context, .. } => {
                let platforms = images.iter().map(|image| image.inputs.platform.clone());
                Some(Build::Kept(KeptBuild {
                    service: first.inputs.service.clone(),
                    dockerfile: path.clone(),
                    context: context.clone(),
                    platforms: platforms.collect(),
                }))
            }
            Origin::Go(go) => {
                let build = self.go_build(images, first, go);
                Some(Build::Emitted(Box::new(build)))
            }
        }
    }

    fn go_build(
        &self,
        images: &[&PlannedImage],
        first: &PlannedImage,
        go: &GoBuild,
    ) -> ServiceBuild {
        let mut scope = Scope::default();
        let mut listed = BTreeMap::new();
        let mut third_party = BTreeSet::new();
        let mut standard = BTreeSet::new();
        let mut modules = BTreeSet::new();
        let mut back_edges = BackEdges::None;
        let vendor = go.list.vendor.as_ref().map(|vendor| &vendor.directory);
        for image in images {
            let closure = image.graph.closure(&image.inputs.main);
            let directories: BTreeMap<&str, &RepoPath> = closure
                .iter()
                .map(|package| (package.import_path.as_str(), &package.local.directory))
                .collect();
            let is_vendored =
                |directory: &RepoPath| vendor.is_some_and(|vendor| directory.starts_with(vendor));
            for package in &closure {
                add_package(&mut scope, package);
                standard.extend(package.standard.iter().cloned());
                third_party.extend(package.third_party.iter().cloned());
                if is_vendored(&package.local.directory) {
                    let mut imported = package.dependencies.iter();
                    let leads_back = imported.any(|path| {
                        directories
                            .get(path.as_str())
                            .is_some_and(|at| !is_vendored(at))
                    });
                    if leads_back {
                        back_edges = BackEdges::Possible;
                    }
                } else {
                    modules.insert(package.local.module.clone());
                    third_party.extend(
                        package
                            .dependencies
                            .iter()
                            .filter(|path| {
                                directories
                                    .get(path.as_str())
                                    .is_some_and(|at| is_vendored(at))
                            })
                            .cloned(),
                    );
                }
            }
            for file in &image.inputs.files {
                if file.kind == FileKind::BackEdge {
                    back_edges = BackEdges::Possible;
                }
                if file.kind == FileKind::Asset {
                    scope.assets.insert(file.path.clone());
                }
                self.add_file(&mut scope, &file.path, file.kind);
            }
            let taken = image.inputs.files.iter();
            let taken = taken.filter(|file| is_listed(file.kind));
            listed.insert(
                image.inputs.platform.clone(),
                taken.map(|file| file.path.clone()).collect(),
            );
        }
        // A profile changes the binary, and no list of Go's names it.
        scope
            .probed
            .insert(first.inputs.directory.child("default.pgo"));
        let layout = layout(go, &modules);
        for asset in std::mem::take(&mut scope.assets) {
            let mut rows = images.iter().flat_map(|image| &image.inputs.files);
            let is_only_asset = rows.all(|row| row.path != asset || row.kind == FileKind::Asset);
            if is_only_asset && scope.is_beside_go(&asset) && !layout.manifests().contains(&asset) {
                scope.files.remove(&asset);
                scope.assets.insert(asset);
            }
        }
        let mut manifests_behind_links = BTreeSet::new();
        for manifest in layout.manifests() {
            if let Some(way) = self.behind_links.get(manifest) {
                scope.files.extend(way.iter().cloned());
                manifests_behind_links.insert(manifest.clone());
            }
        }
        ServiceBuild {
            service: first.inputs.service.clone(),
            repository: self.cache_name(),
            main_directory: first.inputs.directory.clone(),
            module_directory: go.module.directory.clone(),
            layout,
            manifests_behind_links,
            scope,
            listed,
            third_party,
            standard,
            back_edges,
            assets: assets(first),
            recipe: go.recipe.clone(),
            cgo: go.context.cgo(),
            tags: go.context.build_tags().cloned().collect(),
            build_flags: go.flags.clone(),
        }
    }

    /// A file outside of the packages' directories, and the links on the way to one.
    fn add_file(&self, scope: &mut Scope, path: &RepoPath, kind: FileKind) {
        if let Some(way) = self.behind_links.get(path) {
            scope.files.extend(way.iter().cloned());
        }
        let is_in_package = path
            .parent()
            .is_some_and(|directory| scope.packages.contains(&directory));
        let is_test = path
            .file_name()
            .is_some_and(|name| name.ends_with("_test.go"));
        match kind {
            FileKind::Manifest | FileKind::Dockerfile | FileKind::Extra => {}
            FileKind::BackEdge => {
                scope.packages.extend(path.parent());
                if is_test || path.file_name().is_none_or(|name| !name.ends_with(".go")) {
                    scope.files.insert(path.clone());
                }
            }
            FileKind::Embed => {
                // Of an embedded directory all is visible, so that the build notices what the plan missed.
                let embedded = scope
                    .packages
                    .iter()
                    .filter(|package| scope.embedding.contains(*package))
                    .filter_map(|package| Some((package, path.strip_prefix(package)?)))
                    .max_by_key(|(package, _)| package.elements().count());
                if let Some((package, below)) = embedded
                    && let Some((first, _)) = below.split_once('/')
                {
                    scope.embedded.insert(package.child(first));
                } else if is_test || !is_in_package {
                    scope.files.insert(path.clone());
                }
            }
            // Their names can be any.
            FileKind::Pgo | FileKind::CgoInclude | FileKind::Asset => {
                scope.files.insert(path.clone());
            }
            _ if is_test || !is_in_package => {
                scope.files.insert(path.clone());
            }
            _ => {}
        }
    }

    /// A name for the caches of this repository on a builder that serves several: of its first module.
    fn cache_name(&self) -> String {
        let path = self
            .modules
            .first()
            .map_or("", |module| module.path.as_str());
        let slug: String = path
            .chars()
            .map(|character| match character {
                'a'..='z' | '0'..='9' => character,
                'A'..='Z' => character.to_ascii_lowercase(),
                _ => '-',
            })
            .collect();
        format!("rebake-{slug}")
    }
}

fn add_package(scope: &mut Scope, package: &Package) {
    let links = package.directory_links.iter();
    scope.directory_links.extend(links.cloned());
    scope.packages.insert(package.local.directory.clone());
    if package
        .files
        .iter()
        .any(|file| file.kind == FileKind::Embed)
    {
        scope.embedding.insert(package.local.directory.clone());
    }
}

/// Whether the build compares files of this kind with what it finds: those that `go list` reports, and the profile.
fn is_listed(kind: FileKind) -> bool {
    match kind {
        FileKind::Go
        | FileKind::Cgo
        | FileKind::C
        | FileKind::Cxx
        | FileKind::ObjectiveC
        | FileKind::Fortran
        | FileKind::Header
        | FileKind::Assembler
        | FileKind::Swig
        | FileKind::Syso
        | FileKind::Embed
        | FileKind::Pgo => true,
        FileKind::Manifest
        | FileKind::Asset
        | FileKind::CgoInclude
        | FileKind::BackEdge
        | FileKind::Dockerfile
        | FileKind::Extra => false,
    }
}

/// An asset in the service's directory keeps its place in it; another keeps its place in the tree.
fn assets(image: &PlannedImage) -> Vec<Asset> {
    let files = image.inputs.files.iter();
    files
        .filter(|file| file.kind == FileKind::Asset)
        .map(|file| Asset {
            path: file.path.clone(),
            destination: file
                .path
                .strip_prefix(&image.inputs.directory)
                .and_then(|below| RepoPath::new(below).ok())
                .unwrap_or_else(|| file.path.clone()),
            mode: file.mode,
        })
        .collect()
}

pub(super) fn layout(go: &GoBuild, modules: &BTreeSet<String>) -> Layout {
    let list = &*go.list;
    let mut manifests: BTreeSet<RepoPath> = list.companions.iter().cloned().collect();
    manifests.insert(list.governing_path());
    manifests.extend(list.members.values().map(|member| member.path()));
    let workspace = match list.mode {
        Mode::Module => None,
        Mode::Workspace(_) => Some(list.directory.clone()),
    };
    // Without a modules.txt nothing is vendored, and Go accepts that only where nothing is required.
    if let Some(vendor) = &list.vendor
        && manifests.contains(&vendor.modules_txt_path())
    {
        return Layout::Vendored {
            workspace,
            vendor: vendor.directory.clone(),
            manifests,
        };
    }
    manifests.retain(|path| path.file_name() != Some("modules.txt"));
    let mut linked = BTreeMap::new();
    for (path, module) in &list.modules {
        if let ModuleSource::Directory(manifest) = &module.source {
            manifests.insert(manifest.path());
            if modules.contains(path) {
                linked.insert(path.clone(), manifest.directory.clone());
            }
        }
    }
    match workspace {
        Some(directory) => Layout::Workspace {
            directory,
            manifests,
        },
        None => Layout::Module {
            manifests,
            linked,
            completeness: match list.passes {
                Passes::RootsFirst => Completeness::Complete,
                Passes::Everything => Completeness::Partial,
            },
        },
    }
}
