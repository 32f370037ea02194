//! `rebake`: says which container images of a Go monorepo must be rebuilt, and why.
//!
//! In: the command line and a source tree. Out: one document on stdout, talk on stderr, and an exit code. This crate
//! is the only place that prints, reads the environment or ends the process; every answer comes from
//! `rebake_planner`.

mod arguments;
mod bake;
mod build_files;
mod commands;
mod content_cache;
mod context_files;
mod exit_code;
mod failure;
mod history;
mod output;
mod planning;
mod progress;
mod registry;
mod root;
mod standpoint;
mod watch;

use anstream::ColorChoice;
use arguments::{Arguments, Color, Verb};
use clap::Parser as _;
use exit_code::ExitCode;
use failure::Failure;
use progress::Talk;
use std::io::Write as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are an answer; everything else is wrong usage.
            let code = if error.use_stderr() {
                ExitCode::Usage
            } else {
                ExitCode::Done
            };
            // What can't be printed can't be complained about either.
            let _ = error.print();
            return code.into();
        }
    };
    match arguments.color {
        Color::Auto => {}
        Color::Always => ColorChoice::Always.write_global(),
        Color::Never => ColorChoice::Never.write_global(),
    }
    let mut output = output::Output::new(if arguments.quiet {
        Talk::Unwanted
    } else {
        Talk::Wanted
    });
    let result = match &arguments.verb {
        Verb::Plan(verb) => commands::plan::run(verb, &mut output),
        Verb::Inputs(verb) => commands::inputs::run(verb, &mut output),
        Verb::Why(verb) => commands::why::run(verb, &mut output),
        Verb::WhyNot(verb) => commands::why_not::run(verb, &mut output),
        Verb::Diff(verb) => commands::diff::run(verb, &mut output),
        Verb::Graph(verb) => commands::graph::run(verb, &mut output),
        Verb::Generate(verb) => commands::generate::run(verb, &mut output),
        Verb::Build(verb) => commands::build::run(verb, &mut output),
        Verb::Context(verb) => commands::context::run(verb, &mut output),
        Verb::Ci(verb) => commands::ci::run(verb, &mut output),
        Verb::Init(verb) => commands::init::run(verb, &mut output),
        Verb::Demo => commands::demo::run(&mut output),
        Verb::Completions(verb) => commands::completions::run(verb, &mut output),
        Verb::Man(verb) => commands::man::run(verb, &mut output),
        Verb::Explain(verb) => commands::explain::run(verb, &mut output),
        Verb::Schema(verb) => commands::schema::run(*verb, &mut output),
    };
    let code = match result {
        Ok(code) => code,
        Err(failure) => {
            output.fail(&failure);
            failure.exit_code()
        }
    };
    // The document goes out whole and last, so that a failure leaves stdout empty.
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(output.document().as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => code.into(),
        // A reader that has seen enough is no failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => code.into(),
        Err(error) => {
            let failure = Failure::Stdout(error);
            output.fail(&failure);
            failure.exit_code().into()
        }
    }
}
