//! Benchmarks of every stage and of whole plans.
//!
//! Nothing here runs in the test suite as a timed test: the numbers come from programs, as ratios
//! within one run on one machine.
//!
//! - `rebake-floor` does the least that any planner must do;
//! - `rebake-measure real DIR…` compares plans of checkouts with it and with `go list -deps -json`;
//! - `rebake-measure scale` does so with generated monorepos of growing size, up to 100,000 files;
//! - `rebake-measure base DIR…` compares plans with a baseline with `git status` and `git diff`;
//! - `rebake-measure stages DIR…` says what each stage takes of a plan;
//! - `rebake-measure watch DIR…` compares a plan that follows an edit with a whole one.
//!
//! ```text
//! cargo build --release --workspace
//! target/release/rebake-measure real path/to/checkout …
//! target/release/rebake-measure scale
//! ```

pub mod beside_git;
pub mod floor;
pub mod go_list;
pub mod planned_files;
pub mod process;
pub mod replan;
pub mod samples;
pub mod stages;
pub mod synthetic;
pub mod table;
