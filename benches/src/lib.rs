//! Benchmarks of every stage and of whole plans.
//!
//! Nothing here runs in the test suite as a timed test: the numbers come from programs, as ratios
//! within one run on one machine.

pub mod floor;
pub mod synthetic;
