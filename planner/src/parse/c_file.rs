//! What the build reads in C, assembler and similar files.
//!
//! In: the bytes of a file that is not Go. Out: its build constraint, and the targets of its `#include` lines. It
//! must never evaluate the preprocessor's conditions: every `#include` counts, and rather one in a comment than that
//! one is missed.
//!
//! Source: go/build/read.go (`readComments`), C17 6.10.2, cmd/asm/internal/lex/input.go.

use super::{
    constraint_header::{ConstraintHeader, constraint_of},
    header_reader::read_comments,
};
use crate::diagnostic::{Located, Position};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// No system opens a longer path (`PATH_MAX`).
const LONGEST_TARGET: usize = 4096;

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
/// name files in the same way, and so do Fortran's `include` and the `.incbin` and `.include` of assemblers.
///
/// The lines are read twice: as they stand, and as a C compiler joins them and leaves out comments. What either way
/// yields counts, since what is a comment in one language is none in another. What is named twice comes once.
pub fn includes(source: &[u8]) -> Vec<Located<Include>> {
    let source = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    let mut found = BTreeSet::new();
    let mut directives = Directives::default();
    for_each_line(source, &mut |number, line| {
        directives.read(number, line, &mut found);
        for rest in after_comments(line) {
            directives.read(number, rest, &mut found);
        }
    });
    let mut directives = Directives::default();
    for_each_line_without_comments(source, &mut |number, line| {
        directives.read(number, line, &mut found);
    });
    assembler_includes(source, &mut found);
    let mut seen = BTreeSet::new();
    found
        .into_iter()
        .filter(|(_, include)| seen.insert(include.clone()))
        .map(|(line, value)| Located {
            value,
            position: Position { line, column: 1 },
        })
        .collect()
}

/// Hands out each line with its number. A backslash at the end joins the next line to it, which is handed out by itself
/// too, since Go's assembler joins none in comments.
fn for_each_line(source: &[u8], take: &mut dyn FnMut(u32, &[u8])) {
    let mut joined: Option<(u32, Vec<u8>)> = None;
    let mut number = 0;
    for line in source.split(|byte| *byte == b'\n') {
        number += 1;
        // Blanks after the backslash are allowed, with a warning.
        let trimmed = line.trim_ascii_end();
        let continued = trimmed
            .strip_suffix(b"\\")
            .or_else(|| trimmed.strip_suffix(b"??/"));
        if let Some(continued) = continued {
            let (_, text) = joined.get_or_insert_with(|| (number, Vec::new()));
            text.extend_from_slice(continued);
            continue;
        }
        take(number, line);
        if let Some((start, mut text)) = joined.take() {
            text.extend_from_slice(line);
            take(start, &text);
        }
    }
    if let Some((start, text)) = joined {
        take(start, &text);
    }
}

/// What follows each end of a comment in a line: the comment may have begun on an earlier one.
fn after_comments(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = line
        .windows(2)
        .enumerate()
        .filter(|(_, window)| *window == b"*/");
    // Where another comment follows, its own end counts.
    ends.map(|(index, _)| line[index + 2..].trim_ascii_start())
        .filter(|rest| !rest.starts_with(b"/"))
}

