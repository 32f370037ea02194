//! The canonical encoding behind every digest, and the digests that stand in inputs.
//!
//! In: typed values. Out: 256-bit digests that are the same on every machine. It must never know what a key is made
//! of, or take anything in an order that is not its caller's: [`hash`](crate::hash) says what a key holds.

use crate::tree::ContentDigest;

/// Domains of derived digests: a digest of one kind can never be taken for one of another.
const MANIFEST_DOMAIN: &str = "rebake 2026-11-24 manifest meaning v1";
const LINK_DOMAIN: &str = "rebake 2026-11-24 symbolic link v1";

/// The digest of what a build takes from one manifest.
pub(crate) fn manifest_digest<'a>(
    facts: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
) -> ContentDigest {
    let mut encoder = Encoder::new(MANIFEST_DOMAIN);
    encoder.count(facts.len());
    for (name, value) in facts {
        encoder.text(name);
        encoder.text(value);
    }
    ContentDigest(encoder.finish())
}

/// The digest of a file that is reached through links: their texts, and the content.
pub(crate) fn linked_digest<'a>(
    hops: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    content: ContentDigest,
) -> ContentDigest {
    let mut encoder = Encoder::new(LINK_DOMAIN);
    encoder.count(hops.len());
    for (link, target) in hops {
        encoder.text(link);
        encoder.text(target);
    }
    encoder.bytes(content.as_bytes());
    ContentDigest(encoder.finish())
}

/// The canonical encoding: lengths and counts as 64-bit little-endian numbers before what they count.
pub(crate) struct Encoder {
    domain: &'static str,
    /// Gathered before it is hashed: one long update is many times faster than a short one a field.
    encoded: Vec<u8>,
}

impl Encoder {
    /// An empty encoding of a kind.
    pub(crate) fn new(domain: &'static str) -> Self {
        Self {
            domain,
            encoded: Vec::new(),
        }
    }

    /// Adds how many values follow.
    pub(crate) fn count(&mut self, count: usize) {
        // A count never exceeds 64 bits on any platform that Rust supports.
        self.encoded
            .extend_from_slice(&(count as u64).to_le_bytes());
    }

    /// Adds bytes after their number.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.encoded.extend_from_slice(bytes);
    }

    /// Adds a text after its length in bytes.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Adds a text that may be missing, which is not the same as an empty one.
    pub(crate) fn optional(&mut self, text: Option<&str>) {
        match text {
            None => self.count(0),
            Some(text) => {
                self.count(1);
                self.text(text);
            }
        }
    }

    /// What was added.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// The digest of all that was added.
    pub(crate) fn finish(self) -> [u8; 32] {
        blake3::derive_key(self.domain, &self.encoded)
    }
}
