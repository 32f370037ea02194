//! Go versions.
//!
//! In: the text of `go` and `toolchain` lines and of options. Out: [`GoVersion`], validated and ordered as the
//! toolchain orders them. It must never stand for a module's version.
//!
//! Source: internal/gover, cmd/go/internal/gover (`FromToolchain`).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{cmp::Ordering, fmt, str::FromStr};

/// A Go version: `1.26`, `1.26.3`, `1.22rc1`.
#[derive(Debug, Clone)]
pub struct GoVersion {
    text: String,
    major: String,
    minor: String,
    patch: Option<String>,
    kind: String,
    prerelease: Option<String>,
}

/// Why a text is no Go version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no Go version; write it as `1.26`, `1.26.3` or `1.26rc1`", .0.escape_debug())]
pub struct GoVersionError(String);

impl GoVersion {
    /// What Go takes where a go.mod has no `go` line.
    pub fn without_go_line() -> Self {
        Self {
            text: "1.16".to_owned(),
            major: "1".to_owned(),
            minor: "16".to_owned(),
            patch: Some("0".to_owned()),
            kind: String::new(),
            prerelease: None,
        }
    }

    /// The version of a toolchain name such as `go1.26.3` or `go1.26.3-custom`; nothing for `default`
    /// and for names that hold none.
    pub fn from_toolchain_name(name: &str) -> Option<Self> {
        if name.contains(['/', '\\']) {
            return None;
        }
        let version = name.strip_prefix("go")?;
        let version = version.split([' ', '\t', '-']).next().unwrap_or_default();
        version.parse().ok()
    }

    /// The number behind `1.`: 26 for 1.26.3. Larger numbers than exist are cut off.
    pub fn release_minor(&self) -> u32 {
        self.minor.parse().unwrap_or(u32::MAX)
    }

    /// The language version: `1.26` of `1.26.3`.
    pub fn language(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    /// Whether a toolchain of this version would refuse a manifest that demands another. A version without
    /// a patch stands for the newest patch of its release, which is what an image of that name holds.
    pub fn is_older_than(&self, demanded: &Self) -> bool {
        if self.names_a_release() {
            return self.release_order() < demanded.release_order();
        }
        self < demanded
    }

    fn release_order(&self) -> impl Ord + '_ {
        (number(&self.major), number(&self.minor))
    }

    fn names_a_release(&self) -> bool {
        self.kind.is_empty() && self.text.matches('.').count() < 2
    }

    fn order(&self) -> impl Ord + '_ {
        (
            number(&self.major),
            number(&self.minor),
            self.patch.as_deref().map(number),
            &*self.kind,
            self.prerelease.as_deref().map(number),
        )
    }
}

/// Decimal numbers of any length: shorter ones are smaller.
fn number(text: &str) -> (usize, &str) {
    (text.len(), text)
}

/// Splits a decimal number without a needless leading zero from the start.
fn cut_number(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    if end == 0 || (end > 1 && text.starts_with('0')) {
        return None;
    }
    Some(text.split_at(end))
}

impl FromStr for GoVersion {
    type Err = GoVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| GoVersionError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<GoVersion> {
    let version =
        |major: &str, minor: &str, patch: Option<&str>, kind: &str, pre: Option<&str>| GoVersion {
            text: text.to_owned(),
            major: major.to_owned(),
            minor: minor.to_owned(),
            patch: patch.map(str::to_owned),
            kind: kind.to_owned(),
            prerelease: pre.map(str::to_owned),
        };
    let (major, rest) = cut_number(text)?;
    if rest.is_empty() {
        return Some(version(major, "0", Some("0"), "", None));
    }
    let (minor, rest) = cut_number(rest.strip_prefix('.')?)?;
    if rest.is_empty() {
        // Up to 1.20 a missing patch is the same as 0.
        let patch = (number(minor) < number("21")).then_some("0");
        return Some(version(major, minor, patch, "", None));
    }
    if let Some(rest) = rest.strip_prefix('.') {
        let (patch, rest) = cut_number(rest)?;
        return rest
            .is_empty()
            .then(|| version(major, minor, Some(patch), "", None));
    }
    let kind_end = rest.bytes().take_while(u8::is_ascii_lowercase).count();
    let (kind, rest) = rest.split_at(kind_end);
    if kind.is_empty() {
        return None;
    }
    if rest.is_empty() {
        return Some(version(major, minor, None, kind, None));
    }
    let (prerelease, rest) = cut_number(rest)?;
    rest.is_empty()
        .then(|| version(major, minor, None, kind, Some(prerelease)))
}

impl Ord for GoVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for GoVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for GoVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for GoVersion {}

impl fmt::Display for GoVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for GoVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for GoVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Whether a `go` line is at least a version. A line that is no version was reported by its parser.
pub(crate) fn at_least(line: &str, version: &str) -> bool {
    match (GoVersion::from_str(line), GoVersion::from_str(version)) {
        (Ok(line), Ok(version)) => line >= version,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> GoVersion {
        text.parse().unwrap()
    }

    #[test]
    fn orders_as_the_toolchain_does() {
        let ascending = [
            "1", "1.5", "1.20", "1.20.1", "1.21", "1.21rc1", "1.21rc2", "1.21.0", "1.21.1",
            "1.100", "2.0",
        ];
        for (index, left) in ascending.iter().enumerate() {
            for (other, right) in ascending.iter().enumerate() {
                assert_eq!(
                    version(left).cmp(&version(right)),
                    index.cmp(&other),
                    "{left} {right}"
                );
            }
        }
        assert_eq!(version("1.20"), version("1.20.0"));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            "v1.2",
            "1.",
            "01.2",
            "1.02",
            "1.21.3rc1",
            "1.21RC1",
            "1.21-x",
            "1.x",
            "go1.21",
        ] {
            assert!(text.parse::<GoVersion>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn toolchain_names_hold_a_version() {
        assert_eq!(
            GoVersion::from_toolchain_name("go1.26.3-custom").unwrap(),
            version("1.26.3")
        );
        assert!(GoVersion::from_toolchain_name("default").is_none());
        assert!(GoVersion::from_toolchain_name("local").is_none());
    }

    #[test]
    fn a_release_serves_all_of_its_patches() {
        assert!(!version("1.26").is_older_than(&version("1.26.3")));
        assert!(version("1.26.1").is_older_than(&version("1.26.3")));
        assert!(version("1.25").is_older_than(&version("1.26rc1")));
        assert!(!version("1.26").is_older_than(&version("1.25.9")));
    }
}
