//! How an image is built and what it runs on, as far as `rebake.toml` chooses.
//!
//! In: texts of `rebake.toml`. Out: validated values. It must never hold a text that a Dockerfile or a bake file could
//! read as anything but data.

use crate::go_version::GoVersion;
use std::{fmt, str::FromStr};

/// A container image by name: `[host[:port]/]path[:tag][@sha256:digest]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference(String);

/// Why a text names no container image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no image reference: {reason}", text.escape_debug())]
pub struct ImageReferenceError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The longest name that registries take.
const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;

impl ImageReference {
    /// The official Go image of a release.
    pub fn of_go(version: &GoVersion) -> Self {
        // A Go version is made of digits, letters and dots.
        Self(format!("golang:{version}"))
    }

    /// The reference as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Go release that an official Go image's tag names, wherever the image is copied to.
    pub(crate) fn go_version(&self) -> Option<GoVersion> {
        let name = self.0.split('@').next()?;
        let (_, last) = name.rsplit_once('/').unwrap_or(("", name));
        let tag = last.strip_prefix("golang:")?;
        tag.split('-').next()?.parse().ok()
    }

    /// Whether it is the official Go image itself, whatever its variant: then it is known what it holds where, and what
    /// its environment is.
    ///
    /// Source: docker-library/golang (`Dockerfile-linux.template`).
    pub(crate) fn is_official_go(&self) -> bool {
        let name = self.0.split('@').next().unwrap_or_default();
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        let name = name.strip_prefix("library/").unwrap_or(name);
        name == "golang" || name.starts_with("golang:")
    }

    /// Whether the reference holds a digest, so that it always means the same image.
    pub fn is_pinned(&self) -> bool {
        self.0.contains('@')
    }
}

impl FromStr for ImageReference {
    type Err = ImageReferenceError;

