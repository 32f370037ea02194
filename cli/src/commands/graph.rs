//! `rebake graph`: the modules and packages that the services are made of.

use super::answered;
use crate::{
    arguments::{BaselineArguments, GraphArguments, GraphFormat},
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output, graph::Picture},
    planning::{plan_tree, set_threads},
};
use rebake_planner::wire::GraphDocument;

pub(crate) fn run(arguments: &GraphArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    let planned = plan_tree(
        &arguments.tree,
        &arguments.build,
        &BaselineArguments::default(),
    )?;
    let service = arguments.service.as_ref();
    planned.check_service(service)?;
    output.show_diagnostics(&planned);
    let picture = || Picture::of(&planned, service, arguments.nodes);
    match arguments.format {
        GraphFormat::Human => output.write(&output::graph::render(&picture())),
        GraphFormat::Dot => output.write(&output::dot::render(&picture())),
        GraphFormat::Mermaid => output.write(&output::mermaid::render(&picture())),
        GraphFormat::Json => {
            output.write_json(&GraphDocument::new(
                &planned.plan,
                planned.root.clone(),
                service,
            ))?;
        }
    }
    Ok(answered(&planned, &arguments.build))
}
