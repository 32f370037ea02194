//! An earlier answer, read back.
//!
//! In: a document that `rebake plan` or `rebake inputs` printed. Out: the images to compare with. Of a plan only the keys
//! are known, so a comparison can tell that something changed and not what; a document of inputs tells everything. It
//! must never take what it can't read for something that is equal.

use super::{FileRow, ImageRow, ModuleRow, Settings, VERSION};
use crate::{
    decide::Detail,
    diagnostic::Code,
    hash::ImageKeys,
    inputs::{ImageInputs, InputFile, ManifestFact, Setting, ThirdPartyModule},
    path::{RepoPath, RepoPathError},
    plan::BaselineImage,
    tree::{DigestError, FileMode},
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A plan or a list of inputs that was written earlier.
#[derive(Debug, Clone, Deserialize)]
pub struct BaselineDocument {
    version: u32,
    services: Vec<BaselineRow>,
}

#[derive(Debug, Clone, Deserialize)]
struct BaselineRow {
    #[serde(flatten)]
    image: ImageRow,
    #[serde(default)]
    reasons: Vec<WrittenReason>,
    files: Option<Vec<FileRow>>,
    #[serde(default)]
    modules: Vec<ModuleRow>,
    settings: Option<Settings>,
}

/// What a baseline's own reasons tell: which doubts it was left with. Kinds and codes that are younger than this version
/// tell nothing, and do no harm.
#[derive(Debug, Clone, Deserialize)]
struct WrittenReason {
    kind: String,
    #[serde(default)]
    codes: Vec<String>,
}

/// Why a document can't be compared with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// Another version of the contract.
    #[error(
        "it follows version {0} of the contract, and this is version {VERSION}; plan the baseline again"
    )]
    Version(u32),
    /// A path that no plan writes.
    #[error("the service `{service}` has a path that no plan writes: {error}")]
    Path {
        /// The service.
        service: String,
        /// What is wrong with the path.
        error: RepoPathError,
    },
    /// A digest that no plan writes.
    #[error("the service `{service}` has a digest that no plan writes: {error}")]
    Digest {
        /// The service.
        service: String,
        /// What is wrong with the digest.
        error: DigestError,
    },
}

impl BaselineDocument {
    /// The images of the document.
    ///
    /// # Errors
    /// When the document is of another version, or holds what no plan writes.
    pub fn images(self) -> Result<Vec<BaselineImage>, BaselineError> {
        if self.version != VERSION {
            return Err(BaselineError::Version(self.version));
        }
        self.services.into_iter().map(BaselineRow::image).collect()
    }
}

