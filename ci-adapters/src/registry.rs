//! An OCI registry that is asked for content tags.
//!
//! In: the prefix of the images, the services' content tags, docker's configuration. Out: a
//! [`TagState`](rebake_planner::decide::TagState) for each. A tag counts as present only where the registry itself says so in the
//! form that it should: a status, a media type and a digest, or the manifest itself. Whatever else happens, the tag
//! is not known to be there, and the service is rebuilt.
//!
//! It must never send credentials anywhere but to the registry and the token service that it names, over an encrypted
//! connection (loopback and registries that the user calls insecure excepted), wait for ever, or tell a secret.
//!
//! Source: github.com/opencontainers/distribution-spec (`spec.md`), github.com/distribution/distribution
//! (`docs/spec/auth/token.md`), github.com/docker/cli (`cli/config/credentials`), github.com/docker/docker-credential-helpers.
//!
//! **Known gaps**: no client certificates; a registry on loopback is spoken to without TLS.

mod challenge;
mod client;
mod credentials;
mod image_prefix;
mod retry;
mod survey;
mod transport;

pub use client::{OciRegistry, RegistryError, RegistryOptions};
pub use credentials::{Credentials, DockerConfig, DockerConfigError};
pub use image_prefix::{Image, ImagePrefix, ImagePrefixError};
pub use survey::{ContentTags, for_each_image, tag_states};
pub use transport::Encryption;
