//! The order of module versions.
//!
//! In: canonical versions as manifests hold them. Out: their order. It must never be used to choose a
//! version on its own: the build list does that.
//!
//! Source: golang.org/x/mod/semver (`Compare`).

use std::cmp::Ordering;

/// Compares two canonical versions (`v1.2.3`, `v1.2.3-pre.1`, `v2.0.0+incompatible`) as
/// golang.org/x/mod/semver does: build metadata counts for nothing, and what is no version
/// comes before everything that is one.
pub fn compare_versions(left: &str, right: &str) -> Ordering {
    match (Version::parse(left), Version::parse(right)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(left), Some(right)) => left.compare(&right),
    }
}

/// Whether a text is a version, in full or shortened.
///
/// Source: golang.org/x/mod/semver (`IsValid`).
pub fn is_version(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('v') else {
        return false;
    };
    let (rest, build) = rest
        .split_once('+')
        .map_or((rest, None), |(rest, build)| (rest, Some(build)));
    let (core, prerelease) = rest
        .split_once('-')
        .map_or((rest, None), |(core, prerelease)| (core, Some(prerelease)));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number =
        |text: &str| !text.is_empty() && is_digits(text) && (text == "0" || !text.starts_with('0'));
    let is_identifier = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let mut numbers = 0;
    let all_numbers = core.split('.').all(|number| {
        numbers += 1;
        is_number(number)
    });
    all_numbers
        && numbers <= 3
        // A shortened version can't have more than numbers.
        && (numbers == 3 || (prerelease.is_none() && build.is_none()))
        && prerelease.is_none_or(|prerelease| {
            prerelease
                .split('.')
                .all(|identifier| is_identifier(identifier) && (!is_digits(identifier) || is_number(identifier)))
        })
        && build.is_none_or(|build| build.split('.').all(is_identifier))
}

/// The canonical form of a version: all three numbers, and of the build metadata `+incompatible` alone.
/// Nothing for what is no version.
///
/// Source: golang.org/x/mod/module (`CanonicalVersion`).
pub fn canonical_version(text: &str) -> Option<String> {
    if !is_version(text) {
        return None;
    }
    let (version, build) = text.split_once('+').unwrap_or((text, ""));
    let (core, prerelease) = version.split_at(version.find('-').unwrap_or(version.len()));
    let missing = 2usize.saturating_sub(core.matches('.').count());
    if missing == 0 && matches!(build, "" | "incompatible") {
        return Some(text.to_owned());
    }
    let build = if build == "incompatible" {
        "+incompatible"
    } else {
        ""
    };
    Some(format!("{core}{}{prerelease}{build}", ".0".repeat(missing)))
}

struct Version<'text> {
    numbers: [&'text str; 3],
    prerelease: &'text str,
}

impl<'text> Version<'text> {
    fn parse(text: &'text str) -> Option<Self> {
        let text = text.strip_prefix('v')?;
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let (core, prerelease) = text.split_once('-').unwrap_or((text, ""));
        let mut numbers = ["0"; 3];
        let mut parts = core.split('.');
        for (index, part) in parts.by_ref().take(3).enumerate() {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            numbers[index] = part;
        }
        if parts.next().is_some() {
            return None;
        }
        Some(Self {
            numbers,
            prerelease,
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        for (left, right) in self.numbers.iter().zip(other.numbers) {
            let order = compare_numbers(left, right);
            if order != Ordering::Equal {
                return order;
            }
        }
        compare_prereleases(self.prerelease, other.prerelease)
    }
}

/// Numbers without leading zeroes compare by length first: no integer type bounds them.
fn compare_numbers(left: &str, right: &str) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

fn compare_prereleases(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        // A release comes after its pre-releases.
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let mut left = left.split('.');
    let mut right = right.split('.');
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) if left == right => {}
            (Some(left), Some(right)) => {
                let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
                return match (is_number(left), is_number(right)) {
                    (true, true) => compare_numbers(left, right),
                    (true, false) => Ordering::Less,
                    (false, true) => Ordering::Greater,
                    (false, false) => left.cmp(right),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_made_canonical_as_by_semver() {
        let cases = [
            ("v1.2.3", Some("v1.2.3")),
            ("v1.2", Some("v1.2.0")),
            ("v1", Some("v1.0.0")),
            ("v1.2.3-pre.1", Some("v1.2.3-pre.1")),
            ("v1.2.3+meta", Some("v1.2.3")),
            ("v2.0.0+incompatible", Some("v2.0.0+incompatible")),
            (
                "v1.2.3-0.20200101000000-abcdefabcdef",
                Some("v1.2.3-0.20200101000000-abcdefabcdef"),
            ),
            ("v1.2-pre", None),
            ("v01.2.3", None),
            ("v1.2.3-01", None),
            ("v1.2.3-", None),
            ("v1.2.3.4", None),
            ("1.2.3", None),
            ("master", None),
            ("v", None),
        ];
        for (text, expected) in cases {
            assert_eq!(canonical_version(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn orders_as_semantic_versions() {
        let ascending = [
            "none",
            "v0.0.0-20200101000000-abcdefabcdef",
            "v0.0.0",
            "v0.9.0",
            "v0.10.0",
            "v1.0.0-alpha",
            "v1.0.0-alpha.1",
            "v1.0.0-alpha.beta",
            "v1.0.0-beta.2",
            "v1.0.0-beta.11",
            "v1.0.0-rc.1",
            "v1.0.0",
            "v2.0.0+incompatible",
            "v10.0.0",
        ];
        for (index, left) in ascending.iter().enumerate() {
            for (other, right) in ascending.iter().enumerate() {
                assert_eq!(
                    compare_versions(left, right),
                    index.cmp(&other),
                    "{left} {right}"
                );
            }
        }
    }
}
