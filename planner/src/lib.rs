//! Plans which container images of a Go monorepo must be rebuilt, and why: without a Go toolchain, without a network.
//!
//! A plan needs a tree and options. The tree is a directory, a git commit, or memory; the answer is the same.
//!
//! ```
//! use rebake_planner::plan::{PlanOptions, plan};
//! use rebake_planner::tree::memory::MemoryTree;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tree = MemoryTree::new()
//!     .with_file("go.mod", "module ex.com/shop\n\ngo 1.26\n")?
//!     .with_file("services/api/main.go", "package main\n\nfunc main() {}\n")?;
//! let plan = plan(&tree, &PlanOptions::new())?;
//! for image in &plan.images {
//!     println!("{} {} {:?}", image.inputs.service, image.inputs.platform, image.keys);
//! }
//! assert!(plan.images[0].keys.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! A directory is opened with [`tree::disk::DiskTree`], a commit with [`tree::git::Repository`]. To compare with an
//! earlier plan, make that plan and hand its images to [`plan::Plan::compare_with`]:
//!
//! ```
//! use rebake_planner::decide::Verdict;
//! use rebake_planner::plan::{BaselineImage, PlanOptions, plan};
//! use rebake_planner::tree::memory::MemoryTree;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let before = MemoryTree::new()
//!     .with_file("go.mod", "module ex.com/shop\n\ngo 1.26\n")?
//!     .with_file("services/api/main.go", "package main\n\nfunc main() {}\n")?;
//! let after = before.clone().with_file("README.md", "A shop.\n")?;
//! // Contents that both trees share are parsed once: the options carry what is remembered of them.
//! let options = PlanOptions::new();
//! let baseline: Vec<BaselineImage> = plan(&before, &options)?.images.iter().map(BaselineImage::from).collect();
//! let mut plan = plan(&after, &options)?;
//! plan.compare_with(&baseline);
//! assert_eq!(plan.images[0].verdict, Verdict::Reuse);
//! # Ok(())
//! # }
//! ```
//!
//! The library never prints, never ends the process and never reads the environment. What it can't know it says:
//! such an image has no key, and its [`diagnostic::Diagnostic`]s say where and why.
//!
//! # Limitations
//!
//! - **Third-party modules** are exact where they are vendored. Elsewhere they are all that the manifests allow
//!   ([`inputs::Tier::Module`]), because only their sources could tell more.
//! - **Third-party code that imports packages of the tree** can't be seen without its sources; see
//!   `back-edges` in [`config`].
//! - **Only the gc toolchain** is modelled, for Go 1.21 to 1.27.

mod concurrent_map;
pub mod config;
pub mod decide;
pub mod diagnostic;
mod digest;
pub mod discover;
pub mod emit;
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
pub mod recipe;
mod sources;
pub mod spelling;
pub mod standard_library;
pub mod target;
pub mod tree;
pub mod wire;

/// The example of the README is compiled and run with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
