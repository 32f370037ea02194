//! Patterns over a build context, as Dockerfiles and `.dockerignore`s write them.
//!
//! In: a pattern. Out: a [`ContextPattern`]: what it matches, relative to the context. `*` and `?` stay within a path
//! element, `**` crosses them, and there are no alternatives. It must never claim to know what it does not: escapes, classes
//! of characters beyond letters and digits, `**` within an element and `..` are told apart, so that whoever asks can take
//! the safe side.
//!
//! Source: github.com/moby/patternmatcher (`Pattern.compile`, `New`), Go's path/filepath (`Match`).

use super::path_glob::{LONGEST_GLOB, SHOWN, TOO_LONG, one_line};
use globset::{GlobBuilder, GlobMatcher};

/// A pattern over the paths of a build context.
#[derive(Debug, Clone)]
pub enum ContextPattern {
    /// The context itself, with all that it holds.
    Whole,
    /// The paths that match, and all below them.
    Paths(ContextPaths),
    /// Paths that only Docker could tell.
    Unknown,
}

/// The paths that a pattern matches.
#[derive(Debug, Clone)]
pub struct ContextPaths(Box<GlobMatcher>);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no pattern: {reason}", pattern.escape_debug())]
pub struct ContextPatternError {
    /// The pattern as given.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl ContextPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When a range of characters is upside down, or the pattern is longer than any that a person writes.
    pub fn parse(pattern: &str) -> Result<Self, ContextPatternError> {
        let failed = |reason: &str| ContextPatternError {
            pattern: pattern.chars().take(SHOWN).collect(),
            reason: one_line(reason),
        };
        if pattern.len() > LONGEST_GLOB {
            return Err(failed(TOO_LONG));
        }
        let elements: Vec<&str> = pattern
            .split('/')
            .filter(|element| !element.is_empty() && *element != ".")
            .collect();
        let joined = elements.join("/");
        let clean = joined.trim();
        if clean.is_empty() {
            return Ok(Self::Whole);
        }
        let is_understood = |element: &&str| {
            *element == "**"
                || (*element != ".."
                    && !element.contains("**")
                    && !element.contains('\\')
                    && has_plain_classes(element))
        };
        if !elements.iter().all(is_understood) {
            return Ok(Self::Unknown);
        }
        // Docker knows no alternatives, so braces are themselves.
        let glob = clean.replace('{', "[{]").replace('}', "[}]");
        GlobBuilder::new(&glob)
            .literal_separator(true)
            .build()
            .map(|glob| Self::Paths(ContextPaths(Box::new(glob.compile_matcher()))))
            .map_err(|error| failed(&error.kind().to_string()))
    }
}

impl ContextPaths {
    /// Whether the pattern matches a path, relative to the context, or a directory above it.
    pub fn holds(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(end, _)| end);
        ends.chain([path.len()])
            .any(|end| self.0.is_match(&path[..end]))
    }
}

/// Whether all classes of an element, if any, list letters, digits and the like: the rest is read differently by
/// everybody.
fn has_plain_classes(element: &str) -> bool {
    let mut rest = element;
    while let Some(start) = rest.find(['[', ']']) {
        let Some(class) = rest[start..].strip_prefix('[') else {
            return false;
        };
        let Some(end) = class.find(']') else {
            // Not closed, or closed behind a slash.
            return false;
        };
        let is_plain = end > 0
            && class[..end]
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
            && !class.starts_with('-');
        if !is_plain {
            return false;
        }
        rest = &class[end + 1..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::ContextPattern;

    #[test]
    fn a_pattern_matches_paths_and_all_below_them() {
        let cases = [
            ("./a/", "a/b", true),
            ("/ a", "a", true),
            ("a", "ab", false),
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("d/*", "d/e/f", true),
            ("**/a.txt", "a.txt", true),
            ("**/a.txt", "d/e/a.txt", true),
            ("a/**", "a/b/c", true),
            ("[ab].txt", "b.txt", true),
            ("[a-c].txt", "b.txt", true),
            ("{a,b}", "a", false),
            ("{a,b}", "{a,b}", true),
        ];
        for (pattern, path, expected) in cases {
            let ContextPattern::Paths(paths) = ContextPattern::parse(pattern).unwrap() else {
                panic!("{pattern}");
            };
            assert_eq!(paths.holds(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn what_only_docker_could_tell_is_told_apart() {
        for pattern in [
            "[!a]", "[^a]", "**b", "a**", "\\*", "a/../b", "[]a]", "a]", "[", "[a/b]",
        ] {
            let read = ContextPattern::parse(pattern).unwrap();
            assert!(matches!(read, ContextPattern::Unknown), "{pattern}");
        }
        for pattern in [".", "/", "", "./."] {
            let read = ContextPattern::parse(pattern).unwrap();
            assert!(matches!(read, ContextPattern::Whole), "{pattern}");
        }
        for pattern in ["[b-a]", &"*".repeat(5000)] {
            assert!(ContextPattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
