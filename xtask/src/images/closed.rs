//! Whether a build can read nothing that the plan did not hash.
//!
//! In: checkouts. Out: for every service, what became of two kinds of changes. One input at a time is hidden from the
//! plan, as if the planner had missed it: the build must fail and name it. Everything that the build sees and that is no
//! input is changed: the binary must stay the same, to the byte.

use super::{
    checkout::{Checkout, Selection},
    visible::Lister,
};
use crate::builder::{Builder, Toolchain};
use rebake_planner::{
    emit::{Layout, ServiceBuild},
    file_kind::FileKind,
    path::RepoPath,
};
use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Hide no more than this many inputs of a service, spread evenly.
    #[arg(long)]
    sample: Option<usize>,
}

#[derive(Default)]
struct Count {
    hidden: usize,
    noticed: usize,
    without_effect: usize,
    inert: usize,
    faults: usize,
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let builder = Builder::start_with(Toolchain::Warm)?;
    check_all(&builder, &arguments.selection, arguments.sample)
}

/// Checks every service of a selection, and says whether all is well.
pub(super) fn check_all(
    builder: &Builder,
    selection: &Selection,
    sample: Option<usize>,
) -> Result<bool, Box<dyn Error>> {
    let mut count = Count::default();
    let mut lister = Lister::start()?;
    for source in selection.sources()? {
        let checkout = selection.prepare(&source)?;
        for build in &checkout.builds {
            let name = format!("{}: {}", source.name(), build.service);
            let Ok(binary) = built(builder, &checkout, build)? else {
                if checkout.go_build(build).is_ok() {
                    count.faults += 1;
                    println!("{name}: does not build");
                }
                continue;
            };
            let inert = change_non_inputs(&mut lister, &checkout, build)?;
            count.inert += inert.len();
            if built(builder, &checkout, build)?.as_ref() != Ok(&binary) {
                count.faults += 1;
                println!("{name}: one of {inert:?} changes the binary or the build");
            }
            for hidden in sampled(inputs(&checkout, build), sample) {
                let mutated = without(&checkout, build, &hidden);
                if mutated.scope.packages.is_empty() || mutated.layout.manifests().is_empty() {
                    // Who knows no package or no manifest has nothing to build.
                    continue;
                }
                count.hidden += 1;
                checkout.write_files(&mutated)?;
                match built(builder, &checkout, &mutated)? {
                    Err(said) if names(&said, &hidden, &checkout, build) => count.noticed += 1,
                    Err(said) => {
                        count.faults += 1;
                        println!(
                            "{name}: without {hidden} the build fails, and does not name it:\n{said}"
                        );
                    }
                    // go.sum has lines that no build needs.
                    Ok(same) if same == binary && build.layout.manifests().contains(&hidden) => {
                        count.without_effect += 1;
                    }
                    Ok(_) => {
                        count.faults += 1;
                        println!("{name}: without {hidden} the build SUCCEEDS");
                    }
                }
            }
            checkout.write_files(build)?;
        }
    }
    println!(
        "{} inputs hidden: {} builds failed and named theirs, {} manifests without effect on the binary; \
         {} visible files that are no inputs changed; {} faults",
        count.hidden, count.noticed, count.without_effect, count.inert, count.faults
    );
    Ok(count.faults == 0 && count.hidden > 0)
}

/// The binary, or what the build said when it failed.
fn built(
    builder: &Builder,
    checkout: &Checkout,
    build: &ServiceBuild,
) -> Result<Result<Vec<u8>, String>, Box<dyn Error>> {
    let output = checkout.scratch.path().join("built");
    let request = checkout.request(build, "final").into_directory(&output);
    let record = builder.build(&request)?;
    Ok(match record.failure {
        // The part of the Dockerfile that BuildKit quotes names what was visible, not what went wrong.
        Some(failure) => {
            let errors = failure.lines().filter(|line| line.starts_with("error:"));
            Err(format!(
                "{}{}",
                record.said,
                errors.collect::<Vec<_>>().join("\n")
            ))
        }
        None => {
            let binary = output.join("usr/local/bin").join(build.service.as_str());
            let binary =
                fs::read(&binary).map_err(|error| format!("{}: {error}", binary.display()))?;
            fs::remove_dir_all(&output)?;
            Ok(binary)
        }
    })
}

/// The files that the plan knows, manifests included. Assets are left out: they are copied by name.
fn inputs(checkout: &Checkout, build: &ServiceBuild) -> Vec<RepoPath> {
    let mut inputs: BTreeSet<RepoPath> = build.listed.values().flatten().cloned().collect();
    inputs.extend(build.layout.manifests().iter().cloned());
    let images = checkout.plan.images.iter();
    let files = images
        .filter(|image| image.inputs.service == build.service)
        .flat_map(|image| &image.inputs.files)
        .filter(|file| matches!(file.kind, FileKind::Pgo | FileKind::CgoInclude));
    inputs.extend(files.map(|file| file.path.clone()));
    inputs.into_iter().collect()
}

fn sampled(inputs: Vec<RepoPath>, most: Option<usize>) -> Vec<RepoPath> {
    let step = most
        .map_or(1, |most| inputs.len().div_ceil(most.max(1)))
        .max(1);
    inputs.into_iter().step_by(step).collect()
}

