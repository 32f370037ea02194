//! What the plan says of the caches of a build.
//!
//! In: a [`CachePlan`]. Out: a part of the contract. It must never decide what may be written: the plan of caches does.

use crate::emit::{CachePlan, CacheUse, Trust};
use serde::{Deserialize, Serialize};

/// The caches of a service's builds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "kebab-case")]
pub struct CacheRow {
    /// The name to append to where caches are kept: the scope of GitHub's cache, or the tag in a registry's repository.
    pub scope: String,
    /// The ids of the cache mounts; empty where the profile is not `mounts`.
    pub mounts: Vec<String>,
    /// What builds of the default branch read and write.
    pub default_branch: CacheUseRow,
    /// What builds of pull requests from the same repository read and write.
    pub pull_request: CacheUseRow,
    /// What builds of pull requests from forks read and write.
    pub fork: CacheUseRow,
}

/// Which caches builds read and write.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CacheUseRow {
    /// The scopes to import from, in order.
    pub import: Vec<String>,
    /// The scopes to export to.
    pub export: Vec<String>,
}

impl From<&CachePlan> for CacheRow {
    fn from(plan: &CachePlan) -> Self {
        let uses = |trust| CacheUseRow::from(&plan.for_builds_of(trust));
        Self {
            scope: plan.scope.to_string(),
            mounts: plan.mounts.clone(),
            default_branch: uses(Trust::DefaultBranch),
            pull_request: uses(Trust::PullRequest),
            fork: uses(Trust::Fork),
        }
    }
}

impl From<&CacheUse> for CacheUseRow {
    fn from(uses: &CacheUse) -> Self {
        Self {
            import: uses.import.iter().map(ToString::to_string).collect(),
            export: uses.export.iter().map(ToString::to_string).collect(),
        }
    }
}