/// Hands out each line as a C compiler sees it: lines joined, each comment a blank. A line that a comment joins has the
/// number of the first.
fn for_each_line_without_comments(source: &[u8], take: &mut dyn FnMut(u32, &[u8])) {
    let mut line: Vec<u8> = Vec::new();
    let (mut start, mut number) = (1, 1);
    let mut is_blank = true;
    let mut quote = None;
    let mut rest = source;
    while let Some((&byte, after)) = rest.split_first() {
        if let Some(spliced) = after_splice(rest) {
            number += 1;
            rest = spliced;
            continue;
        }
        rest = after;
        match (byte, quote) {
            (b'\n', _) => {
                take(start, &line);
                line.clear();
                is_blank = true;
                number += 1;
                start = number;
                quote = None;
            }
            (b'/', None) if rest.starts_with(b"*") => {
                let comment = &rest[1..];
                let length = comment.windows(2).position(|window| window == b"*/");
                let (inside, next) = match length {
                    Some(length) => comment.split_at(length + 2),
                    None => (comment, &[][..]),
                };
                number += count_lines(inside);
                line.push(b' ');
                rest = next;
            }
            (b'/', None) if rest.starts_with(b"/") => {
                while !rest.is_empty() && !rest.starts_with(b"\n") {
                    if let Some(spliced) = after_splice(rest) {
                        number += 1;
                        rest = spliced;
                    } else {
                        rest = &rest[1..];
                    }
                }
            }
            (b'\\', Some(_)) => {
                line.push(byte);
                if let Some((escaped, after)) = rest.split_first()
                    && *escaped != b'\n'
                {
                    line.push(*escaped);
                    rest = after;
                }
            }
            (b'"' | b'\'', None) => {
                quote = Some(byte);
                line.push(byte);
            }
            _ => {
                if quote == Some(byte) {
                    quote = None;
                }
                if is_blank && !byte.is_ascii_whitespace() {
                    is_blank = false;
                    start = number;
                }
                line.push(byte);
            }
        }
    }
    take(start, &line);
}

/// What follows a backslash at the end of a line, where one stands first.
fn after_splice(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"\\")?;
    let end = rest
        .iter()
        .position(|byte| *byte == b'\n' || !byte.is_ascii_whitespace())?;
    rest[end..].strip_prefix(b"\n")
}

