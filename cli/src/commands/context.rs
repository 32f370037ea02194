//! `rebake context`: the exact build context of a service, as a directory or an archive.

use super::answered;
use crate::{
    arguments::ContextArguments,
    context_files::{Content, Destination, Existing, write},
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output},
    planning::{plan_alone, set_threads, tree_of},
};
use rebake_planner::emit::{Build, EmittedFile, emit_service, steps_file};

pub(crate) fn run(arguments: &ContextArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    let planned = plan_alone(output.talk(), &arguments.tree, &arguments.build)?;
    let service = &arguments.service;
    planned.check_service(Some(service))?;
    output.show_diagnostics_of(&planned, Some(service));
    let tree = tree_of(&arguments.tree, &planned)?;
    let context = planned.plan.context(&*tree, service)?;
    let mut build_files: Vec<EmittedFile> = Vec::new();
    if arguments.build_files {
        for build in planned.plan.builds() {
            if let Build::Emitted(build) = build
                && build.service == *service
            {
                let emitted = emit_service(&build).map_err(|error| Failure::Emit {
                    service: service.clone(),
                    error,
                })?;
                build_files.extend(emitted);
                build_files.push(steps_file());
            }
        }
    }
    let content = Content {
        tree: &*tree,
        context: &context,
        build_files: &build_files,
    };
    let destination = Destination::of(&arguments.output);
    let existing = if arguments.replace {
        Existing::Replaced
    } else {
        Existing::Refused
    };
    write(&content, &destination, existing)?;
    if destination != Destination::Stdout {
        output.write(&format!(
            "{} in {}\n",
            output::count(content.len(), "file", "files"),
            output::printable(arguments.output.as_str()),
        ));
    }
    Ok(answered(&planned, &arguments.build))
}
