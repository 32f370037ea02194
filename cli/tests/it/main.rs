//! The command line as a user meets it, in one binary.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test stops where its preparation fails"
)]

#[cfg(unix)]
mod baselines;
#[cfg(unix)]
mod build;
mod ci;
mod command_line;
#[cfg(unix)]
mod content_cache;
mod context;
mod docs;
#[cfg(unix)]
mod encryption;
mod exit_codes;
mod faults;
mod files;
mod generate;
mod init;
mod json_schema;
#[cfg(unix)]
mod registry;
mod repositories;
#[path = "../../../ci-adapters/tests/it/server.rs"]
mod server;
mod shop;
mod streams;
#[cfg(unix)]
mod unreadable;
mod watching;
