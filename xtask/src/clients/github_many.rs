//! More services than a run of GitHub may have jobs.
//!
//! In: GitHub as act plays it, and a registry. Out: complaints. First nothing stands in the registry and no runner can
//! build: every service must be in a job, and no job left out. Then all but one stand there, under their content tags: just
//! that one is built, with the real builder.

use super::{
    github::{Event, GitHub},
    github_story::BUILD_TIME,
    pushed,
    shop::Shop,
};
use crate::builder::Builder;
use std::{collections::BTreeSet, error::Error, fmt::Write as _, path::Path, time::Instant};

const SERVICES: usize = 300;
/// What the example asks for.
const JOBS: usize = 40;

/// Tells the story and gives what was not as expected.
pub(super) fn tell(
    builder: &Builder,
    github: &GitHub<'_>,
    rebake: &Path,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut complaints = Vec::new();
    let shop = Shop::empty("https://github.com/acme/many")?;
    shop.write("go.mod", "module example.com/many\n\ngo 1.24\n")?;
    for number in 0..SERVICES {
        let main = format!("package main\n\nfunc main() {{ println({number}) }}\n");
        shop.write(&format!("services/s{number}/main.go"), &main)?;
    }
    let workflow = github.example("many-services.yml")?;
    shop.write(".github/workflows/images.yml", &workflow)?;
    let first = shop.push("Many services")?;
    let started = Instant::now();
    let event = Event::push("refs/heads/main", &"0".repeat(40), &first);
    let settings = [("STAND_IN_NO_BUILDER", "true")];
    let run = github.run(&shop, &event, &settings)?;
    let builds = run
        .jobs
        .keys()
        .filter(|name| name.contains("/build "))
        .count();
    if run.succeeded || builds != JOBS {
        complaints.push(format!(
            "{SERVICES} services: {builds} jobs, not {JOBS}; succeeded: {}\n{}",
            run.succeeded, run.log
        ));
    }
    println!(
        "  {SERVICES} services in {builds} jobs, none of which can build: {:.1} s",
        started.elapsed().as_secs_f32()
    );

    // As if every other had been built.
    let started = Instant::now();
    let tags = shop.content_tags(rebake, None)?;
    for (service, tag) in &tags {
        if service != "s7" {
            let repository = format!("acme/many/{service}");
            pushed::put_empty_image(builder.registry(), &repository, tag)?;
        }
    }
    let before = pushed::tags(builder.registry(), "acme/many/")?;
    let run = github.run(&shop, &event, &[])?;
    let jobs: BTreeSet<&str> = run.jobs.keys().map(String::as_str).collect();
    let mut found = pushed::tags(builder.registry(), "acme/many/")?;
    found.remove("acme/many/build_cache");
    let mut expected = before;
    expected.insert(
        "acme/many/s7".to_owned(),
        [
            first,
            tags.get("s7").cloned().unwrap_or_default(),
            BUILD_TIME.to_owned(),
        ]
        .into(),
    );
    if !run.succeeded || found != expected {
        let mut complaint = format!("one of {SERVICES} services is missing: ran {jobs:?}\n");
        for (repository, tags) in &found {
            if expected.get(repository) != Some(tags) {
                let _ = writeln!(complaint, "{repository} has {tags:?}");
            }
        }
        complaints.push(format!("{complaint}{}", run.log));
    }
    println!(
        "  one of {SERVICES} services is missing in the registry: {:.1} s",
        started.elapsed().as_secs_f32()
    );
    Ok(complaints)
}
