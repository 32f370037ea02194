//! Whether hadolint and BuildKit's own checks find anything in emitted Dockerfiles.

use super::checkout::Selection;
use crate::{
    builder::{Builder, Toolchain},
    tools,
};
use std::{collections::BTreeMap, error::Error, process::Command};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    selection: Selection,
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let builder = Builder::start_with(Toolchain::Warm)?;
    lint_all(&builder, &arguments.selection)
}

/// Checks every Dockerfile of a selection, and says whether nothing was found.
pub(super) fn lint_all(builder: &Builder, selection: &Selection) -> Result<bool, Box<dyn Error>> {
    let hadolint = tools::hadolint()?;
    // Most Dockerfiles differ in names alone, and what is found is found in all of them: each is shown once.
    let mut found: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut files = 0;
    for source in selection.sources()? {
        let checkout = selection.prepare(&source)?;
        for build in &checkout.builds {
            files += 1;
            let name = format!("{}: {}", source.name(), build.service);
            let dockerfile = checkout
                .root
                .join(build.directory().as_str())
                .join("Dockerfile");
            let output = Command::new(&hadolint)
                .args(["--format", "json", "--no-color"])
                .arg(&dockerfile)
                .output()?;
            let findings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout)?;
            for finding in findings {
                let text = format!("hadolint {} {}", finding["code"], finding["message"]);
                found.entry(text).or_insert((0, name.clone())).0 += 1;
            }
            let request = checkout
                .request(build, "final")
                .option("requestid", "frontend.lint");
            let record = builder.build(&request)?.or_failure()?;
            for line in record.printed.lines() {
                if let Some(finding) = line.strip_prefix("WARNING: ") {
                    let text = format!("BuildKit {finding}");
                    found.entry(text).or_insert((0, name.clone())).0 += 1;
                }
            }
        }
    }
    for (finding, (count, first)) in &found {
        println!("{finding}: {count} times, first in {first}");
    }
    println!("{files} Dockerfiles: {} findings", found.len());
    Ok(found.is_empty() && files > 0)
}
