//! `rebake generate`: the files that build the images.

use super::answered;
use crate::{
    arguments::{BaselineArguments, Format, GenerateArguments},
    build_files::{self, Difference},
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output},
    planning::{Planned, plan_alone, plan_tree, set_threads},
};
use rebake_planner::{
    emit::{BUILD_FILES, Build, EmittedFile, emit_service, emit_shared},
    wire::PredictionDocument,
};

pub(crate) fn run(arguments: &GenerateArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    if arguments.predict {
        return predict(arguments, output);
    }
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

/// Which steps will run, for those who ask before they build.
fn predict(arguments: &GenerateArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let baseline = BaselineArguments {
        base: arguments.base.clone(),
        ..BaselineArguments::default()
    };
    let planned = plan_tree(output.talk(), &arguments.tree, &arguments.build, &baseline)?;
    output.show_diagnostics(&planned);
    let predictions = match &planned.before {
        Some(before) => planned
            .plan
            .predictions(before, &planned.changed_for_builds()?)
            .map_err(|(service, error)| Failure::Emit { service, error })?,
        None => return Err(Failure::NothingToPredictFrom),
    };
    let document = PredictionDocument::new(
        planned.root.clone(),
        planned.baseline.clone(),
        predictions
            .iter()
            .map(|(service, prediction)| (service, prediction.as_ref())),
    );
    match arguments.format {
        Format::Human => output.write(&output::prediction::render(&planned, &document)),
        Format::Json => output.write_json(&document)?,
    }
    Ok(answered(&planned, &arguments.build))
}

/// Brings up to date what stands below `.rebake`. Files of other services stay: they may only not be planned now.
pub(crate) fn write_build_files(planned: &Planned, output: &Output) -> Result<(), Failure> {
    let files = emitted_files(planned)?;
    let mut differences = build_files::compare(&planned.directory, &files)?;
    differences.retain(|(_, difference)| *difference != Difference::LeftOver);
    build_files::apply(&planned.directory, &files, &differences)?;
    if !differences.is_empty() {
        let count = output::count(differences.len(), "file", "files");
        output.say(&format!("wrote {count} below {BUILD_FILES}\n"));
    }
    Ok(())
}

/// Every file that should stand below `.rebake`, sorted.
fn emitted_files(planned: &Planned) -> Result<Vec<EmittedFile>, Failure> {
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
