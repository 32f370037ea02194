//! `rebake generate`: the files that build the images.

use super::answered;
use crate::{
    arguments::GenerateArguments,
    build_files,
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output},
    planning::{Planned, plan_alone, set_threads},
};
use rebake_planner::emit::{Build, EmittedFile, emit_service, emit_shared};

pub(crate) fn run(arguments: &GenerateArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    let mut planned = plan_alone(output.talk(), &arguments.tree, &arguments.build)?;
    planned.lint();
    output.show_diagnostics(&planned);
    let files = emitted_files(&planned)?;
    let differences = build_files::compare(&planned.directory, &files)?;
    output.write(&output::generate::render(
        &planned,
        &files,
        &differences,
        arguments.check,
    ));
    if arguments.check {
        return Ok(if differences.is_empty() {
            answered(&planned, &arguments.build)
        } else {
            ExitCode::Failed
        });
    }
    build_files::apply(&planned.directory, &files, &differences)?;
    // A service in doubt has no files, and an image that can't be built must not go unnoticed.
    let in_doubt = planned.plan.images.iter().any(|image| image.keys.is_none());
    Ok(if in_doubt {
        ExitCode::Failed
    } else {
        answered(&planned, &arguments.build)
    })
}

/// Every file that should stand below `.rebake`, sorted.
pub(crate) fn emitted_files(planned: &Planned) -> Result<Vec<EmittedFile>, Failure> {
    let builds = planned.plan.builds();
    let mut files = emit_shared(&builds, planned.plan.groups());
    for build in &builds {
        if let Build::Emitted(build) = build {
            files.extend(emit_service(build).map_err(|error| Failure::Emit {
                service: build.service.clone(),
                error,
            })?);
        }
    }
    files.sort();
    Ok(files)
}
