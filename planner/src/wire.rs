//! The machine contract, version 1: what `--format json` prints and what other programs read.
//!
//! In: a [`Plan`]. Out: documents that serialise to the contract. They are types of their own, so that a change
//! inside the planner can't change them. Fields are added, never changed; readers ignore fields that they do not
//! know and check `version`. It must never compute an answer: it only says what the plan says.

mod baseline;
mod built;
mod cache;
mod difference;
mod prediction;
mod standing;

pub use baseline::{BaselineDocument, BaselineError};
pub use built::{BuiltDocument, BuiltRow, ReusedRow};
pub use cache::{CacheRow, CacheUseRow};
pub use difference::{ChangeName, DiffDocument, DiffRow};
pub use prediction::{ForecastRow, PredictionDocument, PredictionRow, StageRow};
pub use standing::{PathRow, StandingRow, StandingsDocument, StandingsRow};

use crate::{
    decide::{Change, Reason, Verdict},
    diagnostic::{Diagnostic, Severity},
    discover::service_name::ServiceName,
    emit::CachePlan,
    file_kind::FileKind,
    hash::Key,
    inputs::{ImageInputs, InputFile, Tier},
    path::RepoPath,
    plan::{Plan, PlannedImage, PlannedModule, PlannedPackage},
    target::Platform,
    tree::{ContentDigest, FileMode},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version that every document of this module carries.
pub const VERSION: u32 = 1;

/// What `rebake plan --format json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlanDocument {
    /// The version of the contract: 1.
    pub version: u32,
    /// What was planned.
    pub root: Root,
    /// What the plan was compared with; null when with nothing.
    pub baseline: Option<Baseline>,
    /// What stands before the names of the images that a registry was asked for; null when none was asked.
    #[serde(default)]
    pub registry: Option<String>,
    /// One row a service and platform, sorted by name, then platform.
    pub services: Vec<ServiceRow>,
    /// The services of the baseline that are no more, sorted.
    pub removed: Vec<String>,
    /// Changed paths that reach no service, sorted.
    pub unaffected: Vec<String>,
    /// How many main packages no services glob chose.
    pub excluded_mains: usize,
    /// What was noticed.
    pub diagnostics: Vec<DiagnosticRow>,
}

/// What `rebake inputs --format json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InputsDocument {
    /// The version of the contract: 1.
    pub version: u32,
    /// What was planned.
    pub root: Root,
    /// One row a service and platform, sorted by name, then platform.
    pub services: Vec<InputsRow>,
    /// How many main packages no services glob chose.
    pub excluded_mains: usize,
    /// What was noticed.
    pub diagnostics: Vec<DiagnosticRow>,
}

/// What `rebake graph --format json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GraphDocument {
    /// The version of the contract: 1.
    pub version: u32,
    /// What was planned.
    pub root: Root,
    /// The services, sorted by name, then platform.
    pub services: Vec<GraphService>,
    /// The modules of the tree, sorted by directory.
    pub modules: Vec<ModuleNode>,
    /// The packages that the services are made of, sorted by import path.
    pub packages: Vec<PackageNode>,
    /// What was noticed.
    pub diagnostics: Vec<DiagnosticRow>,
}

/// What was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Root {
    /// What keeps the versions of the tree.
    pub vcs: VersionControl,
    /// The commit that was planned, or that is checked out; null without version control.
    pub commit: Option<String>,
    /// Whether the directory differs from that commit; null without version control.
    pub dirty: Option<bool>,
}

impl Root {
    /// A tree without version control.
    pub fn without_version_control() -> Self {
        Self {
            vcs: VersionControl::None,
            commit: None,
            dirty: None,
        }
    }
}

/// What keeps the versions of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum VersionControl {
    /// git.
    Git,
    /// Nothing.
    None,
}

/// What a plan was compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Baseline {
    /// A commit.
    Commit {
        /// The revision as it was asked for.
        revision: String,
        /// The commit that was compared with: the best common ancestor with what was planned, or the revision itself
        /// where a CI's event names what has been built.
        commit: String,
    },
    /// A revision that could not be compared with, so everything is rebuilt.
    Unavailable {
        /// The revision as it was asked for.
        revision: String,
        /// Why, and what mends it.
        message: String,
    },
    /// A file with an earlier answer.
    File {
        /// Its path as it was given.
        path: String,
    },
}

/// One service on one platform, with its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceRow {
    /// The service.
    #[serde(flatten)]
    pub image: ImageRow,
    /// What happens to the image.
    pub verdict: VerdictName,
    /// Why.
    pub reasons: Vec<ReasonRow>,
    /// What the caches of its builds are called, and who writes them.
    pub cache: CacheRow,
}

