//! go.sum and go.work.sum.
//!
//! In: the bytes of the file. Out: its lines. It must never judge whether a checksum is right, or which of several
//! lines for one module counts.
//!
//! Source: cmd/go/internal/modfetch/fetch.go (`readGoSum`).

use crate::diagnostic::{Code, Fault, Located, Parsed, Position, Severity};

/// What old versions of Go wrote for a go.mod file that does not exist; readers skip it.
const EMPTY_GO_MOD_HASH: &str = "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=";

/// One line of a checksum file.
///
/// It borrows its text: the files of a workspace repeat each other, and most lines are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSum<'text> {
    /// The module path.
    pub path: &'text str,
    /// The version, without the `/go.mod` suffix.
    pub version: &'text str,
    /// What the hash is over.
    pub subject: SumSubject,
    /// The hash as written, algorithm included (`h1:…`).
    pub hash: &'text str,
}

/// What a checksum is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SumSubject {
    /// The module's whole content.
    Zip,
    /// Its go.mod alone.
    GoMod,
}

/// Reads a checksum file.
pub fn parse_go_sum(text: &[u8]) -> Parsed<Vec<Located<ModuleSum<'_>>>> {
    let mut sums = Vec::new();
    let mut faults = Vec::new();
    let mut rest = Some(text);
    for number in 1.. {
        let Some(unread) = rest else { break };
        let line = match memchr::memchr(b'\n', unread) {
            Some(end) => {
                rest = Some(&unread[end + 1..]);
                &unread[..end]
            }
            None => {
                rest = None;
                unread
            }
        };
        let position = Position {
            line: number,
            column: 1,
        };
        let mut fault = |message: String| {
            faults.push(Fault {
                code: Code::Syntax,
                severity: Severity::Error,
                message,
                position,
            });
        };
        let Ok(line) = std::str::from_utf8(line) else {
            fault("the line is not UTF-8".to_owned());
            continue;
        };
        let [path, version, hash] = match three_fields(line) {
            Ok(Some(fields)) => fields,
            Ok(None) => continue,
            Err(count) => {
                fault(format!(
                    "a line has three fields, and this one {count}; restore the file or run `go mod tidy`"
                ));
                continue;
            }
        };
        if hash == EMPTY_GO_MOD_HASH {
            continue;
        }
        let (version, subject) = match version.strip_suffix("/go.mod") {
            Some(version) => (version, SumSubject::GoMod),
            None => (version, SumSubject::Zip),
        };
        let value = ModuleSum {
            path,
            version,
            subject,
            hash,
        };
        sums.push(Located { value, position });
    }
    Parsed {
        value: sums,
        faults,
    }
}

/// The fields of a line; nothing for a blank one, and how many there are where it is not three.
fn three_fields(line: &str) -> Result<Option<[&str; 3]>, usize> {
    // As the `go` command writes nearly every line: visible ASCII between single spaces.
    let bytes = line.as_bytes();
    let mut spaces = memchr::memchr_iter(b' ', bytes);
    if let (Some(first), Some(second), None) = (spaces.next(), spaces.next(), spaces.next())
        && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && first > 0
        && second > first + 1
        && second + 1 < line.len()
    {
        return Ok(Some([
            &line[..first],
            &line[first + 1..second],
            &line[second + 1..],
        ]));
    }
    let mut fields = line.split_whitespace();
    match (fields.next(), fields.next(), fields.next(), fields.count()) {
        (None, ..) => Ok(None),
        (Some(path), Some(version), Some(hash), 0) => Ok(Some([path, version, hash])),
        (Some(_), second, third, more) => {
            Err(1 + usize::from(second.is_some()) + usize::from(third.is_some()) + more)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_three_fields_and_all_faults_are_reported() {
        let text = "ex.com/a v1.0.0 h1:abc=\nex.com/a v1.0.0/go.mod h1:def=\r\n\n  \nex.com/b v1\nex.com/c v1.0.0 h2:x y\n\u{e9} v1.0.0 h9:z\n";
        let parsed = parse_go_sum(text.as_bytes());
        let found: Vec<(&str, &str, SumSubject, &str)> = parsed
            .value
            .iter()
            .map(|sum| {
                (
                    sum.value.path,
                    sum.value.version,
                    sum.value.subject,
                    sum.value.hash,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("ex.com/a", "v1.0.0", SumSubject::Zip, "h1:abc="),
                ("ex.com/a", "v1.0.0", SumSubject::GoMod, "h1:def="),
                ("\u{e9}", "v1.0.0", SumSubject::Zip, "h9:z"),
            ]
        );
        let faults: Vec<u32> = parsed
            .faults
            .iter()
            .map(|fault| fault.position.line)
            .collect();
        assert_eq!(faults, [5, 6]);
    }

    #[test]
    fn the_hash_of_a_missing_go_mod_is_skipped() {
        let text = format!("ex.com/a v1.0.0/go.mod {EMPTY_GO_MOD_HASH}\n");
        assert!(parse_go_sum(text.as_bytes()).value.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(text: Vec<u8>) {
            parse_go_sum(&text);
        }
    }
}
