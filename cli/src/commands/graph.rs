//! `rebake graph`: the modules and packages that the services are made of.

use super::{answered, with_default_base, without_default_base};
use crate::{
    arguments::{GraphArguments, GraphFormat, Nodes},
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output, graph::Picture},
    planning::{plan_tree, set_threads},
};
use rebake_planner::wire::GraphDocument;

pub(crate) fn run(arguments: &GraphArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    let baseline = if arguments.affected {
        with_default_base(&arguments.baseline)
    } else {
        arguments.baseline.clone()
    };
    let planned = plan_tree(output.talk(), &arguments.tree, &arguments.build, &baseline)
        .map_err(|failure| without_default_base(&arguments.baseline, failure))?;
    let service = arguments.service.as_ref();
    planned.check_service(service)?;
    output.show_diagnostics_of(&planned, service);
    let picture = || {
        let whole = Picture::of(&planned, service, arguments.nodes);
        if arguments.affected {
            whole.affected(&planned, service)
        } else {
            whole
        }
    };
    match arguments.format {
        GraphFormat::Human => output.write(&output::graph::render(&picture())),
        GraphFormat::Dot => output.write(&output::dot::render(&picture())),
        GraphFormat::Mermaid => {
            let picture = picture();
            output.say(&output::mermaid::too_large(&picture).unwrap_or_default());
            output.write(&output::mermaid::render(&picture));
        }
        GraphFormat::Html => {
            output.write(&output::html::render(&planned, service, &picture()));
        }
        GraphFormat::Json => {
            let mut document = GraphDocument::new(&planned.plan, planned.root.clone(), service);
            let kept = Picture::of(&planned, service, Nodes::Packages).affected(&planned, service);
            for package in &mut document.packages {
                package.changed = kept.changed.contains(&package.import_path);
            }
            if arguments.affected {
                document
                    .packages
                    .retain(|package| kept.nodes.contains_key(&package.import_path));
                document
                    .services
                    .retain(|row| kept.services.contains_key(row.name.as_str()));
            }
            output.write_json(&document)?;
        }
    }
    Ok(answered(&planned, &arguments.build))
}
