//! `rebake diff`: two earlier answers, input by input.

use crate::{
    arguments::{DiffArguments, Format},
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output},
    planning::read_baseline,
};
use rebake_planner::{
    plan::{ImageChange, diff},
    wire::DiffDocument,
};

pub(crate) fn run(arguments: &DiffArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let old = read_baseline(&arguments.old)?;
    let new = read_baseline(&arguments.new)?;
    let differences = diff(&old, &new);
    match arguments.format {
        Format::Human => output.write(&output::diff::render(&differences)),
        Format::Json => output.write_json(&DiffDocument::new(&differences))?,
    }
    let differs = differences
        .iter()
        .any(|difference| difference.change != ImageChange::Same);
    Ok(if arguments.exit_code && differs {
        ExitCode::MustRebuild
    } else {
        ExitCode::Done
    })
}
