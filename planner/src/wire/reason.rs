//! Why verdicts are what they are.
//!
//! In: [`Reason`]s. Out: a part of the contract. It must never compute an answer.

use crate::{
    decide::{Change, Reason},
    diagnostic::Code,
    file_kind::FileKind,
    hash::Key,
    inputs::Tier,
    path::RepoPath,
    tree::ContentDigest,
};
use serde::{Deserialize, Serialize};

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
    BaselineUncertain {
        /// The codes of the diagnostics that say why, sorted; empty where the baseline does not say.
        #[serde(default)]
        codes: Vec<String>,
    },
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

fn names(codes: &[Code]) -> Vec<String> {
    codes.iter().map(ToString::to_string).collect()
}

impl From<&Reason> for ReasonRow {
    fn from(reason: &Reason) -> Self {
        match reason.clone() {
            Reason::NoBaseline => Self::NoBaseline,
            Reason::ServiceAdded => Self::ServiceAdded,
            Reason::Uncertain { codes } => Self::Uncertain {
                codes: names(&codes),
            },
            Reason::BaselineUncertain { codes } => Self::BaselineUncertain {
                codes: names(&codes),
            },
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
