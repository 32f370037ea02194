//! What the tree holds: modules, workspaces, main packages, services.
//!
//! In: the tree and `rebake.toml`. Out: a `Survey` of modules and candidate directories, and
//! `Service`s with valid, unique, stable names. It must never read a directory below
//! `testdata`, `vendor`, or a name that starts with `.` or `_`.

pub mod context_pattern;
pub mod manifest;
pub mod path_glob;
pub mod service_name;
pub mod services;
pub(crate) mod survey;
