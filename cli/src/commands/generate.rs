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
    discover::service_name::ServiceName,
    emit::{BUILD_FILES, Build, EmittedFile, emit_service, emit_shared},
    path::RepoPath,
    wire::PredictionDocument,
};
use std::collections::BTreeSet;

pub(crate) fn run(arguments: &GenerateArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    if arguments.predict {
        return predict(arguments, output);
    }
    let mut planned = plan_alone(output.talk(), &arguments.tree, &arguments.build)?;
    planned.lint();
    output.show_diagnostics(&planned);
    let files = emitted_files(&planned)?;
    let mut differences = build_files::compare(&planned.directory, &files)?;
    let images = planned.plan.images.iter();
    let in_doubt: BTreeSet<&ServiceName> = images
        .filter(|image| image.keys.is_none())
        .map(|image| &image.inputs.service)
        .collect();
    // What can't be told now need not be gone: a fault that is mended brings the same files again.
    differences.retain(|(path, difference)| {
        let is_of = |service: &&ServiceName| {
            let directory = RepoPath::root().child(BUILD_FILES).child(service.as_str());
            path.starts_with(&directory)
        };
        *difference != Difference::LeftOver || !in_doubt.iter().any(is_of)
    });
    output.write(&output::generate::render(
        &planned,
        &files,
        &differences,
        &in_doubt,
        arguments.check,
    ));
    if !arguments.check {
        build_files::apply(&planned.directory, &files, &differences)?;
    }
    let is_stale = arguments.check && !differences.is_empty();
    // An image that can't be built must not go unnoticed.
    Ok(if is_stale || !in_doubt.is_empty() {
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
