//! Build constraints: `//go:build` expressions and `// +build` lines.
//!
//! In: the text of one comment line. Out: a [`Constraint`], or why it is none. It must never know which tags
//! are set; [`Constraint::holds`] asks its caller.
//!
//! Source: go/build/constraint/expr.go.

use nom::{
    IResult, Parser as _,
    branch::alt,
    bytes::complete::{tag, take_while, take_while1},
    character::complete::char,
    combinator::{map, recognize},
};
use serde::{Deserialize, Serialize};

/// As many operands as the toolchain accepts in one expression.
const LARGEST_EXPRESSION: usize = 1000;

/// As many operators as the toolchain accepts in one `// +build` line.
const LARGEST_PLUS_BUILD: usize = 100;

/// A build constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Constraint {
    /// A tag that must be set.
    Tag(String),
    /// The contrary.
    Not(Box<Constraint>),
    /// Both.
    And(Box<Constraint>, Box<Constraint>),
    /// Either.
    Or(Box<Constraint>, Box<Constraint>),
}

/// Why a line is no build constraint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConstraintError {
    /// Where in the expression, in bytes.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

impl Constraint {
    /// Whether the constraint holds when `satisfied` says which tags are set.
    pub fn holds(&self, satisfied: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Tag(tag) => satisfied(tag),
            Self::Not(operand) => !operand.holds(satisfied),
            Self::And(left, right) => left.holds(satisfied) && right.holds(satisfied),
            Self::Or(left, right) => left.holds(satisfied) || right.holds(satisfied),
        }
    }

    /// Every tag that the constraint names, in order, with repetitions.
    pub fn tags(&self) -> Vec<&str> {
        let mut tags = Vec::new();
        let mut pending = vec![self];
        while let Some(constraint) = pending.pop() {
            match constraint {
                Self::Tag(tag) => tags.push(tag.as_str()),
                Self::Not(operand) => pending.push(operand),
                Self::And(left, right) | Self::Or(left, right) => {
                    pending.push(right);
                    pending.push(left);
                }
            }
        }
        tags
    }

    /// All of these, in order; nothing when there are none. Halves are joined, not one after the other: a file may
    /// hold any number of lines, and whoever walks the constraint must not go as deep.
    pub(crate) fn all_of(mut constraints: Vec<Self>) -> Option<Self> {
        while constraints.len() > 1 {
            let mut halves = Vec::with_capacity(constraints.len().div_ceil(2));
            let mut rest = constraints.into_iter();
            while let Some(left) = rest.next() {
                halves.push(match rest.next() {
                    Some(right) => Self::and(left, right),
                    None => left,
                });
            }
            constraints = halves;
        }
        constraints.pop()
    }

    fn and(left: Self, right: Self) -> Self {
        Self::And(Box::new(left), Box::new(right))
    }

    fn or(left: Self, right: Self) -> Self {
        Self::Or(Box::new(left), Box::new(right))
    }

    fn not(operand: Self) -> Self {
        Self::Not(Box::new(operand))
    }
}

/// The expression of a `//go:build` line, if the line is one. The line must hold no newline.
pub fn split_go_build(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix("//go:build")?;
    // `//go:buildx` is another comment; `//go:build` alone is an empty expression.
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim())
}

/// The expression of a `// +build` line, if the line is one.
pub fn split_plus_build(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("//")?.trim().strip_prefix("+build")?;
    (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim())
}

/// Parses the expression of a `//go:build` line.
///
/// # Errors
/// On any syntax error, and on expressions that the toolchain finds too large.
pub fn parse_go_build(expression: &str) -> Result<Constraint, ConstraintError> {
    let parser = ExpressionParser {
        text: expression,
        rest: expression,
        size: 0,
    };
    parser.expression()
}

/// Parses the expression of a `// +build` line: spaces mean "or", commas "and".
///
/// # Errors
/// When the line has more operators than the toolchain accepts.
pub fn parse_plus_build(expression: &str) -> Result<Constraint, ConstraintError> {
    let too_large = || ConstraintError {
        offset: 0,
        message: "the constraint is too complex for a // +build line".to_owned(),
    };
    let mut size = 0;
    let mut any: Option<Constraint> = None;
    for clause in expression.split_whitespace() {
        let mut all: Option<Constraint> = None;
        for literal in clause.split(',') {
            let (negated, name) = match literal.strip_prefix('!') {
                Some(name) if name.is_empty() || name.starts_with('!') => (false, "ignore"),
                Some(name) => (true, name),
                None => (false, literal),
            };
            // What is no tag stands for `ignore`, which nobody sets.
            let tag = if is_tag(name) {
                Constraint::Tag(name.to_owned())
            } else {
                Constraint::Tag("ignore".to_owned())
            };
            let operand = if negated { Constraint::not(tag) } else { tag };
            all = Some(match all {
                None => operand,
                Some(left) => {
                    size += 1;
                    Constraint::and(left, operand)
                }
            });
            // At once: what is longer would also be deeper than a stack.
            if size > LARGEST_PLUS_BUILD {
                return Err(too_large());
            }
        }
        let Some(all) = all else { continue };
        any = Some(match any {
            None => all,
            Some(left) => {
                size += 1;
                Constraint::or(left, all)
            }
        });
        if size > LARGEST_PLUS_BUILD {
            return Err(too_large());
        }
    }
    Ok(any.unwrap_or_else(|| Constraint::Tag("ignore".to_owned())))
}

