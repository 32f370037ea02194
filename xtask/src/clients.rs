//! What CI services would make of rebake, by the clients that play them.
//!
//! In: the action, the workflows, the templates and the examples of this repository. Out: 0 when the linters find nothing
//! in them. It must never edit what is checked.

mod install;
mod lint;

use std::{error::Error, process::ExitCode};

#[derive(clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let complaints = lint::run()?;
    for complaint in &complaints {
        println!("{complaint}");
    }
    Ok(if complaints.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
