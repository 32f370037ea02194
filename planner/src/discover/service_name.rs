//! The names of services.
//!
//! In: directories and globs. Out: [`ServiceName`]s: valid as image, target and job names, unique in a
//! plan, and the same as long as the directories are. A name must never depend on the order of discovery.

use crate::path::RepoPath;
use serde::{Deserialize, Deserializer, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// As long as a DNS label, the strictest of the places where the names go.
const LONGEST: usize = 63;

/// Hexadecimal digits of the hash that tells apart what a slug can't.
const HASH_DIGITS: usize = 8;

/// A service's name: 1 to 63 of `a-z`, `0-9` and `-`, not at an end a `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ServiceName(String);

/// Why a text is no service name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no service name: use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends", .0.escape_debug())]
pub struct ServiceNameError(String);

impl ServiceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name made of any text: what it can't keep is replaced, and a short hash of `distinct` is
    /// added where that loses something.
    fn slug(text: &str, distinct: &str) -> Self {
        let mut slug = String::with_capacity(text.len());
        let mut lossy = false;
        for character in text.chars() {
            match character {
                'a'..='z' | '0'..='9' | '-' => slug.push(character),
                // The separator of paths is the one thing that a dash stands for.
                '/' => slug.push('-'),
                'A'..='Z' => {
                    slug.push(character.to_ascii_lowercase());
                    lossy = true;
                }
                _ => {
                    slug.push('-');
                    lossy = true;
                }
            }
        }
        let trimmed = slug.trim_matches('-');
        lossy |= trimmed.len() != slug.len() || trimmed.len() > LONGEST;
        if lossy {
            Self::with_hash(trimmed, distinct)
        } else {
            Self(trimmed.to_owned())
        }
    }

    fn with_hash(slug: &str, distinct: &str) -> Self {
        let hash = blake3::hash(distinct.as_bytes()).to_hex();
        // Slugs are ASCII, so any cut is at a character's boundary.
        let kept = &slug[..slug.len().min(LONGEST - HASH_DIGITS - 1)];
        let kept = kept.trim_matches('-');
        if kept.is_empty() {
            return Self(hash[..HASH_DIGITS].to_owned());
        }
        Self(format!("{kept}-{}", &hash[..HASH_DIGITS]))
    }
}

