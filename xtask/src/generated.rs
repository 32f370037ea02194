//! Files that are made from the code and kept in the repository.
//!
//! In: the code. Out: the JSON Schemas of the machine contract and the list of diagnostics, written or compared.

use crate::tools::workspace;
use rebake_planner::{
    diagnostic::Code,
    wire::{GraphDocument, InputsDocument, PlanDocument},
};
use std::{error::Error, fs, path::PathBuf, process::ExitCode};

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
        (docs.join("diagnostics.md"), diagnostics()),
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
