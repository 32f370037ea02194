//! What a developer or CI runs: `cargo xtask COMMAND`.
//!
//! The differential run holds the planner to the Go toolchain: `oracle` asks the toolchain, `differential` compares,
//! `fixtures` records what the toolchain says about the sample monorepos. `test` runs every check that there is.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's command line: its results go to stdout and its failures to stderr"
)]

mod builder;
mod checkout;
mod clients;
mod differential;
mod fixture_answers;
mod generated;
mod images;
mod mutate;
mod oracle;
mod replay;
mod standard_library;
mod test;
mod tools;
mod truth;

use clap::{Args, Parser, Subcommand};
use oracle::{Cgo, Context, MainPackage, Network, State};
use std::{error::Error, path::PathBuf, process::ExitCode, time::Instant};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "What a developer or CI runs")]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Print which files the Go toolchain takes for every main package of a checkout.
    Oracle(OracleArguments),
    /// Compare the planner with the Go toolchain; ends with 1 on any difference.
    Differential(differential::Arguments),
    /// Change one file at a time, and hold every verdict to the Go toolchain.
    Mutate(mutate::Arguments),
    /// Build the emitted Dockerfiles with BuildKit, and compare the binaries with `go build`.
    Images(images::Arguments),
    /// Run a command beside a BuildKit and a registry of its own.
    Builder(builder::Arguments),
    /// Hold the action, the workflows, the templates and the examples to the clients of CI services.
    Clients(clients::Arguments),
    /// Walk the history of checkouts, and hold every verdict to the Go toolchain.
    Replay(replay::Arguments),
    /// Record what the Go toolchain says about the sample monorepos, or check the recording.
    Fixtures(fixture_answers::Arguments),
    /// Write the files that are made from the code, or check them.
    Generate(generated::Arguments),
    /// Check the table of standard packages against Go releases.
    StandardLibrary(standard_library::Arguments),
    /// Run every check; the one command that says whether a change is good.
    Test(test::Arguments),
}

/// The contexts to ask about: every platform with every setting of cgo.
#[derive(Args)]
struct ContextArguments {
    /// Platforms, such as linux/amd64,linux/arm/v6.
    #[arg(long, value_delimiter = ',', default_value = "linux/amd64")]
    platform: Vec<String>,
    /// Settings of cgo.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "off")]
    cgo: Vec<Cgo>,
    /// Build tags, all set together.
    #[arg(long, value_delimiter = ',')]
    tags: Vec<String>,
}

impl ContextArguments {
    fn contexts(&self) -> Vec<Context> {
        self.platform
            .iter()
            .flat_map(|platform| {
                self.cgo.iter().map(|cgo| Context {
                    platform: platform.clone(),
                    cgo: *cgo,
                    tags: self.tags.clone(),
                })
            })
            .collect()
    }
}

#[derive(Args)]
struct OracleArguments {
    /// The checkout.
    directory: PathBuf,
    #[command(flatten)]
    contexts: ContextArguments,
    /// Directories of main packages that no pattern finds, relative to the checkout.
    #[arg(long)]
    package: Vec<String>,
    /// Never ask a module proxy.
    #[arg(long)]
    offline: bool,
    /// Print the files too, not only how many there are.
    #[arg(long)]
    files: bool,
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().task {
        Task::Oracle(arguments) => print_oracle(&arguments),
        Task::Differential(arguments) => differential::run(&arguments),
        Task::Images(arguments) => images::run(&arguments),
        Task::Builder(arguments) => builder::run_with(&arguments),
        Task::Clients(arguments) => clients::run(&arguments),
        Task::Replay(arguments) => replay::run(&arguments),
        Task::Mutate(arguments) => mutate::run(&arguments),
        Task::Fixtures(arguments) => fixture_answers::run(&arguments),
        Task::Generate(arguments) => generated::run(&arguments),
        Task::StandardLibrary(arguments) => standard_library::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn print_oracle(arguments: &OracleArguments) -> Result<ExitCode, Box<dyn Error>> {
    let network = if arguments.offline {
        Network::Off
    } else {
        Network::Proxy
    };
    let contexts = arguments.contexts.contexts();
    let start = Instant::now();
    let answers = oracle::ask(
        &arguments.directory,
        &contexts,
        &arguments.package,
        &network,
    )?;
    for (context, answer) in contexts.iter().zip(&answers) {
        println!("context {context}");
        for (directory, main) in &answer.mains {
            print_main(directory, main, arguments.files);
        }
        for (directory, reason) in &answer.unloadable {
            println!("unloadable {directory}\n  {reason}");
        }
        let cannot_load = answer
            .mains
            .values()
            .filter(|main| matches!(main.state, State::CannotLoad(_)))
            .count();
        println!(
            "{} main packages loaded, {cannot_load} can't be loaded",
            answer.mains.len() - cannot_load
        );
    }
    println!("{:.1} s", start.elapsed().as_secs_f32());
    Ok(ExitCode::SUCCESS)
}

fn print_main(directory: &str, main: &MainPackage, list_files: bool) {
    match &main.state {
        State::CannotLoad(reason) => println!("can't load {directory}: {reason}"),
        State::Loaded {
            files,
            errors,
            attempt,
        } => {
            let word = if errors.is_empty() { "main" } else { "refused" };
            println!(
                "{word} {directory} {} ({} files, {attempt:?})",
                main.import_path,
                files.len()
            );
            if list_files {
                for (path, kind) in files {
                    println!("  {kind} {path}");
                }
            }
            for error in errors {
                println!("  error {error}");
            }
        }
    }
}
