//! The comments of a whole Go file.
//!
//! In: the bytes of a file that imports `embed`. Out: the patterns of its `//go:embed` comments. It must never
//! take a comment's text out of a string, or a pattern out of a block comment.
//!
//! Source: go/build/read.go (`readGoInfo`, `parseGoEmbed`), go/ast/directive.go, go/scanner.

use crate::{
    diagnostic::{Located, Position},
    parse::go_string::quoted_prefix,
};

const DIRECTIVE: &[u8] = b"//go:embed";

/// The patterns of every `//go:embed` line comment, wherever it stands.
pub(super) fn embed_patterns(source: &[u8]) -> Vec<Located<String>> {
    let mut patterns = Vec::new();
    // Nothing behind the last place that looks like the directive can be one.
    let Some(last) = memchr::memmem::rfind(source, DIRECTIVE) else {
        return patterns;
    };
    let mut lines = LineCounter::default();
    let mut next = 0;
    while let Some(start) = next_opening(source, next).filter(|start| *start <= last) {
        next = match source[start] {
            b'`' => end_of_raw_string(source, start),
            quote @ (b'"' | b'\'') => end_of_quoted(source, start, quote),
            _ if source.get(start + 1) == Some(&b'/') => {
                let end = end_of_line(source, start);
                let patterns_of_line = patterns_of(&source[start..end]);
                if !patterns_of_line.is_empty() {
                    let position = lines.position(source, start);
                    patterns.extend(
                        patterns_of_line
                            .into_iter()
                            .map(|value| Located { value, position }),
                    );
                }
                end
            }
            _ if source.get(start + 1) == Some(&b'*') => end_of_block_comment(source, start),
            _ => start + 1,
        };
    }
    patterns
}

/// The next byte that may open a string, a character or a comment.
fn next_opening(source: &[u8], from: usize) -> Option<usize> {
    let opens = |byte: &u8| matches!(byte, b'`' | b'"' | b'\'' | b'/');
    let rest = source.get(from..)?;
    rest.iter().position(opens).map(|length| from + length)
}

/// Counts lines up to offsets that only grow, each byte once.
#[derive(Default)]
struct LineCounter {
    counted_to: usize,
    line_ends: usize,
    line_start: usize,
}

impl LineCounter {
    fn position(&mut self, source: &[u8], offset: usize) -> Position {
        for line_end in memchr::memchr_iter(b'\n', &source[self.counted_to..offset]) {
            self.line_ends += 1;
            self.line_start = self.counted_to + line_end + 1;
        }
        self.counted_to = offset;
        Position {
            line: u32::try_from(self.line_ends + 1).unwrap_or(u32::MAX),
            column: u32::try_from(offset - self.line_start + 1).unwrap_or(u32::MAX),
        }
    }
}

fn end_of_line(source: &[u8], start: usize) -> usize {
    memchr::memchr(b'\n', &source[start..]).map_or(source.len(), |length| start + length)
}

fn end_of_raw_string(source: &[u8], start: usize) -> usize {
    memchr::memchr(b'`', &source[start + 1..]).map_or(source.len(), |length| start + length + 2)
}

/// An unterminated literal ends with its line.
fn end_of_quoted(source: &[u8], start: usize, quote: u8) -> usize {
    let mut next = start + 1;
    while let Some(byte) = source.get(next) {
        match byte {
            b'\n' => return next,
            b'\\' => {
                let escaped = source.get(next + 1);
                next += if escaped == Some(&quote) || escaped == Some(&b'\\') {
                    2
                } else {
                    1
                };
            }
            byte if *byte == quote => return next + 1,
            _ => next += 1,
        }
    }
    source.len()
}

fn end_of_block_comment(source: &[u8], start: usize) -> usize {
    memchr::memmem::find(&source[start + 2..], b"*/")
        .map_or(source.len(), |length| start + length + 4)
}

/// The patterns of one line comment; none when it is another comment, or its arguments are malformed: the
/// compiler reports these.
fn patterns_of(comment: &[u8]) -> Vec<String> {
    let Some(rest) = comment.strip_prefix(DIRECTIVE) else {
        return Vec::new();
    };
    let rest: Vec<u8> = rest.iter().copied().filter(|byte| *byte != b'\r').collect();
    // Go's own space test works on characters; what is no UTF-8 can be no space.
    let text = String::from_utf8_lossy(&rest);
    if !(text.is_empty() || text.starts_with(char::is_whitespace)) {
        return Vec::new();
    }
    let mut patterns = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if rest.starts_with(['"', '`']) {
            let Some((value, behind)) = quoted_prefix(rest.as_bytes()) else {
                return Vec::new();
            };
            // Behind an ASCII quote the rest is at a character's boundary.
            let behind = &rest[rest.len() - behind.len()..];
            if !(behind.is_empty() || behind.starts_with(char::is_whitespace)) {
                return Vec::new();
            }
            patterns.push(String::from_utf8_lossy(&value).into_owned());
            rest = behind.trim_start();
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            patterns.push(rest[..end].to_owned());
            rest = rest[end..].trim_start();
        }
    }
    patterns
}
