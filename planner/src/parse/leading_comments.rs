//! The comments before the package clause, as far as they say how to build.
//!
//! In: the bytes of a header. Out: its `//go:build` line, and the text in which `// +build` lines count. It must never
//! take a constraint from inside a block comment.
//!
//! Source: go/build/build.go (`parseFileHeader`).

use crate::parse::constraint;

/// What the comments before the package clause say about building.
pub(super) struct LeadingComments<'header> {
    /// The `//go:build` line.
    pub(super) go_build: Option<&'header [u8]>,
    /// The text in which `// +build` lines count: up to the last blank line before anything else.
    pub(super) before_blank_line: &'header [u8],
}

/// Finds the build constraints in the leading comments.
///
/// Source: go/build/build.go (`parseFileHeader`).
pub(super) fn leading_comments(header: &[u8]) -> Result<LeadingComments<'_>, String> {
    let mut end = 0;
    let mut next = 0;
    let mut go_build = None;
    let mut ended = false;
    let mut in_block = false;
    'lines: while next < header.len() {
        let rest = &header[next..];
        let length = memchr::memchr(b'\n', rest);
        next += length.map_or(rest.len(), |length| length + 1);
        let mut line = trim(&rest[..length.unwrap_or(rest.len())]);
        if line.is_empty() && !ended {
            end = next;
            continue;
        }
        if !line.starts_with(b"//") {
            ended = true;
        }
        if !in_block && is_go_build(line) {
            if go_build.is_some() {
                return Err("several //go:build lines; join them with &&".to_owned());
            }
            go_build = Some(line);
        }
        while !line.is_empty() {
            if in_block {
                let Some(close) = line.windows(2).position(|window| window == b"*/") else {
                    continue 'lines;
                };
                in_block = false;
                line = trim(&line[close + 2..]);
            } else if line.starts_with(b"//") {
                continue 'lines;
            } else if let Some(rest) = line.strip_prefix(b"/*") {
                in_block = true;
                line = trim(rest);
            } else {
                break 'lines;
            }
        }
    }
    Ok(LeadingComments {
        go_build,
        before_blank_line: &header[..end],
    })
}

fn is_go_build(line: &[u8]) -> bool {
    line.starts_with(b"//go:build")
        && constraint::split_go_build(&String::from_utf8_lossy(line)).is_some()
}

/// Trims what Go calls space, on both sides. It looks at no more than what it trims, since it is asked once a comment.
///
/// Source: bytes (`TrimSpace`).
fn trim(mut line: &[u8]) -> &[u8] {
    // One character has at most four bytes.
    while let Some(first) = line.first() {
        let space = match first {
            0..=0x7f => is_ascii_space(*first).then_some(1),
            _ => (2..=line.len().min(4)).find(|length| is_one_space(&line[..*length])),
        };
        let Some(length) = space else { break };
        line = &line[length..];
    }
    while let Some(last) = line.last() {
        let space = match last {
            0..=0x7f => is_ascii_space(*last).then_some(1),
            _ => (2..=line.len().min(4)).find(|length| is_one_space(&line[line.len() - length..])),
        };
        let Some(length) = space else { break };
        line = &line[..line.len() - length];
    }
    line
}

fn is_ascii_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | b' ')
}

/// Whether these bytes are one character, and it is space.
fn is_one_space(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        let mut characters = text.chars();
        characters.next().is_some_and(char::is_whitespace) && characters.next().is_none()
    })
}
