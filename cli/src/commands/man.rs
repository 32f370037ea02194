//! `rebake man`: the manual, for `man -l -` or a package.

use crate::{
    arguments::{Arguments, ManArguments},
    exit_code::ExitCode,
    failure::Failure,
    output::Output,
};
use clap::CommandFactory as _;

pub(crate) fn run(arguments: &ManArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut command = Arguments::command();
    // So that the page of a verb has the flags that hold for every verb.
    command.build();
    let page = match &arguments.verb {
        None => command,
        Some(verb) => match command.find_subcommand(verb) {
            Some(found) => found.clone(),
            None => return Err(Failure::UnknownVerb(verb.clone())),
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut text)
        .map_err(Failure::Manual)?;
    output.write(&String::from_utf8_lossy(&text));
    Ok(ExitCode::Done)
}
