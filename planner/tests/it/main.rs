//! The integration tests, as one binary.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops where its preparation fails"
)]

mod parser_invariants;
mod parser_properties;