fn count_lines(text: &[u8]) -> u32 {
    let count = text.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Reads directives one after the other.
#[derive(Default)]
struct Directives {
    /// How many conditions the line stands below.
    depth: usize,
    /// The macros that mean one file wherever they are used, until anything else is included.
    known: BTreeMap<Vec<u8>, Include>,
}

impl Directives {
    fn read(&mut self, number: u32, line: &[u8], found: &mut BTreeSet<(u32, Include)>) {
        let line = skip_blanks(line);
        let Some((rest, is_c)) = directive(line) else {
            found.extend(fortran_include(line).map(|include| (number, include)));
            return;
        };
        let (word, rest) = split_name(rest);
        match word {
            b"include" | b"include_next" | b"import" | b"embed" => {
                let Some(mut include) = target(rest) else {
                    return;
                };
                if include.form == IncludeForm::Computed
                    && let Some(known) = self.known.get(include.target.as_bytes())
                {
                    include = known.clone();
                }
                found.insert((number, include));
                self.known.clear();
            }
            b"if" | b"ifdef" | b"ifndef" => self.depth += 1,
            b"endif" => self.depth = self.depth.saturating_sub(1),
            b"define" | b"undef" if is_c => {
                let (name, value) = split_name(skip_blanks(rest));
                match whole_target(value) {
                    Some(include) if self.depth == 0 && word == b"define" => {
                        self.known.insert(name.to_vec(), include);
                    }
                    _ => {
                        self.known.remove(name);
                    }
                }
            }
            _ => {}
        }
    }
}

/// What follows the mark of a directive, and whether it is one of C.
fn directive(line: &[u8]) -> Option<(&[u8], bool)> {
    let marks: [(&[u8], bool); 4] = [(b"#", true), (b"%:", true), (b"??=", true), (b"%", false)];
    marks.into_iter().find_map(|(mark, is_c)| {
        let rest = line.strip_prefix(mark)?;
        Some((skip_blanks(rest), is_c))
    })
}

fn split_name(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    text.split_at(end.unwrap_or(text.len()))
}

/// The target that follows an `#include`.
fn target(rest: &[u8]) -> Option<Include> {
    let rest = beginning(skip_blanks(rest));
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

/// As much of a text as can be a target: no path is longer.
fn beginning(text: &[u8]) -> &[u8] {
    &text[..text.len().min(LONGEST_TARGET)]
}

/// The target that the value of a macro is, where it is nothing else.
fn whole_target(value: &[u8]) -> Option<Include> {
    if !value.first()?.is_ascii_whitespace() || value.len() > LONGEST_TARGET {
        return None;
    }
    let value = skip_blanks(value);
    let include = target(value).filter(|include| include.form != IncludeForm::Computed)?;
    let closing = if include.form == IncludeForm::Quoted {
        b'"'
    } else {
        b'>'
    };
    let end = value[1..].iter().position(|byte| *byte == closing)?;
    let rest = skip_blanks(&value[end + 2..]);
    (rest.is_empty() || rest.starts_with(b"//")).then_some(include)
}

/// Fortran's `include 'x'`.
fn fortran_include(line: &[u8]) -> Option<Include> {
    let (word, rest) = split_name(line);
    if !word.eq_ignore_ascii_case(b"include") {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let quote = *rest.first().filter(|byte| matches!(byte, b'\'' | b'"'))?;
    let target = beginning(&rest[1..]).split(|byte| *byte == quote).next()?;
    Some(Include {
        form: IncludeForm::Quoted,
        target: text(target),
    })
}

/// Finds `.incbin` and `.include` of assemblers anywhere: behind labels, and in the strings of `__asm__`.
fn assembler_includes(source: &[u8], found: &mut BTreeSet<(u32, Include)>) {
    let mut number = 1;
    for line in source.split(|byte| *byte == b'\n') {
        let mut is_in_string = false;
        for (index, byte) in line.iter().enumerate() {
            if *byte == b'"' && (index == 0 || line[index - 1] != b'\\') {
                is_in_string = !is_in_string;
            }
            let rest = &line[index + 1..];
            let word = &rest[..rest.len().min(b"include".len())];
            let length = if *byte != b'.' {
                continue;
            } else if word.eq_ignore_ascii_case(b"include") {
                b"include".len()
            } else if word[..word.len().min(b"incbin".len())].eq_ignore_ascii_case(b"incbin") {
                b"incbin".len()
            } else {
                continue;
            };
            let include = assembler_target(&line[..index], &rest[length..], is_in_string);
            found.extend(include.map(|include| (number, include)));
        }
        number += 1;
    }
}

/// The target of a directive of assemblers, between what stands before and after it.
fn assembler_target(before: &[u8], rest: &[u8], is_in_string: bool) -> Option<Include> {
    let rest = beginning(rest);
    let computed = |rest: &[u8]| {
        Some(Include {
            form: IncludeForm::Computed,
            target: text(rest),
        })
    };
    let mut name = rest.trim_ascii_start();
    while let Some(after) = name.strip_prefix(b"\\t") {
        name = after.trim_ascii_start();
    }
    let quoted = |name: &[u8], closing: &[u8]| {
        let end = name
            .windows(closing.len())
            .position(|window| window == closing)?;
        let target = &name[..end];
        // Put together of several strings, or of the arguments of a macro.
        let is_plain = !target.trim_ascii().is_empty()
            && !target.iter().any(|byte| matches!(byte, b'"' | b'\\'));
        is_plain.then(|| Include {
            form: IncludeForm::Quoted,
            target: text(target),
        })
    };
    if let Some(inside) = name.strip_prefix(b"\\\"") {
        return quoted(inside, b"\\\"").or_else(|| computed(name));
    }
    if let Some(inside) = name.strip_prefix(b"\"") {
        if is_in_string {
            return computed(name);
        }
        return quoted(inside, b"\"").or_else(|| computed(name));
    }
    // A member, a designator or prose.
    let before = &before[before.len().saturating_sub(LONGEST_TARGET)..];
    let before = before.trim_ascii_end();
    let follows_word = before.last().is_some_and(|byte| {
        (byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b',' | b']'))
            && !before.ends_with(b"\\n")
            && !before.ends_with(b"\\t")
    });
    let names_macro = name
        .first()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'\\' | b'<'));
    let is_separate = rest.first().is_some_and(u8::is_ascii_whitespace);
    (names_macro && is_separate && !follows_word)
        .then(|| computed(name))
        .flatten()
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

    fn targets(source: &str) -> Vec<(IncludeForm, String)> {
        let found = includes(source.as_bytes()).into_iter();
        found
            .map(|include| (include.value.form, include.value.target))
            .collect()
    }

    #[test]
    fn includes_are_found_wherever_a_compiler_finds_them() {
        let cases = [
            ("a byte order mark", "\u{feff}#include \"x\"\n"),
            (
                "a comment that ends on the line",
                "/* a\n b */ #include \"x\"\n",
            ),
            ("a comment within", "# /* a\n b */ include \"x\"\n"),
            (
                "a comment behind a string",
                "char s[] = \"/*\"; /* a\n*/ #include \"x\"\n",
            ),
            ("a digraph", "%:include \"x\"\n"),
            ("a trigraph", "??=include \"x\"\n"),
            ("a joined line", "#inc\\\nlude \"x\"\n"),
            (
                "a comment that C alone joins",
                "// see a\\b \\\n#include \"x\"\n",
            ),
            ("blanks after the backslash", "#include \\ \n\"x\"\n"),
            ("fixed-form Fortran", "      INCLUDE 'x'\n"),
            ("Fortran with double quotes", "include \"x\" ! y\n"),
            ("an assembler's label", "data: .incbin \"x\"\n"),
            ("an assembler's separator", "nop; .include \"x\"\n"),
            ("capitals", ".INCBIN \"x\",0,4\n"),
            (
                "a string of C",
                "__asm__(\".data\\nd: .incbin \\\"x\\\"\\n\");\n",
            ),
            (
                "a string of C from its start",
                "asm(\"\\t.include\\t\\\"x\\\"\\n\");\n",
            ),
            (
                "a string of C++ over lines",
                "asm(R\"(\n.incbin \"x\"\n)\");\n",
            ),
        ];
        for (what, source) in cases {
            let quoted = (IncludeForm::Quoted, "x".to_owned());
            assert_eq!(targets(source), [quoted], "{what}");
        }
    }

    #[test]
    fn what_only_a_preprocessor_knows_is_computed() {
        for source in [
            "#include H\n",
            "#ifndef H\n#define H \"x\"\n#endif\n#include H\n",
            "#define H \"x\"\n#undef H\n#include H\n",
            "#define H(x) \"x\"\n#include H\n",
            "#define H \"x\" Y\n#include H\n",
            "asm(\".incbin \" F \"\\n\");\n",
            "asm(\".incbin \\\"\" F \"\\\"\\n\");\n",
            ".macro data f\n.incbin \"\\f\"\n.endm\n",
            "data: .incbin FILE\n",
            "nop; .include \\f\n",
        ] {
            let forms: Vec<IncludeForm> =
                targets(source).into_iter().map(|(form, _)| form).collect();
            assert_eq!(forms, [IncludeForm::Computed], "{source}");
        }
        let changed = "#define H \"x\"\n#include <y>\n#include H\n";
        assert_eq!(targets(changed)[1], (IncludeForm::Computed, "H".to_owned()));
    }

    #[test]
    fn a_macro_that_is_a_file_is_that_file() {
        let quoted = (IncludeForm::Quoted, "x".to_owned());
        assert_eq!(targets("#define H \"x\" // y\n#include H\n"), [quoted]);
        let angled = (IncludeForm::Angled, "x".to_owned());
        assert_eq!(targets("#define H <x>\n#include H\n"), [angled]);
    }

    #[test]
    fn members_and_prose_are_no_directives() {
        for source in [
            "struct s x = { .include = 1, .incbin = y };\n",
            "/* the .include directive */\n",
            "p.include(x);\n",
            "a, .include b\n",
        ] {
            assert!(targets(source).is_empty(), "{source}");
        }
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
