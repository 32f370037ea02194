//! What `rebake why --path` and `rebake why-not` print.
//!
//! In: a plan, paths and what they are to its images. Out: a document of the contract. It must never compute an answer.

use super::{Baseline, Root, VERSION, VerdictName};
use crate::{
    decide::Verdict,
    discover::service_name::ServiceName,
    file_kind::FileKind,
    path::RepoPath,
    plan::{Outside, Plan, PlannedImage, Standing},
    target::Platform,
};
use serde::{Deserialize, Serialize};

/// What paths are to services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StandingsDocument {
    /// The version of the contract: 1.
    pub version: u32,
    /// What was planned.
    pub root: Root,
    /// What the plan was compared with; null when with nothing.
    pub baseline: Option<Baseline>,
    /// One row a service and platform, sorted by name, then platform.
    pub services: Vec<StandingsRow>,
}

/// What paths are to one service on one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StandingsRow {
    /// The service's name.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: ServiceName,
    /// The platform.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub platform: Platform,
    /// What happens to the image.
    pub verdict: VerdictName,
    /// The paths, in the order in which they were asked for.
    pub paths: Vec<PathRow>,
}

/// What one path is to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PathRow {
    /// The path.
    pub path: String,
    /// What it is: mostly one thing, and two for a file that is both compiled and embedded.
    pub standings: Vec<StandingRow>,
}

/// What a path is to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StandingRow {
    /// It is an input.
    Input {
        /// Why it counts.
        file_kind: FileKind,
        /// The shortest chain of packages from one that holds the file to the main package.
        via: Vec<String>,
    },
    /// It is a directory, or a link, that holds inputs or leads to them.
    HoldsInputs {
        /// How many inputs.
        inputs: usize,
        /// The nearest of them.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        nearest: RepoPath,
        /// The shortest chain of packages from the one that holds it to the main package.
        via: Vec<String>,
    },
    /// A test file.
    Test,
    /// A file of a package that the image holds, left out by its name or its build constraint.
    Excluded,
    /// A source file of a directory whose package the main package does not reach.
    NotReached {
        /// The import path of that directory, where it lies in a module.
        import_path: Option<String>,
    },
    /// A manifest of which the key holds no row of its own.
    OtherManifest,
    /// No kind of file that Go builds, and no package embeds it.
    NotBuilt,
}

impl StandingsDocument {
    /// What these paths are to these images of a plan.
    pub fn new<'a>(
        plan: &Plan,
        root: Root,
        baseline: Option<Baseline>,
        images: impl IntoIterator<Item = &'a PlannedImage>,
        paths: &[RepoPath],
    ) -> Self {
        let services = images.into_iter().map(|image| StandingsRow {
            name: image.inputs.service.clone(),
            platform: image.inputs.platform.clone(),
            verdict: match image.verdict {
                Verdict::Rebuild => VerdictName::Rebuild,
                Verdict::Reuse => VerdictName::Reuse,
            },
            paths: paths
                .iter()
                .map(|path| PathRow {
                    path: path.to_string(),
                    standings: plan
                        .standing(image, path)
                        .into_iter()
                        .map(StandingRow::from)
                        .collect(),
                })
                .collect(),
        });
        Self {
            version: VERSION,
            root,
            baseline,
            services: services.collect(),
        }
    }
}

impl From<Standing> for StandingRow {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Input { kind, via } => Self::Input {
                file_kind: kind,
                via,
            },
            Standing::Holds {
                inputs,
                nearest,
                via,
            } => Self::HoldsInputs {
                inputs,
                nearest,
                via,
            },
            Standing::Outside(outside) => match outside {
                Outside::Test => Self::Test,
                Outside::Excluded => Self::Excluded,
                Outside::NotReached { import_path } => Self::NotReached { import_path },
                Outside::OtherManifest => Self::OtherManifest,
                Outside::NotBuilt => Self::NotBuilt,
            },
        }
    }
}
