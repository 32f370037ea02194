//! The outputs of a step.
//!
//! In: a plan. Out: lines `name=value` for `$GITHUB_OUTPUT`. A value is one line: names of services, counts, and compact
//! JSON, so no delimiter is needed that a value could hold.
//!
//! GitHub takes 1 MB of outputs from a job, counted in UTF-16. A list of services that does not fit becomes `null`,
//! and a matrix that does not fit is an error: it must never leave a service out silently.

use crate::{
    job_batches::{LimitError, MaxJobs, batches},
    selection::Selection,
};
use rebake_planner::discover::service_name::ServiceName;
use serde::Serialize;
use std::fmt::Write as _;

/// As many jobs as a matrix may have.
pub const MATRIX_JOBS: usize = 256;

/// What the outputs may take of the 1 MB, counted in UTF-16: other steps of the job have outputs too.
const LIMIT: usize = 900_000;

/// The outputs, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outputs(Vec<(&'static str, String)>);

#[derive(Serialize)]
struct Matrix {
    include: Vec<MatrixRow>,
}

#[derive(Serialize)]
struct MatrixRow {
    name: String,
    services: String,
    batch: usize,
}

/// Makes the outputs of a selection: `matrix`, `any`, `count`, `reused`, `services`, and `plan` where the plan was
/// written to a file.
///
/// # Errors
/// When they are more than GitHub takes.
pub fn outputs(
    selection: &Selection,
    max_jobs: MaxJobs,
    plan: Option<&str>,
) -> Result<Outputs, LimitError> {
    let include = batches(&selection.build, max_jobs)?
        .into_iter()
        .map(|batch| MatrixRow {
            services: batch.service_list(),
            name: batch.name,
            batch: batch.number,
        })
        .collect();
    let matrix = json(&Matrix { include });
    let mut outputs = vec![
        ("any", (!selection.build.is_empty()).to_string()),
        ("count", selection.build.len().to_string()),
        ("reused", selection.reuse.len().to_string()),
        ("matrix", matrix),
    ];
    if let Some(path) = plan {
        if let Some(character) = path.chars().find(|character| character.is_control()) {
            return Err(LimitError::Unwritable {
                text: path.to_owned(),
                into: "$GITHUB_OUTPUT",
                character,
            });
        }
        outputs.push(("plan", path.to_owned()));
    }
    let size = Outputs::size(&outputs);
    if size > LIMIT {
        return Err(LimitError::Document {
            what: "the matrix",
            service: "a GitHub job",
            size,
            limit: LIMIT,
        });
    }
    let names: Vec<&str> = selection.build.iter().map(ServiceName::as_str).collect();
    let services = ("services", json(&names));
    let fits = size + Outputs::size(std::slice::from_ref(&services)) <= LIMIT;
    outputs.push(if fits {
        services
    } else {
        ("services", "null".to_owned())
    });
    Ok(Outputs(outputs))
}

/// Names and numbers always make JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Outputs {
    /// What to append to `$GITHUB_OUTPUT`.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{name}={value}");
        }
        text
    }

    /// The value of an output.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    fn size(outputs: &[(&'static str, String)]) -> usize {
        let units = |text: &str| text.encode_utf16().count() * 2;
        outputs
            .iter()
            .map(|(name, value)| units(name) + units(value))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::num::NonZeroUsize;

    fn selection(build: usize, length: usize) -> Selection {
        let name = |number: usize| format!("s{number:0>width$}", width = length - 1);
        Selection {
            build: (0..build)
                .map(|number| name(number).parse().unwrap())
                .collect(),
            reuse: vec!["other".parse().unwrap()],
        }
    }

    fn max(jobs: usize) -> MaxJobs {
        MaxJobs(NonZeroUsize::new(jobs).unwrap())
    }

    #[test]
    fn nothing_to_build_is_said_and_leaves_an_empty_matrix() {
        let outputs = outputs(&Selection::default(), max(MATRIX_JOBS), None).unwrap();
        assert_eq!(
            outputs.render(),
            "any=false\ncount=0\nreused=0\nmatrix={\"include\":[]}\nservices=[]\n"
        );
    }

    #[test]
    fn each_service_is_a_row() {
        let outputs = outputs(&selection(2, 3), max(MATRIX_JOBS), Some("plan.json")).unwrap();
        assert_eq!(
            outputs.render(),
            "any=true\ncount=2\nreused=1\nmatrix={\"include\":[{\"name\":\"s00\",\"services\":\"s00\",\"batch\":1},\
             {\"name\":\"s01\",\"services\":\"s01\",\"batch\":2}]}\nplan=plan.json\nservices=[\"s00\",\"s01\"]\n"
        );
    }

    #[test]
    fn five_thousand_services_fit_into_one_matrix() {
        let selection = selection(5_000, 63);
        let outputs = outputs(&selection, max(MATRIX_JOBS), None).unwrap();
        let matrix: Value = serde_json::from_str(outputs.get("matrix").unwrap()).unwrap();
        let rows = matrix["include"].as_array().unwrap();
        assert_eq!(rows.len(), MATRIX_JOBS);
        let listed: Vec<&str> = rows
            .iter()
            .flat_map(|row| row["services"].as_str().unwrap().split(' '))
            .collect();
        let wanted: Vec<&str> = selection.build.iter().map(ServiceName::as_str).collect();
        assert_eq!(listed, wanted);
        // The list would double what is there, and that is more than GitHub takes.
        assert_eq!(outputs.get("services"), Some("null"));
        let units: usize = outputs.render().encode_utf16().count() * 2;
        assert!(units < 1_000_000, "{units}");
    }

    #[test]
    fn a_matrix_that_github_would_refuse_is_an_error() {
        let error = outputs(&selection(9_000, 63), max(MATRIX_JOBS), None).unwrap_err();
        assert!(
            error.to_string().contains("the matrix would have"),
            "{error}"
        );
    }

    #[test]
    fn no_path_makes_a_second_output() {
        let path = "plan\nany=false";
        let error = outputs(&selection(1, 3), max(MATRIX_JOBS), Some(path)).unwrap_err();
        assert!(
            matches!(
                error,
                LimitError::Unwritable {
                    character: '\n',
                    ..
                }
            ),
            "{error}"
        );
    }
}
