//! `rebake ci`: a plan for a run of a CI service.
//!
//! In: the event that the service names. Out: files where the service looks for them. Everything is computed before
//! anything is written.

mod github;
mod gitlab;
mod promote;
mod retag;

use crate::{
    arguments::ci::{CiArguments, CiService, RunArguments},
    build_files::write_whole,
    exit_code::ExitCode,
    failure::Failure,
    history::{self, Fetching},
    output::{Output, printable, without_commands},
    planning::{Comparison, Planned, plan_and_compare, set_threads},
    root::find_root,
};
use camino::Utf8Path;
use rebake_ci::{BaselineChoice, CheckedOut};
use rebake_planner::wire::PlanDocument;
use std::mem::ManuallyDrop;

pub(crate) fn run(arguments: &CiArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    match &arguments.service {
        CiService::Github(arguments) => github::run(arguments, output),
        CiService::Gitlab(arguments) => gitlab::run(arguments, output),
        CiService::Retag(arguments) => retag::run(arguments, output),
        CiService::Promote(arguments) => promote::run(arguments, output),
    }
}

/// The plan of a run.
struct PlannedRun {
    planned: ManuallyDrop<Planned>,
    document: PlanDocument,
    /// Why there was nothing to compare with.
    without_baseline: Option<String>,
}

/// Plans a run, compared with what is named, else with what the event says.
fn plan_run(
    arguments: &RunArguments,
    output: &Output,
    choose: impl FnOnce(&CheckedOut) -> BaselineChoice,
) -> Result<PlannedRun, Failure> {
    set_threads(&arguments.tree)?;
    let mut without_baseline = None;
    let comparison = if arguments.baseline.is_named() {
        Comparison::from(&arguments.baseline)
    } else {
        let root = find_root(arguments.tree.root.as_deref())?;
        let repository = root.repository.ok().flatten();
        let head = arguments.tree.head.as_deref();
        let choice = choose(&history::checked_out(repository.as_ref(), head));
        // A registry needs no baseline.
        if let (BaselineChoice::Nothing(why), None) = (&choice, &arguments.registry.registry) {
            without_baseline = Some(why.clone());
        }
        let fetching = if arguments.no_fetch {
            Fetching::Forbidden
        } else {
            Fetching::Allowed
        };
        history::prepare(&choice, &root.directory, repository, head, fetching)
    };
    let planned = plan_and_compare(
        output.talk(),
        &arguments.tree,
        &arguments.build,
        &comparison,
        &arguments.registry,
    )?;
    let document = PlanDocument::new(
        &planned.plan,
        planned.root.clone(),
        planned.baseline.clone(),
    );
    Ok(PlannedRun {
        planned,
        document,
        without_baseline,
    })
}

impl PlannedRun {
    /// What the log says.
    fn render(&self) -> String {
        let plan = crate::output::plan::render(&self.planned);
        match &self.without_baseline {
            Some(why) => format!("{}\n\n{plan}", printable(why)),
            None => plan,
        }
    }

    /// Writes the plan to the file that was named.
    fn write_plan(&self, path: Option<&Utf8Path>) -> Result<(), Failure> {
        let Some(path) = path else { return Ok(()) };
        let text = without_commands(serde_json::to_string_pretty(&self.document)?);
        write_whole(path, &format!("{text}\n"))
    }
}

/// A variable of the environment; one that is empty or not UTF-8 counts as not set.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
