//! Where the planner and the Go toolchain differ.
//!
//! In: both answers about one tree in one context. Out: a [`Comparison`]. A main package is *exact* when both refuse
//! it, or when both accept it with the same files of the same kinds.

use super::planned::{Planned, PlannedError, PlannedMain};
use crate::oracle::{Answer, State};
use rebake_fixtures::{Case, case::Expectation};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The outcome for one tree in one context.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Comparison {
    /// Main packages that were compared.
    pub(crate) total: usize,
    /// Those without any difference.
    pub(crate) exact: usize,
    /// Main packages that the toolchain could not be brought to load, with the reason; they are not compared.
    pub(crate) cannot_load: BTreeMap<String, String>,
    /// The differences, by directory of the main package.
    pub(crate) differences: BTreeMap<String, Vec<Difference>>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "difference")]
pub(crate) enum Difference {
    /// A file that Go takes and the planner does not.
    OnlyInGo {
        /// Where it is.
        path: String,
        /// As what Go takes it.
        kind: String,
    },
    /// A file that the planner takes and Go does not.
    OnlyInRebake {
        /// Where it is.
        path: String,
        /// As what the planner takes it.
        kind: String,
    },
    /// A main package that the planner does not know.
    MainOnlyInGo,
    /// A main package that Go does not know.
    MainOnlyInRebake,
    /// Go refuses and the planner does not.
    OnlyGoRefuses {
        /// What Go says.
        errors: Vec<String>,
    },
    /// The planner refuses and Go does not.
    OnlyRebakeRefuses {
        /// What the planner says.
        errors: Vec<String>,
    },
    /// Both refuse, but the planner not with the code that the case expects.
    OtherCode {
        /// What the case expects.
        expected: String,
        /// What the planner says.
        errors: Vec<String>,
    },
}

/// Compares both answers; a case adds what it expects.
pub(crate) fn compare(answer: &Answer, planned: &Planned, case: Option<&Case>) -> Comparison {
    let mut comparison = Comparison::default();
    let directories: BTreeSet<&String> = answer.mains.keys().chain(planned.mains.keys()).collect();
    for directory in directories {
        if case.is_some_and(|case| !case.compares(directory)) {
            continue;
        }
        let expectation = case.map(|case| case.expectation_of(directory));
        let planned_main = planned.mains.get(directory);
        let differences = match answer.mains.get(directory).map(|main| &main.state) {
            None => {
                // Where the module can't be loaded, nobody knows its main packages.
                if case.is_none() && below_unloadable(directory, answer) {
                    continue;
                }
                vec![Difference::MainOnlyInRebake]
            }
            Some(State::CannotLoad(reason)) if case.is_none() => {
                comparison
                    .cannot_load
                    .insert(directory.clone(), reason.clone());
                continue;
            }
            Some(State::Loaded { errors, .. })
                if case.is_none() && errors.iter().any(|error| is_about_download(error)) =>
            {
                comparison
                    .cannot_load
                    .insert(directory.clone(), errors.join("; "));
                continue;
            }
            Some(State::CannotLoad(reason)) => refused(
                std::slice::from_ref(reason),
                planned_main,
                &planned.general_errors,
                expectation,
            ),
            Some(State::Loaded { errors, .. }) if !errors.is_empty() => {
                refused(errors, planned_main, &planned.general_errors, expectation)
            }
            Some(State::Loaded { files, .. }) => {
                let files = files
                    .iter()
                    .map(|(path, kind)| (path.clone(), (*kind).to_owned()))
                    .collect();
                accepted(&files, planned_main, &planned.general_errors)
            }
        };
        comparison.total += 1;
        if differences.is_empty() {
            comparison.exact += 1;
        } else {
            comparison
                .differences
                .insert(directory.clone(), differences);
        }
    }
    comparison
}

/// Whether Go refuses because a module proxy does not have a module: that is no fault of the tree, and with the module
/// the answer would be another one.
///
/// Source: cmd/go/internal/web/api.go (`HTTPError`).
fn is_about_download(error: &str) -> bool {
    error.contains(": reading http") && error.contains("server response: ")
}

