//! Whether every service builds, and to the very bytes that `go build` makes of the whole checkout.

use super::checkout::{Checkout, Selection};
use crate::builder::{Builder, Record, Toolchain};
use rebake_planner::{emit::ServiceBuild, target::Cgo};
use std::{error::Error, fs};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    selection: Selection,
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
    refused: usize,
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let toolchain = if arguments.selection.has_cgo() {
        Toolchain::Cgo
    } else {
        Toolchain::Warm
    };
    let builder = Builder::start_with(toolchain)?;
    build_all(&builder, &arguments.selection, arguments.debug)
}

/// Builds all services of a selection, and says whether all is well.
pub(super) fn build_all(
    builder: &Builder,
    selection: &Selection,
    debug: bool,
) -> Result<bool, Box<dyn Error>> {
    let mut count = Count::default();
    for source in selection.sources()? {
        println!("{}", source.name());
        let checkout = selection.prepare(&source)?;
        if checkout.in_doubt() > 0 {
            println!(
                "  {} images are in doubt and have no build",
                checkout.in_doubt()
            );
        }
        for (name, error) in &checkout.refused {
            count.refused += 1;
            println!("  {name} is refused: {error}");
        }
        for build in &checkout.builds {
            build_one(builder, &checkout, build, debug, &mut count)?;
        }
    }
    println!(
        "{} built, {} of them identical to go build, {} failed, {} refused",
        count.built, count.identical, count.failed, count.refused
    );
    Ok(count.failed == 0 && count.built == count.identical && count.built > 0)
}

fn build_one(
    builder: &Builder,
    checkout: &Checkout,
    build: &ServiceBuild,
    debug: bool,
    count: &mut Count,
) -> Result<(), Box<dyn Error>> {
    let name = build.service.as_str();
    let output = checkout.scratch.path().join("image");
    let built = |target| builder.build(&checkout.request(build, target).into_directory(&output));
    let record = built("final")?;
    let summary = summary(&record);
    let expected = match build.cgo {
        Cgo::Disabled => checkout.go_build(build),
        Cgo::Enabled => checkout.go_build_in_place(builder, build),
    };
    match (record.or_failure(), expected) {
        // What no checkout can build, no image can hold.
        (Err(_), Err(_)) => println!("  {name}: go build fails too"),
        (Err(error), Ok(_)) => {
            count.failed += 1;
            println!("  {name} FAILED\n{error}");
        }
        (Ok(_), Err(error)) => {
            count.built += 1;
            println!("  {name}: built, but go build itself fails\n{error}");
        }
        (Ok(_), Ok(expected)) => {
            count.built += 1;
            let binary = fs::read(output.join("usr/local/bin").join(name))?;
            if binary == expected {
                count.identical += 1;
                println!("  {name}: identical, {summary}");
            } else {
                println!("  {name}: DIFFERENT from go build, {summary}");
            }
        }
    }
    if output.is_dir() {
        fs::remove_dir_all(&output)?;
    }
    if debug {
        built("debug")?.or_failure()?;
        println!("  {name}: debug built");
        fs::remove_dir_all(&output)?;
    }
    Ok(())
}

fn summary(record: &Record) -> String {
    format!(
        "{} steps ran, {} KiB sent, {:.1} s",
        record.ran(),
        record.sent / 1024,
        record.took.as_secs_f32()
    )
}