/// One service on one platform, with all its inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InputsRow {
    /// The service.
    #[serde(flatten)]
    pub image: ImageRow,
    /// The files, by path, then kind.
    pub files: Vec<FileRow>,
    /// The third-party modules; in tier `module` the candidates.
    pub modules: Vec<ModuleRow>,
    /// Everything else that is in the keys.
    pub settings: Settings,
}

/// What every row says of its image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImageRow {
    /// The service's name.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: ServiceName,
    /// The import path of its main package.
    pub main: String,
    /// The directory of its main package.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub dir: RepoPath,
    /// The platform.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub platform: Platform,
    /// The image key; null when something is in doubt.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub key: Option<Key>,
    /// The dependency key; null when something is in doubt.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub dependency_key: Option<Key>,
    /// The content tag of the service over its platforms; null when any of them is in doubt.
    pub tag: Option<String>,
    /// How exactly the third-party modules are known.
    pub tier: Tier,
}

/// One input file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileRow {
    /// Where it is.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: RepoPath,
    /// Why it counts.
    pub kind: FileKind,
    /// 64 hexadecimal digits of blake3.
    pub digest: String,
    /// Whether it may be executed in the image; true for assets only.
    pub executable: bool,
}

/// One third-party module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModuleRow {
    /// The module path.
    pub path: String,
    /// The version.
    pub version: String,
    /// The checksum of its content (`h1:…`), where the manifests hold it.
    pub sum: Option<String>,
    /// What replaces it, as `path version`.
    pub replace: Option<String>,
}

/// Everything in the keys that is neither a file nor a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settings {
    /// The settings by name.
    #[serde(flatten)]
    pub named: BTreeMap<String, String>,
    /// What the build takes from each manifest.
    pub manifests: BTreeMap<String, Vec<Fact>>,
}

/// One thing that a build takes from a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fact {
    /// What is stated.
    pub name: String,
    /// The value.
    pub value: String,
}

/// What happens to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum VerdictName {
    /// It must be built.
    Rebuild,
    /// The one of the baseline serves.
    Reuse,
}

/// Why a verdict is what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReasonRow {
    /// There is nothing to compare with.
    NoBaseline,
    /// The baseline does not have the service on this platform.
    ServiceAdded,
    /// A doubt leaves no key.
    Uncertain {
        /// The codes of the diagnostics that say why, sorted.
        codes: Vec<String>,
    },
    /// The baseline had no key, so nothing equals it.
    BaselineUncertain,
    /// What was asked to be compared with can't be had.
    BaselineUnavailable {
        /// Why, and what mends it.
        message: String,
    },
    /// The image key is another; the baseline does not say what it was made of.
    KeyChanged {
        /// The key in the baseline.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        old: Key,
        /// The key now.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        new: Key,
    },
    /// An input file has other content.
    FileChanged(FileReason),
    /// A file became an input.
    FileAdded(FileReason),
    /// A file is no input any more.
    FileRemoved(FileReason),
    /// A manifest says something else.
    ManifestChanged {
        /// The manifest.
        path: String,
        /// What is stated.
        name: String,
        /// The old value, where there was one.
        old: Option<String>,
        /// The new value, where there is one.
        new: Option<String>,
    },
    /// A third-party module is another.
    ModuleChanged {
        /// The module path.
        module: String,
        /// The old version, replacement and checksum.
        old: Option<String>,
        /// The new ones.
        new: Option<String>,
    },
    /// A setting has another value.
    SettingChanged {
        /// Which.
        setting: String,
        /// The old value.
        old: Option<String>,
        /// The new value.
        new: Option<String>,
    },
    /// The build recipe has another version.
    RecipeChanged {
        /// The old version.
        old: Option<String>,
        /// The new version.
        new: Option<String>,
    },
    /// The third-party modules are known in another way.
    TierChanged {
        /// Before.
        old: Tier,
        /// Now.
        new: Tier,
    },
    /// Everything that counts is as it was.
    Unchanged,
    /// The registry holds an image with the content tag.
    TagPresent {
        /// The image.
        image: String,
    },
    /// The registry holds no image with the content tag.
    TagMissing {
        /// The image.
        image: String,
    },
    /// The registry did not say whether it holds an image with the content tag.
    RegistryUnavailable {
        /// The image.
        image: String,
        /// What happened.
        message: String,
    },
}

