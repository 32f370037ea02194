//! Whether every service builds, to the very bytes that `go build` makes of the whole checkout, and runs from its image.

use super::{
    bundle::{Bundle, Start},
    checkout::{Checkout, Selection},
};
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
    started: usize,
    foreign: usize,
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
        "{} built, {} of them identical to go build, {} started from their images, {} are for other platforms, {} failed, \
         {} refused",
        count.built, count.identical, count.started, count.foreign, count.failed, count.refused
    );
    Ok(count.failed == 0
        && count.built == count.identical
        && count.built == count.started + count.foreign
        && count.built > 0)
}

fn build_one(
    builder: &Builder,
    checkout: &Checkout,
    build: &ServiceBuild,
    debug: bool,
    count: &mut Count,
) -> Result<(), Box<dyn Error>> {
    let name = build.service.as_str();
    let bundle = Bundle::new()?;
    let record = builder.build(&bundle.request(checkout, build, "final"))?;
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
            let binary = fs::read(bundle.root().join("usr/local/bin").join(name))?;
            let start = start(&bundle, build, count);
            if binary == expected {
                count.identical += 1;
                println!("  {name}: identical, {start}, {summary}");
            } else {
                println!("  {name}: DIFFERENT from go build, {start}, {summary}");
            }
        }
    }
    if debug {
        let output = checkout.scratch.path().join("debug");
        let request = checkout.request(build, "debug").into_directory(&output);
        builder.build(&request)?.or_failure()?;
        println!("  {name}: debug built");
        fs::remove_dir_all(&output)?;
    }
    Ok(())
}

/// Runs a service from its image for a moment, and says what became of it.
fn start(bundle: &Bundle, build: &ServiceBuild, count: &mut Count) -> String {
    let platform = build.listed.keys().next();
    let is_foreign = platform.is_some_and(|platform| {
        platform.os() != "linux" || platform.architecture() != HOST_ARCHITECTURE
    });
    if is_foreign {
        count.foreign += 1;
        return "for another platform".to_owned();
    }
    match bundle.start() {
        Ok(start) => {
            count.started += 1;
            match start {
                Start::Ended => "ran and ended".to_owned(),
                Start::Stayed => "ran until it was ended".to_owned(),
            }
        }
        Err(error) => format!("DOES NOT RUN ({error})"),
    }
}

/// The machine's architecture, as Go names it.
const HOST_ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") {
    "amd64"
} else {
    "arm64"
};

fn summary(record: &Record) -> String {
    format!(
        "{} steps ran, {} KiB sent, {:.1} s",
        record.ran(),
        record.sent / 1024,
        record.took.as_secs_f32()
    )
}
