//! What the build reads in C, assembler and similar files.
//!
//! In: the bytes of a file that is not Go. Out: its build constraint, and the targets of its `#include` lines. It
//! must never evaluate the preprocessor's conditions: every `#include` counts.
//!
//! Source: go/build/read.go (`readComments`), C17 6.10.2, cmd/asm/internal/lex/input.go.

use super::{
    constraint_header::{ConstraintHeader, constraint_of},
    header_reader::read_comments,
};
use crate::diagnostic::{Located, Position};
use serde::{Deserialize, Serialize};

/// The target of a C or assembler `#include`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Include {
    /// How it is written.
    pub form: IncludeForm,
    /// The file that is named.
    pub target: String,
}

/// How an `#include` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IncludeForm {
    /// `"x.h"`: looked for beside the including file first.
    Quoted,
    /// `<x.h>`: looked for in the include directories alone.
    Angled,
    /// `#include MACRO`: only the preprocessor could tell.
    Computed,
}

/// The build constraint in the leading comments. go/build takes a file whose comments it can't read, and
/// leaves out one whose constraint is broken.
pub fn parse_constraint(source: &[u8]) -> ConstraintHeader {
    match read_comments(source) {
        Ok(header) => constraint_of(header).unwrap_or(ConstraintHeader::Broken),
        Err(_) => ConstraintHeader::Absent,
    }
}

/// The targets of `#include`, `#include_next` and `#import` lines, in order. SWIG's `%include` and `%import`
/// name files in the same way, and so does the `.incbin` of assemblers.
pub fn includes(source: &[u8]) -> Vec<Located<Include>> {
    let mut found = Vec::new();
    let mut pending: Vec<u8> = Vec::new();
    let mut start = 1;
    let mut number = 0;
    for line in source.split(|byte| *byte == b'\n') {
        number += 1;
        if pending.is_empty() {
            start = number;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // A backslash at the end joins the next line to this one.
        if let Some(joined) = line.strip_suffix(b"\\") {
            pending.extend_from_slice(joined);
            continue;
        }
        let include = if pending.is_empty() {
            include_of(line)
        } else {
            pending.extend_from_slice(line);
            let include = include_of(&pending);
            pending.clear();
            include
        };
        if let Some(value) = include {
            found.push(Located {
                value,
                position: Position {
                    line: start,
                    column: 1,
                },
            });
        }
    }
    found.extend(include_of(&pending).map(|value| Located {
        value,
        position: Position {
            line: start,
            column: 1,
        },
    }));
    found
}

fn include_of(line: &[u8]) -> Option<Include> {
    let line = skip_blanks(line);
    let rest = if let Some(rest) = line.strip_prefix(b"#").or_else(|| line.strip_prefix(b"%")) {
        let rest = skip_blanks(rest);
        let rest = rest
            .strip_prefix(b"include_next")
            .or_else(|| rest.strip_prefix(b"include"))
            .or_else(|| rest.strip_prefix(b"import"))
            .or_else(|| rest.strip_prefix(b"embed"))?;
        if rest
            .first()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        {
            return None;
        }
        rest
    } else {
        line.strip_prefix(b".incbin")
            .or_else(|| line.strip_prefix(b".include"))?
    };
    let rest = skip_blanks(rest);
    let (form, closing) = match rest.first()? {
        b'"' => (IncludeForm::Quoted, b'"'),
        b'<' => (IncludeForm::Angled, b'>'),
        _ => {
            return Some(Include {
                form: IncludeForm::Computed,
                target: text(rest),
            });
        }
    };
    let target = rest[1..]
        .split(|byte| *byte == closing)
        .next()
        .unwrap_or_default();
    Some(Include {
        form,
        target: text(target),
    })
}

/// Skips blanks and block comments, which the preprocessor takes for blanks.
fn skip_blanks(mut line: &[u8]) -> &[u8] {
    loop {
        line = line.trim_ascii_start();
        let Some(comment) = line.strip_prefix(b"/*") else {
            return line;
        };
        let Some(end) = comment.windows(2).position(|window| window == b"*/") else {
            return line;
        };
        line = &comment[end + 2..];
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_include_is_found() {
        let source = b"#include \"a.h\"\n  # include <b/c.h>\n#import \"d.h\"\n#include MACRO\n#include\\\n  \"e.h\"\n/* x */ #include \"f.h\"\nint include;\n#includes \"no.h\"\n// #include \"no.h\"\n%include \"g.i\"\n.incbin \"h.bin\"\r\n";
        let found: Vec<(IncludeForm, String, u32)> = includes(source)
            .into_iter()
            .map(|include| {
                (
                    include.value.form,
                    include.value.target,
                    include.position.line,
                )
            })
            .collect();
        let quoted = |target: &str, line| (IncludeForm::Quoted, target.to_owned(), line);
        assert_eq!(
            found,
            [
                quoted("a.h", 1),
                (IncludeForm::Angled, "b/c.h".to_owned(), 2),
                quoted("d.h", 3),
                (IncludeForm::Computed, "MACRO".to_owned(), 4),
                quoted("e.h", 5),
                quoted("f.h", 7),
                quoted("g.i", 11),
                quoted("h.bin", 12),
            ]
        );
    }

    #[test]
    fn constraints_stand_in_leading_comments() {
        let holds = |source: &str| match parse_constraint(source.as_bytes()) {
            ConstraintHeader::Absent => true,
            ConstraintHeader::Present(constraint) => constraint.holds(&|tag| tag == "linux"),
            ConstraintHeader::Broken => false,
        };
        assert!(holds("int x;\n//go:build windows\n"));
        assert!(!holds("//go:build windows\nint x;\n"));
        assert!(!holds("// +build windows\n\nint x;\n"));
        assert!(holds("// +build windows\nint x;\n"));
        assert!(!holds("//go:build &&\nint x;\n"));
        assert!(holds(""));
    }
}