    /// Source: the reference grammar of distribution/reference.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let failed = |reason| {
            Err(ImageReferenceError {
                text: text.to_owned(),
                reason,
            })
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        if let Some(digest) = digest {
            let is_digest = digest.strip_prefix("sha256:").is_some_and(|hex| {
                hex.len() == 64
                    && hex
                        .bytes()
                        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
            });
            if !is_digest {
                return failed("its digest is not `sha256:` and 64 lower-case hexadecimal digits");
            }
        }
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag {
            let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let is_tag = tag.bytes().next().is_some_and(word)
                && tag.bytes().all(|byte| word(byte) || b".-".contains(&byte))
                && tag.len() <= LONGEST_TAG;
            if !is_tag {
                return failed("its tag is not made of letters, digits, `_`, `.` and `-`");
            }
        }
        if name.is_empty() || name.len() > LONGEST_NAME {
            return failed("it has no name, or one of more than 255 characters");
        }
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
                (Some(host), path)
            }
            _ => (None, name),
        };
        if host.is_some_and(|host| !is_host(host)) {
            return failed("its registry is no host name");
        }
        if !path.split('/').all(is_path_component) {
            return failed(
                "a part of its name is not made of lower-case letters and digits, separated by `.`, `_`, `__` or dashes",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.split('.').all(is_label)
        && port.is_none_or(|port| {
            (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(component: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let edges_fit = bytes.first().copied().is_some_and(alphanumeric)
        && bytes.last().copied().is_some_and(alphanumeric);
    let separators = component
        .split(|character: char| character.is_ascii_lowercase() || character.is_ascii_digit());
    edges_fit
        && separators.into_iter().all(|separator| {
            matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
        })
}

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runtime {
    /// Distroless without a C library: certificates, time zones, users, no shell.
    DistrolessStatic,
    /// Distroless with glibc, for cgo.
    DistrolessBase,
    /// Alpine: a shell and a package manager, with musl.
    Alpine,
    /// Nothing but what the build puts there.
    Scratch,
    /// An image of the user's.
    Own(ImageReference),
}

impl Runtime {
    /// The names of the runtimes that are no image of the user's.
    pub const NAMES: [&'static str; 4] =
        ["distroless-static", "distroless-base", "alpine", "scratch"];

    /// The image of the runtime; nothing for `scratch`.
    pub fn image(&self) -> Option<&str> {
        match self {
            Self::DistrolessStatic => Some("gcr.io/distroless/static-debian13:nonroot"),
            Self::DistrolessBase => Some("gcr.io/distroless/base-debian13:nonroot"),
            Self::Alpine => Some("alpine:3.22"),
            Self::Scratch => None,
            Self::Own(image) => Some(image.as_str()),
        }
    }

    /// The image of the `debug` target: like the runtime, with a shell.
    pub fn debug_image(&self) -> &str {
        match self {
            Self::DistrolessStatic => "gcr.io/distroless/static-debian13:debug-nonroot",
            Self::DistrolessBase => "gcr.io/distroless/base-debian13:debug-nonroot",
            Self::Alpine | Self::Scratch => "alpine:3.22",
            Self::Own(image) => image.as_str(),
        }
    }
}

impl FromStr for Runtime {
    type Err = ImageReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "distroless-static" => Ok(Self::DistrolessStatic),
            "distroless-base" => Ok(Self::DistrolessBase),
            "alpine" => Ok(Self::Alpine),
            "scratch" => Ok(Self::Scratch),
            image => image.parse().map(Self::Own),
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::DistrolessStatic => "distroless-static",
            Self::DistrolessBase => "distroless-base",
            Self::Alpine => "alpine",
            Self::Scratch => "scratch",
            Self::Own(image) => image.as_str(),
        })
    }
}

macro_rules! choices {
    ($(#[$about:meta])+ $name:ident, $error:ident, $what:literal {
        $($(#[doc = $doc:literal])+ $variant:ident = $text:literal,)+
    }) => {
        $(#[$about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $doc])+ $variant,)+ }

        #[doc = concat!("Why a text is no ", $what, ".")]
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[error("`{}` is no {}; there are {}", .0.escape_debug(), $what, [$(concat!("`", $text, "`")),+].join(" and "))]
        pub struct $error(String);

        impl FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($error(text.to_owned())),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(match self { $(Self::$variant => $text,)+ })
            }
        }
    };
}

choices! {
    /// Where a build keeps what later builds can use again.
    Profile, ProfileError, "profile" {
        /// In layers, which every cache exporter carries to the next runner.
        Layers = "layers",
        /// In cache mounts, which live as long as the builder.
        Mounts = "mounts",
    }
}

choices! {
    /// How a build reaches private modules. A secret is never a build argument: those stand in the image's history.
    Credentials, CredentialsError, "way to private modules" {
        /// A `.netrc` file, given to the build as the secret `netrc`.
        Netrc = "netrc",
        /// The ssh agent of whoever builds.
        Ssh = "ssh",
    }
}

/// Whether the build compares the files that Go takes with those that the plan hashed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Proof {
    /// It does, and fails on a difference.
    #[default]
    Required,
    /// It does not.
    Omitted,
}

/// What the layers of others' packages are made from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ManifestScope {
    /// What the service links: an edit for another service changes nothing.
    #[default]
    Linked,
    /// The manifests as they are.
    Whole,
}

/// How much of the Go image the stages start from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GoImageScope {
    /// What builds read: less to unpack for a runner that starts empty.
    #[default]
    Needed,
    /// The image as it is.
    Whole,
}

/// When the packages of others are compiled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThirdPartyCompilation {
    /// In a layer of their own.
    #[default]
    Ahead,
    /// With the service: that layer holds their sources alone, and is smaller.
    WithTheService,
}

/// The recipe of one image: chosen, or by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The image that holds the Go toolchain.
    pub go_image: ImageReference,
    /// What the image runs on.
    pub runtime: Runtime,
    /// Where builds keep what later builds use again.
    pub profile: Profile,
    /// Whether the build compares the files that Go takes with the plan's.
    pub proof: Proof,
    /// How much of the Go image the stages start from.
    pub go_image_scope: GoImageScope,
    /// What the layers of others' packages are made from.
    pub manifests: ManifestScope,
    /// When the packages of others are compiled.
    pub third_party: ThirdPartyCompilation,
    /// `GOPROXY`.
    pub module_proxy: Option<ModuleSources>,
    /// `GOPRIVATE`.
    pub private_modules: Option<ModuleSources>,
    /// `GONOSUMDB`.
    pub unsummed_modules: Option<ModuleSources>,
    /// How the build reaches private modules.
    pub credentials: Option<Credentials>,
    /// The variable that is stamped with the version.
    pub version_variable: Option<VersionVariable>,
}

impl Recipe {
    /// The image that the image runs on, as a setting.
    pub fn runtime_image(&self) -> String {
        self.runtime.image().unwrap_or("scratch").to_owned()
    }
}

/// A list for `GOPROXY`, `GOPRIVATE`, `GONOSUMDB` or `GONOPROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSources(String);

/// Why a text is no such list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no list of module sources: it holds {what}", text.escape_debug())]
pub struct ModuleSourcesError {
    text: String,
    what: &'static str,
}

