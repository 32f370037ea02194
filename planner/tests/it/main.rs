//! The integration tests, as one binary.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where the ground under it is missing"
)]

mod architecture;
mod files;
