//! Plans which container images of a Go monorepo must be rebuilt, and why, without a Go toolchain.

pub mod diagnostic;
pub mod parse;
pub mod path;
pub mod tree;
