//! Whether the bake file does what documents say of it, with the real buildx.
//!
//! In: a small program. Out: what is wrong: an image whose digest differs between two builders, two copies and two times
//! without a flag; a statement about the build that was asked for and is not there; an image for two platforms that two
//! builders of one name have not made together.

use super::checkout::{Checkout, Selection, Source};
use crate::builder::{Builder, run as run_command};
use rebake_fixtures::Case;
use std::{error::Error, process::Command};

const PROGRAM: &str = "title: A program with a file beside it\n-- go.mod --\nmodule ex.com/m\n\ngo 1.22\n\
                       -- services/api/main.go --\npackage main\n\nfunc main() {}\n\
                       -- services/api/motd --\nhello\n";

const CONFIG: &str = "platforms = [\"linux/amd64\", \"linux/arm64\"]\nruntime = \"scratch\"\n\
                      [[service]]\ndir = \"services/api\"\nname = \"api\"\nassets = [\"services/api/motd\"]\n";

pub(super) fn run() -> Result<bool, Box<dyn Error>> {
    check_all(&Builder::start_with(crate::builder::Toolchain::Warm)?)
}

/// Checks everything, with this builder and another beside it.
pub(super) fn check_all(builder: &Builder) -> Result<bool, Box<dyn Error>> {
    let other = builder.fresh()?;
    let mut faults = 0;
    let mut fault = |is_well: bool, what: &str| {
        println!("{what}: {}", if is_well { "yes" } else { "NO" });
        faults += usize::from(!is_well);
    };
    let first = prepared()?;
    bake(builder, &first, "one", &[])?;
    let again = prepared()?;
    bake(&other, &again, "two", &["--no-cache"])?;
    let pushed = builder.pushed();
    let one = pushed.digest("one/api", "latest")?;
    fault(
        one == pushed.digest("two/api", "latest")?,
        "two builders, one digest",
    );
    fault(
        platforms(builder, &one)? == PLATFORMS,
        "an image for each platform",
    );

    bake(builder, &first, "stated", &["--provenance=mode=max"])?;
    let stated = pushed.digest("stated/api", "latest")?;
    let mut expected = PLATFORMS.to_vec();
    expected.extend(["unknown/unknown"; 2]);
    fault(
        platforms(builder, &stated)? == expected,
        "a statement about the build where it is asked for",
    );

    // Nothing may be left of what the first builders made.
    let (amd, arm) = (builder.fresh()?, builder.fresh()?);
    let team = tempfile::tempdir()?;
    for (node, platform, append) in [
        (&amd, "linux/amd64", None),
        (&arm, "linux/arm64", Some("--append")),
    ] {
        run_command(
            Command::new(builder.buildx_path()?)
                .args(["create", "--name", "team", "--driver", "remote"])
                .args(append)
                .args(["--platform", platform])
                .arg(node.address())
                .env("BUILDX_CONFIG", team.path()),
        )?;
    }
    let config = team.path().display().to_string();
    let settings = [
        ("BUILDX_CONFIG", config.as_str()),
        ("BUILDX_BUILDER", "team"),
    ];
    bake_with(builder, &prepared()?, "team", &[], &settings)?;
    let together = pushed.digest("team/api", "latest")?;
    fault(
        images(builder, &together)? == images(builder, &one)?,
        "two builders of one name make the same images together",
    );
    let built = |node: &Builder, architecture: &str| -> Result<bool, Box<dyn Error>> {
        let records = node.buildctl().args(["du", "--verbose"]).output()?;
        let text = String::from_utf8_lossy(&records.stdout).into_owned();
        // The stage `build` is that of one platform alone.
        let ran = text.matches("\"build\", \"/usr/local/bin/api\"").count()
            + text.matches("steps.sh build /usr/local/bin/api").count();
        println!("{architecture}: {ran} builds");
        Ok(ran == 1)
    };
    fault(
        built(&amd, "linux/amd64")? && built(&arm, "linux/arm64")?,
        "each of them builds its platform",
    );
    Ok(faults == 0)
}

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

fn prepared() -> Result<Checkout, Box<dyn Error>> {
    let written = tempfile::tempdir()?;
    // As a checkout: a case says itself for which platform it is.
    let directory = written.path().join("checkout");
    Case::parse("baked", "program", PROGRAM)?.write_to(&directory)?;
    Selection::of_service("api", CONFIG).prepare(&Source::Directory(directory))
}

/// Bakes as documents say, below a name in the registry.
fn bake(
    builder: &Builder,
    checkout: &Checkout,
    name: &str,
    flags: &[&str],
) -> Result<(), Box<dyn Error>> {
    let settings = builder.buildx_environment()?;
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    bake_with(builder, checkout, name, flags, &settings)
}

fn bake_with(
    builder: &Builder,
    checkout: &Checkout,
    name: &str,
    flags: &[&str],
    settings: &[(&str, &str)],
) -> Result<(), Box<dyn Error>> {
    run_command(
        Command::new(builder.buildx_path()?)
            .args(["bake", "-f", ".rebake/docker-bake.json", "--push"])
            .args(flags)
            .arg("api")
            .current_dir(&checkout.root)
            .env("IMAGES", format!("{}/{name}/", builder.registry()))
            .envs(settings.iter().copied()),
    )
}

/// The platforms in an index, in its order; statements have none.
fn platforms(builder: &Builder, index: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let index = builder.pushed().document(index)?;
    let manifests = index["manifests"].as_array().ok_or("no index")?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let named = manifests.iter().map(|manifest| {
        let platform = &manifest["platform"];
        format!(
            "{}/{}",
            text(&platform["os"]),
            text(&platform["architecture"])
        )
    });
    Ok(named.collect())
}

/// The digests of an index's images.
fn images(builder: &Builder, index: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let index = builder.pushed().document(index)?;
    let manifests = index["manifests"].as_array().ok_or("no index")?;
    let mut digests: Vec<String> = manifests
        .iter()
        .filter_map(|manifest| manifest["digest"].as_str().map(str::to_owned))
        .collect();
    digests.sort();
    Ok(digests)
}