impl BaselineRow {
    fn image(self) -> Result<BaselineImage, BaselineError> {
        let keys = match (self.image.dependency_key, self.image.key) {
            (Some(dependency), Some(image)) => Some(ImageKeys { dependency, image }),
            _ => None,
        };
        let detail = match (&self.files, &self.settings) {
            (Some(_), Some(_)) => Detail::Inputs,
            _ => Detail::KeysOnly,
        };
        let written: BTreeSet<&str> = self
            .reasons
            .iter()
            .filter(|reason| reason.kind == "uncertain")
            .flat_map(|reason| reason.codes.iter().map(String::as_str))
            .collect();
        let doubts: Vec<Code> = Code::ALL
            .iter()
            .copied()
            .filter(|code| written.contains(code.as_str()))
            .collect();
        let service = self.image.name.to_string();
        let mut files = Vec::new();
        for row in self.files.unwrap_or_default() {
            files.push(InputFile {
                path: row.path,
                kind: row.kind,
                digest: row.digest.parse().map_err(|error| BaselineError::Digest {
                    service: service.clone(),
                    error,
                })?,
                mode: if row.executable {
                    FileMode::Executable
                } else {
                    FileMode::Regular
                },
            });
        }
        // The comparison goes by the order, which a document need not keep.
        files.sort_unstable();
        let mut facts = Vec::new();
        let mut settings = BTreeMap::new();
        if let Some(written) = self.settings {
            for (manifest, rows) in written.manifests {
                let manifest = RepoPath::new(&manifest).map_err(|error| BaselineError::Path {
                    service: service.clone(),
                    error,
                })?;
                facts.extend(rows.into_iter().map(|fact| ManifestFact {
                    manifest: manifest.clone(),
                    name: fact.name,
                    value: fact.value,
                }));
            }
            // A setting that this version does not know is in the key, which then differs.
            for setting in Setting::ALL {
                if let Some(value) = written.named.get(setting.as_str()) {
                    settings.insert(*setting, value.clone());
                }
            }
        }
        facts.sort_unstable();
        let modules = self.modules.into_iter().map(|row| ThirdPartyModule {
            path: row.path,
            version: row.version,
            sum: row.sum,
            replacement: row.replace,
        });
        let inputs = ImageInputs {
            service: self.image.name,
            main: self.image.main,
            directory: self.image.dir,
            platform: self.image.platform,
            tier: self.image.tier,
            files,
            facts,
            modules: Arc::new(modules.collect()),
            settings,
        };
        Ok(BaselineImage::recorded(inputs, keys, doubts, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{PlanOptions, plan},
        tree::memory::MemoryTree,
        wire::{InputsDocument, PlanDocument, Root},
    };

    fn shop(answer: &str) -> crate::plan::Plan {
        let tree = MemoryTree::new()
            .with_file(
                "go.mod",
                "module ex.com/a\n\ngo 1.24\n\ngodebug http2client=0\n",
            )
            .and_then(|tree| {
                tree.with_file(
                    "cmd/a/main.go",
                    "package main\n\nimport _ \"ex.com/a/lib\"\n",
                )
            })
            .and_then(|tree| tree.with_file("lib/lib.go", answer))
            .unwrap();
        plan(&tree, &PlanOptions::new()).unwrap()
    }

    fn read(document: &impl serde::Serialize) -> Vec<BaselineImage> {
        let text = serde_json::to_string(document).unwrap();
        let document: BaselineDocument = serde_json::from_str(&text).unwrap();
        document.images().unwrap()
    }

    #[test]
    fn inputs_that_were_written_are_read_back_whole() {
        let plan = shop("package lib\n");
        let document = InputsDocument::new(&plan, Root::without_version_control());
        let images = read(&document);
        assert_eq!(images.len(), 1);
        assert_eq!(images[0].inputs, plan.images[0].inputs);
        assert_eq!(images[0].keys, plan.images[0].keys);
        assert_eq!(images[0].detail, Detail::Inputs);
    }

    #[test]
    fn of_a_plan_the_keys_alone_are_known() {
        let before = shop("package lib\n");
        let document = PlanDocument::new(&before, Root::without_version_control(), None);
        let baseline = read(&document);
        let mut same = shop("package lib\n");
        same.compare_with(&baseline);
        assert_eq!(same.images[0].reasons, [crate::decide::Reason::Unchanged]);
        let mut other = shop("package lib // changed\n");
        other.compare_with(&baseline);
        let keys = |plan: &crate::plan::Plan| plan.images[0].keys.unwrap().image;
        assert_eq!(
            other.images[0].reasons,
            [crate::decide::Reason::Key {
                old: keys(&before),
                new: keys(&other),
            }]
        );
    }

    #[test]
    fn what_no_plan_writes_is_refused() {
        let plan = shop("package lib\n");
        let document = InputsDocument::new(&plan, Root::without_version_control());
        let cases: [(&str, serde_json::Value, &str); 3] = [
            ("/version", 2.into(), "version 2"),
            ("/services/0/files/0/digest", "abc".into(), "digest"),
            (
                "/services/0/settings/manifests",
                serde_json::json!({"../go.mod": [{"name": "go", "value": "1.24"}]}),
                "path",
            ),
        ];
        for (place, value, expected) in cases {
            let mut json = serde_json::to_value(&document).unwrap();
            *json.pointer_mut(place).unwrap() = value;
            let document: BaselineDocument = serde_json::from_value(json).unwrap();
            let error = document.images().unwrap_err().to_string();
            assert!(error.contains(expected), "{place}: {error}");
        }
    }
}
