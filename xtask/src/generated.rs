//! Files that are made from the code and kept in the repository.
//!
//! In: the code. Out: the JSON Schemas of the machine contract, the list of diagnostics and the reference of the command
//! line, written or compared.

use crate::tools::{target_directory, workspace};
use rebake_planner::{
    config::schema::ConfigSchema,
    diagnostic::Code,
    wire::{
        BuiltDocument, DiffDocument, GraphDocument, InputsDocument, PlanDocument,
        PredictionDocument, StandingsDocument,
    },
};
use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Change nothing; end with 1 when a file is not what the code makes.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut stale = false;
    for (path, content) in files()? {
        let on_disk = fs::read_to_string(&path).unwrap_or_default();
        if on_disk == content {
            continue;
        }
        if arguments.check {
            eprintln!("{} is stale; run `cargo xtask generate`", path.display());
            stale = true;
        } else {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, content)?;
            println!("wrote {}", path.display());
        }
    }
    Ok(if stale {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn files() -> Result<Vec<(PathBuf, String)>, Box<dyn Error>> {
    let docs = workspace().join("docs");
    let schema =
        |name: &str, schema: schemars::Schema| -> Result<(PathBuf, String), Box<dyn Error>> {
            let text = serde_json::to_string_pretty(&schema)?;
            Ok((
                docs.join("schema").join(format!("{name}.schema.json")),
                text + "\n",
            ))
        };
    Ok(vec![
        schema("plan", schemars::schema_for!(PlanDocument))?,
        schema("inputs", schemars::schema_for!(InputsDocument))?,
        schema("graph", schemars::schema_for!(GraphDocument))?,
        schema("standings", schemars::schema_for!(StandingsDocument))?,
        schema("config", schemars::schema_for!(ConfigSchema))?,
        schema("built", schemars::schema_for!(BuiltDocument))?,
        schema("prediction", schemars::schema_for!(PredictionDocument))?,
        schema("diff", schemars::schema_for!(DiffDocument))?,
        (docs.join("diagnostics.md"), diagnostics()),
        (docs.join("command-line.md"), command_line()?),
    ])
}

fn diagnostics() -> String {
    let mut text = String::from(
        "# Diagnostics\n\n<!-- Made by `cargo xtask generate`. -->\n\nEvery finding has a code. `rebake explain CODE` prints the same text.\n\n\
         An error leaves the services that it names without a key, so they rebuild; a warning or a note changes no key.\n",
    );
    for code in Code::ALL {
        text.push_str(&format!("\n## `{code}`\n\n{}\n", code.explanation()));
    }
    text
}

/// The help of the program and of each of its verbs, as the program itself prints it.
fn command_line() -> Result<String, Box<dyn Error>> {
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--locked", "--package", "rebake"])
        .current_dir(workspace())
        .status()?;
    if !status.success() {
        return Err("rebake does not build".into());
    }
    let program = target_directory().join("debug").join("rebake");
    let help = help_of(&program, &["--help"])?;
    let mut text = String::from(
        "# Command line\n\n<!-- Made by `cargo xtask generate`. -->\n\nThe answer goes to stdout, all talk to stderr. \
         stdout holds one whole document, or nothing.\n",
    );
    text.push_str(&format!("\n```text\n$ rebake --help\n{help}```\n"));
    for verb in verbs(&help) {
        let help = help_of(&program, &[verb, "--help"])?;
        text.push_str(&format!(
            "\n## `rebake {verb}`\n\n```text\n$ rebake {verb} --help\n{help}```\n"
        ));
        for below in verbs(&help) {
            let help = help_of(&program, &[verb, below, "--help"])?;
            text.push_str(&format!(
                "\n## `rebake {verb} {below}`\n\n```text\n$ rebake {verb} {below} --help\n{help}```\n"
            ));
        }
    }
    Ok(text)
}

/// The verbs that a help text lists, less the one that prints help.
fn verbs(help: &str) -> impl Iterator<Item = &str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
}

fn help_of(program: &Path, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    // The width of a terminal, or of COLUMNS, must not enter the text.
    let output = Command::new(program)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    // clap ends empty lines between possible values with blanks.
    Ok(text
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect())
}
