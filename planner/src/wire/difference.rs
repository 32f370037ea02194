//! What `rebake diff` prints.
//!
//! In: the images of two earlier answers, compared. Out: a document of the contract. It must never compute an answer.

use super::{ReasonRow, VERSION};
use crate::{
    discover::service_name::ServiceName,
    plan::{Difference, ImageChange},
    target::Platform,
};
use serde::{Deserialize, Serialize};

/// How two answers differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DiffDocument {
    /// The version of the contract: 1.
    pub version: u32,
    /// One row a service and platform of either answer, sorted by name, then platform.
    pub services: Vec<DiffRow>,
}

/// How one service on one platform differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DiffRow {
    /// The service's name.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: ServiceName,
    /// The platform.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub platform: Platform,
    /// How it changed.
    pub change: ChangeName,
    /// What changed, input by input.
    pub reasons: Vec<ReasonRow>,
}

/// How an image changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ChangeName {
    /// Both answers have it, with the same key.
    Same,
    /// Both answers have it, with different keys, or with a doubt in either.
    Changed,
    /// Only the new answer has it.
    Added,
    /// Only the old answer has it.
    Removed,
}

impl DiffDocument {
    /// What a comparison says.
    pub fn new(differences: &[Difference]) -> Self {
        let rows = differences.iter().map(|difference| DiffRow {
            name: difference.service.clone(),
            platform: difference.platform.clone(),
            change: match difference.change {
                ImageChange::Same => ChangeName::Same,
                ImageChange::Changed => ChangeName::Changed,
                ImageChange::Added => ChangeName::Added,
                ImageChange::Removed => ChangeName::Removed,
            },
            reasons: difference.reasons.iter().map(ReasonRow::from).collect(),
        });
        Self {
            version: VERSION,
            services: rows.collect(),
        }
    }
}
