//! The build constraint of a file, Go or not.
//!
//! In: the comments before the package clause, or before the code. Out: a [`ConstraintHeader`]. It must never say for which
//! targets a constraint holds; [`constraint`] does.
//!
//! Source: go/build/build.go (`shouldBuild`, `parseFileHeader`).

use super::{
    constraint::{self, Constraint},
    leading_comments::leading_comments,
};
use serde::{Deserialize, Serialize};

/// The build constraint in a file's leading comments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConstraintHeader {
    /// None: the file is built wherever its name allows.
    Absent,
    /// Built where this holds.
    Present(Constraint),
    /// A constraint that does not parse: the file is invalid.
    Broken,
}

/// The build constraint of a file's leading comments.
///
/// Source: go/build/build.go (`shouldBuild`, `parseFileHeader`).
pub(crate) fn constraint_of(header: &[u8]) -> Result<ConstraintHeader, String> {
    let leading = leading_comments(header)?;
    if let Some(line) = leading.go_build {
        // A line that is not UTF-8 can't be an expression.
        let line =
            std::str::from_utf8(line).map_err(|_| "the //go:build line is not UTF-8".to_owned())?;
        let expression = constraint::split_go_build(line).unwrap_or_default();
        return constraint::parse_go_build(expression)
            .map(ConstraintHeader::Present)
            .map_err(|error| format!("parsing the //go:build line: {error}"));
    }
    // Nearly every file ends here.
    if memchr::memmem::find(leading.before_blank_line, b"+build").is_none() {
        return Ok(ConstraintHeader::Absent);
    }
    let mut all = Vec::new();
    for line in leading.before_blank_line.split(|byte| *byte == b'\n') {
        let Ok(line) = std::str::from_utf8(line) else {
            continue;
        };
        let line = line.trim();
        if !line.contains("+build") {
            continue;
        }
        let Some(expression) = constraint::split_plus_build(line) else {
            continue;
        };
        // A malformed line counts for nothing.
        if let Ok(parsed) = constraint::parse_plus_build(expression) {
            all.push(parsed);
        }
    }
    Ok(Constraint::all_of(all).map_or(ConstraintHeader::Absent, ConstraintHeader::Present))
}
