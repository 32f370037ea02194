//! How long a build took, kept beside the image.
//!
//! In: an image that was pushed by its digest, and how long its build took. Out: an index under a tag of its own that names the
//! image and says the time as an annotation; and the time again. It must never change the image itself, whose digest is
//! the same whoever builds it and however long that takes.
//!
//! There is one such tag in each repository: the time is that of the last build, whichever content that had.

use super::{Image, Manifest, OciRegistry, RegistryError};
use serde_json::{Value, json};
use std::time::Duration;

/// The tag. It has not the form of a content tag, and nobody gives a release such a name.
const TAG: &str = "rebake-build-time";

/// The annotation, in milliseconds.
const ANNOTATION: &str = "io.github.rebake-build.milliseconds";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// No build takes longer; what says so says nothing.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl OciRegistry {
    /// Keeps how long the build of an image took. The image is named by its digest, and must be there.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub fn record_build_time(&self, image: &Image, took: Duration) -> Result<(), RegistryError> {
        let built = self.manifest(image)?.ok_or_else(|| self.refused(404))?;
        let index = json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [{
                "mediaType": built.media_type,
                "digest": image.tag,
                "size": built.bytes.len(),
            }],
            "annotations": { ANNOTATION: took.as_millis().to_string() },
        });
        let record = Manifest {
            media_type: INDEX.to_owned(),
            bytes: index.to_string().into_bytes(),
        };
        self.put(&record_of(image), record)
    }

    /// How long the last build of an image took; nothing where nobody has kept it, or the registry does not say.
    pub fn build_time(&self, image: &Image) -> Option<Duration> {
        let record = self.manifest(&record_of(image)).ok()??;
        let record: Value = serde_json::from_slice(&record.bytes).ok()?;
        let took: u64 = record["annotations"][ANNOTATION].as_str()?.parse().ok()?;
        Some(Duration::from_millis(took)).filter(|took| *took <= LONGEST)
    }
}

/// Where the time of an image stands.
fn record_of(image: &Image) -> Image {
    Image {
        repository: image.repository.clone(),
        tag: TAG.to_owned(),
    }
}
