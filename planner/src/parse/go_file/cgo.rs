//! What the comment above `import "C"` says.
//!
//! In: the lines of that comment, without its markers. Out: `#cgo` directives and `#include` targets. It must
//! never expand `${SRCDIR}` or know which conditions hold.
//!
//! Source: go/build/build.go (`saveCgo`, `splitQuoted`, `safeCgoName`).

use super::{CgoDirective, CgoPreamble, CgoVariable};
use crate::{
    diagnostic::{Located, Position},
    parse::{c_file, constraint},
};

/// Adds what one comment says to a preamble. The lines come with the place where each starts.
pub(super) fn add_comment(preamble: &mut CgoPreamble, lines: &[(Position, &[u8])]) {
    for (position, line) in lines {
        let text = String::from_utf8_lossy(line);
        if let Some(directive) = directive(text.trim()) {
            preamble.directives.push(Located {
                value: directive,
                position: *position,
            });
        }
    }
    let mut text = Vec::new();
    for (_, line) in lines {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    let first = lines
        .first()
        .map_or(Position::START, |(position, _)| *position);
    preamble
        .includes
        .extend(c_file::includes(&text).into_iter().map(|include| Located {
            position: Position {
                line: first.line + include.position.line - 1,
                column: include.position.column,
            },
            value: include.value,
        }));
}

/// The directive of one line; nothing when the line is none.
fn directive(line: &str) -> Option<CgoDirective> {
    let rest = line.strip_prefix("#cgo")?;
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    if words.len() == 2 && matches!(words[0], "nocallback" | "noescape") {
        return None;
    }
    let invalid = |conditions, message: String| {
        Some(CgoDirective {
            conditions,
            name: CgoVariable::CFlags,
            arguments: Vec::new(),
            fault: Some(message),
        })
    };
    let Some((head, arguments)) = rest.trim().split_once(':') else {
        return invalid(
            Vec::new(),
            format!("invalid #cgo line `{}`", line.escape_debug()),
        );
    };
    let mut conditions: Vec<&str> = head.split_whitespace().collect();
    let Some(verb) = conditions.pop() else {
        return invalid(
            Vec::new(),
            format!("invalid #cgo line `{}`", line.escape_debug()),
        );
    };
    let conditions = conditions
        .into_iter()
        .map(constraint::parse_cgo_condition)
        .collect();
    let Some(arguments) = split_quoted(arguments) else {
        return invalid(
            conditions,
            format!("unclosed quote or escape in `{}`", line.escape_debug()),
        );
    };
    if let Some(unsafe_argument) = arguments.iter().find(|argument| !is_safe(argument)) {
        return invalid(
            conditions,
            format!(
                "malformed #cgo argument `{}`",
                unsafe_argument.escape_debug()
            ),
        );
    }
    let name = match verb {
        "CFLAGS" => CgoVariable::CFlags,
        "CPPFLAGS" => CgoVariable::CppFlags,
        "CXXFLAGS" => CgoVariable::CxxFlags,
        "FFLAGS" => CgoVariable::FFlags,
        "LDFLAGS" => CgoVariable::LdFlags,
        "pkg-config" => CgoVariable::PkgConfig,
        _ => {
            return invalid(
                conditions,
                format!("invalid #cgo verb `{}`", verb.escape_debug()),
            );
        }
    };
    Some(CgoDirective {
        conditions,
        name,
        arguments,
        fault: None,
    })
}

/// Splits arguments at white space, with quotes and backslashes as a shell takes them; nothing when a
/// quote or an escape is not finished.
fn split_quoted(text: &str) -> Option<Vec<String>> {
    let mut arguments = Vec::new();
    let mut argument = String::new();
    let mut is_quoted = false;
    let mut quote = None;
    let mut escaped = false;
    for character in text.chars() {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
            continue;
        } else if let Some(closing) = quote {
            if character == closing {
                quote = None;
                continue;
            }
        } else if matches!(character, '"' | '\'') {
            is_quoted = true;
            quote = Some(character);
            continue;
        } else if character.is_whitespace() {
            if is_quoted || !argument.is_empty() {
                is_quoted = false;
                arguments.push(std::mem::take(&mut argument));
            }
            continue;
        }
        argument.push(character);
    }
    if is_quoted || !argument.is_empty() {
        arguments.push(argument);
    }
    (quote.is_none() && !escaped).then_some(arguments)
}

/// Whether an argument holds only what the toolchain passes on.
fn is_safe(argument: &str) -> bool {
    let is_safe_part = |part: &str| {
        part.chars().all(|character| {
            !character.is_ascii()
                || character.is_ascii_alphanumeric()
                || "+-.,/=_:$@%! ~^".contains(character)
        })
    };
    !argument.is_empty() && argument.split("${SRCDIR}").all(is_safe_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Option<Vec<String>> {
        directive(line)
            .filter(|directive| directive.fault.is_none())
            .map(|directive| directive.arguments)
    }

    #[test]
    fn arguments_are_split_as_the_toolchain_splits_them() {
        let cases: [(&str, Option<&[&str]>); 9] = [
            ("#cgo CFLAGS: -I../inc -DX=1", Some(&["-I../inc", "-DX=1"])),
            ("#cgo linux,amd64 windows LDFLAGS: -lx", Some(&["-lx"])),
            ("#cgo CFLAGS: -I'a b' \"c\"d", Some(&["-Ia b", "cd"])),
            ("#cgo CFLAGS: -I${SRCDIR}/x", Some(&["-I${SRCDIR}/x"])),
            ("#cgo pkg-config: gtk", Some(&["gtk"])),
            ("#cgo CFLAGS: 'open", None),
            ("#cgo CFLAGS: -D(x)", None),
            ("#cgo OTHER: x", None),
            ("#cgo CFLAGS", None),
        ];
        for (line, expected) in cases {
            let expected = expected.map(|words| words.iter().map(ToString::to_string).collect());
            assert_eq!(arguments(line), expected, "{line}");
        }
    }

    #[test]
    fn other_lines_are_no_directives() {
        for line in [
            "#cgonot CFLAGS: x",
            "#cgo noescape f",
            "#cgo nocallback f",
            "int x;",
            "#cgo",
        ] {
            assert!(directive(line).is_none(), "{line}");
        }
    }
}
