//! A hostile pull request on GitHub.
//!
//! In: GitHub as act plays it. Out: complaints. Names of files, directories and branches try to leave the forms that they
//! are written into: shell, workflow commands, outputs, expressions, Markdown, terminal. act knows commands and outputs as
//! the runner does, and reports each that it obeys; a name that a shell had run would have made a file.

use super::{
    github::{Event, GitHub},
    shop::Shop,
};
use std::{
    collections::BTreeSet,
    error::Error,
    path::{Path, PathBuf},
};

/// What a shell would make if it ran one of the names.
const PROOF: &str = "rebake-was-tricked";

/// The outputs that a run may set.
const OUTPUTS: [&str; 7] = [
    "any", "count", "matrix", "name", "plan", "reused", "services",
];

/// Names that mean something elsewhere; a file name holds neither a slash nor a zero.
fn hostile_names() -> Vec<String> {
    [
        "$(touch PROOF)",
        "`touch PROOF`",
        "'; touch PROOF; '",
        "\"; touch PROOF; \"",
        "a\ntouch PROOF",
        "::set-output name=any::tricked",
        "a\n::set-output name=any::tricked",
        "a\r::add-path::PROOF",
        "a\n::set-env name=PATH::PROOF",
        "a\n::stop-commands::x",
        "##[add-path]PROOF",
        "a%0A::set-env name=PROOF::x",
        "any=tricked",
        "a\nany=tricked",
        "any<<EOF",
        "a\nEOF\nany=tricked",
        "ghadelimiter_",
        "${{ github.token }}",
        "${{ secrets.GITHUB_TOKEN }}",
        "\u{1b}[2J\u{1b}]0;tricked\u{7}",
        "\u{9b}31m",
        "\u{202e}txt.og",
        "| a | b |\n| --- | --- |",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "-rf",
        "--help",
        "*",
        "a,b=c",
    ]
    .iter()
    .map(|name| name.replace("PROOF", PROOF))
    .collect()
}

/// Tells the story and gives what was not as expected.
pub(super) fn tell(github: &GitHub<'_>) -> Result<Vec<String>, Box<dyn Error>> {
    let shop = Shop::new("https://github.com/acme/shop")?;
    let workflow = github.example("public-repository.yml")?;
    shop.write(".github/workflows/images.yml", &workflow)?;
    let base = shop.push("The shop")?;
    for name in hostile_names() {
        // Beside a main package, as a source file of it, as an embedded file, and as a service.
        shop.write(&format!("services/api/{name}"), "x\n")?;
        shop.write(&format!("services/api/{name}.go"), "package main\n")?;
        shop.write(&format!("internal/templates/mails/{name}.txt"), "x\n")?;
        shop.write(
            &format!("services/{name}/main.go"),
            "package main\n\nfunc main() {}\n",
        )?;
    }
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
    if count.is_none_or(|count| count < hostile_names().len()) {
        complain(format!("{count:?} services were planned\n{}", run.log));
    }
    for command in &run.commands {
        let obeyed = match command.name.as_str() {
            "set-output" => OUTPUTS.contains(&command.key.as_str()) && command.value != "tricked",
            "add-path" => command.value.ends_with("/rebake-bin"),
            "summary" | "add-mask" | "notice" | "warning" | "error" | "debug" | "group"
            | "endgroup" => true,
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
    let tricked = find(&github.cache(), PROOF).or_else(|| find(&shop.tree(), PROOF));
    if let Some(path) = tricked {
        complain(format!("a shell has run a name: {}", path.display()));
    }
    let names: BTreeSet<&String> = run.jobs.keys().collect();
    println!("  a hostile pull request: {} jobs", names.len());
    Ok(complaints)
}

/// A file of this very name, wherever below a directory.
fn find(directory: &Path, name: &str) -> Option<PathBuf> {
    for entry in std::fs::read_dir(directory).ok()?.flatten() {
        let path = entry.path();
        if entry.file_name() == name {
            return Some(path);
        }
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && let Some(found) = find(&path, name) {
            return Some(found);
        }
    }
    None
}