/// Parses a condition of a `#cgo` line, which takes either syntax. What does not parse never holds.
///
/// Source: go/build/build.go (`matchAuto`).
pub fn parse_cgo_condition(text: &str) -> Constraint {
    let parsed = if text.contains(['&', '|', '(', ')']) {
        parse_go_build(text)
    } else {
        parse_plus_build(text)
    };
    // An `or` of nothing: a tag that no build sets, because it is no tag.
    parsed.unwrap_or_else(|_| Constraint::Tag(String::new()))
}

/// Source: go/build/constraint/expr.go (`isValidTag`).
pub(crate) fn is_tag(word: &str) -> bool {
    !word.is_empty() && word.chars().all(is_tag_character)
}

/// Go takes letters, digits (category Nd), `_` and `.`.
fn is_tag_character(character: char) -> bool {
    character == '_'
        || character == '.'
        || character.is_alphabetic()
        || (character.is_numeric() && is_decimal_digit(character))
}

fn is_decimal_digit(character: char) -> bool {
    // The standard library has no test for category Nd; digits beyond ASCII in a tag are letters to no one.
    character.is_ascii_digit() || (!character.is_ascii() && character.is_numeric())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'text> {
    Open,
    Close,
    Not,
    And,
    Or,
    Tag(&'text str),
    End,
}

struct ExpressionParser<'text> {
    text: &'text str,
    rest: &'text str,
    size: usize,
}

impl<'text> ExpressionParser<'text> {
    fn offset(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    fn error(&self, message: impl Into<String>) -> ConstraintError {
        ConstraintError {
            offset: self.offset(),
            message: message.into(),
        }
    }

    fn unexpected(&self, token: &Token<'_>) -> ConstraintError {
        match token {
            Token::End => self.error("unexpected end of expression"),
            Token::Open => self.error("unexpected token ("),
            Token::Close => self.error("unexpected token )"),
            Token::Not => self.error("unexpected token !"),
            Token::And => self.error("unexpected token &&"),
            Token::Or => self.error("unexpected token ||"),
            Token::Tag(tag) => self.error(format!("unexpected token {tag}")),
        }
    }

    fn next(&mut self) -> Result<Token<'text>, ConstraintError> {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        if self.rest.is_empty() {
            return Ok(Token::End);
        }
        match token(self.rest) {
            Ok((rest, token)) => {
                self.rest = rest;
                Ok(token)
            }
            Err(_) => {
                let wrong = self.rest.chars().next().unwrap_or_default();
                Err(self.error(format!("invalid syntax at {}", wrong.escape_debug())))
            }
        }
    }

    /// Parses a whole expression. What waits for the end of a parenthesis stands in `outer`, not on the
    /// stack of calls: nesting is cheap to write.
    fn expression(mut self) -> Result<Constraint, ConstraintError> {
        let mut outer: Vec<Pending> = Vec::new();
        let mut pending = Pending::default();
        loop {
            self.size += 1;
            if self.size > LARGEST_EXPRESSION {
                return Err(self.error("build expression too large"));
            }
            let mut token = self.next()?;
            if token == Token::Not {
                token = self.next()?;
                if token == Token::Not {
                    return Err(self.error("double negation not allowed"));
                }
                pending.negated = Negated::Yes;
            }
            match token {
                Token::Open => {
                    outer.push(std::mem::take(&mut pending));
                    continue;
                }
                Token::Tag(tag) => pending.add(Constraint::Tag(tag.to_owned())),
                Token::End if !outer.is_empty() => return Err(self.error("missing close paren")),
                other => return Err(self.unexpected(&other)),
            }
            // Behind an operand: an operator, or the end of parentheses.
            loop {
                match self.next()? {
                    Token::And => break,
                    Token::Or => {
                        pending.close_conjunction();
                        break;
                    }
                    Token::Close if !outer.is_empty() => {
                        let inner = pending.finish();
                        pending = outer.pop().unwrap_or_default();
                        if let Some(inner) = inner {
                            pending.add(inner);
                        }
                    }
                    Token::End if outer.is_empty() => {
                        return pending
                            .finish()
                            .ok_or_else(|| self.error("unexpected end of expression"));
                    }
                    _ if !outer.is_empty() => return Err(self.error("missing close paren")),
                    other => return Err(self.unexpected(&other)),
                }
            }
        }
    }
}

