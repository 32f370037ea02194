//! Plans which container images of a Go monorepo must be rebuilt, and why, without a Go toolchain.

pub mod diagnostic;
pub mod file_kind;
pub mod go_version;
pub mod module_path;
pub mod module_version;
pub mod parse;
pub mod path;
pub mod standard_library;
pub mod target;
pub mod tree;
