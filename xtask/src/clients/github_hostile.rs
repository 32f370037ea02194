//! A hostile pull request on GitHub.
//!
//! In: GitHub as act plays it. Out: complaints. Names of files, directories and branches try to leave the forms that they
//! are written into: shell, workflow commands, outputs, expressions, Markdown, terminal. act knows commands and outputs as
//! the runner does, and reports each that it obeys; a name that a shell had run would have made a file.

use super::{
    github::{Event, GitHub},
    hostile::{self, PROOF},
    shop::Shop,
};
use std::error::Error;

/// The outputs that a run may set.
const OUTPUTS: [&str; 7] = [
    "any", "count", "matrix", "name", "plan", "reused", "services",
];

/// Tells the story and gives what was not as expected.
pub(super) fn tell(github: &GitHub<'_>) -> Result<Vec<String>, Box<dyn Error>> {
    let shop = Shop::new("https://github.com/acme/shop")?;
    let mut workflow = github.example("public-repository.yml")?;
    // The history decides, so that reasons name files.
    workflow.push_str("      reuse: false\n");
    shop.write(".github/workflows/images.yml", &workflow)?;
    let base = shop.push("The shop")?;
    hostile::write(&shop)?;
    let head = shop.push("Nothing to see")?;
    shop.push_as("refs/pull/9/merge")?;
    let mut event = Event::pull_request(9, &base, &head, "stranger/shop");
    let branch = format!("$(touch {PROOF})`touch {PROOF}`");
    event.payload["pull_request"]["head"]["ref"] = branch.into();
    event.payload["pull_request"]["title"] = format!("\"; touch {PROOF} #").into();
    let run = github.run(
        &shop,
        &event,
        &[("STAND_IN_NO_BUILDER", "true"), ("NO_COLOR", "1")],
    )?;

    let mut complaints = Vec::new();
    let mut complain = |what: String| complaints.push(format!("a hostile pull request: {what}"));
    if run.jobs.get("images/rebake/plan").map(String::as_str) != Some("success") {
        complain(format!(
            "the plan did not succeed: {:?}\n{}",
            run.jobs, run.log
        ));
    }
    let count = run
        .commands
        .iter()
        .find(|command| command.key == "count")
        .and_then(|command| command.value.parse::<usize>().ok());
    if count.is_none_or(|count| count < hostile::names().len()) {
        complain(format!("{count:?} services were planned\n{}", run.log));
    }
    for command in &run.commands {
        let obeyed = match command.name.as_str() {
            "set-output" => OUTPUTS.contains(&command.key.as_str()) && command.value != "tricked",
            "add-path" => command.value.ends_with("/rebake-bin"),
            "summary" => !command.value.contains(|character: char| {
                character != '\n' && character.is_control() || character == '\u{202e}'
            }),
            "add-mask" | "notice" | "warning" | "error" | "debug" | "group" | "endgroup" => true,
            _ => false,
        };
        if !obeyed {
            complain(format!("the runner obeyed {command:?}"));
        }
    }
    if !run
        .commands
        .iter()
        .any(|command| command.name == "set-output" && command.key == "matrix")
    {
        complain("the runner was told of no matrix, so nothing was tried".to_owned());
    }
    for line in run.log.lines() {
        if line.contains('\u{1b}') || line.contains('\u{9b}') || line.contains('\u{202e}') {
            complain(format!("the log holds what a terminal obeys: {line:?}"));
        }
    }
    let tricked = hostile::find(&github.cache()).or_else(|| hostile::find(&shop.tree()));
    if let Some(path) = tricked {
        complain(format!("a shell has run a name: {}", path.display()));
    }
    println!("  a hostile pull request: {} jobs", run.jobs.len());
    Ok(complaints)
}