/// A chain of `||` over `&&` that is not at its end yet.
#[derive(Default)]
struct Pending {
    any: Option<Constraint>,
    all: Option<Constraint>,
    negated: Negated,
}

/// Whether a `!` stands before the next operand.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Negated {
    Yes,
    #[default]
    No,
}

impl Pending {
    fn add(&mut self, operand: Constraint) {
        let operand = match std::mem::take(&mut self.negated) {
            Negated::Yes => Constraint::not(operand),
            Negated::No => operand,
        };
        self.all = Some(match self.all.take() {
            None => operand,
            Some(left) => Constraint::and(left, operand),
        });
    }

    fn close_conjunction(&mut self) {
        self.any = match (self.any.take(), self.all.take()) {
            (Some(left), Some(right)) => Some(Constraint::or(left, right)),
            (left, right) => left.or(right),
        };
    }

    fn finish(mut self) -> Option<Constraint> {
        self.close_conjunction();
        self.any
    }
}

fn token(input: &str) -> IResult<&str, Token<'_>> {
    alt((
        map(char('('), |_| Token::Open),
        map(char(')'), |_| Token::Close),
        map(char('!'), |_| Token::Not),
        map(tag("&&"), |_| Token::And),
        map(tag("||"), |_| Token::Or),
        map(
            recognize((take_while1(is_tag_character), take_while(is_tag_character))),
            Token::Tag,
        ),
    ))
    .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(expression: &str, set: &[&str]) -> bool {
        parse_go_build(expression)
            .unwrap()
            .holds(&|tag| set.contains(&tag))
    }

    #[test]
    fn and_binds_tighter_than_or() {
        assert!(holds("a || b && c", &["a"]));
        assert!(!holds("(a || b) && c", &["a"]));
        assert!(holds("!(a && b)", &["a"]));
        assert!(holds("go1.22 && !windows", &["go1.22"]));
    }

    #[test]
    fn what_the_toolchain_refuses_is_refused() {
        for expression in [
            "",
            "a b",
            "a &&",
            "&& a",
            "a & b",
            "a || ",
            "!!a",
            "(a",
            "a)",
            "a // note",
            "a,b",
            "\"a\"",
            "()",
        ] {
            assert!(parse_go_build(expression).is_err(), "{expression:?}");
        }
        assert!(parse_go_build(&"(".repeat(100_000)).is_err());
        assert!(parse_go_build(&vec!["a"; 1000].join(" && ")).is_ok());
        assert!(parse_go_build(&vec!["a"; 1001].join(" && ")).is_err());
    }

    #[test]
    fn plus_build_spaces_mean_or_and_commas_and() {
        let holds = |expression: &str, set: &[&str]| {
            parse_plus_build(expression)
                .unwrap()
                .holds(&|tag| set.contains(&tag))
        };
        assert!(holds("a b", &["b"]));
        assert!(!holds("a,b", &["b"]));
        assert!(holds("!a", &[]));
        assert!(!holds("!!a", &[]));
        assert!(!holds("", &[]));
        assert!(!holds("a-b", &["a-b"]));
        // What is no tag stands for `ignore`, whose contrary holds.
        assert!(holds("!a-b", &[]));
    }

    #[test]
    fn lines_are_told_from_similar_comments() {
        assert_eq!(split_go_build("//go:build linux\r"), Some("linux"));
        assert_eq!(split_go_build("//go:build"), Some(""));
        assert_eq!(split_go_build("//go:buildx"), None);
        assert_eq!(split_go_build("// go:build x"), None);
        assert_eq!(split_plus_build("//+build a"), Some("a"));
        assert_eq!(split_plus_build("// +buildx a"), None);
    }

    #[test]
    fn a_cgo_condition_takes_either_syntax() {
        let holds =
            |text: &str| parse_cgo_condition(text).holds(&|tag| tag == "linux" || tag == "cgo");
        assert!(holds("linux,cgo"));
        assert!(holds("linux&&cgo"));
        assert!(!holds("&&"));
        assert!(!holds("windows"));
    }
}
