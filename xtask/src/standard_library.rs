//! The table of standard packages, held against real releases.
//!
//! In: directories of Go installations. Out: every package that a release has and the table does not, or the other way
//! round. It must never write the table: what differs is for a person to look at.

use rebake_planner::standard_library::is_standard_package;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Directories of Go installations (GOROOT).
    #[arg(required = true)]
    roots: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut missing = 0;
    for root in &arguments.roots {
        let version = fs::read_to_string(root.join("VERSION"))?;
        let minor: u32 = version
            .strip_prefix("go1.")
            .and_then(|rest| {
                rest.split(|character: char| !character.is_ascii_digit())
                    .next()
            })
            .and_then(|minor| minor.parse().ok())
            .ok_or_else(|| format!("{} holds no Go release", root.display()))?;
        let mut packages = Vec::new();
        collect(&root.join("src"), "", &mut packages)?;
        println!(
            "{}: go 1.{minor}, {} packages",
            root.display(),
            packages.len()
        );
        for package in packages {
            if is_standard_package(&package, minor) != Some(true) {
                println!("  not in the table: {package}");
                missing += 1;
            }
        }
    }
    Ok(if missing == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn collect(directory: &Path, path: &str, packages: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    let mut has_go_files = false;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            let is_left_out =
                name == "testdata" || name.starts_with('_') || (path.is_empty() && name == "cmd");
            if !is_left_out {
                let below = if path.is_empty() {
                    name
                } else {
                    format!("{path}/{name}")
                };
                collect(&entry.path(), &below, packages)?;
            }
        } else if name.ends_with(".go") {
            has_go_files = true;
        }
    }
    if has_go_files && !path.is_empty() {
        packages.push(path.to_owned());
    }
    Ok(())
}
