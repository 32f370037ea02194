//! The caller's options over `rebake.toml` over the defaults.
//!
//! In: [`PlanOptions`] and a [`Config`]. Out: the build contexts and flags of a service. It must never take
//! anything from the machine.

use super::{PlanOptions, stages::Observed};
use crate::{
    concurrent_map::ConcurrentMap,
    config::{BuildSettings, Config, DeclaredService, RecipeSettings, Rule, ServiceGroups},
    diagnostic::Located,
    discover::path_glob::{PathGlobError, ServiceGlob},
    go_version::GoVersion,
    graph::build_list::BuildList,
    path::RepoPath,
    recipe::{ImageReference, Profile, Recipe, Runtime},
    target::{BuildContext, BuildFlag, Cgo, Platform},
};
use std::{collections::HashMap, sync::Arc};

/// What was chosen, by the caller, by `rebake.toml` or by default.
pub(super) struct Choices {
    pub(super) globs: Vec<ServiceGlob>,
    pub(super) declared: Vec<DeclaredService>,
    pub(super) rules: Vec<Located<Rule>>,
    pub(super) groups: ServiceGroups,
    pub(super) observed: Observed,
    /// The caller's choices, which win.
    command: BuildSettings,
    by_directory: HashMap<RepoPath, BuildSettings>,
    defaults: BuildSettings,
    /// Build contexts by the manifest that governs the build list.
    shared_contexts: ConcurrentMap<RepoPath, Arc<[BuildContext]>>,
}

impl Choices {
    pub(super) fn of(options: &PlanOptions, config: &Config) -> Result<Self, PathGlobError> {
        let globs = if options.services.is_empty() {
            config
                .services
                .iter()
                .map(|glob| glob.value.clone())
                .collect()
        } else {
            options
                .services
                .iter()
                .map(|glob| glob.parse())
                .collect::<Result<_, _>>()?
        };
        let given = |list: &[_]| (!list.is_empty()).then(|| list.to_vec());
        Ok(Self {
            globs,
            declared: config.declared_services(),
            rules: config.rules.clone(),
            groups: config.groups.clone(),
            observed: Observed(options.observer.clone()),
            command: BuildSettings {
                platforms: (!options.platforms.is_empty()).then(|| options.platforms.clone()),
                cgo: options.cgo,
                tags: given(&options.tags),
                build_flags: None,
                go: options.go.clone(),
                back_edges: None,
                recipe: RecipeSettings::default(),
            },
            by_directory: config
                .service
                .iter()
                .map(|service| (service.value.dir.clone(), service.value.settings.clone()))
                .collect(),
            defaults: config.defaults.clone(),
            shared_contexts: ConcurrentMap::new(),
        })
    }

    /// What is said of a service directory, the weightiest first.
    fn layers(&self, directory: &RepoPath) -> impl Iterator<Item = &BuildSettings> {
        [
            Some(&self.command),
            self.by_directory.get(directory),
            Some(&self.defaults),
        ]
        .into_iter()
        .flatten()
    }

    /// The build contexts of a main package in a directory, one a platform, without repetition. Directories of
    /// one build list that rebake.toml says nothing of share one answer.
    pub(super) fn contexts(&self, directory: &RepoPath, list: &BuildList) -> Arc<[BuildContext]> {
        if self.by_directory.contains_key(directory) {
            return self.work_out_contexts(directory, list);
        }
        let key = list.governing_path();
        self.shared_contexts
            .get_or_insert_with(&key, || self.work_out_contexts(directory, list))
    }

    fn work_out_contexts(&self, directory: &RepoPath, list: &BuildList) -> Arc<[BuildContext]> {
        let layers = || self.layers(directory);
        let platforms = self.platforms(directory);
        let cgo = layers()
            .find_map(|layer| layer.cgo)
            .unwrap_or(Cgo::Disabled);
        let tags = layers()
            .find_map(|layer| layer.tags.clone())
            .unwrap_or_default();
        let go = layers()
            .find_map(|layer| layer.go.clone())
            .unwrap_or_else(|| highest_go_version(list));
        platforms
            .into_iter()
            .map(|platform| BuildContext::new(platform, cgo, tags.iter().cloned(), go.clone()))
            .collect()
    }

