//! Where the header of a Go file ends.
//!
//! In: the bytes of the file. Out: the range of the header, and how reading it ended. It is the fast half: one
//! pass over the bytes, no allocation. It must never judge syntax beyond what go/build's own reader does.
//!
//! Source: go/build/read.go (`importReader`).

/// How reading a header ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// At the first token behind the imports, or at the end of the file.
    Complete,
    /// At something that is no header; go/parser then sees the whole file.
    Syntax,
    /// At a NUL byte.
    Nul(usize),
}

/// A header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Behind a byte order mark.
    pub(super) start: usize,
    /// The end; the whole file's when a syntax error was met.
    pub(super) end: usize,
    pub(super) ending: Ending,
}

/// Reads up to the end of the imports.
pub(super) fn read_header(source: &[u8]) -> Header {
    let mut reader = Reader::new(source);
    let start = reader.next;
    reader.file();
    match reader.failure {
        None => {
            // The byte that told the end of the imports is not part of the header.
            let end = if reader.at_end {
                reader.next
            } else {
                reader.next.saturating_sub(1).max(start)
            };
            Header {
                start,
                end,
                ending: Ending::Complete,
            }
        }
        Some(Failure::Nul(offset)) => Header {
            start,
            end: source.len(),
            ending: Ending::Nul(offset),
        },
        Some(Failure::Syntax) => Header {
            start,
            end: source.len(),
            ending: Ending::Syntax,
        },
    }
}

/// The leading comments of a file that is not Go, up to the first byte that is none.
///
/// Source: go/build/read.go (`readComments`).
pub(crate) fn read_comments(source: &[u8]) -> Result<&[u8], usize> {
    let mut reader = Reader::new(source);
    let start = reader.next;
    reader.peek_token();
    match reader.failure {
        Some(Failure::Nul(offset)) => Err(offset),
        // go/build returns a syntax error here too, which leaves the file out.
        Some(Failure::Syntax) => Err(reader.next),
        None if reader.at_end => Ok(&source[start..reader.next]),
        None => Ok(&source[start..reader.next.saturating_sub(1).max(start)]),
    }
}

#[derive(Debug, Clone, Copy)]
enum Failure {
    Syntax,
    Nul(usize),
}

struct Reader<'source> {
    source: &'source [u8],
    next: usize,
    peek: Option<u8>,
    failure: Option<Failure>,
    at_end: bool,
}

impl<'source> Reader<'source> {
    /// At the beginning, behind a byte order mark.
    fn new(source: &'source [u8]) -> Self {
        let start = if source.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        Self {
            source,
            next: start,
            peek: None,
            failure: None,
            at_end: false,
        }
    }

    fn file(&mut self) {
        self.keyword(b"package");
        self.identifier();
        while self.failure.is_none() && self.peek_token() == b'i' {
            self.keyword(b"import");
            if self.peek_token() == b'(' {
                self.next_byte();
                while self.peek_token() != b')' && self.failure.is_none() {
                    self.import();
                }
                self.next_byte();
            } else {
                self.import();
            }
        }
    }

    fn syntax_error(&mut self) {
        if self.failure.is_none() {
            self.failure = Some(Failure::Syntax);
        }
    }

    /// Zero at the end and behind a failure, as in go/build.
    fn read_byte(&mut self) -> u8 {
        match self.source.get(self.next) {
            None => {
                self.at_end = true;
                0
            }
            Some(0) => {
                if self.failure.is_none() {
                    self.failure = Some(Failure::Nul(self.next));
                }
                self.next += 1;
                0
            }
            Some(&byte) => {
                self.next += 1;
                byte
            }
        }
    }

    fn goes_on(&self) -> bool {
        self.failure.is_none() && !self.at_end
    }

    /// The next byte, not skipping space.
    fn peek_byte(&mut self) -> u8 {
        if self.failure.is_some() {
            return 0;
        }
        match self.peek {
            Some(byte) if byte != 0 => byte,
            _ => {
                let byte = self.read_byte();
                self.peek = Some(byte);
                byte
            }
        }
    }

