//! The integration tests, as one binary.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where its preparation fails"
)]

mod architecture;
mod back_edges;
mod bad_input;
mod c_code;
mod declared;
mod doubt;
mod emission;
mod files;
mod following;
#[cfg(unix)]
mod hostile_disk;
mod lints;
mod misses;
mod parser_invariants;
mod parser_properties;
mod prediction;
mod purity;
mod reasons;
mod rendering;
