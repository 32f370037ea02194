//! The integration tests, as one binary.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops where its preparation fails"
)]

mod bad_input;
mod doubt;
#[cfg(unix)]
mod hostile_disk;
mod parser_invariants;
mod parser_properties;
mod purity;
mod rendering;
