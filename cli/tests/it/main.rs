//! The command line as a user meets it, in one binary.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test stops where its preparation fails"
)]

mod docs;
#[cfg(unix)]
mod unreadable;
