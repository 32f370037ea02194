//! Records what the Go toolchain says about every case of the fixtures.
//!
//! In: `fixtures/cases`. Out: `fixtures/answers`, or the differences from what stands there. A recording is only
//! written when it agrees with what the case expects.

use crate::oracle::{self, Answer, Cgo, Context, Network, State};
use rebake_fixtures::{
    Case, answer,
    case::{self, Expectation},
    cases,
    module_proxy::write_module_proxy,
};
use std::{error::Error, fs, process::ExitCode};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write the recordings; without it they are only compared.
    #[arg(long)]
    record: bool,
    /// Print the answers.
    #[arg(long)]
    show: bool,
    /// Only cases whose topic/name contains one of these texts.
    filter: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut failed = 0;
    let mut total = 0;
    for case in cases()? {
        let name = format!("{}/{}", case.topic, case.name);
        let chosen =
            arguments.filter.is_empty() || arguments.filter.iter().any(|text| name.contains(text));
        if !chosen {
            continue;
        }
        total += 1;
        let answers = ask(&case)?;
        let recording = recording(&case, &answers);
        if arguments.show {
            print!("=== {name}\n{}", recording.to_text());
        }
        let mut complaints = contradictions(&case, &answers);
        let path = case.answer_path();
        if !arguments.record {
            match case.answer() {
                Ok(recorded) if recorded == recording => {}
                Ok(_) => complaints.push("the recorded answer differs".to_owned()),
                Err(error) => complaints.push(error.to_string()),
            }
        } else if complaints.is_empty() {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&path, recording.to_text())?;
        }
        if !complaints.is_empty() {
            failed += 1;
            println!("{name}:");
            for complaint in complaints {
                println!("  {complaint}");
            }
            if !arguments.show {
                print!("{}", recording.to_text());
            }
        }
    }
    println!(
        "{} of {total} cases agree with the Go toolchain",
        total - failed
    );
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The contexts of a case.
pub(crate) fn contexts(case: &Case) -> Vec<Context> {
    case.platforms
        .iter()
        .flat_map(|platform| {
            case.cgo.iter().map(|cgo| Context {
                platform: platform.clone(),
                cgo: match cgo {
                    case::Cgo::Off => Cgo::Off,
                    case::Cgo::On => Cgo::On,
                },
                tags: case.tags.clone(),
            })
        })
        .collect()
}

/// Asks the toolchain about a case, with the case's own module proxy or none.
pub(crate) fn ask(case: &Case) -> Result<Vec<Answer>, Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let checkout = scratch.path().join("checkout");
    case.write_to(&checkout)?;
    let network = if case.module_proxy.is_empty() {
        Network::Off
    } else {
        let proxy = scratch.path().join("proxy");
        write_module_proxy(&case.module_proxy, &proxy)?;
        Network::Directory(proxy)
    };
    Ok(oracle::ask(
        &checkout,
        &contexts(case),
        &case.packages,
        &network,
    )?)
}

/// Where the toolchain does not do what the case says.
fn contradictions(case: &Case, answers: &[Answer]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (context, answer) in contexts(case).iter().zip(answers) {
        let compared: Vec<_> = answer
            .mains
            .iter()
            .filter(|(directory, _)| case.compares(directory))
            .collect();
        let no_mains = case.expectation == Expectation::NoMains;
        // A module that can't be loaded may hold main packages that nobody can name.
        let may_be_empty = no_mains || !answer.unloadable.is_empty();
        if no_mains && !compared.is_empty() || compared.is_empty() && !may_be_empty {
            complaints.push(format!("{context}: {} main packages", compared.len()));
        }
        for (directory, main) in compared {
            let is_refused = match &main.state {
                State::Loaded { errors, .. } => !errors.is_empty(),
                State::CannotLoad(_) => true,
            };
            let must_be_refused =
                matches!(case.expectation_of(directory), Expectation::Refused { .. });
            if is_refused != must_be_refused {
                let word = if is_refused { "refuses" } else { "accepts" };
                complaints.push(format!("{context}: Go {word} {directory}"));
            }
        }
        for (directory, _) in &case.expectations {
            if !answer.mains.contains_key(directory) {
                complaints.push(format!("{context}: no main package in {directory}"));
            }
        }
    }
    complaints
}

fn recording(case: &Case, answers: &[Answer]) -> answer::Answer {
    let contexts = contexts(case)
        .iter()
        .zip(answers)
        .map(|(context, answer)| answer::ContextAnswer {
            context: context.to_string(),
            mains: answer
                .mains
                .iter()
                .filter(|(directory, _)| case.compares(directory))
                .map(|(directory, main)| match &main.state {
                    State::Loaded { files, errors, .. } => answer::MainAnswer {
                        directory: directory.clone(),
                        import_path: main.import_path.clone(),
                        files: files
                            .iter()
                            .map(|(path, kind)| ((*kind).to_owned(), path.clone()))
                            .collect(),
                        errors: errors.clone(),
                    },
                    // Go gives no import path to what it can't load.
                    State::CannotLoad(reason) => answer::MainAnswer {
                        directory: directory.clone(),
                        import_path: "?".to_owned(),
                        files: Vec::new(),
                        errors: vec![reason.clone()],
                    },
                })
                .collect(),
            unloadable: answer
                .unloadable
                .iter()
                .map(|(directory, reason)| answer::UnloadableModule {
                    directory: directory.clone(),
                    errors: vec![reason.clone()],
                })
                .collect(),
        })
        .collect();
    answer::Answer { contexts }
}

#[cfg(test)]
mod tests {
    use super::{Expectation, cases};
    use rebake_planner::diagnostic::Code;

    #[test]
    fn every_expected_refusal_has_a_code_of_the_planner() {
        for case in cases().expect("all cases are well-formed") {
            let named = case.expectations.iter().map(|(_, expectation)| expectation);
            for expectation in named.chain([&case.expectation]) {
                if let Expectation::Refused { code } = expectation {
                    assert!(
                        Code::ALL.iter().any(|known| known.as_str() == code),
                        "{}/{}: `{code}`",
                        case.topic,
                        case.name
                    );
                }
            }
        }
    }
}
