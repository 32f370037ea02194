//! `rebake completions`: what a shell needs to complete the command line.

use crate::{
    arguments::{Arguments, CompletionsArguments},
    exit_code::ExitCode,
    failure::Failure,
    output::Output,
};
use clap::CommandFactory as _;

pub(crate) fn run(
    arguments: &CompletionsArguments,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::command(),
        "rebake",
        &mut script,
    );
    output.write(&String::from_utf8_lossy(&script));
    Ok(ExitCode::Done)
}
