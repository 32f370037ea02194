//! What CI services make of rebake, by the clients that play them.
//!
//! In: the action, the workflows, the templates and the examples of this repository. Out: 0 when the linters find nothing
//! in them, and when a sample monorepo, pushed to by a person, gets just the images that it should. It must never edit
//! what is checked.

mod action_scripts;
mod cancelled;
mod github;
mod github_hostile;
mod github_many;
mod github_story;
mod gitlab;
mod gitlab_hostile;
mod gitlab_story;
mod hostile;
mod install;
mod lint;
mod pushed;
mod server_rules;
mod shop;

use crate::{builder::Builder, tools};
use std::{
    env,
    error::Error,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Instant,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Check only these.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

/// A part of the checks.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// What linters and schemas say.
    Lint,
    /// What the action's scripts decide.
    Scripts,
    /// What servers refuse and simulators do not.
    Rules,
    /// A hostile pull request, and a hostile merge request.
    Hostile,
    /// A monorepo's days on GitHub, played by act.
    Github,
    /// More services than GitHub takes jobs, played by act.
    Many,
    /// A monorepo's days on GitLab, played by gitlab-ci-local.
    Gitlab,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let wanted = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    install::system_packages()?;
    let wheels = install::Wheels::install()?;
    let mut complaints = Vec::new();
    if wanted(Part::Lint) {
        complaints.extend(lint::run(&wheels)?);
    }
    if wanted(Part::Scripts) {
        complaints.extend(action_scripts::check()?);
    }
    if wanted(Part::Rules) {
        complaints.extend(server_rules::check(&rebake()?)?);
    }
    if [Part::Hostile, Part::Github, Part::Many, Part::Gitlab]
        .into_iter()
        .any(wanted)
    {
        let rebake = rebake()?;
        let started = Instant::now();
        let builder = Builder::start()?;
        println!("a builder: {:.1} s", started.elapsed().as_secs_f32());
        let github = github::GitHub::new(&builder, &wheels, &rebake)?;
        let gitlab = gitlab::GitLab::new(&builder, &rebake)?;
        if wanted(Part::Hostile) {
            println!("hostile names");
            complaints.extend(github_hostile::tell(&github)?);
            complaints.extend(gitlab_hostile::tell(&gitlab)?);
        }
        if wanted(Part::Github) {
            println!("GitHub, played by act");
            complaints.extend(github_story::tell(&builder, &github, &rebake)?);
        }
        if wanted(Part::Many) {
            println!("many services on GitHub, played by act");
            complaints.extend(github_many::tell(&builder, &github, &rebake)?);
        }
        if wanted(Part::Gitlab) {
            println!("GitLab, played by gitlab-ci-local");
            complaints.extend(gitlab_story::tell(&builder, &gitlab, &rebake)?);
        }
    }
    for complaint in &complaints {
        println!("{complaint}");
    }
    Ok(if complaints.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The program as it stands in the work tree.
fn rebake() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    install::must(
        Command::new(cargo)
            .args(["build", "--locked", "--package", "rebake"])
            .current_dir(tools::workspace()),
    )?;
    Ok(tools::target_directory().join("debug/rebake"))
}