impl FromStr for ServiceName {
    type Err = ServiceNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = !text.is_empty()
            && text.len() <= LONGEST
            && text
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !text.starts_with('-')
            && !text.ends_with('-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(ServiceNameError(text.to_owned()))
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ServiceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// What a name is made of.
#[derive(Debug, Clone)]
pub(crate) struct NameSource {
    /// The service's directory.
    pub(crate) directory: RepoPath,
    /// The directories above it that the glob fixes, cut from the name.
    pub(crate) fixed_prefix: RepoPath,
    /// The module path, whose last element names a service at the root.
    pub(crate) module_path: String,
    /// A name that rebake.toml gives.
    pub(crate) declared: Option<ServiceName>,
}

/// Names services: each by its directory less the glob's fixed prefix; where two collide, both by their
/// whole path; where that still collides, both with a hash of it.
pub(crate) fn name_services(sources: &[NameSource]) -> Vec<ServiceName> {
    let short = |source: &NameSource| {
        let distinct = source.directory.as_str();
        if source.directory.is_root() {
            return ServiceName::slug(program_of(&source.module_path), distinct);
        }
        let rest = source
            .directory
            .strip_prefix(&source.fixed_prefix)
            .unwrap_or_default();
        let rest = if rest.is_empty() {
            source.directory.file_name().unwrap_or_default()
        } else {
            rest
        };
        ServiceName::slug(rest, distinct)
    };
    let long = |source: &NameSource| {
        if source.directory.is_root() {
            ServiceName::slug(&source.module_path, source.directory.as_str())
        } else {
            ServiceName::slug(source.directory.as_str(), source.directory.as_str())
        }
    };
    let hashed = |source: &NameSource| {
        ServiceName::with_hash(long(source).as_str(), source.directory.as_str())
    };
    let mut names: Vec<ServiceName> = sources
        .iter()
        .map(|source| source.declared.clone().unwrap_or_else(|| short(source)))
        .collect();
    let renamers: [&dyn Fn(&NameSource) -> ServiceName; 2] = [&long, &hashed];
    for rename in renamers {
        let mut count: BTreeMap<ServiceName, usize> = BTreeMap::new();
        for name in &names {
            *count.entry(name.clone()).or_default() += 1;
        }
        for (source, name) in sources.iter().zip(&mut names) {
            if count[&*name] > 1 && source.declared.is_none() {
                *name = rename(source);
            }
        }
    }
    names
}

/// A service that would be called otherwise if another had not been given its name. Both by their place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Displaced {
    /// The service that was given the name.
    pub(crate) by: usize,
    /// The service that has it by default.
    pub(crate) service: usize,
}

/// The services that lost their default name to one that rebake.toml gives.
pub(crate) fn displaced_services(sources: &[NameSource]) -> Vec<Displaced> {
    let (unnamed, declared): (Vec<usize>, Vec<usize>) =
        (0..sources.len()).partition(|index| sources[*index].declared.is_none());
    if declared.is_empty() {
        return Vec::new();
    }
    let alone: Vec<NameSource> = unnamed
        .iter()
        .map(|index| sources[*index].clone())
        .collect();
    let mut displaced = Vec::new();
    for (service, default) in unnamed.into_iter().zip(name_services(&alone)) {
        let mut takers = declared.iter();
        let taker = takers.find(|taker| sources[**taker].declared.as_ref() == Some(&default));
        displaced.extend(taker.map(|by| Displaced { by: *by, service }));
    }
    displaced
}

/// What Go calls the program of a package: the last element of its path that is no major version.
///
/// Source: cmd/go/internal/load (`exeFromImportPath`, `isVersionElement`).
fn program_of(import_path: &str) -> &str {
    let is_version = |element: &str| {
        element.strip_prefix('v').is_some_and(|digits| {
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && !digits.is_empty()
                && !digits.starts_with('0')
                && digits != "1"
        })
    };
    match import_path.rsplit_once('/') {
        Some((above, last)) if is_version(last) => above.rsplit('/').next().unwrap_or(above),
        Some((_, last)) => last,
        None => import_path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_called_what_go_calls_its_program() {
        let cases = [
            ("ex.com/acme/shop", "shop"),
            ("go.k6.io/k6/v2", "k6"),
            ("ex.com/acme/v1", "v1"),
            ("ex.com/acme/v", "v"),
            ("ex.com/acme/v02", "v02"),
            ("shop", "shop"),
            ("v2", "v2"),
        ];
        for (module_path, expected) in cases {
            assert_eq!(program_of(module_path), expected, "{module_path}");
        }
    }

    fn source(directory: &str, fixed_prefix: &str) -> NameSource {
        NameSource {
            directory: RepoPath::new(directory).unwrap(),
            fixed_prefix: RepoPath::new(fixed_prefix).unwrap(),
            module_path: "ex.com/acme/shop".to_owned(),
            declared: None,
        }
    }

    fn names(sources: &[NameSource]) -> Vec<String> {
        name_services(sources)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn names_are_paths_below_the_fixed_prefix() {
        assert_eq!(
            names(&[
                source("services/api", "services"),
                source("services/a/b", "services"),
                source(".", ".")
            ]),
            ["api", "a-b", "shop"]
        );
        assert_eq!(names(&[source("cmd", "cmd")]), ["cmd"]);
    }

    #[test]
    fn what_a_slug_loses_is_told_apart_by_a_hash() {
        let named = names(&[source("cmd/My_App", "cmd"), source("cmd/my-app", "cmd")]);
        assert_eq!(named[1], "my-app");
        assert!(named[0].starts_with("my-app-"), "{named:?}");
        assert_eq!(named[0].len(), "my-app-".len() + HASH_DIGITS);
    }

    #[test]
    fn both_of_a_colliding_pair_take_their_whole_path() {
        assert_eq!(
            names(&[
                source("services/api", "services"),
                source("cmd/api", "cmd"),
                source("cmd/x", "cmd")
            ]),
            ["services-api", "cmd-api", "x"]
        );
    }

    #[test]
    fn names_that_collide_as_whole_paths_get_a_hash() {
        let named = names(&[source("a/b-c", "."), source("a-b/c", ".")]);
        assert_ne!(named[0], named[1]);
        assert!(
            named.iter().all(|name| name.starts_with("a-b-c-")),
            "{named:?}"
        );
    }

    #[test]
    fn a_default_name_that_is_given_to_another_is_displaced() {
        let named = |directory: &str, name: &str| NameSource {
            declared: Some(name.parse().unwrap()),
            ..source(directory, ".")
        };
        let displaced = |sources: &[NameSource]| -> Vec<(usize, usize)> {
            let displaced = displaced_services(sources).into_iter();
            displaced.map(|one| (one.by, one.service)).collect()
        };
        let api = source("services/api", "services");
        assert_eq!(displaced(&[api.clone(), named("x", "api")]), [(1, 0)]);
        assert_eq!(displaced(&[api.clone(), named("x", "other")]), []);
        let both = [named("x", "api"), named("services/api", "main-api")];
        assert_eq!(displaced(&both), []);
        // Where two collide anyway, `api` is nobody's name; what they are called instead is.
        let colliding = [api, source("cmd/api", "cmd")];
        let with = |name: &str| displaced(&[&colliding[..], &[named("x", name)]].concat());
        assert_eq!(with("api"), []);
        assert_eq!(with("cmd-api"), [(2, 1)]);
    }

    #[test]
    fn every_name_is_valid() {
        let long = "x".repeat(200);
        let sources: Vec<NameSource> = ["---", "ä", "a b", "-x-", "x..y", &long, "A"]
            .iter()
            .map(|directory| source(directory, "."))
            .collect();
        for name in names(&sources) {
            assert!(name.parse::<ServiceName>().is_ok(), "{name}");
        }
        assert!(serde_json::from_str::<ServiceName>("\"a_b\"").is_err());
    }
}
