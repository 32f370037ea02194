//! A whole plan: the stages, one after the other.
//!
//! In: a [`SourceTree`] and [`PlanOptions`]. Out: a [`Plan`]. It must never do a stage's work itself, read the
//! environment, print, or depend on anything but the tree and the options.

mod build_lists;
mod builds;
#[cfg(feature = "git")]
mod by_difference;
mod choices;
mod comparison;
mod context;
mod difference;
mod foundations;
#[cfg(feature = "git")]
mod git_findings;
mod images;
mod lints;
mod predictions;
mod problems;
mod registry;
mod stages;
mod standing;

pub use crate::sources::ContentMemory;
use crate::{
    config::{self, Config, ServiceGroups},
    decide::{Baseline, Reason, Verdict, decide},
    diagnostic::{Code, Diagnostic, Severity},
    discover::{
        manifest, path_glob::PathGlobError, service_name::ServiceName, services::find_services,
    },
    go_version::GoVersion,
    graph::load::{Package, PackageGraph},
    hash::{ImageKeys, ServiceTag},
    inputs::ImageInputs,
    path::RepoPath,
    sources::{KnownAnswers, RememberedTexts, Sources, SourcesParts},
    target::{BuildTag, Cgo, Platform},
    tree::{SourceTree, TreeError, TreeErrorKind},
};
#[cfg(feature = "git")]
pub use by_difference::{PlannedTree, plan_by_difference};
#[cfg(all(test, unix, feature = "git"))]
pub(crate) use by_difference::{Way, plan_in_a_way};
pub use comparison::BaselineImage;
pub use context::{ContextEntry, ContextError, ServiceContext};
pub use difference::{Difference, ImageChange, diff};
pub use foundations::{Followed, Foundations, FoundationsKept};
#[cfg(feature = "git")]
pub use git_findings::{findings_stay, inspect_commit, inspect_work_tree};

pub use stages::{Stage, StageObserver};
pub use standing::{Outside, Standing};

use build_lists::{BuildLists, survey_all};
use builds::Origin;
use choices::Choices;
use images::{plan_images, tag_services};
use problems::Findings;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the caller chooses. Whatever is empty is taken from `rebake.toml`, else from the documented defaults.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct PlanOptions {
    /// Globs over directories, anchored at the root, that choose the services.
    pub services: Vec<String>,
    /// The platforms of the images.
    pub platforms: Vec<Platform>,
    /// Whether cgo is on.
    pub cgo: Option<Cgo>,
    /// Build tags.
    pub tags: Vec<BuildTag>,
    /// The Go release that builds the images.
    pub go: Option<GoVersion>,
    /// What is remembered of contents. Share it between two plans and the second costs what differs.
    pub memory: ContentMemory,
    /// Whether the plan is to follow changes.
    pub foundations: FoundationsKept,
    /// Who is told how far the plan is.
    pub observer: Option<Arc<dyn StageObserver>>,
}

impl PlanOptions {
    /// Nothing chosen.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Why there is no plan at all. Everything that concerns single services is a diagnostic instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A services glob can't be used.
    #[error(transparent)]
    Glob(#[from] PathGlobError),
    /// `rebake.toml` is wrong; all that is wrong with it.
    #[error("rebake.toml has {} fault{}", .0.len(), if .0.len() == 1 { "" } else { "s" })]
    Config(Vec<Diagnostic>),
    /// The root can't be listed.
    #[error("can't read the root: {0}")]
    Root(TreeError),
}

/// One image of a plan: a service on a platform.
#[derive(Debug, Clone)]
pub struct PlannedImage {
    /// Everything that can change it.
    pub inputs: ImageInputs,
    /// Its keys; nothing when something is in doubt.
    pub keys: Option<ImageKeys>,
    /// The codes of the diagnostics that leave it in doubt, sorted.
    pub doubts: Vec<Code>,
    /// The content tag of the service over its platforms; nothing when any of them is in doubt.
    pub tag: Option<ServiceTag>,
    /// What happens to it.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<Reason>,
    graph: Arc<PackageGraph>,
    origin: Origin,
}

/// What must be rebuilt, from what, and what was noticed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The images, sorted by service name, then platform.
    pub images: Vec<PlannedImage>,
    /// Services of the baseline that are no more.
    pub removed: Vec<String>,
    /// What stands before the names of the images that a registry was asked for; nothing when none was.
    pub registry: Option<String>,
    /// Changed paths that reach no service, sorted; empty until a plan is compared and told what changed.
    pub unaffected: Vec<String>,
    /// The directories of main packages that no glob chose, sorted.
    pub excluded_mains: Vec<RepoPath>,
    /// The modules of the tree: directory and module path.
    pub modules: Vec<PlannedModule>,
    /// What was noticed, sorted by severity, path, place and code.
    pub diagnostics: Vec<Diagnostic>,
    groups: ServiceGroups,
    /// `rebake.toml`, where there is one.
    config_path: Option<RepoPath>,
    /// Directories in which services may stand that could not be looked for, and why.
    unseen: Vec<(RepoPath, Code)>,
    /// The directories of main packages that are no services because cgo is off.
    mains_without_cgo: Vec<RepoPath>,
    /// The inputs behind links: where each really is, and the links on the way.
    behind_links: BTreeMap<RepoPath, Vec<RepoPath>>,
    grounds: Grounds,
}

