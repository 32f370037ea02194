//! Everything that can change one service's image on one platform.
//!
//! In: a package graph, a build list and a service's settings. Out: [`ImageInputs`]: complete, sorted,
//! the one value that keys, verdicts, reasons and emitted files come from. It must never hold anything
//! that depends on the machine: no absolute path, owner, time or mode (but an asset's executable bit).

use crate::{
    discover::service_name::ServiceName,
    file_kind::FileKind,
    path::RepoPath,
    target::Platform,
    tree::{ContentDigest, FileMode},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, sync::Arc};

pub(crate) mod collect;
mod compiling_stages;
pub(crate) mod copied;
pub(crate) mod declared;
pub(crate) mod package_files;
pub(crate) mod third_party;

/// How exactly the third-party modules of an image are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// The image links no third-party package.
    None,
    /// Exactly, from the vendored sources.
    Vendor,
    /// Exactly, from the module cache or the proxy. Reserved: no plan yields it yet.
    Linked,
    /// All that the manifests allow: a superset.
    Module,
}

impl Tier {
    /// The name in the machine contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Vendor => "vendor",
            Self::Linked => "linked",
            Self::Module => "module",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A file that can change the image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputFile {
    /// Where it is.
    pub path: RepoPath,
    /// Why it counts. A file that is both compiled and embedded has two rows.
    pub kind: FileKind,
    /// Of its content; for a link, of the link's text and the content that it leads to; for a
    /// manifest, of what the build takes from it.
    pub digest: ContentDigest,
    /// Counts for assets alone; [`FileMode::Regular`] for everything else.
    pub mode: FileMode,
}

/// One thing that the build takes from a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ManifestFact {
    /// The manifest.
    pub manifest: RepoPath,
    /// What is stated: `module`, `go`, `godebug http2client`, `replace ex.com/lib`, …
    pub name: String,
    /// The value.
    pub value: String,
}

/// A third-party module: linked, or in tier [`Tier::Module`] one that may be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ThirdPartyModule {
    /// The module path.
    pub path: String,
    /// The version; where requirements of third-party modules count, the highest that is known.
    pub version: String,
    /// The checksum of its content (`h1:…`), where go.sum or go.work.sum holds it.
    pub sum: Option<String>,
    /// What replaces it, as `path version`.
    pub replacement: Option<String>,
}

/// Everything that can change one service's image on one platform. All lists are sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInputs {
    /// The service.
    pub service: ServiceName,
    /// The import path of its main package.
    pub main: String,
    /// The directory of its main package.
    pub directory: RepoPath,
    /// The platform of the image.
    pub platform: Platform,
    /// How exactly `modules` is known.
    pub tier: Tier,
    /// The files, manifests included, by path and kind.
    pub files: Vec<InputFile>,
    /// What the build takes from the manifests.
    pub facts: Vec<ManifestFact>,
    /// The third-party modules. Images of one build list mostly have the same ones, and share them.
    pub modules: Arc<Vec<ThirdPartyModule>>,
    /// Toolchain, platform, tags, flags: everything that is neither a file nor a manifest.
    pub settings: BTreeMap<Setting, String>,
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $scope:ident;)+) => {
        /// A setting of a build. The names are part of the machine contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Setting { $($(#[doc = $doc])+ $variant,)+ }

        impl Setting {
            /// Every setting.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in the machine contract.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Which keys the setting enters.
            pub fn scope(self) -> SettingScope {
                match self { $(Self::$variant => SettingScope::$scope,)+ }
            }
        }
    };
}

/// Which keys a setting enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingScope {
    /// The dependency key, and through it the image key.
    Dependencies,
    /// The image key alone.
    Image,
}

settings! {
    /// The build recipe's version.
    Recipe = "recipe", Dependencies;
    /// The Go release that builds the image: language tags, standard library, Go image.
    Go = "go", Dependencies;
    /// GOOS.
    Goos = "goos", Dependencies;
    /// GOARCH.
    Goarch = "goarch", Dependencies;
    /// The architecture's level, as `GOAMD64=v1`.
    ArchitectureLevel = "architecture-level", Dependencies;
    /// CGO_ENABLED.
    Cgo = "cgo", Dependencies;
    /// Build tags, sorted, separated by commas.
    Tags = "tags", Dependencies;
    /// Further flags of `go build`, in order, each in quotes.
    BuildFlags = "build-flags", Dependencies;
    /// The image that holds the Go toolchain.
    GoImage = "go-image", Dependencies;
    /// The image that the image runs on.
    Runtime = "runtime", Image;
    /// The variable that is stamped with the version.
    VersionVariable = "version-variable", Image;
    /// The import path of the main package.
    Main = "main", Image;
    /// Whether the module or the workspace is built (`GOWORK`).
    Workspace = "workspace", Image;
}

impl fmt::Display for Setting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
