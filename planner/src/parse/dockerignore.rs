//! Which files a `.dockerignore` keeps out of the build context.
//!
//! In: the bytes of the file. Out: a [`Dockerignore`] that says of a path whether it is kept out. It must never keep out
//! what Docker would send: a pattern that can't be understood is a fault.
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
            // The context itself is never kept out.
            Ok(pattern) if pattern.is_everything() => {}
            Ok(pattern) => ignore.patterns.push((pattern, effect)),
            Err(error) => faults.push(Fault {
                code: Code::Syntax,
                severity: Severity::Error,
                message: error.to_string(),
                position: Position {
                    line: number,
                    column: 1,
                },
            }),
        }
    }
    Parsed {
        value: ignore,
        faults,
    }
}

impl Dockerignore {
    /// Whether a path, relative to the context, is kept out: the last pattern that matches it or a directory above it
    /// decides.
    pub fn keeps_out(&self, path: &str) -> bool {
        let mut kept_out = false;
        for (pattern, effect) in &self.patterns {
            let keeps_out = *effect == Effect::KeepOut;
            if kept_out != keeps_out && pattern.matches(path) {
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
        let parsed = parse_dockerignore(b"a\n[\n");
        assert_eq!(parsed.faults[0].position.line, 2);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(source: Vec<u8>, path in "[a-z/*]{0,12}") {
            parse_dockerignore(&source).value.keeps_out(&path);
        }
    }
}