    /// The platforms of a service without Go.
    pub(super) fn platforms(&self, directory: &RepoPath) -> Vec<Platform> {
        let mut platforms = self
            .layers(directory)
            .find_map(|layer| layer.platforms.clone())
            .unwrap_or_else(|| vec![Platform::default()]);
        platforms.sort();
        platforms.dedup();
        platforms
    }

    /// Further flags of `go build`.
    pub(super) fn build_flags(&self, directory: &RepoPath) -> Vec<BuildFlag> {
        self.layers(directory)
            .find_map(|layer| layer.build_flags.clone())
            .unwrap_or_default()
    }

    /// The recipe of a service's image.
    pub(super) fn recipe(&self, directory: &RepoPath, context: &BuildContext) -> Recipe {
        let mut chosen = RecipeSettings::default();
        for layer in self.layers(directory) {
            let RecipeSettings {
                go_image,
                runtime,
                profile,
                proof,
                go_image_scope,
                manifests,
                third_party,
                module_proxy,
                private_modules,
                unsummed_modules,
                credentials,
                version_variable,
            } = layer.recipe.clone();
            chosen = RecipeSettings {
                go_image: chosen.go_image.or(go_image),
                runtime: chosen.runtime.or(runtime),
                profile: chosen.profile.or(profile),
                proof: chosen.proof.or(proof),
                go_image_scope: chosen.go_image_scope.or(go_image_scope),
                manifests: chosen.manifests.or(manifests),
                third_party: chosen.third_party.or(third_party),
                module_proxy: chosen.module_proxy.or(module_proxy),
                private_modules: chosen.private_modules.or(private_modules),
                unsummed_modules: chosen.unsummed_modules.or(unsummed_modules),
                credentials: chosen.credentials.or(credentials),
                version_variable: chosen.version_variable.or(version_variable),
            };
        }
        let default_runtime = match context.cgo() {
            Cgo::Disabled => Runtime::DistrolessStatic,
            Cgo::Enabled => Runtime::DistrolessBase,
        };
        Recipe {
            go_image: chosen
                .go_image
                .unwrap_or_else(|| ImageReference::of_go(context.go_version())),
            runtime: chosen.runtime.unwrap_or(default_runtime),
            profile: chosen.profile.unwrap_or(Profile::Layers),
            proof: chosen.proof.unwrap_or_default(),
            go_image_scope: chosen.go_image_scope.unwrap_or_default(),
            manifests: chosen.manifests.unwrap_or_default(),
            third_party: chosen.third_party.unwrap_or_default(),
            module_proxy: chosen.module_proxy,
            private_modules: chosen.private_modules,
            unsummed_modules: chosen.unsummed_modules,
            credentials: chosen.credentials,
            version_variable: chosen.version_variable,
        }
    }

    /// The packages of the tree that third-party code imports, as far as they are declared.
    pub(super) fn back_edges(&self, directory: &RepoPath) -> impl Iterator<Item = &str> {
        self.layers(directory)
            .filter_map(|layer| layer.back_edges.as_ref())
            .flatten()
            .map(String::as_str)
    }

    /// Whether it is said which packages of the tree third-party code imports, be it none.
    pub(super) fn declares_back_edges(&self, directory: &RepoPath) -> bool {
        self.layers(directory)
            .any(|layer| layer.back_edges.is_some())
    }
}

/// The highest `go` or `toolchain` line that the build reads; Go takes 1.16 where there is none.
fn highest_go_version(list: &BuildList) -> GoVersion {
    list.go_version_lines()
        .into_iter()
        .map(|(version, ..)| version)
        .max()
        .unwrap_or_else(GoVersion::without_go_line)
}
