//! go.mod and go.work.

use crate::diagnostic::Located;

/// How strictly to read a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// As the Go toolchain reads the main module's and workspace modules' go.mod: unknown directives are errors.
    Strict,
    /// As it reads a dependency's go.mod (a replacement directory): only what a dependency may say counts.
    Lax,
}

/// A go.mod file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoMod {
    /// `module` path.
    pub module: Option<Located<String>>,
    /// `go` version as written (lax reading truncates what it must).
    pub go: Option<Located<String>>,
    /// `toolchain` name as written.
    pub toolchain: Option<Located<String>>,
    /// `godebug` settings, in order.
    pub godebug: Vec<Located<Godebug>>,
    /// `require`d modules, in order.
    pub require: Vec<Located<Requirement>>,
    /// `exclude`d module versions.
    pub exclude: Vec<Located<ModuleVersion>>,
    /// `replace`ments.
    pub replace: Vec<Located<Replacement>>,
    /// `retract`ed versions or intervals, as written: they change no binary.
    pub retract: Vec<Located<String>>,
    /// `tool` packages.
    pub tool: Vec<Located<String>>,
    /// `ignore`d directories.
    pub ignore: Vec<Located<String>>,
    /// Directives that this version does not know, whole.
    pub unknown: Vec<Located<String>>,
}

/// A go.work file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoWork {
    /// `go` version as written.
    pub go: Option<Located<String>>,
    /// `toolchain` name as written.
    pub toolchain: Option<Located<String>>,
    /// `godebug` settings, in order.
    pub godebug: Vec<Located<Godebug>>,
    /// `use`d directories as written (unquoted).
    pub r#use: Vec<Located<String>>,
    /// `replace`ments.
    pub replace: Vec<Located<Replacement>>,
    /// Directives that this version does not know, whole.
    pub unknown: Vec<Located<String>>,
}

/// One `godebug key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Godebug {
    /// The setting.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A module at a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleVersion {
    /// The module path.
    pub path: String,
    /// The canonical version.
    pub version: String,
}

/// One required module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The module and the version that is required.
    pub module: ModuleVersion,
    /// Whether the line says `// indirect`. It never affects a build, but tells of back edges.
    pub directness: Directness,
}

/// Whether a requirement is marked `// indirect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directness {
    /// No such comment.
    Direct,
    /// Marked `// indirect`.
    Indirect,
}

/// One `replace old [version] => new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The module path that is replaced.
    pub old_path: String,
    /// The only version that is replaced; nothing replaces all versions.
    pub old_version: Option<String>,
    /// By what.
    pub new: ReplacementTarget,
}

/// What replaces a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplacementTarget {
    /// A directory, as written.
    Directory(String),
    /// Another module.
    Module(ModuleVersion),
}
