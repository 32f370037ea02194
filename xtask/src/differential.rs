//! Holds the planner to the Go toolchain, main package by main package.
//!
//! In: checkouts, revisions of them, or the cases of the fixtures. Out: for each and each context how many main
//! packages are exact, how many can't be loaded, and every difference; the exit code is 1 when there is any.

mod compare;
mod planned;
mod without_rule;

use crate::{ContextArguments, checkout::Checkout, fixture_answers, oracle};
use compare::{Comparison, Difference, compare};
use oracle::{Answer, Context, Network};
use planned::{Planned, PlannedError, Planner, planned_files};
use rebake_fixtures::{
    Case,
    case::{Expectation, Tier},
    cases,
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};
use without_rule::Rule;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Checkouts to compare.
    directories: Vec<PathBuf>,
    #[command(flatten)]
    contexts: ContextArguments,
    /// Compare these revisions instead of what stands in the directories.
    #[arg(long, value_delimiter = ',', num_args = 1..)]
    revision: Vec<String>,
    /// Compare the cases of the fixtures, in their own contexts.
    #[arg(long)]
    fixtures: bool,
    /// Only cases whose topic/name contains this text.
    #[arg(long)]
    case: Vec<String>,
    /// Never ask a module proxy.
    #[arg(long)]
    offline: bool,
    /// The Go release that the planner plans for: that of the toolchain that is asked.
    #[arg(long, default_value = "1.26")]
    go: String,
    /// A rebake binary to ask through its machine contract, instead of the library of this workspace.
    #[arg(long)]
    rebake: Option<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    /// Switch one rule of the planner off, and succeed only when the comparison notices.
    #[arg(long, value_enum, conflicts_with = "rebake")]
    negative_control: Option<Rule>,
}

