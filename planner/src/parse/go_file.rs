//! The header of Go files, and what the rest of the file says to the build.

use crate::{
    diagnostic::{Fault, Located},
    parse::constraint::Constraint,
};

/// What the build reads in a Go file, whatever the platform.
///
/// Source: go/build/read.go (`readGoInfo`), go/build/build.go (`matchFile`, `parseFileHeader`, `saveCgo`).
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderState {
    /// The package clause and all imports.
    Complete,
    /// The file belongs to its package and is an error there, but its imports count for nothing
    /// (a syntax error up to the imports; an empty file).
    ImportsLost,
    /// `go list` reports the file as invalid only (a NUL byte, two `//go:build` lines, …): not compiled, and an error.
    Invalid,
}

/// The build constraint in a file's leading comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConstraintHeader {
    /// None: the file is built wherever its name allows.
    Absent,
    /// Built where this holds.
    Present(Constraint),
    /// A constraint that does not parse: the file is invalid.
    Broken,
}

/// What the comment above `import "C"` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CgoPreamble {
    /// `#cgo` lines, in order.
    pub directives: Vec<Located<CgoDirective>>,
    /// The targets of `#include` lines in the C preamble, quoted and angled both.
    pub includes: Vec<Located<Include>>,
}

/// One `#cgo [conditions] NAME: arguments` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgoDirective {
    /// The alternatives before the name: the line counts when there are none or any of them holds.
    pub conditions: Vec<Constraint>,
    /// What is set.
    pub name: CgoVariable,
    /// The arguments, split as the shell would; `${SRCDIR}` not yet expanded.
    pub arguments: Vec<String>,
}

/// What a `#cgo` line sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// The target of a C or assembler `#include`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Include {
    /// How it is written.
    pub form: IncludeForm,
    /// The file that is named.
    pub target: String,
}

/// How an `#include` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IncludeForm {
    /// `"x.h"`: looked for beside the including file first.
    Quoted,
    /// `<x.h>`: looked for in the include directories alone.
    Angled,
}
