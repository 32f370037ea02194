//! Benchmarks of every stage and of whole plans.
//!
//! Nothing here runs in the test suite as a timed test: the numbers come from programs, as ratios
//! within one run on one machine.
//!
//! - `rebake-floor` does the least that any planner must do;
//! - `rebake-measure real DIR…` compares plans of checkouts with it and with `go list -deps -json`;
//! - `rebake-measure scale` does so with generated monorepos of growing size, up to 100,000 files.
//!
//! ```text
//! cargo build --release --workspace
//! target/release/rebake-measure real path/to/checkout …
//! target/release/rebake-measure scale
//! ```

pub mod floor;
pub mod go_list;
pub mod planned_files;
pub mod process;
pub mod samples;
pub mod synthetic;
pub mod table;
