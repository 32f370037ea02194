//! The machine contract, version 1: what `--format json` prints and what other programs read.
//!
//! In: a [`Plan`]. Out: documents that serialise to the contract. They are types of their own, so that a change
//! inside the planner can't change them. Fields are added, never changed; readers ignore fields that they do not
//! know and check `version`. It must never compute an answer: it only says what the plan says.

mod baseline;
mod built;
mod cache;
mod difference;
mod graph;
mod prediction;
mod reason;
mod standing;

pub use baseline::{BaselineDocument, BaselineError};
pub use built::{BuiltDocument, BuiltRow, ReusedRow};
pub use cache::{CacheRow, CacheUseRow};
pub use difference::{ChangeName, DiffDocument, DiffRow};
pub use graph::{GraphDocument, GraphService, ModuleNode, PackageNode};
pub use prediction::{ForecastRow, PredictionDocument, PredictionRow, StageRow};
pub use reason::{FileReason, ReasonRow};
pub use standing::{PathRow, StandingRow, StandingsDocument, StandingsRow};

use crate::{
    decide::Verdict,
    diagnostic::{Diagnostic, Severity},
    discover::service_name::ServiceName,
    emit::CachePlan,
    file_kind::FileKind,
    hash::Key,
    inputs::{ImageInputs, InputFile, Tier},
    path::RepoPath,
    plan::{Plan, PlannedImage},
    target::Platform,
    tree::FileMode,
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
            excluded_mains: plan.excluded_mains.len(),
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
            excluded_mains: plan.excluded_mains.len(),
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
