//! Plans with a baseline beside git itself.
//!
//! In: a checkout. Out: the times of `git status` with `git diff --name-only`, and of plans against the same revision,
//! from start to exit, in turns: with a warm cache, without one, and without a baseline. It must keep its cache away from
//! the user's own.

use crate::{process, samples::Samples};
use std::{path::Path, process::Command, time::Duration};

type Failure = Box<dyn std::error::Error>;

/// The times of one checkout.
pub struct BesideGit {
    /// `git status`, then `git diff --name-only REV`.
    pub git: Samples,
    /// `plan --base REV` with what the run before it saved.
    pub warm: Samples,
    /// `plan --base REV --no-cache`.
    pub cold: Samples,
    /// `plan --no-cache`.
    pub alone: Samples,
    /// `plan` with what the run before it saved.
    pub alone_warm: Samples,
}

/// Runs everything in turns, after one run of each that doesn't count.
///
/// # Errors
/// When a program fails.
pub fn measure(
    rebake: &Path,
    directory: &Path,
    revision: &str,
    services: &[String],
    runs: usize,
) -> Result<BesideGit, Failure> {
    let cache = tempfile::tempdir()?;
    let plan = |arguments: &[&str]| {
        let mut command = Command::new(rebake);
        command
            .args(["plan", "--format", "json", "--root"])
            .arg(directory);
        for glob in services {
            command.args(["--services", glob]);
        }
        command.args(arguments).env("XDG_CACHE_HOME", cache.path());
        command
    };
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(directory).args(arguments);
        command
    };
    let mut programs = [
        vec![git(&["status"]), git(&["diff", "--name-only", revision])],
        vec![plan(&["--base", revision])],
        vec![plan(&["--base", revision, "--no-cache"])],
        vec![plan(&["--no-cache"])],
        vec![plan(&[])],
    ];
    for command in programs.iter_mut().flatten() {
        process::output(command)?;
    }
    let mut times: [Vec<Duration>; 5] = Default::default();
    for _ in 0..runs.max(1) {
        for (commands, times) in programs.iter_mut().zip(&mut times) {
            let mut all = Duration::ZERO;
            for command in commands {
                all += process::time(command)?;
            }
            times.push(all);
        }
    }
    let [git, warm, cold, alone, alone_warm] = times.map(Samples::new);
    let missing = "at least one run";
    Ok(BesideGit {
        git: git.ok_or(missing)?,
        warm: warm.ok_or(missing)?,
        cold: cold.ok_or(missing)?,
        alone: alone.ok_or(missing)?,
        alone_warm: alone_warm.ok_or(missing)?,
    })
}
