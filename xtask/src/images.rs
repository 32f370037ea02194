//! What emitted builds promise, held to BuildKit and to the Go toolchain.
//!
//! In: checkouts and the sample monorepos. Out: what differs from the promise, one task for each of them. It works on
//! copies: a checkout stays as it is.

mod baked;
mod beside;
mod binaries;
mod bundle;
mod check;
mod checkout;
mod closed;
mod lint;
mod many;
mod names;
mod reproducible;
mod running;
mod steps;
mod visible;

use std::{error::Error, process::ExitCode};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Build every service, compare the binaries with those of `go build`, and run the images.
    Build(binaries::Arguments),
    /// Compare what ignore files let in with what the plan says, without BuildKit.
    Visible(visible::Arguments),
    /// Hide one input at a time from the plan: every build must fail. Change what is no input: no binary may.
    Closed(closed::Arguments),
    /// Modify a sample, and compare the steps that run with those that are predicted to.
    Steps(steps::Arguments),
    /// Run a program from every runtime image.
    Run(running::Arguments),
    /// Build everything on two builders, and compare the digests of the images.
    Reproducible(reproducible::Arguments),
    /// Look for findings of hadolint and of BuildKit's own checks.
    Lint(lint::Arguments),
    /// Build programs in directories whose names other tools take for something else.
    Names,
    /// Build with `docker buildx bake`: equal digests, and one image of two builders.
    Bake,
    /// Build a service of many packages.
    Many(many::Arguments),
    /// Measure what builds cost beside the Dockerfiles that people write today.
    Beside(beside::Arguments),
    /// A part of all of these, as every change is held to it.
    Check,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let all_well = match &arguments.task {
        Task::Build(arguments) => binaries::run(arguments)?,
        Task::Visible(arguments) => visible::run(arguments)?,
        Task::Closed(arguments) => closed::run(arguments)?,
        Task::Steps(arguments) => steps::run(arguments)?,
        Task::Run(arguments) => running::run(arguments)?,
        Task::Reproducible(arguments) => reproducible::run(arguments)?,
        Task::Lint(arguments) => lint::run(arguments)?,
        Task::Names => names::run()?,
        Task::Bake => baked::run()?,
        Task::Many(arguments) => many::run(arguments)?,
        Task::Beside(arguments) => beside::run(arguments)?,
        Task::Check => check::run()?,
    };
    Ok(if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
