//! vendor/modules.txt.

use crate::{
    diagnostic::Located,
    parse::go_mod::{ModuleVersion, ReplacementTarget},
};

/// A vendor/modules.txt file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModulesTxt {
    /// Whether its first line says `## workspace`.
    pub scope: VendorScope,
    /// The modules, in order.
    pub modules: Vec<Located<VendoredModule>>,
    /// The replacements that are listed without packages (`# old [v] => new` at the end of the file).
    pub replacements: Vec<Located<VendoredReplacement>>,
}

/// What a vendor directory was made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VendorScope {
    /// One module.
    #[default]
    Module,
    /// A workspace.
    Workspace,
}

/// One module of vendor/modules.txt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendoredModule {
    /// The module and version.
    pub module: ModuleVersion,
    /// Its replacement, where it has one.
    pub replacement: Option<ReplacementTarget>,
    /// Whether it is marked `## explicit`.
    pub explicit: Explicitness,
    /// The `go` version of its `##` line.
    pub go: Option<String>,
    /// The import paths of the vendored packages.
    pub packages: Vec<String>,
}

/// Whether a go.mod names the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Explicitness {
    /// Marked `## explicit`.
    Explicit,
    /// Not marked.
    #[default]
    Implicit,
}

/// A replacement line without packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendoredReplacement {
    /// The module that is replaced.
    pub old_path: String,
    /// The only version that is replaced; nothing replaces all.
    pub old_version: Option<String>,
    /// By what.
    pub new: ReplacementTarget,
}
