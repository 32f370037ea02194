//! What CI services get, for plans of every kind.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its preparation fails"
)]

mod architecture;
mod buildctl_script;
mod child_pipeline;
mod files;
mod plans;
mod registry;
mod registry_tokens;
mod registry_writes;
mod server;
mod step_summary;