/// The build as it would be if the planner had missed a file.
fn without(checkout: &Checkout, build: &ServiceBuild, hidden: &RepoPath) -> ServiceBuild {
    let mut build = build.clone();
    for listed in build.listed.values_mut() {
        listed.remove(hidden);
    }
    build.scope.files.remove(hidden);
    let manifests = match &mut build.layout {
        Layout::Module { manifests, .. }
        | Layout::Workspace { manifests, .. }
        | Layout::Vendored { manifests, .. } => manifests,
    };
    manifests.remove(hidden);
    let listed: BTreeSet<&RepoPath> = build.listed.values().flatten().collect();
    // A directory of which nothing is known is no package, and one from which nothing is embedded embeds nothing.
    let was_in = |directory: &RepoPath| hidden.parent().as_ref() == Some(directory);
    build.scope.packages.retain(|directory| {
        !was_in(directory)
            || listed
                .iter()
                .any(|path| path.parent().as_ref() == Some(directory))
    });
    let embedded: BTreeSet<&RepoPath> = checkout
        .plan
        .images
        .iter()
        .filter(|image| image.inputs.service == build.service)
        .flat_map(|image| &image.inputs.files)
        .filter(|file| file.kind == FileKind::Embed && file.path != *hidden)
        .map(|file| &file.path)
        .collect();
    let still_embeds = |directory: &RepoPath| {
        !hidden.starts_with(directory) || embedded.iter().any(|path| path.starts_with(directory))
    };
    build.scope.embedding.retain(still_embeds);
    build.scope.embedded.retain(still_embeds);
    build
}

/// Whether the words of a failed build lead to a file: by its path, its name, or its package.
fn names(said: &str, hidden: &RepoPath, checkout: &Checkout, build: &ServiceBuild) -> bool {
    let is_named = |text: &str| !text.is_empty() && said.contains(text);
    let Some(directory) = hidden.parent() else {
        return false;
    };
    // A package at the root is known by the place of all sources.
    let place = match directory.is_root() {
        true => "/src",
        false => directory.as_str(),
    };
    let packages = checkout.plan.packages(Some(&build.service));
    let package = packages.iter().find(|one| one.directory == directory);
    is_named(hidden.as_str())
        || hidden.file_name().is_some_and(is_named)
        || is_named(place)
        || package.is_some_and(|package| is_named(&package.import_path))
        // Go looks elsewhere for a module of which it finds no package.
        || package.is_some_and(|package| {
            build.main_directory != directory && is_named(&format!("{}@", package.module))
        })
}

/// Changes everything that the build sees and that is no input, and adds files that Go takes for nothing; tells which.
fn change_non_inputs(
    lister: &mut Lister,
    checkout: &Checkout,
    build: &ServiceBuild,
) -> Result<Vec<String>, Box<dyn Error>> {
    let inputs: BTreeSet<String> = inputs(checkout, build)
        .iter()
        .map(ToString::to_string)
        .collect();
    let images = checkout.plan.images.iter();
    let images = images.filter(|image| image.inputs.service == build.service);
    let known: BTreeSet<&str> = images
        .flat_map(|image| &image.inputs.files)
        .map(|file| file.path.as_str())
        .collect();
    let mut changed = Vec::new();
    for path in lister.visible(checkout, build)? {
        let absolute = checkout.root.join(&path);
        let is_file = fs::symlink_metadata(&absolute)?.is_file();
        // What stands behind links is an input under the link's name.
        let is_behind_link = build.scope.files.iter().any(|file| file.as_str() == path);
        if !is_file
            || is_behind_link
            || path.starts_with(".rebake/")
            || inputs.contains(&path)
            || known.contains(path.as_str())
        {
            continue;
        }
        append(absolute.as_std_path(), "\n// Changed.\n")
            .map_err(|error| format!("{absolute}: {error}"))?;
        changed.push(path);
    }
    for package in &build.scope.packages {
        let is_embedded = |directory: &RepoPath| package.starts_with(directory);
        if build.scope.embedding.contains(package)
            || build.scope.embedded.iter().any(is_embedded)
            || build.layout.vendor().is_some_and(is_embedded)
        {
            continue;
        }
        let directory = checkout.root.join(package.as_str());
        if !directory.is_dir() || directory.is_symlink() {
            continue;
        }
        for (name, text) in INERT {
            let path = PathBuf::from(directory.join(name));
            if !path.exists() {
                append(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
                changed.push(package.child(name).to_string());
            }
        }
    }
    Ok(changed)
}

/// Files that Go never compiles for linux, whatever package they stand in.
const INERT: [(&str, &str); 7] = [
    (
        "zz_windows.go",
        "package zz\n\nimport _ \"nowhere.example/zz\"\n",
    ),
    ("zz_generate.go", "//go:build ignore\n\npackage main\n"),
    ("_zz.go", "no Go at all\n"),
    (".zz.go", "no Go at all\n"),
    ("zz_test.go", "no Go at all\n"),
    ("zz.md", "# Notes\n"),
    ("zz_plan9.s", "no assembler\n"),
];

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)?;
    file.write_all(text.as_bytes())
}
