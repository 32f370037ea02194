//! The package clause and the imports.
//!
//! In: the bytes of a header. Out: package name, imports, comments that say something, and every fault. It
//! must never look behind the token that follows the imports.
//!
//! Source: go/scanner (`Scan`), go/parser (`parseFile`, `next`, `consumeCommentGroup` under `ImportsOnly`),
//! go/build/build.go (`parseFileHeader`), go/build/read.go (`isValidImport`), go/ast (`CommentGroup.Text`).
//!
//! Known gaps: **`//line` comments in a header are not followed**; they could detach a cgo preamble.

use super::{CgoPreamble, GoFile, HeaderState, cgo};
use crate::parse::header_reader::{Header, end_of_block_comment};
use crate::{
    diagnostic::{Code, Fault, Located, Position, Severity},
    parse::go_string::unquote,
};

/// Parses the header of a file whose extent is known, and fills in what it says.
pub(super) fn parse_header(source: &[u8], header: &Header, file: &mut GoFile) {
    let mut parser = Parser::new(source, header.start, header.end);
    parser.advance();
    parser.file(file);
    if parser.faults.is_empty() {
        for import in &file.imports {
            if !is_valid_import(&import.value) {
                parser.faults.push(Fault {
                    code: Code::InvalidImport,
                    severity: Severity::Error,
                    message: format!("invalid import path `{}`", import.value.escape_debug()),
                    position: import.position,
                });
            }
        }
    }
    if !parser.faults.is_empty() {
        file.state = HeaderState::ImportsLost;
        file.imports.clear();
        file.cgo = None;
        file.faults.append(&mut parser.faults);
        return;
    }
    let uses_cgo = file.imports.iter().any(|import| import.value == "C");
    file.imports.retain(|import| import.value != "C");
    if uses_cgo {
        let mut preamble = CgoPreamble::default();
        for comment in &parser.cgo_comments {
            cgo::add_comment(&mut preamble, comment);
        }
        file.cgo = Some(preamble);
    }
    file.debug_settings = parser.debug_settings;
}

/// Source: go/build/read.go (`isValidImport`).
fn is_valid_import(path: &str) -> bool {
    !path.is_empty()
        && path.chars().all(|character| match character {
            // What nearly all paths are made of.
            'a'..='z' | 'A'..='Z' | '0'..='9' | '/' | '.' | '-' | '_' => true,
            _ => {
                !character.is_control()
                    && !character.is_whitespace()
                    && !"!\"#$%&'()*,:;<=>?[\\]^{|}`\u{FFFD}".contains(character)
            }
        })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    End,
    Identifier,
    Keyword,
    Package,
    Import,
    String,
    /// A number, or a character in single quotes.
    OtherLiteral,
    Open,
    Close,
    CloseBrace,
    Period,
    Semicolon,
    Comment,
    Other,
}

const KEYWORDS: [&str; 25] = [
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "fallthrough",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "package",
    "range",
    "return",
    "select",
    "struct",
    "switch",
    "type",
    "var",
];

/// The lines of one comment group, without their markers.
type CommentLines<'source> = Vec<(Position, &'source [u8])>;

/// Whether the lines of comments are kept. Only the comment above `import "C"` says something by its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CommentText {
    Kept,
    Dropped,
}

impl CommentText {
    /// Looks whether a literal of the header could mean `C`: as it is written nearly always, or in quotes or with escapes
    /// that nobody writes in an import.
    fn wanted_in(header: &[u8]) -> Self {
        let may_import_c = memchr::memchr2(b'`', b'\\', header).is_some()
            || memchr::memmem::find(header, b"\"C\"").is_some();
        if may_import_c {
            Self::Kept
        } else {
            Self::Dropped
        }
    }
}

