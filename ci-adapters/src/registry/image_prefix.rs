//! What stands before a service's name in the name of its image.
//!
//! In: a prefix as it is typed, `ghcr.io/acme/shop/`. Out: [`ImagePrefix`], and the [`Image`] of a service: registry,
//! repository and tag. An image that no registry could hold must never become one.

use rebake_planner::{discover::service_name::ServiceName, recipe::ImageReference};
use std::{fmt, str::FromStr};

/// Docker Hub, as names call it and as it is reached.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_ADDRESS: &str = "registry-1.docker.io";

/// A prefix of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePrefix {
    text: String,
    host: String,
    /// What stands between the host and the service's name.
    path: String,
}

/// Why a text is no prefix of images.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no prefix of images: {reason}; write a registry and a path, as in `ghcr.io/acme/shop/`", text.escape_debug())]
pub struct ImagePrefixError {
    text: String,
    reason: String,
}

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// The repository, without the registry.
    pub repository: String,
    /// The tag.
    pub tag: String,
}

impl ImagePrefix {
    /// The prefix as it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The registry, as names call it: `docker.io` where a name says none.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The registry, as it is reached.
    pub(super) fn address(&self) -> &str {
        if self.host == DOCKER_HUB {
            DOCKER_HUB_ADDRESS
        } else {
            &self.host
        }
    }

    /// The image of a service.
    pub fn image(&self, service: &ServiceName, tag: &str) -> Image {
        let name = format!("{}{service}", self.path);
        let repository = if self.host == DOCKER_HUB && !name.contains('/') {
            format!("library/{name}")
        } else {
            name
        };
        Image {
            repository,
            tag: tag.to_owned(),
        }
    }
}

impl FromStr for ImagePrefix {
    type Err = ImagePrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason: &str| ImagePrefixError {
            text: text.to_owned(),
            reason: reason.to_owned(),
        };
        // The longest name of a service: a prefix that takes it takes every other.
        let longest = "s".repeat(63);
        let image: ImageReference = format!("{text}{longest}")
            .parse()
            .map_err(|error: rebake_planner::recipe::ImageReferenceError| wrong(error.reason))?;
        if image.is_pinned() {
            return Err(wrong("it holds a digest"));
        }
        let is_host = |first: &str| first.contains(['.', ':']) || first == "localhost";
        let (host, path) = match text.split_once('/') {
            Some((host, path)) if is_host(host) => (host, path),
            _ => (DOCKER_HUB, text),
        };
        if path.contains(':') {
            return Err(wrong("it holds a tag"));
        }
        Ok(Self {
            text: text.to_owned(),
            host: match host {
                "index.docker.io" | DOCKER_HUB_ADDRESS => DOCKER_HUB.to_owned(),
                _ => host.to_owned(),
            },
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for ImagePrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_and_a_service_make_an_image() {
        for (text, host, address, repository) in [
            ("ghcr.io/acme/shop/", "ghcr.io", "ghcr.io", "acme/shop/api"),
            ("ghcr.io/acme/shop-", "ghcr.io", "ghcr.io", "acme/shop-api"),
            ("localhost:5000/", "localhost:5000", "localhost:5000", "api"),
            ("acme/", "docker.io", "registry-1.docker.io", "acme/api"),
            ("", "docker.io", "registry-1.docker.io", "library/api"),
            (
                "index.docker.io/acme/",
                "docker.io",
                "registry-1.docker.io",
                "acme/api",
            ),
        ] {
            let prefix: ImagePrefix = text.parse().unwrap();
            let image = prefix.image(&"api".parse().unwrap(), "k-1");
            assert_eq!(prefix.host(), host, "{text}");
            assert_eq!(prefix.address(), address, "{text}");
            assert_eq!(image.repository, repository, "{text}");
        }
    }

    #[test]
    fn what_no_registry_could_hold_is_refused() {
        for text in [
            "ghcr.io/Acme/",
            "ghcr.io/acme/api:",
            "ghcr.io/acme/api:v1/",
            "https://ghcr.io/acme/",
            "user@ghcr.io/acme/",
            "ghcr.io//",
            "ghcr.io/../",
            "ghcr.io/acme/?x=",
            "ghcr.io/acme/\n",
            "a b/",
            &"a/".repeat(120),
        ] {
            assert!(text.parse::<ImagePrefix>().is_err(), "{text:?}");
        }
    }
}
