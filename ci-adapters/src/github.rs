//! GitHub Actions.
//!
//! In: a plan, and what the runner says of its event. Out: outputs for `$GITHUB_OUTPUT` ([`outputs`]), a page for
//! `$GITHUB_STEP_SUMMARY` ([`step_summary`]), workflow commands for stdout ([`annotations`]), and the commit to compare
//! with ([`baseline`]).
//!
//! Source: github.com/actions/runner (`FileCommandManager.cs`, `ActionCommand.cs`), docs.github.com about limits, events
//! and workflow commands.

mod annotations;
mod event;
mod outputs;
mod step_summary;

pub use annotations::annotations;
pub use event::{Event, baseline, read_event};
pub use outputs::{MATRIX_JOBS, Outputs, outputs};
pub use step_summary::{SUMMARY_LIMIT, SummaryFacts, step_summary};