struct Parser<'source> {
    /// Up to the end of the header.
    source: &'source [u8],
    comment_text: CommentText,
    /// Where the next token is looked for.
    next: usize,
    line: u32,
    line_start: usize,
    inserts_semicolon: bool,
    /// The line end inside a comment that ends a statement behind the comment.
    due_semicolon: Option<Position>,
    token: Token,
    text: &'source [u8],
    position: Position,
    faults: Vec<Fault>,
    /// The group of comments that ends on the line above the current token.
    lead_comment: CommentLines<'source>,
    cgo_comments: Vec<CommentLines<'source>>,
    debug_settings: Vec<Located<String>>,
    before_package: bool,
}

impl<'source> Parser<'source> {
    fn new(source: &'source [u8], start: usize, end: usize) -> Self {
        let source = source.get(..end).unwrap_or(source);
        Self {
            source,
            comment_text: CommentText::wanted_in(source),
            next: start,
            line: 1,
            line_start: start,
            inserts_semicolon: false,
            due_semicolon: None,
            token: Token::End,
            text: &[],
            position: Position::START,
            faults: Vec::new(),
            lead_comment: Vec::new(),
            cgo_comments: Vec::new(),
            debug_settings: Vec::new(),
            before_package: true,
        }
    }

    fn fault(&mut self, message: impl Into<String>) {
        self.fault_at(self.position, message.into());
    }

    /// One fault a line is enough, as in go/parser.
    fn fault_at(&mut self, position: Position, message: String) {
        if self
            .faults
            .last()
            .is_some_and(|last| last.position.line == position.line)
        {
            return;
        }
        self.faults.push(Fault {
            code: Code::Syntax,
            severity: Severity::Error,
            message,
            position,
        });
    }

    fn place(&self, offset: usize) -> Position {
        Position {
            line: self.line,
            column: u32::try_from(offset - self.line_start + 1).unwrap_or(u32::MAX),
        }
    }

    fn byte(&self, offset: usize) -> Option<u8> {
        self.source.get(offset).copied()
    }

    fn file(&mut self, file: &mut GoFile) {
        if !self.faults.is_empty() {
            return;
        }
        if self.token == Token::Package {
            self.before_package = false;
            self.advance();
        } else {
            return self.fault(format!("expected `package`, found {}", self.found()));
        }
        if self.token == Token::Identifier {
            let name = String::from_utf8_lossy(self.text).into_owned();
            let position = self.position;
            self.advance();
            self.expect_semicolon("after the package clause");
            if self.faults.is_empty() {
                file.package = Some(Located {
                    value: name,
                    position,
                });
            }
        } else {
            self.fault(format!(
                "expected the package's name, found {}",
                self.found()
            ));
        }
        if !self.faults.is_empty() {
            return;
        }
        while self.token == Token::Import {
            self.import_declaration(file);
        }
    }

