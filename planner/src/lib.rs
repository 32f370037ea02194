//! Plans which container images of a Go monorepo must be rebuilt, and why, without a Go toolchain.

mod concurrent_map;
pub mod config;
pub mod decide;
pub mod diagnostic;
pub mod discover;
pub mod file_kind;
pub mod go_version;
mod graph;
pub mod hash;
pub mod inputs;
pub mod module_path;
pub mod module_version;
mod package;
pub mod parse;
pub mod path;
pub mod plan;
mod sources;
pub mod standard_library;
pub mod target;
pub mod tree;
pub mod wire;