fn below_unloadable(directory: &str, answer: &Answer) -> bool {
    answer.unloadable.keys().any(|module| {
        module == "."
            || directory
                .strip_prefix(module.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Go refuses: the planner must say so too. An error that names no service counts for all of them.
fn refused(
    go_errors: &[String],
    main: Option<&PlannedMain>,
    general: &[PlannedError],
    expectation: Option<&Expectation>,
) -> Vec<Difference> {
    let errors: Vec<&PlannedError> = main
        .map_or(&[][..], |main| &main.errors)
        .iter()
        .chain(general)
        .collect();
    if errors.is_empty() {
        return vec![Difference::OnlyGoRefuses {
            errors: go_errors.to_vec(),
        }];
    }
    match expectation {
        Some(Expectation::Refused { code }) if errors.iter().all(|error| error.code != *code) => {
            vec![Difference::OtherCode {
                expected: code.clone(),
                errors: texts(errors),
            }]
        }
        _ => Vec::new(),
    }
}

fn accepted(
    go_files: &BTreeSet<(String, String)>,
    main: Option<&PlannedMain>,
    general: &[PlannedError],
) -> Vec<Difference> {
    let Some(main) = main else {
        return vec![if general.is_empty() {
            Difference::MainOnlyInGo
        } else {
            Difference::OnlyRebakeRefuses {
                errors: texts(general),
            }
        }];
    };
    let mut differences = Vec::new();
    if !main.errors.is_empty() {
        differences.push(Difference::OnlyRebakeRefuses {
            errors: texts(&main.errors),
        });
    }
    for (path, kind) in go_files.difference(&main.files) {
        differences.push(Difference::OnlyInGo {
            path: path.clone(),
            kind: kind.clone(),
        });
    }
    for (path, kind) in main.files.difference(go_files) {
        differences.push(Difference::OnlyInRebake {
            path: path.clone(),
            kind: kind.clone(),
        });
    }
    differences
}

fn texts<'a>(errors: impl IntoIterator<Item = &'a PlannedError>) -> Vec<String> {
    errors
        .into_iter()
        .map(|error| format!("[{}] {}", error.code, error.message))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Difference, compare};
    use crate::{
        differential::planned::{Planned, PlannedError, PlannedMain},
        oracle::{Answer, Attempt, MainPackage, State},
    };

    fn go(files: &[&str], errors: &[&str]) -> Answer {
        let state = State::Loaded {
            files: files
                .iter()
                .map(|path| ((*path).to_owned(), "go"))
                .collect(),
            errors: errors.iter().map(|error| (*error).to_owned()).collect(),
            attempt: Attempt::Offline,
        };
        let mut answer = Answer::default();
        answer.mains.insert(
            "a".to_owned(),
            MainPackage {
                import_path: "ex.com/a".to_owned(),
                state,
            },
        );
        answer
    }

    fn rebake(files: &[&str], codes: &[&str]) -> Planned {
        let main = PlannedMain {
            files: files
                .iter()
                .map(|path| ((*path).to_owned(), "go".to_owned()))
                .collect(),
            errors: codes
                .iter()
                .map(|code| PlannedError {
                    code: (*code).to_owned(),
                    message: String::new(),
                })
                .collect(),
        };
        let mut planned = Planned::default();
        planned.mains.insert("a".to_owned(), main);
        planned
    }

    #[test]
    fn every_difference_is_seen() {
        let only_in_go = |path: &str| Difference::OnlyInGo {
            path: path.into(),
            kind: "go".into(),
        };
        let only_in_rebake = |path: &str| Difference::OnlyInRebake {
            path: path.into(),
            kind: "go".into(),
        };
        let rows = [
            (
                "the same files",
                go(&["x"], &[]),
                rebake(&["x"], &[]),
                vec![],
            ),
            (
                "both refuse, whatever the files",
                go(&["x"], &["e"]),
                rebake(&[], &["embed"]),
                vec![],
            ),
            (
                "a file more on each side",
                go(&["x", "y"], &[]),
                rebake(&["x", "z"], &[]),
                vec![only_in_go("y"), only_in_rebake("z")],
            ),
            (
                "only Go refuses",
                go(&["x"], &["e"]),
                rebake(&["x"], &[]),
                vec![Difference::OnlyGoRefuses {
                    errors: vec!["e".into()],
                }],
            ),
            (
                "only the planner refuses",
                go(&["x"], &[]),
                rebake(&["x"], &["embed"]),
                vec![Difference::OnlyRebakeRefuses {
                    errors: vec!["[embed] ".into()],
                }],
            ),
            (
                "a main package that only Go knows",
                go(&["x"], &[]),
                Planned::default(),
                vec![Difference::MainOnlyInGo],
            ),
            (
                "a main package that only the planner knows",
                Answer::default(),
                rebake(&["x"], &[]),
                vec![Difference::MainOnlyInRebake],
            ),
        ];
        for (name, answer, planned, expected) in rows {
            let comparison = compare(&answer, &planned, None);
            let found = comparison.differences.get("a").cloned().unwrap_or_default();
            assert_eq!(found, expected, "{name}");
            assert_eq!(comparison.exact, usize::from(expected.is_empty()), "{name}");
        }
    }

    #[test]
    fn what_a_module_proxy_does_not_have_is_counted_apart() {
        let refusal = "app.go:21:2: ex.com/x@v1.0.0: reading https://proxy.example/ex.com/x/@v/v1.0.0.zip: 403 Forbidden\n\tserver response: This module version is not available.";
        for (error, apart) in [(refusal, 1), ("app.go:21:2: no such package", 0)] {
            let answer = go(&[], &[error]);
            let comparison = compare(&answer, &rebake(&[], &[]), None);
            assert_eq!(comparison.cannot_load.len(), apart, "{error}");
        }
    }

    #[test]
    fn what_cannot_be_loaded_is_counted_apart() {
        let mut answer = go(&[], &[]);
        if let Some(main) = answer.mains.get_mut("a") {
            main.state = State::CannotLoad("go too old".to_owned());
        }
        let comparison = compare(&answer, &rebake(&["x"], &[]), None);
        assert_eq!((comparison.total, comparison.cannot_load.len()), (0, 1));
    }
}