    fn import_declaration(&mut self, file: &mut GoFile) {
        let declaration_comment = std::mem::take(&mut self.lead_comment);
        self.advance();
        let first = file.imports.len();
        let mut comments: Vec<(usize, CommentLines<'source>)> = Vec::new();
        if self.token == Token::Open {
            self.advance();
            while !matches!(self.token, Token::Close | Token::End) {
                let comment = std::mem::take(&mut self.lead_comment);
                let before = file.imports.len();
                self.import_specification(file);
                comments.push((before, comment));
                if self.faults.len() > 10 {
                    return;
                }
            }
            if self.token == Token::Close {
                self.advance();
            } else {
                self.fault("expected `)` behind the imports");
            }
            self.expect_semicolon("behind the imports");
        } else {
            self.import_specification(file);
            comments.push((first, Vec::new()));
        }
        let is_single = comments.len() == 1;
        for (index, comment) in comments {
            if file
                .imports
                .get(index)
                .is_none_or(|import| import.value != "C")
            {
                continue;
            }
            if !comment.is_empty() {
                self.cgo_comments.push(comment);
            } else if is_single && !declaration_comment.is_empty() {
                self.cgo_comments.push(declaration_comment.clone());
            }
        }
    }

    fn import_specification(&mut self, file: &mut GoFile) {
        if matches!(self.token, Token::Identifier | Token::Period) {
            self.advance();
        }
        match self.token {
            Token::String => {
                let position = self.position;
                // The scanner accepted the literal, so what is no valid string is a bad escape.
                match string_value(self.text) {
                    Some(value) => file.imports.push(Located { value, position }),
                    None => self.fault("the import path is not a valid string"),
                }
                self.advance();
            }
            Token::OtherLiteral => {
                self.fault("an import path must be a string");
                self.advance();
            }
            _ => {
                self.fault("an import path is missing");
                // As go/parser: on to the end of the line or of the group.
                while !matches!(
                    self.token,
                    Token::Close | Token::CloseBrace | Token::Semicolon | Token::End
                ) {
                    self.advance();
                }
                if self.token == Token::CloseBrace {
                    self.advance();
                }
            }
        }
        self.expect_semicolon("behind the import path");
    }

    fn expect_semicolon(&mut self, place: &str) {
        match self.token {
            Token::Close | Token::CloseBrace => {}
            Token::Semicolon => self.advance(),
            Token::End => self.fault(format!(
                "expected the end of the line {place}, found the end of the file"
            )),
            _ => {
                self.fault(format!(
                    "expected the end of the line {place}, found {}",
                    self.found()
                ));
                while !matches!(
                    self.token,
                    Token::Import | Token::Close | Token::Semicolon | Token::End
                ) {
                    self.advance();
                }
                if self.token == Token::Semicolon {
                    self.advance();
                }
            }
        }
    }

    fn found(&self) -> String {
        match self.token {
            Token::End => "the end of the file".to_owned(),
            Token::Semicolon if self.text == b"\n" => "the end of the line".to_owned(),
            _ => format!(
                "`{}`",
                String::from_utf8_lossy(&self.text[..self.text.len().min(40)]).escape_debug()
            ),
        }
    }

    /// On to the next token that is no comment, keeping the comments that lead it.
    fn advance(&mut self) {
        self.lead_comment.clear();
        let previous_line = self.position.line;
        let is_first = self.text.is_empty();
        self.scan();
        if self.token != Token::Comment {
            return;
        }
        if self.position.line == previous_line && !is_first {
            self.comment_group(0);
        }
        let mut end_line = None;
        while self.token == Token::Comment {
            let (group, line) = self.comment_group(1);
            self.lead_comment = group;
            end_line = Some(line);
        }
        if end_line.is_none_or(|line| line + 1 != self.position.line) {
            self.lead_comment.clear();
        }
    }

    /// Comments with at most `gap` line ends between them. Yields their lines and the line on which
    /// the group ends.
    fn comment_group(&mut self, gap: u32) -> (CommentLines<'source>, u32) {
        let mut lines = Vec::new();
        let mut end_line = self.position.line;
        while self.token == Token::Comment && self.position.line <= end_line + gap {
            end_line = self.position.line;
            self.add_comment_lines(&mut lines);
            if self.text.starts_with(b"/*") {
                let line_ends = memchr::memchr_iter(b'\n', self.text).count();
                end_line += u32::try_from(line_ends).unwrap_or(u32::MAX);
            }
            self.note_directive();
            self.scan();
        }
        (lines, end_line)
    }

    /// Source: go/ast (`CommentGroup.Text`), as far as lines of a preamble are concerned.
    fn add_comment_lines(&self, lines: &mut CommentLines<'source>) {
        if self.comment_text == CommentText::Dropped {
            return;
        }
        if let Some(text) = self.text.strip_prefix(b"//") {
            if let Some(text) = text.strip_prefix(b" ") {
                lines.push((self.position, text));
            } else if !is_directive(text) {
                lines.push((self.position, text));
            }
            return;
        }
        let text = self.text.strip_prefix(b"/*").unwrap_or(self.text);
        let text = text.strip_suffix(b"*/").unwrap_or(text);
        for (line, text) in (self.position.line..).zip(text.split(|byte| *byte == b'\n')) {
            lines.push((Position { line, column: 1 }, text));
        }
    }

    /// `//go:debug` counts before the package clause alone.
    fn note_directive(&mut self) {
        if self.before_package
            && let Some(rest) = self.text.strip_prefix(b"//go:debug")
            && rest
                .first()
                .is_some_and(|byte| matches!(byte, b' ' | b'\t'))
        {
            let value = String::from_utf8_lossy(rest.trim_ascii()).into_owned();
            self.debug_settings.push(Located {
                value,
                position: self.position,
            });
        }
    }

    /// Scans one token, comments included.
    fn scan(&mut self) {
        if let Some(position) = self.due_semicolon.take() {
            self.position = position;
            self.text = b"\n";
            self.token = Token::Semicolon;
            return;
        }
        let mut next = self.next;
        while let Some(byte) = self.source.get(next) {
            match byte {
                b'\n' if self.inserts_semicolon => break,
                b'\n' => {
                    next += 1;
                    self.line += 1;
                    self.line_start = next;
                }
                b' ' | b'\t' | b'\r' => next += 1,
                _ => break,
            }
        }
        self.next = next;
        let start = self.next;
        self.position = self.place(start);
        let Some(byte) = self.byte(start) else {
            self.text = b"";
            self.token = if std::mem::take(&mut self.inserts_semicolon) {
                self.text = b"\n";
                Token::Semicolon
            } else {
                Token::End
            };
            return;
        };
        let inserted = std::mem::take(&mut self.inserts_semicolon);
        self.next += 1;
        self.token = match byte {
            // A line end that ends a statement.
            b'\n' => {
                self.line += 1;
                self.line_start = self.next;
                Token::Semicolon
            }
            b'(' => Token::Open,
            b')' => self.ends_statement(Token::Close),
            b'}' => self.ends_statement(Token::CloseBrace),
            b']' => self.ends_statement(Token::Other),
            b';' => Token::Semicolon,
            b'.' if !self
                .byte(self.next)
                .is_some_and(|byte| byte.is_ascii_digit()) =>
            {
                Token::Period
            }
            b'"' | b'\'' => self.quoted(byte),
            b'`' => self.raw_string(),
            b'0'..=b'9' | b'.' => {
                while self
                    .byte(self.next)
                    .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
                {
                    self.next += 1;
                }
                self.ends_statement(Token::OtherLiteral)
            }
            b'/' if self.byte(self.next) == Some(b'/') => {
                self.inserts_semicolon = inserted;
                self.line_comment()
            }
            b'/' if self.byte(self.next) == Some(b'*') => {
                self.inserts_semicolon = inserted;
                self.block_comment()
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => self.word(start),
            _ => {
                if byte.is_ascii_control() || matches!(byte, b'#' | b'$' | b'?' | b'@' | b'\\') {
                    self.fault(format!(
                        "illegal character `{}`",
                        char::from(byte).escape_debug()
                    ));
                }
                Token::Other
            }
        };
        self.text = &self.source[start..self.next];
        self.check_characters();
    }

    fn ends_statement(&mut self, token: Token) -> Token {
        self.inserts_semicolon = true;
        token
    }

    fn quoted(&mut self, quote: u8) -> Token {
        loop {
            let rest = &self.source[self.next.min(self.source.len())..];
            self.next += memchr::memchr3(quote, b'\\', b'\n', rest).unwrap_or(rest.len());
            match self.byte(self.next) {
                None | Some(b'\n') => {
                    self.fault("a literal in quotes is not closed on its line");
                    break;
                }
                Some(b'\\') => {
                    let escaped = self.byte(self.next + 1);
                    self.next += if escaped.is_none() || escaped == Some(b'\n') {
                        1
                    } else {
                        2
                    };
                }
                Some(_) => {
                    self.next += 1;
                    break;
                }
            }
        }
        self.ends_statement(if quote == b'"' {
            Token::String
        } else {
            Token::OtherLiteral
        })
    }

    fn raw_string(&mut self) -> Token {
        loop {
            match self.byte(self.next) {
                None => {
                    self.fault("a raw string is not closed");
                    break;
                }
                Some(byte) => {
                    self.next += 1;
                    match byte {
                        b'`' => break,
                        b'\n' => {
                            self.line += 1;
                            self.line_start = self.next;
                        }
                        _ => {}
                    }
                }
            }
        }
        self.ends_statement(Token::String)
    }

    fn line_comment(&mut self) -> Token {
        let rest = &self.source[self.next.min(self.source.len())..];
        self.next += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        Token::Comment
    }

    fn block_comment(&mut self) -> Token {
        let start = self.next + 1;
        let rest = self.source.get(start..).unwrap_or_default();
        let close = end_of_block_comment(rest);
        let text = &rest[..close.unwrap_or(rest.len())];
        let mut line_end = None;
        for newline in memchr::memchr_iter(b'\n', text) {
            line_end.get_or_insert(self.place(start + newline));
            self.line += 1;
            self.line_start = start + newline + 1;
        }
        self.next = start + text.len();
        if close.is_some() {
            self.next += 2;
        } else {
            self.fault("a comment is not closed");
        }
        // A comment over several lines ends a statement as a line end does.
        if self.inserts_semicolon && line_end.is_some() {
            self.inserts_semicolon = false;
            self.due_semicolon = line_end;
        }
        Token::Comment
    }

    fn word(&mut self, start: usize) -> Token {
        while self
            .byte(self.next)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80)
        {
            self.next += 1;
        }
        let word = &self.source[start..self.next];
        if !word.is_ascii() {
            let is_letters = std::str::from_utf8(word).is_ok_and(|word| {
                word.chars()
                    .all(|character| character == '_' || character.is_alphanumeric())
                    && !word.starts_with(char::is_numeric)
            });
            if !is_letters {
                self.fault("illegal character in an identifier");
            }
            return self.ends_statement(Token::Identifier);
        }
        match word {
            b"package" => Token::Package,
            b"import" => Token::Import,
            b"break" | b"continue" | b"fallthrough" | b"return" => {
                self.ends_statement(Token::Keyword)
            }
            _ if KEYWORDS.iter().any(|keyword| keyword.as_bytes() == word) => Token::Keyword,
            _ => self.ends_statement(Token::Identifier),
        }
    }

    /// Wherever they stand, comments included, go/scanner refuses NUL, bytes that are not UTF-8, and a
    /// byte order mark that is not at the start.
    fn check_characters(&mut self) {
        let problem = if self.text.is_ascii() {
            self.text.contains(&0).then_some("illegal character NUL")
        } else {
            match std::str::from_utf8(self.text) {
                Err(_) => Some("illegal UTF-8 encoding"),
                Ok(text) if text.contains('\u{FEFF}') => Some("illegal byte order mark"),
                Ok(text) if text.contains('\0') => Some("illegal character NUL"),
                Ok(_) => None,
            }
        };
        if let Some(problem) = problem {
            self.fault(problem);
        }
    }
}

/// The value of a string literal; nothing where it has a bad escape or is not UTF-8.
fn string_value(literal: &[u8]) -> Option<String> {
    let plain = literal
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .filter(|value| memchr::memchr3(b'"', b'\\', b'\n', value).is_none());
    match plain {
        Some(value) => Some(std::str::from_utf8(value).ok()?.to_owned()),
        None => String::from_utf8(unquote(literal)?).ok(),
    }
}

/// Source: go/ast (`isDirective`).
fn is_directive(text: &[u8]) -> bool {
    if text.starts_with(b"line ") || text.starts_with(b"extern ") || text.starts_with(b"export ") {
        return true;
    }
    let Some(colon) = text.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let is_word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    colon > 0 && text[..colon].iter().all(is_word) && text.get(colon + 1).is_some_and(is_word)
}
