//! The keys of an image.
//!
//! In: [`ImageInputs`]. Out: [`ImageKeys`] and, over a service's platforms, a [`ServiceTag`]. It must never read a
//! file, know a path of the machine, or hash what [`ImageInputs`] does not hold.
//!
//! | input | key | why | test |
//! | --- | --- | --- | --- |
//! | settings of scope `Dependencies` | dependency, image | they choose the toolchain and how everything is compiled | `every_setting_changes_the_keys_of_its_scope` |
//! | settings of scope `Image` | image | they choose what is compiled, not with what | `every_setting_changes_the_keys_of_its_scope` |
//! | tier | dependency, image | a superset and an exact set of the same modules are not the same answer | `the_tier_changes_both_keys` |
//! | modules: path, version, sum, replacement | dependency, image | what is linked, or may be | `every_part_of_a_module_changes_both_keys` |
//! | files: path, kind, digest | image | what is compiled, embedded, linked; a file's name is in the binary | `every_part_of_a_file_changes_the_image_key` |
//! | the mode of assets, declared inputs and copied files | image | it is the mode in the image | `every_part_of_a_file_changes_the_image_key` |
//! | manifest facts | image | language version, godebug, module paths, replacements | `every_part_of_a_fact_changes_the_image_key` |
//! | service name, directory | none | they name the answer; the main package's files and import path are in it | `the_name_of_a_service_changes_no_key` |
//! | position in time or on disk | none | never an input | property tests of purity |
//!
//! The encoding is canonical (`digest.rs`): every value is length-prefixed, every list counted, every
//! kind of key has a domain of its own, and the domain carries the version.

use crate::{
    digest::Encoder,
    file_kind::FileKind,
    inputs::{ImageInputs, SettingScope, ThirdPartyModule},
    tree::FileMode,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

/// Domains of derived keys: a digest of one kind can never be taken for one of another.
const DEPENDENCY_DOMAIN: &str = "rebake 2026-11-24 dependency key v1";
const IMAGE_DOMAIN: &str = "rebake 2026-11-24 image key v1";
const TAG_DOMAIN: &str = "rebake 2026-11-24 service tag v1";

/// A 256-bit key, shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// 64 lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key is 64 lower-case hexadecimal digits")]
pub struct KeyError;

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(KeyError);
        }
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| KeyError)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_hex())
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The two keys of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageKeys {
    /// Identifies the dependency layers.
    pub dependency: Key,
    /// Identifies the image.
    pub image: Key,
}

/// The content tag of a service, over the image keys of its platforms: `k-` and 64 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceTag(Key);

impl fmt::Display for ServiceTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "k-{}", self.0)
    }
}

/// Works out the keys of one image.
pub fn image_keys(inputs: &ImageInputs) -> ImageKeys {
    image_keys_with(inputs, &DependencyKeys::default())
}

/// The dependency keys of images that share their list of third-party modules, each worked out once: the list is long,
/// and mostly all services of a build list have the same one.
#[derive(Default)]
pub(crate) struct DependencyKeys(Mutex<Vec<KnownDependencies>>);

struct KnownDependencies {
    modules: Arc<Vec<ThirdPartyModule>>,
    /// What stands before the modules in the encoding.
    head: Vec<u8>,
    key: Key,
}

impl DependencyKeys {
    fn key_of(&self, inputs: &ImageInputs) -> Key {
        let mut encoder = Encoder::new(DEPENDENCY_DOMAIN);
        encoder.text(inputs.tier.as_str());
        encode_settings(&mut encoder, inputs, SettingScope::Dependencies);
        let head = encoder.encoded().to_vec();
        // A poisoned lock is no obstacle: a key is only ever put in whole.
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known
            .iter()
            .find(|known| Arc::ptr_eq(&known.modules, &inputs.modules) && known.head == head);
        if let Some(same) = same {
            return same.key;
        }
        drop(known);
        encoder.count(inputs.modules.len());
        for module in inputs.modules.iter() {
            encoder.text(&module.path);
            encoder.text(&module.version);
            encoder.optional(module.sum.as_deref());
            encoder.optional(module.replacement.as_deref());
        }
        let key = Key(encoder.finish());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST_KNOWN {
            known.push(KnownDependencies {
                modules: Arc::clone(&inputs.modules),
                head,
                key,
            });
        }
        key
    }
}

/// Where every image has modules of its own, as with a vendor directory, looking among all of them would cost a square.
const MOST_KNOWN: usize = 8;

/// Works out the keys of one image among others.
pub(crate) fn image_keys_with(inputs: &ImageInputs, dependencies: &DependencyKeys) -> ImageKeys {
    let dependency = dependencies.key_of(inputs);

    let mut encoder = Encoder::new(IMAGE_DOMAIN);
    encoder.bytes(&dependency.0);
    encode_settings(&mut encoder, inputs, SettingScope::Image);
    encoder.count(inputs.facts.len());
    for fact in &inputs.facts {
        encoder.text(fact.manifest.as_str());
        encoder.text(&fact.name);
        encoder.text(&fact.value);
    }
    // Manifests enter by their facts; their rows among the files only show a digest of these.
    let files = || {
        inputs
            .files
            .iter()
            .filter(|file| file.kind != FileKind::Manifest)
    };
    encoder.count(files().count());
    for file in files() {
        encoder.text(file.path.as_str());
        encoder.text(file.kind.as_str());
        encoder.bytes(file.digest.as_bytes());
        if matches!(file.kind, FileKind::Asset | FileKind::Extra) {
            encoder.text(match file.mode {
                FileMode::Regular => "regular",
                FileMode::Executable => "executable",
            });
        }
    }
    ImageKeys {
        dependency,
        image: Key(encoder.finish()),
    }
}

fn encode_settings(encoder: &mut Encoder, inputs: &ImageInputs, scope: SettingScope) {
    let settings = || {
        inputs
            .settings
            .iter()
            .filter(|(setting, _)| setting.scope() == scope)
    };
    encoder.count(settings().count());
    for (setting, value) in settings() {
        encoder.text(setting.as_str());
        encoder.text(value);
    }
}

/// Works out a service's tag from the image keys of its platforms, in the order of the platforms' names.
pub fn service_tag<'a>(platform_keys: impl IntoIterator<Item = (&'a str, Key)>) -> ServiceTag {
    let mut keys: Vec<(&str, Key)> = platform_keys.into_iter().collect();
    keys.sort_unstable();
    let mut encoder = Encoder::new(TAG_DOMAIN);
    encoder.count(keys.len());
    for (platform, key) in keys {
        encoder.text(platform);
        encoder.bytes(&key.0);
    }
    ServiceTag(Key(encoder.finish()))
}

#[cfg(test)]
mod tests;
