//! Benchmarks of every stage and of whole plans.
