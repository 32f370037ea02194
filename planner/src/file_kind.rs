//! The kinds of files that enter a key.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! file_kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal;)+) => {
        /// Why a file is an input. The names are part of the machine contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[non_exhaustive]
        pub enum FileKind { $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+ }

        impl FileKind {
            /// Every kind, in the order of this list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in the machine contract.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

file_kinds! {
    /// A Go file that is compiled as it is.
    Go = "go";
    /// A Go file that imports "C".
    Cgo = "cgo";
    /// A C file.
    C = "c";
    /// A C++ file.
    Cxx = "cxx";
    /// An Objective-C file.
    ObjectiveC = "objc";
    /// A Fortran file.
    Fortran = "fortran";
    /// A header in the package's directory.
    Header = "header";
    /// An assembler file.
    Assembler = "asm";
    /// A SWIG interface, for C or C++.
    Swig = "swig";
    /// A system object that is linked as it is.
    Syso = "syso";
    /// A file that a `//go:embed` pattern matches.
    Embed = "embed";
    /// go.mod, go.sum, go.work, go.work.sum or modules.txt: its digest is over what the build takes from it.
    Manifest = "manifest";
    /// The main package's default.pgo.
    Pgo = "pgo";
    /// A file that the image needs besides the binary.
    Asset = "asset";
    /// What cgo or the assembler reads and `go list` does not report: headers elsewhere, static libraries.
    CgoInclude = "cgo-include";
    /// A first-party file that third-party code may import.
    BackEdge = "back-edge";
    /// A Dockerfile that the service keeps itself.
    Dockerfile = "dockerfile";
    /// A file that rebake.toml names as an input.
    Extra = "extra";
}

impl fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