impl ModuleSources {
    /// The list as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ModuleSources {
    type Err = ModuleSourcesError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let failed = |what| {
            Err(ModuleSourcesError {
                text: text.to_owned(),
                what,
            })
        };
        if text.chars().any(char::is_control) {
            return failed("a control character");
        }
        // Of `GOPRIVATE` and `GONOSUMDB` Go trims nothing, so that a pattern behind a blank matches no module.
        if text.chars().any(char::is_whitespace) {
            return failed("white space; separate the sources by commas alone");
        }
        // https://user:password@host would stand in the image's history.
        if text
            .split([',', '|'])
            .any(|source| source.contains("://") && source.contains('@'))
        {
            return failed(
                "a user or a password, which would be readable in the image; use a secret",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

/// The Go variable that a build stamps with the version: `main.version`, `ex.com/shop/build.Version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionVariable(String);

/// Why a text is no Go variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no Go variable; write its import path, a dot and its name, such as `main.version`", .0.escape_debug())]
pub struct VersionVariableError(String);

impl VersionVariable {
    /// The variable as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VersionVariable {
    type Err = VersionVariableError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_identifier = |name: &str| {
            let mut characters = name.chars();
            characters
                .next()
                .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
                && characters.all(|one| one.is_ascii_alphanumeric() || one == '_')
        };
        let fits = text.rsplit_once('.').is_some_and(|(package, name)| {
            is_identifier(name) && crate::module_path::check_import_path(package).is_ok()
        });
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(VersionVariableError(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_references_follow_the_registries_grammar() {
        let digest = format!("golang:1.26@sha256:{}", "0a".repeat(32));
        for text in [
            "golang",
            "golang:1.26",
            "golang:1.26-alpine3.22",
            "gcr.io/distroless/static-debian13:nonroot",
            "localhost:5000/a/b__c/d--e.f:x",
            "registry.example.com/team/app",
            digest.as_str(),
        ] {
            assert!(text.parse::<ImageReference>().is_ok(), "{text}");
        }
        for text in [
            "",
            "Golang",
            "golang:",
            "golang:-x",
            "golang 1.26",
            "golang\nRUN evil",
            "golang:$TAG",
            "golang@sha256:12",
            "a//b",
            "-a",
            "a_-b",
            "bad_host:5000/x",
            "host.example:port/x",
            "golang:1.26 AS evil",
        ] {
            assert!(text.parse::<ImageReference>().is_err(), "{text}");
        }
        assert!(digest.parse::<ImageReference>().unwrap().is_pinned());
    }

    #[test]
    fn the_tag_of_a_go_image_names_its_release() {
        let cases = [
            ("golang:1.26", Some("1.26")),
            ("golang:1.26.3-alpine3.22", Some("1.26.3")),
            ("ex.com:5000/mirror/golang:1.25-bookworm", Some("1.25")),
            ("golang:latest", None),
            ("golang", None),
            ("ex.com/builder:1.26", None),
        ];
        for (text, expected) in cases {
            let image: ImageReference = text.parse().unwrap();
            let version = image.go_version().map(|version| version.to_string());
            assert_eq!(version.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn runtimes_keep_their_names() {
        for name in ["distroless-static", "distroless-base", "alpine", "scratch"] {
            assert_eq!(name.parse::<Runtime>().unwrap().to_string(), name);
        }
        let own: Runtime = "ex.com/base:1".parse().unwrap();
        assert_eq!(own.image(), Some("ex.com/base:1"));
    }

    #[test]
    fn a_password_in_a_module_proxy_is_refused() {
        assert!(
            "https://proxy.example,direct"
                .parse::<ModuleSources>()
                .is_ok()
        );
        assert!(
            "https://me:secret@proxy.example"
                .parse::<ModuleSources>()
                .is_err()
        );
    }

    #[test]
    fn white_space_and_control_characters_are_in_no_list_of_module_sources() {
        for text in ["a\nb", "a\tb", "a, b", " a", "a\u{a0}", "a\u{7f}"] {
            assert!(text.parse::<ModuleSources>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn version_variables_are_go_variables() {
        for text in ["main.version", "ex.com/shop/build.Version"] {
            assert!(text.parse::<VersionVariable>().is_ok(), "{text}");
        }
        for text in [
            "version",
            "main.",
            "main.1x",
            "main.v -X a.b=c",
            "a b.c",
            "",
        ] {
            assert!(text.parse::<VersionVariable>().is_err(), "{text}");
        }
    }
}
