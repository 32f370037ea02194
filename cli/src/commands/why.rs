//! `rebake why`: what must have changed for a service to be rebuilt, and how it reaches the service.

use super::{answered, with_default_base, without_default_base};
use crate::{
    arguments::{ReportFormat, WhyArguments},
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output},
    planning::{check_path, plan_alone, plan_tree, set_threads},
    root::path_below,
};
use rebake_planner::wire::{PlanDocument, StandingsDocument};

pub(crate) fn run(arguments: &WhyArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    match &arguments.path {
        Some(path) => why_path(arguments, path, output),
        None => why_service(arguments, output),
    }
}

fn why_service(arguments: &WhyArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let baseline = with_default_base(&arguments.baseline);
    let planned = plan_tree(output.talk(), &arguments.tree, &arguments.build, &baseline)
        .map_err(|failure| without_default_base(&arguments.baseline, failure))?;
    let service = arguments.service.as_ref();
    planned.check_service(service)?;
    output.show_diagnostics_of(&planned, service);
    match arguments.format {
        ReportFormat::Human => output.write(&output::why::render(&planned, service)),
        ReportFormat::Markdown => output.write(&output::markdown::render(&planned, service)),
        ReportFormat::Json => {
            let mut document = PlanDocument::new(
                &planned.plan,
                planned.root.clone(),
                planned.baseline.clone(),
            );
            document
                .services
                .retain(|row| service.is_none_or(|service| row.image.name == *service));
            output.write_json(&document)?;
        }
    }
    Ok(answered(&planned, &arguments.build))
}

/// Which services a file reaches needs nothing to compare with.
fn why_path(
    arguments: &WhyArguments,
    path: &camino::Utf8Path,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let planned = plan_alone(output.talk(), &arguments.tree, &arguments.build)?;
    planned.check_service(arguments.service.as_ref())?;
    let path = path_below(&planned.directory, path)?;
    check_path(&arguments.tree, &planned, &path)?;
    output.show_diagnostics_of(&planned, arguments.service.as_ref());
    let images = planned.images_of(arguments.service.as_ref());
    match arguments.format {
        ReportFormat::Human | ReportFormat::Markdown => {
            output.write(&output::standing::reached(&planned, &images, &path));
        }
        ReportFormat::Json => output.write_json(&StandingsDocument::new(
            &planned.plan,
            planned.root.clone(),
            None,
            images,
            &[path],
        ))?,
    }
    Ok(answered(&planned, &arguments.build))
}
