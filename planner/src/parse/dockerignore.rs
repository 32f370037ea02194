//! Which files a `.dockerignore` keeps out of the build context.
//!
//! In: the bytes of the file. Out: a [`Dockerignore`] that says of a path whether it is kept out. It must never keep out
//! what Docker would send: where only Docker could tell what a pattern matches, it keeps nothing out, and lets all in.
//!
//! Source: github.com/moby/patternmatcher (`MatchesOrParentMatches`, `Pattern.compile`, `ignorefile.ReadAll`).

use crate::{
    diagnostic::{Code, Fault, Parsed, Position, Severity},
    discover::context_pattern::ContextPattern,
};

/// The patterns of a `.dockerignore`.
#[derive(Debug, Clone, Default)]
pub struct Dockerignore {
    patterns: Vec<(ContextPattern, Effect)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    KeepOut,
    LetIn,
}

/// Reads a `.dockerignore`.
pub fn parse_dockerignore(source: &[u8]) -> Parsed<Dockerignore> {
    let mut ignore = Dockerignore::default();
    let mut faults = Vec::new();
    let text = String::from_utf8_lossy(source);
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let line = line.trim();
        let (pattern, effect) = match line.strip_prefix('!') {
            Some(pattern) => (pattern.trim(), Effect::LetIn),
            None => (line, Effect::KeepOut),
        };
        match ContextPattern::parse(pattern) {
            Ok(ContextPattern::Whole)
                if line.starts_with('!') && clean_name(pattern).is_empty() =>
            {
                faults.push(fault(number, "`!` needs a pattern behind it".to_owned()));
            }
            // The context itself is never kept out.
            Ok(ContextPattern::Whole) => {}
            Ok(pattern) => ignore.patterns.push((pattern, effect)),
            Err(error) => faults.push(fault(number, error.to_string())),
        }
    }
    Parsed {
        value: ignore,
        faults,
    }
}

/// A pattern without slashes around it.
fn clean_name(pattern: &str) -> &str {
    pattern.trim_matches('/')
}

fn fault(line: u32, message: String) -> Fault {
    Fault {
        code: Code::Syntax,
        severity: Severity::Error,
        message,
        position: Position { line, column: 1 },
    }
}

impl Dockerignore {
    /// Whether a path, relative to the context, is kept out: the last pattern that matches it or a directory above it
    /// decides.
    pub fn keeps_out(&self, path: &str) -> bool {
        let mut kept_out = false;
        for (pattern, effect) in &self.patterns {
            let keeps_out = *effect == Effect::KeepOut;
            let matches = match pattern {
                ContextPattern::Paths(paths) => paths.holds(path),
                ContextPattern::Whole | ContextPattern::Unknown => *effect == Effect::LetIn,
            };
            if kept_out != keeps_out && matches {
                kept_out = keeps_out;
            }
        }
        kept_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let cases = [
            ("*.md", "README.md", true),
            ("*.md", "docs/README.md", false),
            ("**/*.md", "docs/README.md", true),
            ("**/*.md", "README.md", true),
            ("docs", "docs/a/b.txt", true),
            ("/docs/", "docs/a.txt", true),
            ("docs", "mydocs/a.txt", false),
            ("*\n!go.mod", "go.mod", false),
            ("*\n!go.mod", "go.sum", true),
            ("*\n!src\nsrc/*.md", "src/a.md", true),
            ("*\n!src\nsrc/*.md", "src/a.go", false),
            ("# x\n\n  a  ", "a", true),
            ("a{b}", "a{b}", true),
            // Not what other globs mean by it, so it keeps nothing out.
            ("[!a]", "b", false),
            ("*\n![!a]", "b", false),
            ("a?c", "abc", true),
            (".", "a", false),
        ];
        for (text, path, expected) in cases {
            let parsed = parse_dockerignore(text.as_bytes());
            assert!(parsed.faults.is_empty());
            assert_eq!(parsed.value.keeps_out(path), expected, "{text:?} {path}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_a_fault() {
        for text in ["a\n[b-a]\n", "a\n!\n", "a\n! /\n"] {
            let parsed = parse_dockerignore(text.as_bytes());
            assert_eq!(parsed.faults[0].position.line, 2, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(source: Vec<u8>, path in "[a-z/*]{0,12}") {
            parse_dockerignore(&source).value.keeps_out(&path);
        }
    }
}