    /// The next byte behind spaces, semicolons and comments.
    fn peek_token(&mut self) -> u8 {
        if self.failure.is_some() {
            return 0;
        }
        let mut byte = match self.peek {
            Some(byte) if byte != 0 => byte,
            _ => self.read_byte(),
        };
        while self.goes_on() {
            match byte {
                b' ' | b'\x0c' | b'\t' | b'\r' | b'\n' | b';' => byte = self.read_byte(),
                b'/' => {
                    byte = self.read_byte();
                    match byte {
                        b'/' => {
                            // Straight to the end of the line, or to a NUL byte, which no header may hold.
                            let rest = &self.source[self.next.min(self.source.len())..];
                            self.next += memchr::memchr2(b'\n', 0, rest).unwrap_or(rest.len());
                            self.read_byte();
                        }
                        b'*' => self.block_comment(),
                        _ => self.syntax_error(),
                    }
                    byte = self.read_byte();
                }
                _ => break,
            }
        }
        self.peek = Some(byte);
        byte
    }

    /// Straight to the end of the comment, or to a NUL byte.
    fn block_comment(&mut self) {
        let rest = &self.source[self.next.min(self.source.len())..];
        let close = end_of_block_comment(rest);
        let text = &rest[..close.unwrap_or(rest.len())];
        if let Some(nul) = memchr::memchr(0, text) {
            self.next += nul;
            self.read_byte();
        } else if close.is_some() {
            self.next += text.len() + 2;
        } else {
            self.next += text.len();
            self.at_end = true;
            self.syntax_error();
        }
    }

    fn next_byte(&mut self) -> u8 {
        let byte = self.peek_byte();
        self.peek = None;
        byte
    }

    fn next_token(&mut self) -> u8 {
        let byte = self.peek_token();
        self.peek = None;
        byte
    }

    fn keyword(&mut self, keyword: &[u8]) {
        self.peek_token();
        for expected in keyword {
            if self.next_byte() != *expected {
                return self.syntax_error();
            }
        }
        if is_identifier(self.peek_byte()) {
            self.syntax_error();
        }
    }

    fn identifier(&mut self) {
        if !is_identifier(self.peek_token()) {
            return self.syntax_error();
        }
        while is_identifier(self.peek_byte()) {
            self.peek = None;
        }
    }

    fn string(&mut self) {
        match self.next_token() {
            b'`' => {
                while self.failure.is_none() {
                    if self.next_byte() == b'`' {
                        break;
                    }
                    if self.at_end {
                        self.syntax_error();
                    }
                }
            }
            b'"' => {
                // Straight to the first byte that could mean something.
                let rest = self.source.get(self.next..).unwrap_or_default();
                self.next += rest
                    .iter()
                    .position(|byte| matches!(byte, b'"' | b'\\' | b'\n' | 0))
                    .unwrap_or(rest.len());
                while self.failure.is_none() {
                    let byte = self.next_byte();
                    if byte == b'"' {
                        break;
                    }
                    if self.at_end || byte == b'\n' {
                        self.syntax_error();
                    }
                    if byte == b'\\' {
                        self.next_byte();
                    }
                }
            }
            _ => self.syntax_error(),
        }
    }

    fn import(&mut self) {
        let byte = self.peek_token();
        if byte == b'.' {
            self.peek = None;
        } else if is_identifier(byte) {
            self.identifier();
        }
        self.string();
    }
}

/// Where `*/` stands in the text of a comment, if it is closed.
pub(crate) fn end_of_block_comment(text: &[u8]) -> Option<usize> {
    // A slash is rarer than an asterisk in a comment.
    memchr::memchr_iter(b'/', text)
        .filter_map(|slash| slash.checked_sub(1))
        .find(|before| text[*before] == b'*')
}

fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
