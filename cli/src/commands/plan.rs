//! `rebake plan`: every service with its key, and what must be rebuilt.

use super::answered;
use crate::{
    arguments::{PlanArguments, ReportFormat},
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Flushed, Output},
    planning::{Comparison, Following, Planned, plan_and_compare, set_threads},
    root::find_root,
    watch::{Changes, Watch},
};
use rebake_planner::{decide::Verdict, wire::PlanDocument};

pub(crate) fn run(arguments: &PlanArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    if arguments.watch {
        return watch(arguments, output);
    }
    let planned = plan_and_compare(
        output.talk(),
        &arguments.tree,
        &arguments.build,
        &Comparison::from(&arguments.baseline),
        &arguments.registry,
    )?;
    output.show_diagnostics(&planned);
    write(arguments, &planned, output)?;
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

fn write(arguments: &PlanArguments, planned: &Planned, output: &mut Output) -> Result<(), Failure> {
    match arguments.format {
        ReportFormat::Human => output.write(&output::plan::render(planned)),
        ReportFormat::Markdown => output.write(&output::markdown::render(planned, None)),
        ReportFormat::Json => {
            let document = PlanDocument::new(
                &planned.plan,
                planned.root.clone(),
                planned.baseline.clone(),
            );
            if arguments.watch {
                output.write_json_line(&document)?;
            } else {
                output.write_json(&document)?;
            }
        }
    }
    Ok(())
}

/// Plans, and plans again after every change. A plan that says the same as the one before is not shown again; one that
/// can't be made is told, and the next change may mend it.
fn watch(arguments: &PlanArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let root = find_root(arguments.tree.root.as_deref())?;
    let git = match &root.repository {
        Ok(Some(repository)) => repository.git_directories().to_vec(),
        Ok(None) | Err(_) => Vec::new(),
    };
    let mut watch = Watch::new(&root.directory, &git)?;
    let mut following = Following::new(&arguments.tree, &arguments.build, &arguments.baseline);
    let mut changes = Changes::Anything;
    let mut shown = None;
    loop {
        match following.plan(output.talk(), &changes) {
            Ok(planned) => {
                let document = PlanDocument::new(
                    &planned.plan,
                    planned.root.clone(),
                    planned.baseline.clone(),
                );
                if shown.as_ref() != Some(&document) {
                    output.show_diagnostics(&planned);
                    write(arguments, &planned, output)?;
                    if arguments.format == ReportFormat::Human {
                        output.write("\n");
                    }
                    if output.flush() == Flushed::NobodyReads {
                        return Ok(ExitCode::Done);
                    }
                    shown = Some(document);
                }
            }
            Err(failure) => output.fail(&failure),
        }
        if let Some(files) = following.take_files_read() {
            watch.keep_in_view(&files);
        }
        changes = watch.wait();
    }
}
