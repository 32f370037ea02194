//! What CI services make of a plan.
//!
//! In: the machine contract ([`rebake_planner::wire`]), the build descriptions of the planner, and what a CI says about
//! the event that it runs for. Out: text in the forms that GitHub Actions and GitLab CI read, and the commit to compare
//! with. All are pure functions: they never read a file or the environment, start a program, or print. Only [`registry`]
//! reaches out: it asks an OCI registry which images it holds.
//!
//! Whatever comes from a repository is hostile: names are [`ServiceName`](rebake_planner::discover::service_name::ServiceName)s,
//! everything else is escaped by the writer of the form that it goes to.

mod baseline_choice;
pub mod escape;
pub mod github;
pub mod gitlab;
mod job_batches;
mod reason_text;
pub mod registry;
mod selection;

pub use baseline_choice::{BaselineChoice, CheckedOut, CommitSha, CommitShaError};
pub use job_batches::{JobBatch, LimitError, MaxJobs, batches};
pub use selection::Selection;