#[derive(Serialize)]
struct Report {
    tree: String,
    context: String,
    #[serde(flatten)]
    comparison: Comparison,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let planner = chosen_planner(arguments)?;
    let mut reports = Vec::new();
    let mut skipped = 0;
    for directory in &arguments.directories {
        let name = directory.display().to_string();
        if arguments.revision.is_empty() {
            compare_directory(&name, directory, arguments, &planner, &mut reports)?;
        }
        for revision in &arguments.revision {
            let checkout = Checkout::new(directory, revision)?;
            let name = format!("{name}@{revision}");
            compare_directory(
                &name,
                &checkout.directory(),
                arguments,
                &planner,
                &mut reports,
            )?;
        }
    }
    if arguments.fixtures {
        for case in cases()? {
            let name = format!("{}/{}", case.topic, case.name);
            let chosen =
                arguments.case.is_empty() || arguments.case.iter().any(|text| name.contains(text));
            if !chosen {
                continue;
            }
            if case.tier == Tier::Linked {
                skipped += 1;
                continue;
            }
            compare_case(&name, &case, arguments, &planner, &mut reports)?;
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&reports)?);
    } else {
        print_reports(&reports, skipped);
    }
    let differs = reports
        .iter()
        .any(|report| !report.comparison.differences.is_empty());
    let is_as_wanted = match arguments.negative_control {
        None => !differs,
        Some(rule) => {
            let noticed = if differs {
                "was noticed"
            } else {
                "WENT UNNOTICED"
            };
            println!("negative control: that {rule:?} is switched off {noticed}");
            differs
        }
    };
    Ok(if is_as_wanted {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn chosen_planner(arguments: &Arguments) -> Result<Planner, Box<dyn Error>> {
    if let Some(rule) = arguments.negative_control {
        return Ok(Planner::LibraryWithout(rule));
    }
    match &arguments.rebake {
        None => Ok(Planner::Library),
        Some(binary) if binary.is_file() => Ok(Planner::Binary(binary.clone())),
        Some(binary) => Err(format!("there is no {}", binary.display()).into()),
    }
}

fn compare_directory(
    name: &str,
    directory: &Path,
    arguments: &Arguments,
    planner: &Planner,
    reports: &mut Vec<Report>,
) -> Result<(), Box<dyn Error>> {
    let network = if arguments.offline {
        Network::Off
    } else {
        Network::Proxy
    };
    let contexts = arguments.contexts.contexts();
    let answers = oracle::ask(directory, &contexts, &[], &network)?;
    for (context, answer) in contexts.iter().zip(&answers) {
        let planned = ask_planner(planner, directory, context, arguments);
        reports.push(Report {
            tree: name.to_owned(),
            context: context.to_string(),
            comparison: compare(answer, &planned, None),
        });
    }
    Ok(())
}

fn compare_case(
    name: &str,
    case: &Case,
    arguments: &Arguments,
    planner: &Planner,
    reports: &mut Vec<Report>,
) -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    case.write_to(scratch.path())?;
    if !case.packages.is_empty() {
        fs::write(scratch.path().join("rebake.toml"), declared_services(case))?;
    }
    let contexts = fixture_answers::contexts(case);
    let answers = fixture_answers::ask(case)?;
    for (context, answer) in contexts.iter().zip(&answers) {
        let comparison =
            compare_in_context(case, context, answer, scratch.path(), arguments, planner);
        reports.push(Report {
            tree: name.to_owned(),
            context: context.to_string(),
            comparison,
        });
    }
    Ok(())
}

/// What no pattern finds must be declared.
fn declared_services(case: &Case) -> String {
    case.packages
        .iter()
        .map(|directory| format!("[[service]]\ndir = {directory:?}\n"))
        .collect()
}

/// A planner that fails as a whole is one more difference, not the end of the run.
fn ask_planner(
    planner: &Planner,
    root: &Path,
    context: &Context,
    arguments: &Arguments,
) -> Planned {
    planned_files(planner, root, context, &arguments.go).unwrap_or_else(|error| Planned {
        mains: BTreeMap::new(),
        general_errors: vec![PlannedError {
            code: "none".to_owned(),
            message: error.to_string(),
        }],
    })
}

fn compare_in_context(
    case: &Case,
    context: &Context,
    answer: &Answer,
    root: &Path,
    arguments: &Arguments,
    planner: &Planner,
) -> Comparison {
    let planned = ask_planner(planner, root, context, arguments);
    let mut comparison = compare(answer, &planned, Some(case));
    // A refused module whose main packages nobody can name: the planner must still complain.
    if let Expectation::Refused { code } = &case.expectation
        && comparison.total == 0
    {
        comparison.total = 1;
        if planned
            .general_errors
            .iter()
            .any(|error| error.code == *code)
        {
            comparison.exact = 1;
        } else {
            let errors = answer.unloadable.values().cloned().collect();
            comparison
                .differences
                .insert(".".to_owned(), vec![Difference::OnlyGoRefuses { errors }]);
        }
    }
    comparison
}

fn print_reports(reports: &[Report], skipped: usize) {
    let mut total = 0;
    let mut exact = 0;
    for report in reports {
        let comparison = &report.comparison;
        total += comparison.total;
        exact += comparison.exact;
        println!(
            "{} [{}]: {}/{} exact, {} can't be loaded",
            report.tree,
            report.context,
            comparison.exact,
            comparison.total,
            comparison.cannot_load.len()
        );
        for (directory, reason) in &comparison.cannot_load {
            println!("  can't load {directory}: {reason}");
        }
        for (directory, differences) in &comparison.differences {
            println!("  {directory}:");
            for difference in differences {
                print_difference(difference);
            }
        }
    }
    println!("{exact}/{total} exact in all");
    if skipped > 0 {
        println!("{skipped} cases skipped: they need the sources of third-party modules");
    }
}

fn print_difference(difference: &Difference) {
    let list = |what: &str, errors: &[String]| {
        println!("    {what}");
        for error in errors {
            println!("      {error}");
        }
    };
    match difference {
        Difference::OnlyInGo { path, kind } => println!("    + {path} ({kind}) only in go"),
        Difference::OnlyInRebake { path, kind } => println!("    - {path} ({kind}) only in rebake"),
        Difference::MainOnlyInGo => println!("    + the main package itself, only in go"),
        Difference::MainOnlyInRebake => println!("    - the main package itself, only in rebake"),
        Difference::OnlyGoRefuses { errors } => list("go refuses, rebake is silent:", errors),
        Difference::OnlyRebakeRefuses { errors } => list("rebake refuses, go does not:", errors),
        Difference::OtherCode { expected, errors } => {
            list(&format!("rebake refuses, but not as `{expected}`:"), errors);
        }
    }
}
