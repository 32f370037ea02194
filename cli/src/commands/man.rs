//! `rebake man`: the manual, for `man -l -` or a package.

use crate::{
    arguments::{Arguments, ManArguments},
    exit_code::ExitCode,
    failure::Failure,
    output::Output,
};
use clap::{Command, CommandFactory as _};

pub(crate) fn run(arguments: &ManArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut command = Arguments::command();
    // So that the page of a verb has the flags that hold for every verb.
    command.build();
    let mut page = &command;
    // A verb of two words may come as one text.
    let verbs = arguments.verbs.iter().flat_map(|verb| verb.split(' '));
    for verb in verbs {
        page = page.find_subcommand(verb).ok_or_else(|| {
            let known = page.get_subcommands().map(Command::get_name);
            Failure::UnknownVerb {
                verb: verb.to_owned(),
                known: known.map(str::to_owned).collect(),
            }
        })?;
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(page.clone())
        .source(concat!("rebake ", env!("CARGO_PKG_VERSION")))
        .render(&mut text)
        .map_err(Failure::Manual)?;
    output.write(&String::from_utf8_lossy(&text));
    Ok(ExitCode::Done)
}
