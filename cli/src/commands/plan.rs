//! `rebake plan`: every service with its key, and what must be rebuilt.

use super::answered;
use crate::{
    arguments::{PlanArguments, ReportFormat},
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output},
    planning::plan_tree,
};
use rebake_planner::{decide::Verdict, wire::PlanDocument};

pub(crate) fn run(arguments: &PlanArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let planned = plan_tree(&arguments.tree, &arguments.build, &arguments.baseline)?;
    output.show_diagnostics(&planned);
    match arguments.format {
        ReportFormat::Human => output.write(&output::plan::render(&planned)),
        ReportFormat::Markdown => output.write(&output::markdown::render(&planned, None)),
        ReportFormat::Json => {
            output.write_json(&PlanDocument::new(
                &planned.plan,
                planned.root.clone(),
                planned.baseline.clone(),
            ))?;
        }
    }
    let must_rebuild = planned
        .plan
        .images
        .iter()
        .any(|image| image.verdict == Verdict::Rebuild);
    Ok(match answered(&planned, &arguments.build) {
        ExitCode::Done if arguments.exit_code && must_rebuild => ExitCode::MustRebuild,
        code => code,
    })
}
