//! Whether the same commit gives the same image.
//!
//! In: checkouts. Out: the digests that two builders make of two copies, at two times, where they differ.

use super::checkout::{Checkout, Selection};
use crate::builder::{Builder, Toolchain};
use rebake_planner::emit::ServiceBuild;
use std::{error::Error, fs, process::Command};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    selection: Selection,
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let builder = Builder::start_with(Toolchain::Warm)?;
    compare_all(&builder, &arguments.selection)
}

/// Builds everything twice, and says whether all digests are equal.
pub(super) fn compare_all(
    builder: &Builder,
    selection: &Selection,
) -> Result<bool, Box<dyn Error>> {
    let other_builder = builder.fresh()?;
    let (mut equal, mut different) = (0, 0);
    for source in selection.sources()? {
        let first = selection.prepare(&source)?;
        let second = selection.prepare(&source)?;
        // Another time, and as another checkout would have it.
        let touched = Command::new("find")
            .arg(&second.root)
            .args([
                "-exec",
                "touch",
                "-h",
                "-d",
                "2001-02-03T04:05:06Z",
                "{}",
                "+",
            ])
            .status()?;
        if !touched.success() {
            return Err("the copy can't be made older".into());
        }
        for (build, again) in first.builds.iter().zip(&second.builds) {
            let one = match digest(builder, &first, build) {
                Ok(one) => one,
                // What no checkout can build, no image can hold.
                Err(_) if first.go_build(build).is_err() => continue,
                Err(error) => return Err(error),
            };
            let two = digest(&other_builder, &second, again)?;
            if one == two {
                equal += 1;
            } else {
                different += 1;
                println!("{}: {}: {one} and {two}", source.name(), build.service);
            }
        }
    }
    println!("{equal} images are the same on two builders, {different} are not");
    Ok(different == 0 && equal > 0)
}

fn digest(
    builder: &Builder,
    checkout: &Checkout,
    build: &ServiceBuild,
) -> Result<String, Box<dyn Error>> {
    let metadata = checkout.scratch.path().join("metadata");
    let image = checkout.scratch.path().join("image.tar");
    let request = checkout
        .request(build, "final")
        .option("build-arg:SOURCE_DATE_EPOCH", "0")
        .argument("--output", &format!("type=oci,dest={}", image.display()))
        .argument("--metadata-file", &metadata.display().to_string());
    builder.build(&request)?.or_failure()?;
    let metadata: serde_json::Value = serde_json::from_slice(&fs::read(metadata)?)?;
    let digest = metadata["containerimage.digest"].as_str();
    Ok(digest.ok_or("the image has no digest")?.to_owned())
}
