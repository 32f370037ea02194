//! Patterns over a build context, as Dockerfiles and `.dockerignore`s write them.
//!
//! In: a pattern. Out: a [`ContextPattern`], which matches paths relative to the context. It must never match more than
//! Docker's would: `*` and `?` stay within a path element, `**` crosses them, and there are no alternatives.
//!
//! Source: github.com/moby/patternmatcher (`Pattern.compile`), Go's path/filepath (`Match`).

use super::path_glob::{LONGEST_GLOB, SHOWN, TOO_LONG, one_line};
use globset::{GlobBuilder, GlobMatcher};

/// A pattern over the paths of a build context.
#[derive(Debug, Clone)]
pub struct ContextPattern(Option<GlobMatcher>);

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
    /// Reads a pattern; one without any element is the whole context, and so is one with `..`, which Docker keeps within
    /// the context.
    ///
    /// # Errors
    /// When a class of characters is not closed, and the like.
    pub fn parse(pattern: &str) -> Result<Self, ContextPatternError> {
        let clean: Vec<&str> = pattern
            .split('/')
            .filter(|element| !element.is_empty() && *element != ".")
            .collect();
        if clean.is_empty() || clean.contains(&"..") {
            return Ok(Self(None));
        }
        let failed = |reason: &str| ContextPatternError {
            pattern: pattern.chars().take(SHOWN).collect(),
            reason: one_line(reason),
        };
        if pattern.len() > LONGEST_GLOB {
            return Err(failed(TOO_LONG));
        }
        let glob = clean.join("/").replace('{', "[{]").replace('}', "[}]");
        GlobBuilder::new(&glob)
            .literal_separator(true)
            .build()
            .map(|glob| Self(Some(glob.compile_matcher())))
            .map_err(|error| failed(&error.kind().to_string()))
    }

    /// Whether it is the whole context.
    pub fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// Whether it matches a path, relative to the context, or a directory above it.
    pub fn matches(&self, path: &str) -> bool {
        let Some(matcher) = &self.0 else {
            return true;
        };
        let ends = path.match_indices('/').map(|(end, _)| end);
        ends.chain([path.len()])
            .any(|end| matcher.is_match(&path[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::ContextPattern;

    #[test]
    fn a_pattern_matches_paths_and_all_below_them() {
        let cases = [
            (".", "a/b", true),
            ("/", "a", true),
            ("./a/", "a/b", true),
            ("a", "ab", false),
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("d/*", "d/e/f", true),
            ("**/a.txt", "a.txt", true),
            ("**/a.txt", "d/e/a.txt", true),
            ("[ab].txt", "b.txt", true),
            ("{a,b}", "a", false),
            ("{a,b}", "{a,b}", true),
            ("../x", "y", true),
        ];
        for (pattern, path, expected) in cases {
            let pattern_read = ContextPattern::parse(pattern).unwrap();
            assert_eq!(pattern_read.matches(path), expected, "{pattern} {path}");
        }
        for pattern in ["[", "[b-a]", &"*".repeat(5000)] {
            assert!(ContextPattern::parse(pattern).is_err());
        }
    }
}