/// A file as a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileReason {
    /// Which.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: RepoPath,
    /// Why it counts.
    pub file_kind: FileKind,
    /// Its digest in the baseline, where it was there.
    pub old: Option<String>,
    /// Its digest now, where it is there.
    pub new: Option<String>,
    /// The shortest chain of packages from the one that holds the file to the main package.
    pub via: Vec<String>,
}

/// Something that was noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DiagnosticRow {
    /// The kind of finding.
    pub code: String,
    /// How much it matters.
    pub severity: SeverityName,
    /// What is wrong and what to do.
    pub message: String,
    /// The file or directory, where there is one.
    pub path: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u32>,
    /// The column, in bytes, from 1.
    pub column: Option<u32>,
    /// The services whose answer it touches; empty for the whole plan.
    pub services: Vec<String>,
}

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SeverityName {
    /// The services that it names have no key.
    Error,
    /// The answer stands, but something deserves a look.
    Warning,
    /// Something worth knowing.
    Note,
}

/// A service of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GraphService {
    /// The service's name.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: ServiceName,
    /// The platform.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub platform: Platform,
    /// The import path of its main package.
    pub main: String,
}

/// A module of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModuleNode {
    /// The module path.
    pub path: String,
    /// Its directory.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub dir: RepoPath,
    /// Its `go` line, where it has one.
    pub go: Option<String>,
}

/// A package of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PackageNode {
    /// The import path.
    pub import_path: String,
    /// Its directory.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub dir: RepoPath,
    /// The module path that provides it.
    pub module: String,
    /// The package's name.
    pub name: String,
    /// The packages of the tree that it imports, sorted.
    pub imports: Vec<String>,
    /// What it imports of third parties, sorted.
    pub third_party: Vec<String>,
    /// Whether it holds a file that changed since the baseline; without a baseline nothing has.
    #[serde(default)]
    pub changed: bool,
}

impl PlanDocument {
    /// What a plan says.
    pub fn new(plan: &Plan, root: Root, baseline: Option<Baseline>) -> Self {
        Self {
            version: VERSION,
            root,
            baseline,
            registry: plan.registry.clone(),
            services: plan
                .images
                .iter()
                .map(|image| ServiceRow::new(image, &plan.caches(image)))
                .collect(),
            removed: plan.removed.clone(),
            unaffected: plan.unaffected.clone(),
            excluded_mains: plan.excluded_mains,
            diagnostics: plan.diagnostics.iter().map(DiagnosticRow::from).collect(),
        }
    }
}

impl InputsDocument {
    /// What a plan rests on.
    pub fn new(plan: &Plan, root: Root) -> Self {
        Self {
            version: VERSION,
            root,
            services: plan.images.iter().map(InputsRow::from).collect(),
            excluded_mains: plan.excluded_mains,
            diagnostics: plan.diagnostics.iter().map(DiagnosticRow::from).collect(),
        }
    }
}

impl GraphDocument {
    /// The modules and packages behind a plan, or behind one of its services.
    pub fn new(plan: &Plan, root: Root, service: Option<&ServiceName>) -> Self {
        let is_chosen = |name: &ServiceName| service.is_none_or(|service| service == name);
        Self {
            version: VERSION,
            root,
            services: plan
                .images
                .iter()
                .filter(|image| is_chosen(&image.inputs.service))
                .map(|image| GraphService {
                    name: image.inputs.service.clone(),
                    platform: image.inputs.platform.clone(),
                    main: image.inputs.main.clone(),
                })
                .collect(),
            modules: plan.modules.iter().map(ModuleNode::from).collect(),
            packages: plan
                .packages(service)
                .into_iter()
                .map(PackageNode::from)
                .collect(),
            diagnostics: plan.diagnostics.iter().map(DiagnosticRow::from).collect(),
        }
    }
}

impl From<&PlannedImage> for ImageRow {
    fn from(image: &PlannedImage) -> Self {
        Self {
            name: image.inputs.service.clone(),
            main: image.inputs.main.clone(),
            dir: image.inputs.directory.clone(),
            platform: image.inputs.platform.clone(),
            key: image.keys.map(|keys| keys.image),
            dependency_key: image.keys.map(|keys| keys.dependency),
            tag: image.tag.map(|tag| tag.to_string()),
            tier: image.inputs.tier,
        }
    }
}

impl ServiceRow {
    fn new(image: &PlannedImage, caches: &CachePlan) -> Self {
        Self {
            image: ImageRow::from(image),
            verdict: match image.verdict {
                Verdict::Rebuild => VerdictName::Rebuild,
                Verdict::Reuse => VerdictName::Reuse,
            },
            reasons: image.reasons.iter().map(ReasonRow::from).collect(),
            cache: CacheRow::from(caches),
        }
    }
}

