//! The verbs, one file each. Each turns its arguments into a document and an exit code.

pub(crate) mod build;
pub(crate) mod ci;
pub(crate) mod completions;
pub(crate) mod context;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod graph;
pub(crate) mod init;
pub(crate) mod inputs;
pub(crate) mod man;
pub(crate) mod plan;
pub(crate) mod schema;
pub(crate) mod why;
pub(crate) mod why_not;

use crate::{
    arguments::{BaselineArguments, BuildArguments},
    exit_code::ExitCode,
    failure::Failure,
    planning::Planned,
};

/// The exit code of an answer that is there. A service may be missing from it where the tree itself could not be read.
fn answered(planned: &Planned, build: &BuildArguments) -> ExitCode {
    if planned.is_incomplete() || (build.strict && planned.has_faults()) {
        ExitCode::Failed
    } else {
        ExitCode::Done
    }
}

/// The baseline of those who ask why: what they name, else the commit that is checked out, so that the question is
/// about the edits since.
fn with_default_base(baseline: &BaselineArguments) -> BaselineArguments {
    let mut baseline = baseline.clone();
    if !baseline.is_named() {
        baseline.base = Some("HEAD".to_owned());
    }
    baseline
}

/// Speaks of the flag to those who typed it alone.
fn without_default_base(baseline: &BaselineArguments, failure: Failure) -> Failure {
    match failure {
        Failure::NoRepository { root, .. } if !baseline.is_named() => {
            Failure::NothingToCompareWith(root)
        }
        other => other,
    }
}
