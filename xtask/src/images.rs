//! Builds the emitted Dockerfiles with BuildKit, and compares what comes out with the Go toolchain.
//!
//! In: checkouts. Out: for each service whether its image builds, and whether the binary in it is, byte for byte, what
//! `go build` makes of the whole checkout. It works on copies: a checkout stays as it is.

use crate::{
    builder::{Builder, Request},
    tools,
};
use rebake_planner::{
    emit::{Build, ServiceBuild, emit_service, emit_shared},
    plan::{PlanOptions, plan},
    target::Cgo,
    tree::disk::DiskTree,
};
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The checkouts.
    #[arg(required_unless_present = "fixtures")]
    directories: Vec<PathBuf>,
    /// Build the sample monorepos of these topics too.
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    fixtures: Vec<String>,
    /// Globs that choose the services.
    #[arg(long, default_value = "**")]
    services: Vec<String>,
    /// Build only services whose name holds this text.
    #[arg(long)]
    only: Option<String>,
    /// Build the target `debug` too.
    #[arg(long)]
    debug: bool,
}

/// How many services came out as they should.
#[derive(Default)]
struct Count {
    built: usize,
    identical: usize,
    failed: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let builder = Builder::start()?;
    let mut all_well = true;
    for directory in &arguments.directories {
        let mut count = Count::default();
        build_checkout(&builder, arguments, directory, &mut count)?;
        all_well &= tell(&directory.display().to_string(), &count);
    }
    if !arguments.fixtures.is_empty() {
        let mut count = Count::default();
        for case in rebake_fixtures::cases()? {
            if !arguments.fixtures.contains(&case.topic) {
                continue;
            }
            println!("{}/{}", case.topic, case.name);
            let written = tempfile::tempdir()?;
            case.write_to(written.path())?;
            build_checkout(&builder, arguments, written.path(), &mut count)?;
        }
        all_well &= tell("the sample monorepos", &count);
    }
    Ok(if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Prints what came out, and says whether all is well.
fn tell(name: &str, count: &Count) -> bool {
    println!(
        "{name}: {} built, {} of them identical to go build, {} failed",
        count.built, count.identical, count.failed
    );
    count.failed == 0 && count.built == count.identical && count.built > 0
}

fn build_checkout(
    builder: &Builder,
    arguments: &Arguments,
    directory: &Path,
    count: &mut Count,
) -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let copy = scratch.path().join("checkout");
    let copied = Command::new("cp")
        .args(["-a", "--"])
        .arg(directory)
        .arg(&copy)
        .status()?;
    if !copied.success() {
        return Err("could not copy the checkout".into());
    }
    let root = camino::Utf8PathBuf::from_path_buf(copy).map_err(|_| "a path that is not UTF-8")?;
    let mut options = PlanOptions::new();
    options.services.clone_from(&arguments.services);
    options.go = Some(tools::GO_RELEASE.parse()?);
    let planned = plan(&DiskTree::open(&root)?, &options)?;
    let builds = planned.builds();
    let in_doubt = planned
        .images
        .iter()
        .filter(|image| image.keys.is_none())
        .count();
    if in_doubt > 0 {
        println!("  {in_doubt} images are in doubt and have no build");
    }
    for file in emit_shared(&builds, planned.groups()) {
        write(&root.join(file.path.as_str()), &file.text)?;
    }
    for build in &builds {
        let Build::Emitted(build) = build else {
            continue;
        };
        let name = build.service.as_str();
        if arguments
            .only
            .as_ref()
            .is_some_and(|only| !name.contains(only.as_str()))
        {
            continue;
        }
        for file in emit_service(build)? {
            write(&root.join(file.path.as_str()), &file.text)?;
        }
        let output = scratch.path().join("image");
        let request = |target| {
            let directory = root.join(build.directory().as_str());
            Request::new(root.as_std_path(), directory.as_std_path(), target)
                .into_directory(&output)
        };
        let record = builder.build(&request("final"))?;
        let summary = format!(
            "{} steps ran, {} KiB sent, {:.1} s",
            record.ran(),
            record.sent / 1024,
            record.took.as_secs_f32()
        );
        if let Err(error) = record.or_failure() {
            // What no checkout can build, no image can hold.
            if go_build(build, &root, scratch.path()).is_err() {
                println!("  {name}: go build fails too");
                continue;
            }
            count.failed += 1;
            println!("  {name} FAILED\n{error}");
            continue;
        }
        count.built += 1;
        let binary = fs::read(output.join("usr/local/bin").join(name))?;
        let verdict = match go_build(build, &root, scratch.path()) {
            Ok(expected) if expected == binary => {
                count.identical += 1;
                "identical"
            }
            Ok(_) => "DIFFERENT from go build",
            Err(error) => {
                println!("{error}");
                "go build itself fails"
            }
        };
        println!("  {name}: {verdict}, {summary}");
        fs::remove_dir_all(&output)?;
        if arguments.debug {
            builder.build(&request("debug"))?.or_failure()?;
            println!("  {name}: debug built");
            fs::remove_dir_all(&output)?;
        }
    }
    Ok(())
}

/// The same binary, built where the whole checkout is.
fn go_build(
    build: &ServiceBuild,
    root: &camino::Utf8Path,
    scratch: &Path,
) -> Result<Vec<u8>, Box<dyn Error>> {
    let output = scratch.join("binary");
    let workspace = match build.layout.workspace() {
        Some(directory) => root.join(directory.as_str()).join("go.work").to_string(),
        None => "off".to_owned(),
    };
    let package = build.main_directory.strip_prefix(&build.module_directory);
    let result = Command::new("go")
        .arg("build")
        .args(["-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"])
        .arg(&output)
        .arg(format!("./{}", package.unwrap_or_default()))
        .current_dir(root.join(build.module_directory.as_str()))
        .env("GOWORK", workspace)
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "")
        .env(
            "CGO_ENABLED",
            match build.cgo {
                Cgo::Enabled => "1",
                Cgo::Disabled => "0",
            },
        )
        .output()?;
    if !result.status.success() {
        return Err(String::from_utf8_lossy(&result.stderr).into());
    }
    let binary = fs::read(&output)?;
    fs::remove_file(&output)?;
    Ok(binary)
}

fn write(path: &camino::Utf8Path, text: &str) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text)
}
