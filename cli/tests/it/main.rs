//! The command line as a user meets it, in one binary.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends where the ground under it is missing"
)]

mod command_line;
mod docs;
mod exit_codes;
mod faults;
mod files;
mod json_schema;
mod shop;
mod streams;
