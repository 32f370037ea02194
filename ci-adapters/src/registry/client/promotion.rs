//! An image of one repository, given to another of the same registry.
//!
//! In: the image, and where it goes. Out: the same image there, byte for byte: manifests are put as they were read, and blobs
//! are mounted, so that nothing travels. It must never follow a manifest's word for anything but digests, nor go on when
//! the registry does not do as asked: then the image is built.
//!
//! Source: github.com/opencontainers/distribution-spec (`spec.md`, "Mounting a blob from another repository").

use super::{Actions, Image, Manifest, OciRegistry, Question, RegistryError};
use serde_json::Value;
use ureq::http::Method;

/// An index names images and what vouches for them, and neither is an index again.
const DEPTH: usize = 1;

/// As many manifests and layers as one image may have.
const LARGEST: usize = 500;

impl OciRegistry {
    /// Gives an image to another repository, under tags. False when the image is not there.
    ///
    /// # Errors
    /// When the registry does not give or take it; then none of the tags is given.
    pub fn promote(
        &self,
        image: &Image,
        repository: &str,
        tags: &[&str],
    ) -> Result<bool, RegistryError> {
        let Some(manifest) = self.manifest(image)? else {
            return Ok(false);
        };
        let mut left = LARGEST;
        self.promote_parts(image, repository, &manifest, DEPTH, &mut left)?;
        for tag in tags {
            let target = Image {
                repository: repository.to_owned(),
                tag: (*tag).to_owned(),
            };
            self.put(&target, manifest.clone())?;
        }
        Ok(true)
    }

    /// Everything that a manifest names, so that the registry takes the manifest itself.
    fn promote_parts(
        &self,
        image: &Image,
        repository: &str,
        manifest: &Manifest,
        depth: usize,
        left: &mut usize,
    ) -> Result<(), RegistryError> {
        let strange = |problem| RegistryError::Answer {
            host: self.host.clone(),
            problem,
        };
        let parts: Value =
            serde_json::from_slice(&manifest.bytes).map_err(|_| strange("it is not JSON"))?;
        let list = |name: &str| parts[name].as_array().cloned().unwrap_or_default();
        let digest = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().filter(|text| is_digest(text));
            digest
                .map(str::to_owned)
                .ok_or_else(|| strange("it names what has no digest"))
        };
        let (manifests, mut blobs) = (list("manifests"), list("layers"));
        if parts["config"].is_object() {
            blobs.push(parts["config"].clone());
        }
        *left = left
            .checked_sub(manifests.len() + blobs.len())
            .ok_or_else(|| strange("it names too much"))?;
        for descriptor in &blobs {
            self.mount(&image.repository, repository, &digest(descriptor)?)?;
        }
        for descriptor in &manifests {
            if depth == 0 {
                return Err(strange("it names an index within an index"));
            }
            let part = Image {
                repository: image.repository.clone(),
                tag: digest(descriptor)?,
            };
            let manifest = self
                .manifest(&part)?
                .ok_or_else(|| strange("a part of it is missing"))?;
            self.promote_parts(image, repository, &manifest, depth - 1, left)?;
            let target = Image {
                repository: repository.to_owned(),
                ..part
            };
            self.put(&target, manifest)?;
        }
        Ok(())
    }

    fn mount(&self, source: &str, repository: &str, digest: &str) -> Result<(), RegistryError> {
        let address = format!(
            "{}/v2/{repository}/blobs/uploads/?mount={digest}&from={source}",
            self.base
        );
        let question = Question {
            method: Method::POST,
            address: address.parse().map_err(|_| self.refused(400))?,
            headers: Vec::new(),
            body: Some(Vec::new()),
        };
        let answer = self.ask(&question, repository, Actions::PushFrom(source))?;
        match answer.status {
            201 => Ok(()),
            202 => Err(RegistryError::Answer {
                host: self.host.clone(),
                problem: "it does not share layers between repositories",
            }),
            status => Err(self.not_pushed(status)),
        }
    }
}

/// Whether a text is a digest and nothing else: it goes into addresses.
fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64
            && hex
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}
