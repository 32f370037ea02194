//! The patterns of `//go:embed`.
//!
//! In: one pattern as a Go file writes it. Out: an [`EmbedPattern`] that is matched element by element. It must
//! never look at a directory.
//!
//! Source: cmd/go/internal/load/pkg.go (`resolveEmbed`, `validEmbedPattern`), path/filepath (`Match`), io/fs (`ValidPath`).

/// Whether hidden names (`.x`, `_x`) inside a matched directory are embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// They are left out.
    Skipped,
    /// They are taken: the pattern starts with `all:`.
    Taken,
}

/// A valid pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedPattern {
    hidden: Hidden,
    elements: Vec<Element>,
}

/// One path element of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `*`: any run of characters.
    Star,
    /// `?`: any character.
    Any,
    /// A character by itself.
    Literal(char),
    /// `[a-z]` or `[^a-z]`.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid pattern syntax")]
pub struct EmbedPatternError;

impl EmbedPattern {
    /// Whether hidden names inside a matched directory are embedded.
    pub fn hidden(&self) -> Hidden {
        self.hidden
    }

    /// The elements from the package's directory down.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }
}

impl Element {
    /// Whether the element can match more than one name.
    pub fn has_wildcard(&self) -> bool {
        self.parts
            .iter()
            .any(|part| !matches!(part, Part::Literal(_)))
    }

    /// Whether the element matches a name.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        // A star is tried at its shortest, and only the last one is ever lengthened again.
        let (mut part, mut character) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let matched = match self.parts.get(part) {
                Some(Part::Star) => {
                    retry = Some((part, character));
                    part += 1;
                    continue;
                }
                Some(one) => name
                    .get(character)
                    .is_some_and(|character| one.matches(*character)),
                None if character == name.len() => return true,
                None => false,
            };
            if matched {
                part += 1;
                character += 1;
                continue;
            }
            match retry {
                Some((star, from)) if from < name.len() => {
                    retry = Some((star, from + 1));
                    part = star + 1;
                    character = from + 1;
                }
                _ => return false,
            }
        }
    }
}

impl Part {
    fn matches(&self, character: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => true,
            Self::Literal(literal) => *literal == character,
            Self::Class { negated, ranges } => {
                ranges
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&character))
                    != *negated
            }
        }
    }
}

/// Reads a pattern.
///
/// # Errors
/// When the toolchain refuses it, whatever the directory holds.
pub fn parse_embed_pattern(text: &str) -> Result<EmbedPattern, EmbedPatternError> {
    let (hidden, glob) = match text.strip_prefix("all:") {
        Some(glob) => (Hidden::Taken, glob),
        None => (Hidden::Skipped, text),
    };
    // As io/fs `ValidPath`, less the `.` alone.
    if glob.is_empty()
        || glob
            .split('/')
            .any(|element| matches!(element, "" | "." | ".."))
    {
        return Err(EmbedPatternError);
    }
    let elements = glob
        .split('/')
        .map(parse_element)
        .collect::<Result<_, _>>()?;
    Ok(EmbedPattern { hidden, elements })
}

fn parse_element(text: &str) -> Result<Element, EmbedPatternError> {
    let mut parts = Vec::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        parts.push(match character {
            '*' => Part::Star,
            '?' => Part::Any,
            '\\' => Part::Literal(rest.next().ok_or(EmbedPatternError)?),
            '[' => parse_class(&mut rest)?,
            other => Part::Literal(other),
        });
    }
    Ok(Element { parts })
}

fn parse_class(rest: &mut std::str::Chars<'_>) -> Result<Part, EmbedPatternError> {
    let negated = rest.as_str().starts_with('^');
    if negated {
        rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        if rest.as_str().starts_with(']') && !ranges.is_empty() {
            rest.next();
            return Ok(Part::Class { negated, ranges });
        }
        let low = class_character(rest)?;
        let mut high = low;
        if rest.as_str().starts_with('-') {
            rest.next();
            high = class_character(rest)?;
        }
        ranges.push((low, high));
    }
}

/// Source: path/filepath (`getEsc`).
fn class_character(rest: &mut std::str::Chars<'_>) -> Result<char, EmbedPatternError> {
    match rest.next() {
        None | Some('-' | ']') => Err(EmbedPatternError),
        Some('\\') => rest.next().ok_or(EmbedPatternError),
        Some(other) => {
            // A class must be closed behind its last character.
            if rest.as_str().is_empty() {
                Err(EmbedPatternError)
            } else {
                Ok(other)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_match_as_path_patterns() {
        let cases = [
            ("a.txt", "a.txt", true),
            ("*", ".hidden", true),
            ("*", "", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcdf", false),
            ("*.txt", "x.txt.txt", true),
            ("?", "ä", true),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("t[[]1].txt", "t[1].txt", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
        ];
        for (pattern, name, expected) in cases {
            let parsed = parse_embed_pattern(pattern).unwrap();
            assert_eq!(
                parsed.elements()[0].matches(name),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn what_the_toolchain_refuses_is_refused() {
        for pattern in [
            "", ".", "..", "./x", "/x", "x/", "a//b", "a/../b", "[", "[]", "[a", "[-]", "\\",
            "all:", "[a-]",
        ] {
            assert!(parse_embed_pattern(pattern).is_err(), "{pattern:?}");
        }
        assert_eq!(
            parse_embed_pattern("all:x").unwrap().hidden(),
            Hidden::Taken
        );
    }

    #[test]
    fn hostile_stars_take_no_exponential_time() {
        let pattern = parse_embed_pattern(&"*a".repeat(200)).unwrap();
        assert!(!pattern.elements()[0].matches(&"a".repeat(150)));
    }
}
