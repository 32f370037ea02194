//! Whether a service of many packages builds.
//!
//! In: how many. Out: its binary beside that of `go build`, how many patterns its build has, and what the build took.

use super::checkout::{Selection, Source};
use crate::builder::{Builder, Toolchain};
use std::{error::Error, fmt::Write as _, fs, path::Path};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// How many packages.
    #[arg(long, default_value_t = 2_000)]
    packages: usize,
}

/// What builders with a limit take.
const MOST_PATTERNS: usize = 400;

pub(super) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let builder = Builder::start_with(Toolchain::Warm)?;
    let written = tempfile::tempdir()?;
    write_service(written.path(), arguments.packages)?;
    let selection = Selection::of_service("api", "");
    let checkout = selection.prepare(&Source::Directory(written.path().to_owned()))?;
    let build = checkout.builds.first().ok_or("no build")?;
    let read = |name: &str| {
        let directory = checkout.root.join(build.directory().as_str());
        fs::read_to_string(directory.join(name))
    };
    let ignored = read("Dockerfile.dockerignore")?;
    let dockerfile = read("Dockerfile")?;
    let patterns = ignored
        .lines()
        .filter(|line| !line.starts_with('#'))
        .count()
        + dockerfile.matches("source=").count()
        + dockerfile.matches("\", ").count();
    let output = checkout.scratch.path().join("image");
    let request = checkout.request(build, "final").into_directory(&output);
    let record = builder.build(&request)?.or_failure()?;
    let binary = fs::read(output.join("usr/local/bin").join(build.service.as_str()))?;
    let is_identical = binary == checkout.go_build(build)?;
    println!(
        "{} packages: {patterns} patterns, {} KiB sent, {:.1} s, {}",
        arguments.packages,
        record.sent / 1024,
        record.took.as_secs_f32(),
        if is_identical {
            "identical to go build"
        } else {
            "DIFFERENT from go build"
        }
    );
    Ok(is_identical && patterns < MOST_PATTERNS)
}

/// A service that imports packages in groups, next to each of which is one that it does not import. Some embed files.
fn write_service(root: &Path, packages: usize) -> Result<(), Box<dyn Error>> {
    let mut imports = String::new();
    let mut sum = String::new();
    for number in 0..packages {
        let directory = format!("internal/group{}/part{}/p{number}", number % 40, number % 7);
        let package = root.join(&directory);
        fs::create_dir_all(package.join("static"))?;
        let embed = if number % 10 == 0 {
            fs::write(package.join("static/text"), number.to_string())?;
            "import _ \"embed\"\n\n//go:embed static\nvar Static string\n"
                .replace("static\nvar", "static/text\nvar")
        } else {
            String::new()
        };
        fs::write(
            package.join("p.go"),
            format!("package p\n\n{embed}\nfunc Number() int {{ return {number} }}\n"),
        )?;
        fs::write(package.join("p_test.go"), "package p\n")?;
        let foreign = root.join(format!("internal/group{}/other{number}", number % 40));
        fs::create_dir_all(&foreign)?;
        fs::write(foreign.join("other.go"), "package other\n")?;
        let _ = writeln!(imports, "\tp{number} \"ex.com/many/{directory}\"");
        let _ = writeln!(sum, "\tsum += p{number}.Number()");
    }
    fs::create_dir_all(root.join("services/api"))?;
    fs::write(root.join("go.mod"), "module ex.com/many\n\ngo 1.22\n")?;
    fs::write(
        root.join("services/api/main.go"),
        format!(
            "package main\n\nimport (\n{imports})\n\nfunc main() {{\n\tsum := 0\n{sum}\tprintln(sum)\n}}\n"
        ),
    )?;
    Ok(())
}