impl From<&PlannedImage> for InputsRow {
    fn from(image: &PlannedImage) -> Self {
        Self {
            image: ImageRow::from(image),
            files: image.inputs.files.iter().map(FileRow::from).collect(),
            modules: image
                .inputs
                .modules
                .iter()
                .map(|module| ModuleRow {
                    path: module.path.clone(),
                    version: module.version.clone(),
                    sum: module.sum.clone(),
                    replace: module.replacement.clone(),
                })
                .collect(),
            settings: Settings::from(&image.inputs),
        }
    }
}

impl From<&InputFile> for FileRow {
    fn from(file: &InputFile) -> Self {
        Self {
            path: file.path.clone(),
            kind: file.kind,
            digest: file.digest.to_hex(),
            executable: file.mode == FileMode::Executable,
        }
    }
}

impl From<&ImageInputs> for Settings {
    fn from(inputs: &ImageInputs) -> Self {
        let mut manifests: BTreeMap<String, Vec<Fact>> = BTreeMap::new();
        for fact in &inputs.facts {
            manifests
                .entry(fact.manifest.to_string())
                .or_default()
                .push(Fact {
                    name: fact.name.clone(),
                    value: fact.value.clone(),
                });
        }
        let named = inputs
            .settings
            .iter()
            .map(|(setting, value)| (setting.as_str().to_owned(), value.clone()))
            .collect();
        Self { named, manifests }
    }
}

impl From<&Reason> for ReasonRow {
    fn from(reason: &Reason) -> Self {
        match reason.clone() {
            Reason::NoBaseline => Self::NoBaseline,
            Reason::ServiceAdded => Self::ServiceAdded,
            Reason::Uncertain { codes } => Self::Uncertain {
                codes: codes.iter().map(ToString::to_string).collect(),
            },
            Reason::BaselineUncertain => Self::BaselineUncertain,
            Reason::BaselineUnavailable { message } => Self::BaselineUnavailable { message },
            Reason::Key { old, new } => Self::KeyChanged { old, new },
            Reason::File {
                path,
                kind,
                change,
                old,
                new,
                via,
            } => {
                let hex = |digest: Option<ContentDigest>| digest.map(|digest| digest.to_hex());
                let row = FileReason {
                    path,
                    file_kind: kind,
                    old: hex(old),
                    new: hex(new),
                    via,
                };
                match change {
                    Change::Added => Self::FileAdded(row),
                    Change::Removed => Self::FileRemoved(row),
                    Change::Changed => Self::FileChanged(row),
                }
            }
            Reason::Manifest {
                path,
                name,
                old,
                new,
            } => Self::ManifestChanged {
                path: path.to_string(),
                name,
                old,
                new,
            },
            Reason::Module { module, old, new } => Self::ModuleChanged { module, old, new },
            Reason::Recipe { old, new } => Self::RecipeChanged { old, new },
            Reason::Setting { setting, old, new } => Self::SettingChanged {
                setting: setting.to_string(),
                old,
                new,
            },
            Reason::Tier { old, new } => Self::TierChanged { old, new },
            Reason::Unchanged => Self::Unchanged,
            Reason::TagPresent { image } => Self::TagPresent { image },
            Reason::TagMissing { image } => Self::TagMissing { image },
            Reason::RegistryUnavailable { image, message } => {
                Self::RegistryUnavailable { image, message }
            }
        }
    }
}

impl From<&Diagnostic> for DiagnosticRow {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            code: diagnostic.code.to_string(),
            severity: match diagnostic.severity {
                Severity::Error => SeverityName::Error,
                Severity::Warning => SeverityName::Warning,
                Severity::Note => SeverityName::Note,
            },
            message: diagnostic.message.clone(),
            path: diagnostic.path.as_ref().map(ToString::to_string),
            line: diagnostic.position.map(|position| position.line),
            column: diagnostic.position.map(|position| position.column),
            services: diagnostic.services.clone(),
        }
    }
}

impl From<&PlannedModule> for ModuleNode {
    fn from(module: &PlannedModule) -> Self {
        Self {
            path: module.path.clone(),
            dir: module.directory.clone(),
            go: module.go.clone(),
        }
    }
}

impl From<PlannedPackage> for PackageNode {
    fn from(package: PlannedPackage) -> Self {
        Self {
            import_path: package.import_path,
            dir: package.directory,
            module: package.module,
            name: package.name,
            imports: package.imports,
            third_party: package.third_party,
            changed: false,
        }
    }
}
