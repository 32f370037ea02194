//! What the caches of a build are called, and who may write them.
//!
//! In: a service, and how it is built. Out: a [`CachePlan`]. It must never name a cache after what it holds: a name that
//! changes with the dependencies would start cold at every bump.

use crate::{
    discover::service_name::ServiceName,
    recipe::{Profile, Recipe},
};
use std::fmt;

/// The name of a service's cache: it stays the same when dependencies change, so that the cache stays warm. Made of
/// `a-z`, `0-9` and `-`, at most 63: what tags, GitHub's cache keys and comma-separated options all take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CacheScope(ServiceName);

impl CacheScope {
    /// The scope of a service.
    pub fn of(service: &ServiceName) -> Self {
        Self(service.clone())
    }
}

impl fmt::Display for CacheScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Who starts a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// A commit on the default branch: what others start from.
    DefaultBranch,
    /// A pull request from a branch of the same repository.
    PullRequest,
    /// A pull request from a fork.
    Fork,
}

/// Which caches a build reads and writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheUse {
    /// The scopes to import from, in order.
    pub import: Vec<CacheScope>,
    /// The scopes to export to.
    pub export: Vec<CacheScope>,
}

/// The caches of one service's builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachePlan {
    /// The name to append to where caches are kept: GitHub's scope, or the tag of a registry's repository.
    pub scope: CacheScope,
    /// The ids of the cache mounts, where a builder that stays keeps them.
    pub mounts: Vec<String>,
}

impl CachePlan {
    /// The caches of a service. `repository` tells its mounts from those of others on the same builder; a service with a
    /// Dockerfile of its own has no recipe, and its mounts are not known.
    pub fn of(service: &ServiceName, repository: &str, recipe: Option<&Recipe>) -> Self {
        let mounts = match recipe.map(|recipe| recipe.profile) {
            Some(Profile::Mounts) => mount_ids(repository).into(),
            Some(Profile::Layers) | None => Vec::new(),
        };
        Self {
            scope: CacheScope::of(service),
            mounts,
        }
    }

    /// What a build may read and write. Only the default branch writes: whoever writes a cache decides what others build
    /// from, a registry keeps no branch apart, and what a pull request writes to GitHub serves nobody else and costs quota.
    pub fn for_builds_of(&self, trust: Trust) -> CacheUse {
        CacheUse {
            import: vec![self.scope.clone()],
            export: match trust {
                Trust::DefaultBranch => vec![self.scope.clone()],
                Trust::PullRequest | Trust::Fork => Vec::new(),
            },
        }
    }
}

/// The ids of the mounts of the module cache and of the build cache.
pub(super) fn mount_ids(repository: &str) -> [String; 2] {
    [
        format!("{repository}-modules"),
        format!("{repository}-build"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_default_branch_writes_caches_and_everybody_reads_them() {
        let service: ServiceName = "api".parse().unwrap();
        let plan = CachePlan::of(&service, "rebake-x", None);
        for (trust, exports) in [
            (Trust::DefaultBranch, 1),
            (Trust::PullRequest, 0),
            (Trust::Fork, 0),
        ] {
            let uses = plan.for_builds_of(trust);
            assert_eq!((uses.import.len(), uses.export.len()), (1, exports));
        }
    }
}
