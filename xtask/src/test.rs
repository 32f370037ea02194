//! Every check, in the order in which they are cheapest to fail.
//!
//! In: the workspace. Out: 0 when every step passed. It stops at the first that does not, and names it.

use crate::tools;
use std::{
    env,
    error::Error,
    ffi::OsString,
    process::{Command, ExitCode},
    time::Instant,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Leave out what takes minutes: documentation, the Go toolchain, licences.
    #[arg(long)]
    quick: bool,
}

/// One check.
struct Step {
    name: &'static str,
    command: Command,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut steps = vec![
        step("formatting", cargo(&["fmt", "--all", "--check"])),
        step(
            "lints",
            cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ]),
        ),
        step("files made from the code", xtask(&["generate", "--check"])?),
    ];
    if !arguments.quick {
        let mut documentation = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
        documentation.env("RUSTDOCFLAGS", "-D warnings");
        steps.push(step("documentation", documentation));
        steps.push(step(
            "the library without git",
            cargo(&[
                "check",
                "--package",
                "rebake-planner",
                "--no-default-features",
                "--locked",
            ]),
        ));
        let path = path_with_go()?;
        let mut against_go = |name, arguments: &[&str]| -> Result<(), Box<dyn Error>> {
            let mut command = xtask(arguments)?;
            command.env("PATH", &path);
            steps.push(step(name, command));
            Ok(())
        };
        against_go("the recorded answers of the Go toolchain", &["fixtures"])?;
        against_go(
            "the planner against the Go toolchain",
            &["differential", "--fixtures"],
        )?;
        for rule in ["constraints", "embed", "nested-modules"] {
            against_go(
                "the negative control",
                &["differential", "--fixtures", "--negative-control", rule],
            )?;
        }
        against_go(
            "verdicts against the Go toolchain, one changed file at a time",
            &["mutate", "--fixtures"],
        )?;
        against_go(
            "the action, the workflows, the templates and the examples, by the clients of CI services",
            &["clients"],
        )?;
        against_go(
            "emitted builds against BuildKit and the Go toolchain",
            &["images", "check"],
        )?;
        let mut licences = Command::new(tools::cargo_deny()?);
        // Advisories come from a repository on the network, which a check of a change must not depend on.
        licences
            .args(["check", "licenses", "bans", "sources"])
            .current_dir(tools::workspace());
        steps.push(step("licences and sources of dependencies", licences));
    }
    steps.push(step("tests", cargo(&["test", "--workspace", "--locked"])));
    for Step { name, mut command } in steps {
        let started = Instant::now();
        eprintln!("==> {name}");
        let status = command
            .status()
            .map_err(|error| format!("{name}: {error}"))?;
        if !status.success() {
            eprintln!("==> {name} FAILED");
            return Ok(ExitCode::FAILURE);
        }
        eprintln!(
            "==> {name}: passed in {:.1} s",
            started.elapsed().as_secs_f32()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn step(name: &'static str, command: Command) -> Step {
    Step { name, command }
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(tools::workspace());
    command
}

/// This program again, with other words.
fn xtask(arguments: &[&str]) -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    command.args(arguments).current_dir(tools::workspace());
    Ok(command)
}

/// The search path, with the Go release that the answers were recorded with.
fn path_with_go() -> Result<OsString, Box<dyn Error>> {
    let path = env::var_os("PATH").unwrap_or_default();
    let Some(directory) = tools::go()? else {
        return Ok(path);
    };
    let directories = std::iter::once(directory).chain(env::split_paths(&path));
    Ok(env::join_paths(directories)?)
}
