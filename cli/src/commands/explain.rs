//! `rebake explain`: what a diagnostic means and what to do.

use crate::{arguments::ExplainArguments, exit_code::ExitCode, failure::Failure, output::Output};
use rebake_planner::diagnostic::Code;

pub(crate) fn run(arguments: &ExplainArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    match arguments.code {
        Some(code) => output.write(&format!("{code}\n\n{}\n", code.explanation())),
        None => {
            for code in Code::ALL {
                output.write(&format!("{code}\n"));
            }
        }
    }
    Ok(ExitCode::Done)
}
