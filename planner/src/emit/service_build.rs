//! What an emitted build is made of.
//!
//! In: nothing; the plan fills it. Out: [`ServiceBuild`], over all platforms of a service. It must never hold anything
//! that the plan did not take from `ImageInputs`, the package graph or the build list.

use super::ignore_file::go_may_take;
use crate::{
    discover::service_name::ServiceName,
    path::RepoPath,
    recipe::Recipe,
    target::{BuildFlag, BuildTag, Cgo, Platform},
    tree::FileMode,
};
use std::collections::{BTreeMap, BTreeSet};

/// How one service is built.
#[derive(Debug, Clone)]
pub struct ServiceBuild {
    /// The service.
    pub service: ServiceName,
    /// The name of the repository's caches on a builder that serves several.
    pub repository: String,
    /// The directory of its main package.
    pub main_directory: RepoPath,
    /// The directory of its main module: the toolchain runs there.
    pub module_directory: RepoPath,
    /// How its modules are found.
    pub layout: Layout,
    /// Those of its manifests that are reached through links.
    pub manifests_behind_links: BTreeSet<RepoPath>,
    /// The files of the context.
    pub scope: Scope,
    /// The files that `go list` takes, by platform.
    pub listed: BTreeMap<Platform, BTreeSet<RepoPath>>,
    /// The third-party packages that first-party code imports; with vendored sources, those that it imports of them.
    pub third_party: BTreeSet<String>,
    /// The standard packages that first-party code imports.
    pub standard: BTreeSet<String>,
    /// Whether third-party code may import packages of the tree.
    pub back_edges: BackEdges,
    /// The files that the image needs beside the binary.
    pub assets: Vec<Asset>,
    /// The recipe.
    pub recipe: Recipe,
    /// Whether cgo is on.
    pub cgo: Cgo,
    /// Build tags, sorted.
    pub tags: Vec<BuildTag>,
    /// Further flags of `go build`, in order.
    pub build_flags: Vec<BuildFlag>,
}

/// How the modules of a build are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// One main module without vendored sources.
    Module {
        /// go.mod, go.sum, and the go.mod of every module that a directory replaces.
        manifests: BTreeSet<RepoPath>,
        /// The first-party modules that are linked beside the main module, by module path.
        linked: BTreeMap<String, RepoPath>,
        /// Whether go.mod lists everything that the build needs, so that what the service does not link can be cut off.
        completeness: Completeness,
    },
    /// A workspace without vendored sources.
    Workspace {
        /// The directory of go.work.
        directory: RepoPath,
        /// go.work, go.work.sum, and every go.mod and go.sum that it uses.
        manifests: BTreeSet<RepoPath>,
    },
    /// Vendored sources.
    Vendored {
        /// The directory of go.work, where it is a workspace.
        workspace: Option<RepoPath>,
        /// The vendor directory.
        vendor: RepoPath,
        /// All manifests, modules.txt included.
        manifests: BTreeSet<RepoPath>,
    },
}

impl Layout {
    /// The directory of go.work, where there is one that counts.
    pub fn workspace(&self) -> Option<&RepoPath> {
        match self {
            Self::Module { .. } => None,
            Self::Workspace { directory, .. } => Some(directory),
            Self::Vendored { workspace, .. } => workspace.as_ref(),
        }
    }

    /// The vendor directory, where its sources are built.
    pub fn vendor(&self) -> Option<&RepoPath> {
        match self {
            Self::Module { .. } | Self::Workspace { .. } => None,
            Self::Vendored { vendor, .. } => Some(vendor),
        }
    }

    /// The manifests that the toolchain reads.
    pub fn manifests(&self) -> &BTreeSet<RepoPath> {
        match self {
            Self::Module { manifests, .. }
            | Self::Workspace { manifests, .. }
            | Self::Vendored { manifests, .. } => manifests,
        }
    }
}

/// Whether a go.mod lists every module that the build may need (since `go 1.17`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// It does.
    Complete,
    /// Requirements of third-party modules matter too.
    Partial,
}

/// Whether third-party code may import packages of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackEdges {
    /// None is known of.
    None,
    /// It may, so third-party packages can't all be compiled before the tree's own.
    Possible,
}

/// The part of the tree that a build may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The directories of packages: their files, without those below.
    pub packages: BTreeSet<RepoPath>,
    /// Among them, those that embed files of their own directory.
    pub embedding: BTreeSet<RepoPath>,
    /// Directories that are embedded from, with all that they hold.
    pub embedded: BTreeSet<RepoPath>,
    /// Links, and files that stand elsewhere or have unusual names.
    pub files: BTreeSet<RepoPath>,
    /// Links to directories that could be files of packages by their names. Where what they lead to is not there, Go would
    /// take them for files that can't be read.
    pub directory_links: BTreeSet<RepoPath>,
    /// Files that stand in the image beside the binary, and that no rule of Go's could make it read.
    pub assets: BTreeSet<RepoPath>,
    /// Files that Go takes wherever it finds them, there or not: so what the plan missed would be seen.
    pub probed: BTreeSet<RepoPath>,
}

impl Scope {
    /// Whether no rule of Go's could make it take a file of that name there, even if the plan were wrong.
    pub(crate) fn is_beside_go(&self, path: &RepoPath) -> bool {
        let name = path.file_name().unwrap_or_default();
        let embeds = |directory: &RepoPath| self.embedding.contains(directory);
        !go_may_take(name, Cgo::Enabled)
            && !self.probed.contains(path)
            && !path.parent().as_ref().is_none_or(embeds)
            && !self
                .embedded
                .iter()
                .any(|directory| path.starts_with(directory))
    }
}

/// A file that the image needs beside the binary.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asset {
    /// Where it is in the tree.
    pub path: RepoPath,
    /// Where it goes, below the image's working directory.
    pub destination: RepoPath,
    /// Whether it can be executed.
    pub mode: FileMode,
}
