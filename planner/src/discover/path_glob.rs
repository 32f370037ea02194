//! Globs over the paths of a tree.
//!
//! In: a glob as a person writes it. Out: a [`PathGlob`], anchored at the root. It must never match what lies
//! outside the root.

use crate::path::RepoPath;
use globset::{GlobBuilder, GlobMatcher};
use std::str::FromStr;

/// Far longer than any glob that a person writes, and short enough that its matcher can always be made.
pub(crate) const LONGEST_GLOB: usize = 1024;

/// As much of a glob as a message shows.
pub(crate) const SHOWN: usize = 100;

/// What a glob that is longer is told.
pub(crate) const TOO_LONG: &str = "it has more than 1024 bytes";

/// A text whose control characters are escaped: what a message quotes of a glob must stay text of one line.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// A glob over paths, anchored at the root: `*` and `?` stay within a path element, `**` crosses them.
#[derive(Debug, Clone)]
pub struct PathGlob {
    text: String,
    matcher: GlobMatcher,
    fixed_prefix: RepoPath,
}

/// Why a glob can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no glob: {reason}", glob.escape_debug())]
pub struct PathGlobError {
    /// The glob as given.
    pub glob: String,
    /// What is wrong with it.
    pub reason: String,
}

impl PathGlob {
    /// The glob as it counts: without `./` in front and `/` at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the glob matches a path.
    pub fn matches(&self, path: &RepoPath) -> bool {
        self.matcher.is_match(path.as_str())
    }

    /// The directories before the first wildcard; of a glob without one, all but its last element.
    pub fn fixed_prefix(&self) -> &RepoPath {
        &self.fixed_prefix
    }
}

impl FromStr for PathGlob {
    type Err = PathGlobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let failed = |reason: String| PathGlobError {
            glob: text.chars().take(SHOWN).collect(),
            reason: one_line(&reason),
        };
        if text.len() > LONGEST_GLOB {
            return Err(failed(TOO_LONG.to_owned()));
        }
        let clean = text
            .strip_prefix("./")
            .unwrap_or(text)
            .trim_end_matches('/');
        let clean = if clean.is_empty() { "." } else { clean };
        if text.starts_with('/') || clean.split('/').any(|element| element == "..") {
            return Err(failed(
                "write it relative to the root, without `..`".to_owned(),
            ));
        }
        let matcher = GlobBuilder::new(clean)
            .literal_separator(true)
            .build()
            .map_err(|error| failed(error.kind().to_string()))?
            .compile_matcher();
        let elements: Vec<&str> = clean.split('/').collect();
        let literal = elements
            .iter()
            .take_while(|element| !element.contains(['*', '?', '[', '{', '\\']))
            .count();
        // Of a glob without wildcards the last element is the name, not a prefix.
        let prefix = &elements[..literal.min(elements.len() - 1)];
        let fixed_prefix = RepoPath::root()
            .join_lexically(&prefix.join("/"))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            text: clean.to_owned(),
            matcher,
            fixed_prefix,
        })
    }
}

/// What becomes of the directories that a glob matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobEffect {
    /// They are services.
    Chooses,
    /// They are none, whatever else matches them: the glob is written with `!` in front.
    LeavesOut,
}

/// A glob over directories, anchored at the root; `x/**` includes `x` itself.
#[derive(Debug, Clone)]
pub struct ServiceGlob {
    text: String,
    effect: GlobEffect,
    glob: PathGlob,
    /// The part before `/**` at the end: the directory itself is chosen too.
    base: Option<PathGlob>,
}

impl ServiceGlob {
    /// What becomes of the directories that it matches.
    pub fn effect(&self) -> GlobEffect {
        self.effect
    }

    /// Whether the glob matches a directory.
    pub fn matches(&self, directory: &RepoPath) -> bool {
        self.glob.as_str() == "**"
            || self.glob.matches(directory)
            || self
                .base
                .as_ref()
                .is_some_and(|base| base.matches(directory))
    }

    /// The glob as it counts.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The directory that holds everything that the glob can choose.
    pub(crate) fn fixed_prefix(&self) -> &RepoPath {
        self.glob.fixed_prefix()
    }
}

impl FromStr for ServiceGlob {
    type Err = PathGlobError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mark, effect, text) = match text.strip_prefix('!') {
            Some(rest) => ("!", GlobEffect::LeavesOut, rest),
            None => ("", GlobEffect::Chooses, text),
        };
        let glob: PathGlob = text.parse()?;
        let base = match glob.as_str().strip_suffix("/**") {
            Some(base) => Some(base.parse()?),
            None => None,
        };
        Ok(Self {
            text: format!("{mark}{}", glob.as_str()),
            effect,
            glob,
            base,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_globs_fixed_prefix_is_what_stands_before_its_first_wildcard() {
        for (glob, expected) in [
            ("services/**", "services"),
            ("a/b/*/c", "a/b"),
            ("**", "."),
            ("a/api", "a"),
            ("api", "."),
            ("./x/*", "x"),
        ] {
            assert_eq!(
                glob.parse::<PathGlob>().unwrap().fixed_prefix().as_str(),
                expected,
                "{glob}"
            );
        }
    }

    #[test]
    fn globs_outside_the_root_are_refused() {
        for glob in ["/abs", "../x", "a/../b", "[", "a{", &"*".repeat(5000)] {
            assert!(glob.parse::<PathGlob>().is_err(), "{glob}");
        }
    }
}
