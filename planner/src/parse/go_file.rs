//! The header of Go files, and what the rest of the file says to the build.
//!
//! In: the bytes of a `.go` file. Out: a [`GoFile`]: package clause, imports, build constraint, embed patterns,
//! cgo directives, and every fault. It must never look behind the imports, unless the file imports `embed`.
//!
//! Source: go/build/read.go (`readGoInfo`), go/build/build.go (`matchFile`, `parseFileHeader`, `saveCgo`),
//! go/parser (`ImportsOnly`).

mod cgo;
mod header;
mod scanner;

use crate::{
    diagnostic::{Code, Fault, Located, Position, Severity},
    parse::{
        c_file::Include,
        constraint::Constraint,
        constraint_header::{ConstraintHeader, constraint_of},
        header_reader::{self, Ending, Header},
    },
};
use serde::{Deserialize, Serialize};

/// What the build reads in a Go file, whatever the platform.
///
/// Source: go/build/read.go (`readGoInfo`), go/build/build.go (`matchFile`, `parseFileHeader`, `saveCgo`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoFile {
    /// How far the header could be read.
    pub state: HeaderState,
    /// The package clause. Nothing only when the header can't be read.
    pub package: Option<Located<String>>,
    /// The imports, `"C"` left out, in order.
    pub imports: Vec<Located<String>>,
    /// What decides whether the file is built (`//go:build`, else `// +build` lines).
    pub constraint: ConstraintHeader,
    /// The patterns of `//go:embed` comments; empty unless the file itself imports `embed`.
    pub embed_patterns: Vec<Located<String>>,
    /// `//go:debug` settings (`key=value`, as written) before the package clause.
    pub debug_settings: Vec<Located<String>>,
    /// What cgo is told, when the file imports `"C"`.
    pub cgo: Option<CgoPreamble>,
    /// Everything that is wrong with the file, with its place.
    pub faults: Vec<Fault>,
}

/// How far a Go file's header could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeaderState {
    /// The package clause and all imports.
    Complete,
    /// The file belongs to its package and is an error there, but its imports count for nothing
    /// (a syntax error up to the imports; an empty file).
    ImportsLost,
    /// `go list` reports the file as invalid only (a NUL byte, two `//go:build` lines, …): not compiled, and an error.
    Invalid,
}

/// What the comment above `import "C"` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgoPreamble {
    /// `#cgo` lines, in order.
    pub directives: Vec<Located<CgoDirective>>,
    /// The targets of `#include` lines in the C preamble, quoted and angled both.
    pub includes: Vec<Located<Include>>,
}

/// One `#cgo [conditions] NAME: arguments` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgoDirective {
    /// The alternatives before the name: the line counts when there are none or any of them holds.
    pub conditions: Vec<Constraint>,
    /// What is set.
    pub name: CgoVariable,
    /// The arguments, split as the shell would; `${SRCDIR}` not yet expanded.
    pub arguments: Vec<String>,
    /// Why Go refuses the package, where the line applies; nothing when the line is well-formed.
    pub fault: Option<String>,
}

impl CgoDirective {
    /// Whether the line counts when `satisfied` says which tags are set.
    pub fn applies(&self, satisfied: &dyn Fn(&str) -> bool) -> bool {
        self.conditions.is_empty()
            || self
                .conditions
                .iter()
                .any(|condition| condition.holds(satisfied))
    }
}

/// What a `#cgo` line sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CgoVariable {
    /// Flags of the C compiler.
    CFlags,
    /// Flags of the preprocessor.
    CppFlags,
    /// Flags of the C++ compiler.
    CxxFlags,
    /// Flags of the Fortran compiler.
    FFlags,
    /// Flags of the linker.
    LdFlags,
    /// Names of pkg-config packages.
    PkgConfig,
}

/// Reads what the build reads in a Go file.
pub fn parse_go_file(source: &[u8]) -> GoFile {
    let mut file = parse_header(source);
    if file.state == HeaderState::Complete
        && file.imports.iter().any(|import| import.value == "embed")
    {
        file.embed_patterns = scanner::embed_patterns(source);
    }
    file
}

/// Reads a Go file up to the end of its imports: everything but the patterns of `//go:embed`, which may stand anywhere.
pub fn parse_header(source: &[u8]) -> GoFile {
    parse_read_header(source, &header_reader::read_header(source))
}

/// Reads the header in a prefix of a file; nothing when it may go on behind the prefix.
pub fn parse_header_within(prefix: &[u8]) -> Option<GoFile> {
    let read = header_reader::read_header(prefix);
    (matches!(read.ending, Ending::Complete) && read.end < prefix.len())
        .then(|| parse_read_header(prefix, &read))
}

fn parse_read_header(source: &[u8], read: &Header) -> GoFile {
    let mut file = GoFile {
        state: HeaderState::Complete,
        package: None,
        imports: Vec::new(),
        constraint: ConstraintHeader::Absent,
        embed_patterns: Vec::new(),
        debug_settings: Vec::new(),
        cgo: None,
        faults: Vec::new(),
    };
    if let Ending::Nul(offset) = read.ending {
        file.state = HeaderState::Invalid;
        file.faults.push(fault(
            source,
            offset,
            "a NUL byte in the header of the file".to_owned(),
        ));
        return file;
    }
    match constraint_of(&source[read.start..read.end]) {
        Ok(header) => file.constraint = header,
        Err(message) => {
            file.state = HeaderState::Invalid;
            file.constraint = ConstraintHeader::Broken;
            file.faults.push(fault(source, 0, message));
            return file;
        }
    }
    header::parse_header(source, read, &mut file);
    file
}

fn fault(source: &[u8], offset: usize, message: String) -> Fault {
    Fault {
        code: Code::Syntax,
        severity: Severity::Error,
        message,
        position: position_at(source, offset),
    }
}

/// The place of a byte offset.
pub(crate) fn position_at(source: &[u8], offset: usize) -> Position {
    let before = &source[..offset.min(source.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |newline| newline + 1);
    Position {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(before.len() - start + 1).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests;
