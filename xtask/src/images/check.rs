//! What a change is held to: a part of every other task, chosen so that each layout and each promise is there, and small
//! enough to run every time.

use super::{
    baked, binaries, checkout::Selection, closed, lint, reproducible, running, steps, visible,
};
use crate::builder::{Builder, Toolchain};
use std::{error::Error, time::Instant};

/// Sample monorepos that are built: one of each layout, and those that once failed.
const BUILT: [&str; 11] = [
    "embed/go-mod-file",
    "layouts/nested-modules",
    "modules/before-lazy-loading",
    "replace/declared-path-does-not-matter",
    "symlinks/link-to-a-directory-named-like-a-file",
    "symlinks/package-directory",
    "third-party/imports-nothing-back",
    "vendor/third-party",
    "vendor/workspace",
    "workspace/members-and-others",
    "workspace/versions-of-a-pruned-workspace",
];

/// Sample monorepos that are built with cgo.
const BUILT_WITH_CGO: [&str; 3] = [
    "cgo/include-directories",
    "cgo/in-a-library-with-imports",
    "cgo/only-cgo-files",
];

/// Sample monorepos of which every input is hidden once.
const CLOSED: [&str; 4] = [
    "embed/glob-and-hidden-files",
    "pgo/main-package",
    "vendor/third-party",
    "workspace/members-and-others",
];

/// Sample monorepos that are built twice, by two builders.
const REPRODUCIBLE: [&str; 2] = [
    "embed/glob-and-hidden-files",
    "replace/declared-path-does-not-matter",
];

/// The profiles, each with the modifications that are also built on a fresh builder with an imported cache. Of the mounts
/// that cache holds nothing, so that such a build is a first one.
const IMPORTED: [(&str, &[&str]); 2] = [
    (
        "layers",
        &[
            "a README",
            "a source file",
            "another version of a module that is not linked",
        ],
    ),
    ("mounts", &["a README"]),
];

pub(super) fn run() -> Result<bool, Box<dyn Error>> {
    let mut all_well = part("what builds see", || {
        visible::compare_all(&Selection::of_fixtures(&["all"]))
    })?;
    let builder = Builder::start_with(Toolchain::Warm)?;
    all_well &= part("binaries", || {
        binaries::build_all(&builder, &Selection::of_fixtures(&BUILT), false)
    })?;
    all_well &= part("binaries with cgo", || {
        let builder = builder.fresh_with(Toolchain::Cgo)?;
        let selection = Selection::of_fixtures_with_cgo(&BUILT_WITH_CGO);
        let is_well = binaries::build_all(&builder, &selection, false)?;
        Ok(is_well && running::check_cgo(&builder)?)
    })?;
    all_well &= part("bake", || baked::check_all(&builder))?;
    all_well &= part("closed scopes", || {
        closed::check_all(&builder, &Selection::of_fixtures(&CLOSED), None)
    })?;
    for (profile, imported) in IMPORTED {
        all_well &= part(&format!("predicted steps of {profile}"), || {
            let is_imported = |name: &str| imported.contains(&name);
            steps::compare_all(&builder, &[profile], &|_| true, &is_imported)
        })?;
    }
    all_well &= part("equal digests", || {
        reproducible::compare_all(&builder, &Selection::of_fixtures(&REPRODUCIBLE))
    })?;
    all_well &= part("findings in Dockerfiles", || {
        lint::lint_all(&builder, &Selection::of_fixtures(&BUILT))
    })?;
    all_well &= part("running images", || {
        running::check_all(&builder, &["distroless-static", "scratch"], &["scratch"])
    })?;
    Ok(all_well)
}

fn part(
    name: &str,
    check: impl FnOnce() -> Result<bool, Box<dyn Error>>,
) -> Result<bool, Box<dyn Error>> {
    let started = Instant::now();
    let is_well = check()?;
    let verdict = if is_well { "passed" } else { "FAILED" };
    println!(
        "== {name}: {verdict} in {:.0} s",
        started.elapsed().as_secs_f32()
    );
    Ok(is_well)
}
