//! The syntax that go.mod and go.work share: lines of tokens, some of them in blocks.
//!
//! In: the bytes of a manifest. Out: [`Line`]s, each with its verb and its place, and the faults of the syntax. It
//! must never know what a verb means. After a fault it goes on with the next line.
//!
//! Source: golang.org/x/mod/modfile/read.go (`readToken`, `parseStmt`, `parseLineBlock`).

use crate::{
    diagnostic::{Code, Fault, Position, Severity},
    parse::go_string::unquote,
};
use std::borrow::Cow;

/// One directive.
#[derive(Debug)]
pub(super) struct Line<'text> {
    /// The first word, or that of the block around the line.
    pub(super) verb: Cow<'text, str>,
    pub(super) form: Form,
    pub(super) arguments: Vec<Token<'text>>,
    /// The text of a comment at the end of the line, behind its slashes.
    pub(super) comment: Option<Cow<'text, str>>,
    pub(super) position: Position,
}

/// Whether a directive stands by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// On a line of its own.
    Single,
    /// In a block.
    InBlock,
    /// A block whose head has more than one word; it holds no lines that could be understood.
    OddBlock,
}

/// One token.
#[derive(Debug, Clone)]
pub(super) struct Token<'text> {
    pub(super) text: Cow<'text, str>,
    pub(super) position: Position,
    kind: TokenKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    Word,
    Quoted,
    Punctuation,
}

impl Token<'_> {
    fn is(&self, punctuation: &str) -> bool {
        self.kind == TokenKind::Punctuation && self.text == punctuation
    }

    /// The text as a string, unquoted.
    ///
    /// Source: golang.org/x/mod/modfile/rule.go (`parseString`).
    pub(super) fn string(&self) -> Result<String, String> {
        if self.text.starts_with('"') {
            return unquote(self.text.as_bytes())
                .and_then(|value| String::from_utf8(value).ok())
                .ok_or_else(|| {
                    format!(
                        "`{}` is not a valid quoted string",
                        self.text.escape_debug()
                    )
                });
        }
        if memchr::memchr3(b'"', b'\'', b'`', self.text.as_bytes()).is_some() {
            return Err(format!(
                "`{}` holds a quote; only double quotes around a whole word are allowed",
                self.text.escape_debug()
            ));
        }
        Ok(self.text.clone().into_owned())
    }
}

/// Splits a manifest into its directives.
pub(super) fn split(text: &[u8]) -> (Vec<Line<'_>>, Vec<Fault>) {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut faults = Vec::new();
    let mut block: Option<Block<'_>> = None;
    for (number, source) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let mut lexer = Lexer {
            source,
            next: 0,
            line: number,
        };
        let (mut tokens, comment) = match lexer.tokens() {
            Ok(read) => read,
            Err(fault) => {
                faults.push(*fault);
                continue;
            }
        };
        let Some(first) = tokens.first().cloned() else {
            continue;
        };
        let position = first.position;
        if let Some(open) = &block {
            if first.is(")") {
                if let Some(extra) = tokens.get(1) {
                    faults.push(syntax_fault(
                        "a closing parenthesis must end its line",
                        extra.position,
                    ));
                }
                block = None;
            } else if open.form == Form::InBlock {
                let verb = open.verb.clone();
                lines.push(Line {
                    verb,
                    form: Form::InBlock,
                    arguments: tokens,
                    comment,
                    position,
                });
            }
            continue;
        }
        let opens = tokens.len() >= 2 && tokens.last().is_some_and(|last| last.is("("));
        let is_empty_block = tokens.len() >= 3
            && tokens.last().is_some_and(|last| last.is(")"))
            && tokens[tokens.len() - 2].is("(");
        if opens || is_empty_block {
            let head = &tokens[..tokens.len() - if opens { 1 } else { 2 }];
            let form = if head.len() == 1 {
                Form::InBlock
            } else {
                Form::OddBlock
            };
            let words: Vec<&str> = head.iter().map(|token| &*token.text).collect();
            let verb: Cow<'_, str> = if head.len() == 1 {
                first.text.clone()
            } else {
                Cow::Owned(words.join(" "))
            };
            if form == Form::OddBlock {
                lines.push(Line {
                    verb: verb.clone(),
                    form,
                    arguments: Vec::new(),
                    comment: None,
                    position,
                });
            }
            if opens {
                block = Some(Block {
                    verb,
                    form,
                    position,
                });
            }
            continue;
        }
        let arguments = tokens.split_off(1);
        lines.push(Line {
            verb: first.text,
            form: Form::Single,
            arguments,
            comment,
            position,
        });
    }
    if let Some(open) = block {
        faults.push(syntax_fault(
            "the block is never closed; add a line with `)`",
            open.position,
        ));
    }
    (lines, faults)
}

