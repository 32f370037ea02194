//! The verbs, one file each. Each turns its arguments into a document and an exit code.

pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod graph;
pub(crate) mod inputs;
pub(crate) mod plan;
pub(crate) mod schema;

use crate::{arguments::BuildArguments, exit_code::ExitCode, planning::Planned};

/// The exit code of an answer that is there.
fn answered(planned: &Planned, build: &BuildArguments) -> ExitCode {
    if build.strict && planned.has_faults() {
        ExitCode::Failed
    } else {
        ExitCode::Done
    }
}