/// What a plan was told by its tree. It goes with the plan, since freeing it takes as long as a stage.
#[derive(Debug, Clone)]
enum Grounds {
    /// As it was asked.
    Asked(Arc<SourcesParts>),
    /// So that the plan can follow changes; nothing when these were taken.
    Kept(Option<Arc<Foundations>>),
}

/// A module of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedModule {
    /// Its directory.
    pub directory: RepoPath,
    /// Its module path; empty when go.mod declares none.
    pub path: String,
    /// Its `go` line, where it has one.
    pub go: Option<String>,
}

/// A package that images are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedPackage {
    /// Its import path.
    pub import_path: String,
    /// Its directory.
    pub directory: RepoPath,
    /// The module path that provides it.
    pub module: String,
    /// The package's name.
    pub name: String,
    /// The packages of the tree that it imports, sorted.
    pub imports: Vec<String>,
    /// What it imports of third parties, sorted.
    pub third_party: Vec<String>,
}

/// Plans every service of a tree.
///
/// # Errors
/// When the options or `rebake.toml` are wrong, or the root can't be read. Anything else leaves a plan, with
/// diagnostics and without keys where something is in doubt.
pub fn plan(tree: &dyn SourceTree, options: &PlanOptions) -> Result<Plan, PlanError> {
    plan_knowing(tree, options, KnownAnswers::default())
}

/// Plans every service of a tree of which some answers are known.
fn plan_knowing(
    tree: &dyn SourceTree,
    options: &PlanOptions,
    mut known: KnownAnswers,
) -> Result<Plan, PlanError> {
    let texts = std::mem::take(&mut known.texts);
    let tree = RememberedTexts::new(tree, options.memory.clone(), texts);
    let sources = Sources::new(&tree, options.memory.clone(), known);
    sources
        .view()
        .directory(&RepoPath::root())
        .map_err(PlanError::Root)?;
    let ReadConfig {
        config,
        path: config_path,
        diagnostics: config_diagnostics,
    } = read_config(&sources)?;
    let choices = Choices::of(options, &config)?;
    let observed = &choices.observed;
    let survey = observed.during(Stage::Discover, || survey_all(&sources));
    let lists = observed.during(Stage::Graph, || BuildLists::of(&sources, &survey));
    let discovered = observed.during(Stage::Discover, || {
        find_services(
            &sources,
            &survey,
            &choices.globs,
            &choices.declared,
            &|directory, module| choices.contexts(directory, lists.of_module(&module.directory)),
        )
    });
    let mut findings = Findings::default();
    findings.add_all(config_diagnostics, &[]);
    findings.add_all(survey.problems.clone(), &[]);
    findings.add_all(discovered.problems.clone(), &[]);
    let mut images = plan_images(
        &sources,
        &survey,
        &lists,
        &choices,
        &discovered,
        &mut findings,
    );
    tag_services(&mut images);
    observed.during(Stage::Decide, || {
        for image in &mut images {
            (image.verdict, image.reasons) =
                decide(image.state(), Baseline::None, &|_, _| Vec::new());
        }
    });
    note_linked_manifests(&sources, &images);
    let behind_links = sources.behind_links();
    let parts = sources.into_parts(tree.take_asked());
    Ok(Plan {
        images,
        removed: Vec::new(),
        registry: None,
        unaffected: Vec::new(),
        excluded_mains: discovered.excluded_mains,
        modules: survey
            .modules
            .values()
            .map(|module| PlannedModule {
                directory: module.directory.clone(),
                path: module.module_path().to_owned(),
                go: module.go_mod.go.as_ref().map(|go| go.value.clone()),
            })
            .collect(),
        diagnostics: findings.into_diagnostics(),
        groups: choices.groups.clone(),
        config_path,
        unseen: survey
            .problems
            .iter()
            .filter_map(unseen_directory)
            .collect(),
        mains_without_cgo: discovered.mains_without_cgo,
        behind_links,
        grounds: match options.foundations {
            FoundationsKept::Yes => Grounds::Kept(Some(Arc::new(Foundations::of(parts)))),
            FoundationsKept::No => Grounds::Asked(Arc::new(parts)),
        },
    })
}

/// Notes which manifests stand behind links: a build needs the links too.
fn note_linked_manifests(sources: &Sources<'_>, images: &[PlannedImage]) {
    // Images of one build list read the same.
    let lists: BTreeMap<_, _> = images
        .iter()
        .filter_map(PlannedImage::go_build)
        .map(|go| (Arc::as_ptr(&go.list), go))
        .collect();
    for go in lists.values() {
        for path in builds::layout(go, &BTreeSet::new()).manifests() {
            // A manifest that can't be had has been complained about when it was read.
            let _ = sources.note_way(path);
        }
    }
}