struct Block<'text> {
    verb: Cow<'text, str>,
    form: Form,
    position: Position,
}

pub(super) fn syntax_fault(message: impl Into<String>, position: Position) -> Fault {
    Fault {
        code: Code::Syntax,
        severity: Severity::Error,
        message: message.into(),
        position,
    }
}

/// The tokens of one line: none spans two.
struct Lexer<'text> {
    source: &'text [u8],
    next: usize,
    line: u32,
}

/// The tokens of a line, and the comment at its end.
type LineTokens<'text> = (Vec<Token<'text>>, Option<Cow<'text, str>>);

impl<'text> Lexer<'text> {
    fn tokens(&mut self) -> Result<LineTokens<'text>, Box<Fault>> {
        let mut tokens = Vec::new();
        loop {
            let rest = &self.source[self.next..];
            match rest {
                [] => return Ok((tokens, None)),
                [b' ' | b'\t' | b'\r', ..] => self.next += 1,
                [b'/', b'/', comment @ ..] => {
                    return Ok((tokens, Some(String::from_utf8_lossy(comment))));
                }
                [b'/', b'*', ..] => return Err(self.fault("comments start with //, not with /*")),
                [b'(' | b')' | b'[' | b']' | b'{' | b'}' | b',', ..] => {
                    tokens.push(self.token(self.next + 1, TokenKind::Punctuation));
                }
                [quote @ (b'"' | b'`'), ..] => {
                    let end = self.end_of_string(*quote)?;
                    tokens.push(self.token(end, TokenKind::Quoted));
                }
                _ => {
                    let end = self.end_of_word()?;
                    tokens.push(self.token(end, TokenKind::Word));
                }
            }
        }
    }

    fn position(&self, offset: usize) -> Position {
        Position {
            line: self.line,
            column: u32::try_from(offset + 1).unwrap_or(u32::MAX),
        }
    }

    fn fault(&self, message: impl Into<String>) -> Box<Fault> {
        Box::new(syntax_fault(message, self.position(self.next)))
    }

    fn token(&mut self, end: usize, kind: TokenKind) -> Token<'text> {
        let text = String::from_utf8_lossy(&self.source[self.next..end]);
        let position = self.position(self.next);
        self.next = end;
        Token {
            text,
            position,
            kind,
        }
    }

    fn end_of_string(&self, quote: u8) -> Result<usize, Box<Fault>> {
        let mut end = self.next + 1;
        loop {
            match self.source.get(end) {
                None => return Err(self.fault("the string is not closed on its line")),
                Some(b'\\') if quote == b'"' => end += 2,
                Some(byte) if *byte == quote => return Ok(end + 1),
                Some(_) => end += 1,
            }
        }
    }

    fn end_of_word(&self) -> Result<usize, Box<Fault>> {
        let rest = &self.source[self.next..];
        // Nearly every word: ASCII up to a space or the end of the line.
        let mut previous = 0;
        let plain = rest.iter().position(|byte| {
            let may_be_comment = *byte == b'/' && previous == b'/';
            previous = *byte;
            may_be_comment || !is_plain(*byte)
        });
        let plain = plain.unwrap_or(rest.len());
        if plain > 0 && matches!(rest.get(plain), None | Some(b' ' | b'\t' | b'\r')) {
            return Ok(self.next + plain);
        }
        let length = rest
            .iter()
            .enumerate()
            .position(|(index, byte)| {
                matches!(
                    byte,
                    b' ' | b'\t' | b'\r' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b','
                ) || (*byte == b'/' && matches!(rest.get(index + 1), Some(b'/' | b'*')))
            })
            .unwrap_or(rest.len());
        let word = &rest[..length];
        let text = std::str::from_utf8(word).map_err(|error| {
            let position = self.position(self.next + error.valid_up_to());
            Box::new(syntax_fault("the file is not UTF-8 here", position))
        })?;
        if let Some((offset, character)) = text
            .char_indices()
            .find(|(_, character)| !is_word_character(*character))
        {
            let message = format!("unexpected character `{}`", character.escape_default());
            return Err(Box::new(syntax_fault(
                message,
                self.position(self.next + offset),
            )));
        }
        Ok(self.next + length)
    }
}

/// ASCII of which words are made, less what could end one.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'-' | b'_' | b'+' | b'~' | b'=' | b'>' | b'/')
}

/// Characters that Go calls printable, less what ends a word. What is invisible or not assigned to
/// anyone is none of them.
fn is_word_character(character: char) -> bool {
    !character.is_control()
        && !character.is_whitespace()
        && !matches!(character,
            '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{180E}'
            | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}'..='\u{FFFF}' | '\u{E000}'..='\u{F8FF}'
            | '\u{E0000}'..='\u{E00FF}' | '\u{F0000}'..='\u{10FFFF}')
}
