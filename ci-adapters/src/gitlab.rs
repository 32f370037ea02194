//! GitLab CI.
//!
//! In: a plan with its builds, and the predefined variables of the job. Out: a child pipeline ([`child_pipeline`]), a
//! dotenv report ([`dotenv_report`]), and the commit to compare with ([`baseline`]).
//!
//! Source: docs.gitlab.com about downstream pipelines, predefined variables and limits.

mod child_pipeline;
mod dotenv_report;
mod event;

pub use child_pipeline::{
    Builder, CHILD_JOBS, ChildSettings, Include, IncludeError, JobName, JobNameError,
    child_pipeline,
};
pub use dotenv_report::dotenv_report;
pub use event::{Event, PredefinedVariables, baseline, read_event};
