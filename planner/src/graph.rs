//! Modules and packages, and how they depend on one another.
//!
//! In: manifests and main packages. Out: a build list for each main module or workspace and a package
//! graph for each build context. petgraph is private to this stage. It must never read a directory that
//! nobody imports, and never decide what enters a key.

pub(crate) mod build_list;
mod c_inputs;
pub(crate) mod chains;
mod embed;
pub(crate) mod libraries;
pub(crate) mod load;
pub(crate) mod replacements;
pub(crate) mod resolve;
mod selection;
pub(crate) mod updates_needed;
pub(crate) mod vendor;
mod vendor_consistency;
pub(crate) mod workspace;
