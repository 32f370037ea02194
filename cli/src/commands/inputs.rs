//! `rebake inputs`: everything behind a service's key.

use super::answered;
use crate::{
    arguments::{Format, InputsArguments},
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output},
    planning::{plan_alone, set_threads},
};
use rebake_planner::wire::InputsDocument;

pub(crate) fn run(arguments: &InputsArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    let planned = plan_alone(output.talk(), &arguments.tree, &arguments.build)?;
    let service = arguments.service.as_ref();
    planned.check_service(service)?;
    output.show_diagnostics_of(&planned, service);
    match arguments.format {
        Format::Human => output.write(&output::inputs::render(&planned, service)),
        Format::Json => {
            let mut document = InputsDocument::new(&planned.plan, planned.root.clone());
            document
                .services
                .retain(|row| service.is_none_or(|service| *service == row.image.name));
            output.write_json(&document)?;
        }
    }
    Ok(answered(&planned, &arguments.build))
}
