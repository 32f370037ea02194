//! What a plan says beside its answer: findings with a code, a severity and a place.
//!
//! In: faults of every stage. Out: [`Diagnostic`]s. A diagnostic never decides anything by itself:
//! the stage that reports doubt also withholds the key.

use crate::path::RepoPath;
use std::fmt;

/// A place in a text file: both numbers count from 1, columns in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in bytes.
    pub column: u32,
}

impl Position {
    /// The start of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// A value with the place where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it starts.
    pub position: Position,
}

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The Go toolchain would refuse, or the planner can't know: the services it names have no key.
    Error,
    /// The answer stands, but something deserves a look.
    Warning,
    /// Something worth knowing.
    Note,
}

/// One finding, with what, where, why and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of finding: stable, and explained by [`Code::explanation`].
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence: what is wrong, and what to do where that is not obvious. Lower case, no full stop at the end.
    pub message: String,
    /// The file or directory, where there is one.
    pub path: Option<RepoPath>,
    /// The place in that file, where there is one.
    pub position: Option<Position>,
    /// The names of the services whose answer it touches; empty for the whole plan.
    pub services: Vec<String>,
}

/// A fault that a parser found in one file; the caller knows the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind of finding.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// As in [`Diagnostic::message`].
    pub message: String,
    /// Where it is.
    pub position: Position,
}

/// What a parser made of a file: never nothing, and every fault it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T> {
    /// What could be understood.
    pub value: T,
    /// All faults, in the order of the file.
    pub faults: Vec<Fault>,
}

impl<T> Parsed<T> {
    /// Whether any fault is an error: the Go toolchain would refuse the file.
    pub fn has_errors(&self) -> bool {
        self.faults
            .iter()
            .any(|fault| fault.severity == Severity::Error)
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $explanation:literal;)+) => {
        /// The closed list of findings. Names are part of the machine contract: added, never changed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[doc = $doc])+ $variant,)+ }

        impl Code {
            /// Every code, in the order of this list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable, kebab-case name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, why it is so, and what to do.
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)+ }
            }
        }
    };
}

codes! {
    /// A manifest, `rebake.toml` or Go file does not follow its grammar.
    Syntax = "syntax", "The file does not follow its grammar, so the Go toolchain would refuse it too. Mend the line that is named; until then the services that need the file have no key and rebuild.";
    /// A directive that is not known to this version.
    UnknownDirective = "unknown-directive", "A directive that this version does not know. In the main module's go.mod or in go.work the Go toolchain refuses it, or it belongs to a newer Go. It is kept, never dropped: the services that need the file have no key until it is understood.";
    /// A well-formed directive whose value is not acceptable.
    InvalidValue = "invalid-value", "The directive is known but its value is not one that Go accepts: a version, a path, a setting. Mend the value.";
    /// The same thing is said twice, differently.
    Conflict = "conflict", "Two lines contradict each other, such as two replacements of one module or two modules of one path. Go refuses to choose; remove one of them.";
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
