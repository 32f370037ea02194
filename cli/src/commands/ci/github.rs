//! `rebake ci github`.

use super::{plan_run, variable};
use crate::{
    arguments::ci::GithubArguments, commands::answered, exit_code::ExitCode, failure::Failure,
    output::Output, registry::build_times,
};
use camino::{Utf8Path, Utf8PathBuf};
use rebake_ci::{
    MaxJobs, Selection,
    github::{
        Event, SUMMARY_LIMIT, SummaryFacts, annotations, baseline, outputs, read_event,
        step_summary,
    },
};
use std::{fs, io::Write as _};

pub(crate) fn run(arguments: &GithubArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let run = plan_run(&arguments.run, output, |checked_out| {
        baseline(&event(), checked_out)
    })?;
    let selection = Selection::of(&run.document);
    let plan_path = arguments.run.plan.as_deref();
    let outputs = outputs(
        &selection,
        MaxJobs(arguments.max_jobs),
        plan_path.map(Utf8Path::as_str),
    )?
    .render();
    let summary_file = variable("GITHUB_STEP_SUMMARY").map(Utf8PathBuf::from);
    // What earlier commands of the same step wrote counts too.
    let written = summary_file
        .as_ref()
        .and_then(|path| fs::metadata(path).ok())
        .map_or(0, |file| {
            usize::try_from(file.len()).unwrap_or(SUMMARY_LIMIT)
        });
    let summary = step_summary(
        &run.document,
        &SummaryFacts {
            took: run.planned.took,
            without_baseline: run.without_baseline.clone(),
            build_times: build_times(&arguments.run.registry, &run.planned.plan, &selection.reuse),
            limit: SUMMARY_LIMIT.saturating_sub(written),
        },
    );
    run.write_plan(plan_path)?;
    if let Some(path) = summary_file
        && written + summary.len() <= SUMMARY_LIMIT
    {
        append(&path, &summary)?;
    }
    output.write(&annotations(
        &run.document.diagnostics,
        &directory_in_workspace(&run.planned.directory),
    ));
    output.write(&run.render());
    match variable("GITHUB_OUTPUT").map(Utf8PathBuf::from) {
        Some(path) => append(&path, &outputs)?,
        None => output.write(&format!("\n{outputs}")),
    }
    Ok(answered(&run.planned, &arguments.run.build))
}

fn event() -> Event {
    let Some(name) = variable("GITHUB_EVENT_NAME") else {
        return Event::Unreadable {
            problem: "GITHUB_EVENT_NAME is not set".to_owned(),
        };
    };
    let payload = match variable("GITHUB_EVENT_PATH") {
        Some(path) => fs::read_to_string(&path).map_err(|error| format!("{path}: {error}")),
        None => Err("GITHUB_EVENT_PATH is not set".to_owned()),
    };
    let reference = variable("GITHUB_REF");
    let payload = payload.as_deref().map_err(String::as_str);
    read_event(&name, reference.as_deref(), payload)
}

/// Where the root lies in the checkout that annotations are about; empty for the checkout itself, or where that is not
/// known.
fn directory_in_workspace(root: &Utf8Path) -> String {
    let below = || {
        let workspace = Utf8PathBuf::from(variable("GITHUB_WORKSPACE")?);
        let workspace = workspace.canonicalize_utf8().ok()?;
        let root = root.canonicalize_utf8().ok()?;
        Some(root.strip_prefix(&workspace).ok()?.to_string())
    };
    below().unwrap_or_default()
}

fn append(path: &Utf8Path, text: &str) -> Result<(), Failure> {
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::Write {
            path: path.to_owned(),
            error,
        })
}