impl Plan {
    /// What this plan rests on, where the options asked for it; once. A copy, where a copy of this plan has it, too.
    pub fn take_foundations(&mut self) -> Option<Foundations> {
        match &mut self.grounds {
            Grounds::Asked(_) => None,
            Grounds::Kept(foundations) => Some(Arc::unwrap_or_clone(foundations.take()?)),
        }
    }

    /// Leaves what this plan rests on to its copies.
    pub fn forget_foundations(&mut self) {
        if let Grounds::Kept(foundations) = &mut self.grounds {
            *foundations = None;
        }
    }

    /// The files that were read for this plan, inputs or not, and other paths that were asked for. Nothing once
    /// [`Foundations`] were taken.
    pub fn files_read(&self) -> BTreeSet<RepoPath> {
        match &self.grounds {
            Grounds::Asked(parts) => parts.files(),
            Grounds::Kept(Some(foundations)) => foundations.files(),
            Grounds::Kept(None) => BTreeSet::new(),
        }
    }

    /// Whether a directory, by its path without links, was listed and has no entry of that name.
    #[cfg(feature = "git")]
    fn lists_without(&self, directory: &RepoPath, name: &str) -> bool {
        match &self.grounds {
            Grounds::Asked(parts) => {
                let listing = parts.listings.get(directory).and_then(Result::ok);
                listing.is_some_and(|listing| listing.entry(name).is_none())
            }
            Grounds::Kept(foundations) => foundations
                .as_ref()
                .and_then(|foundations| foundations.listing(directory))
                .is_some_and(|listing| listing.entry(name).is_none()),
        }
    }

    /// Adds findings of others, such as what git knows of the inputs. They never change a key.
    pub fn add_diagnostics(&mut self, diagnostics: Vec<Diagnostic>) {
        let mut findings = Findings::default();
        for diagnostic in std::mem::take(&mut self.diagnostics)
            .into_iter()
            .chain(diagnostics)
        {
            let services: Vec<String> = diagnostic.services.clone();
            let services: Vec<&str> = services.iter().map(String::as_str).collect();
            findings.add_all(vec![diagnostic], &services);
        }
        self.diagnostics = findings.into_diagnostics();
    }

    /// The packages that the images are made of, sorted by import path, or those of one service.
    pub fn packages(&self, service: Option<&ServiceName>) -> Vec<PlannedPackage> {
        let mut packages = BTreeMap::new();
        for image in &self.images {
            if service.is_some_and(|service| *service != image.inputs.service) {
                continue;
            }
            for package in image.graph.closure(&image.inputs.main) {
                packages
                    .entry(package.import_path.clone())
                    .or_insert_with(|| planned_package(package));
            }
        }
        packages.into_values().collect()
    }
}

/// Where a problem of the survey hides services: in a directory that can't be listed, in a submodule, or in a directory
/// whose go.mod can't be read.
fn unseen_directory(problem: &Diagnostic) -> Option<(RepoPath, Code)> {
    let path = problem.path.as_ref()?;
    if problem.severity != Severity::Error && problem.code != Code::Submodule {
        return None;
    }
    let directory = match path.file_name() {
        Some("go.mod") => path.parent()?,
        _ => path.clone(),
    };
    Some((directory, problem.code))
}

fn planned_package(package: &Package) -> PlannedPackage {
    PlannedPackage {
        import_path: package.import_path.clone(),
        directory: package.local.directory.clone(),
        module: package.local.module.clone(),
        name: package.name.clone(),
        imports: package.dependencies.iter().cloned().collect(),
        third_party: package.third_party.iter().cloned().collect(),
    }
}

/// What `rebake.toml` says.
#[derive(Default)]
struct ReadConfig {
    config: Config,
    /// Where it stands; nothing where there is none.
    path: Option<RepoPath>,
    diagnostics: Vec<Diagnostic>,
}

fn read_config(sources: &Sources<'_>) -> Result<ReadConfig, PlanError> {
    let root = RepoPath::root();
    let path = root.child(config::FILE_NAME);
    let unreadable = |error| PlanError::Config(vec![manifest::diagnose_unreadable(&error)]);
    let text = manifest::read_beside(sources.view(), &root, config::FILE_NAME);
    let Some(text) = text.map_err(unreadable)? else {
        // Of a manifest Go overlooks what is no file. Nobody who gave a directory this name meant it to be overlooked.
        let standing = sources.view().locate(&path).map_err(unreadable)?;
        return match standing {
            Some(_) => Err(unreadable(TreeError::new(&path, TreeErrorKind::NotAFile))),
            None => Ok(ReadConfig::default()),
        };
    };
    let parsed = config::parse_config(&text);
    let diagnostics = manifest::diagnose(&path, &parsed.faults);
    if parsed.has_errors() {
        return Err(PlanError::Config(diagnostics));
    }
    Ok(ReadConfig {
        config: parsed.value,
        path: Some(path),
        diagnostics,
    })
}
