//! What `rebake build` prints.
//!
//! In: what a builder recorded. Out: a document of the contract. It must never compute an answer.

use crate::discover::service_name::ServiceName;
use serde::{Deserialize, Serialize};

/// What was built, and what need not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BuiltDocument {
    /// The version of the contract: 1.
    pub version: u32,
    /// The services whose images were built, sorted by name.
    pub built: Vec<BuiltRow>,
    /// The services whose images are as they were, sorted by name.
    pub reused: Vec<ReusedRow>,
}

/// An image that was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BuiltRow {
    /// The service's name.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: ServiceName,
    /// Its content tag.
    pub tag: Option<String>,
    /// The names that the image has now.
    pub images: Vec<String>,
    /// The digest of what was pushed or loaded; null where the image stays in the builder's cache.
    pub digest: Option<String>,
}

/// An image that was not built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReusedRow {
    /// The service's name.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: ServiceName,
    /// Its content tag.
    pub tag: Option<String>,
}
