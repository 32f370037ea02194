//! `rebake build`: builds what must be rebuilt, with `docker buildx bake`.

use super::{answered, generate::write_build_files};
use crate::{
    arguments::{BuildImagesArguments, Format},
    bake::{Bake, Buildx, BuiltTarget},
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output},
    planning::{Comparison, Planned, plan_and_compare, set_threads},
    registry,
};
use rebake_ci::registry::{ImagePrefix, ImagePrefixError};
use rebake_planner::{
    decide::Verdict,
    discover::service_name::ServiceName,
    emit::{BAKE_FILE, BUILD_FILES, CACHE_FROM, CACHE_TO, key_variable},
    hash::ServiceTag,
    recipe::ImageReference,
    wire::{BuiltDocument, BuiltRow, ReusedRow, VERSION},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

pub(crate) fn run(
    arguments: &BuildImagesArguments,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    check_names(arguments)?;
    let mut planned = plan_and_compare(
        output.talk(),
        &arguments.tree,
        &arguments.build,
        &Comparison::from(&arguments.baseline),
        &arguments.registry,
    )?;
    planned.lint();
    for service in &arguments.services {
        planned.check_service(Some(service))?;
    }
    output.show_diagnostics(&planned);
    if arguments.debug {
        check_debug_targets(&planned)?;
    }
    let started = Instant::now();
    let chosen = Chosen::of(&planned, &arguments.services);
    let bake = bake(arguments, &planned, &chosen);
    if arguments.dry_run {
        if !chosen.rebuilt.is_empty() {
            output.write(&format!("{}\n", bake.shown()));
        }
        return refuse_doubt(&chosen).map(|()| answered(&planned, &arguments.build));
    }
    let built = if chosen.rebuilt.is_empty() {
        BTreeMap::new()
    } else {
        let buildx = Buildx::find()?;
        write_build_files(&planned, output)?;
        let started = Instant::now();
        let built = bake.run(buildx)?;
        if arguments.record_time {
            record_time(arguments, &chosen, &built, started.elapsed(), output);
        }
        built
    };
    let images = document(&planned, &chosen, &built);
    match arguments.format {
        Format::Human => output.write(&output::build::render(&images, started.elapsed())),
        Format::Json => output.write_json(&images)?,
    }
    refuse_doubt(&chosen)?;
    Ok(answered(&planned, &arguments.build))
}

/// What happens to each service that was asked for.
#[derive(Debug, Default)]
struct Chosen {
    rebuilt: Vec<ServiceName>,
    reused: Vec<ServiceName>,
    in_doubt: Vec<ServiceName>,
}

impl Chosen {
    fn of(planned: &Planned, named: &[ServiceName]) -> Self {
        let mut chosen = Self::default();
        let services: BTreeSet<&ServiceName> = planned
            .plan
            .images
            .iter()
            .map(|image| &image.inputs.service)
            .filter(|service| named.is_empty() || named.contains(service))
            .collect();
        for service in services {
            let images = planned.images_of(Some(service));
            let list = if images.iter().any(|image| image.keys.is_none()) {
                &mut chosen.in_doubt
            } else if images.iter().any(|image| image.verdict == Verdict::Rebuild) {
                &mut chosen.rebuilt
            } else {
                &mut chosen.reused
            };
            list.push(service.clone());
        }
        chosen
    }
}

/// What is in doubt can't be built from a plan, and must not go unnoticed.
fn refuse_doubt(chosen: &Chosen) -> Result<(), Failure> {
    if chosen.in_doubt.is_empty() {
        Ok(())
    } else {
        Err(Failure::ServicesInDoubt(chosen.in_doubt.clone()))
    }
}

/// A name that no registry takes is told before anything is built.
fn check_names(arguments: &BuildImagesArguments) -> Result<(), Failure> {
    if arguments.tree.head.is_some() {
        return Err(Failure::BuildOfCommit);
    }
    let prefix = images(arguments).unwrap_or_default();
    let tag = arguments.tag.as_deref().unwrap_or("latest");
    let image: ImageReference = format!("{prefix}service:{tag}").parse()?;
    drop(image);
    Ok(())
}

/// What stands before the names: an image that the registry does not hold is pushed to where it was looked for.
fn images(arguments: &BuildImagesArguments) -> Option<String> {
    let asked = arguments.registry.registry.as_ref();
    arguments
        .images
        .clone()
        .or_else(|| asked.map(ToString::to_string))
}

/// A service that is called like the debug target of another has its name in the bake file.
fn check_debug_targets(planned: &Planned) -> Result<(), Failure> {
    for image in &planned.plan.images {
        let name = image.inputs.service.as_str();
        if let Some(other) = name.strip_suffix("-debug")
            && planned.is_service(other)
        {
            return Err(Failure::DebugTargetTaken {
                service: other.to_owned(),
                taken_by: name.to_owned(),
            });
        }
    }
    Ok(())
}

/// Keeps how long the build of one service took. The image is pushed by now, so what goes wrong is only said.
fn record_time(
    arguments: &BuildImagesArguments,
    chosen: &Chosen,
    built: &BTreeMap<String, BuiltTarget>,
    took: Duration,
    output: &Output,
) {
    let ([service], Some(prefix)) = (chosen.rebuilt.as_slice(), &arguments.images) else {
        return;
    };
    let record = || -> Result<(), String> {
        let prefix: ImagePrefix = prefix
            .parse()
            .map_err(|error: ImagePrefixError| error.to_string())?;
        let digest = built
            .get(service.as_str())
            .and_then(|target| target.digest.as_deref())
            .ok_or("bake names no digest")?;
        registry::connect(&prefix, arguments.registry.encryption())?
            .record_build_time(&prefix.image(service, digest), took)
            .map_err(|error| error.to_string())
    };
    if let Err(problem) = record() {
        output.say(&format!("the time of the build was not kept: {problem}\n"));
    }
}

fn document(
    planned: &Planned,
    chosen: &Chosen,
    record: &BTreeMap<String, BuiltTarget>,
) -> BuiltDocument {
    let tag_of = |service| content_tag(planned, service).map(|tag| tag.to_string());
    let built = chosen.rebuilt.iter().map(|service| {
        let recorded = record
            .get(service.as_str())
            .or_else(|| record.get(&debug_target(service)));
        let names = recorded.and_then(|target| target.names.as_deref());
        let names = names.unwrap_or_default().split(',');
        BuiltRow {
            name: service.clone(),
            tag: tag_of(service),
            images: names
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            digest: recorded.and_then(|target| target.digest.clone()),
        }
    });
    let reused = chosen.reused.iter().map(|service| ReusedRow {
        name: service.clone(),
        tag: tag_of(service),
    });
    BuiltDocument {
        version: VERSION,
        built: built.collect(),
        reused: reused.collect(),
    }
}

fn content_tag(planned: &Planned, service: &ServiceName) -> Option<ServiceTag> {
    planned.images_of(Some(service)).first()?.tag
}

fn debug_target(service: &ServiceName) -> String {
    format!("{service}-debug")
}

fn bake(arguments: &BuildImagesArguments, planned: &Planned, chosen: &Chosen) -> Bake {
    let mut variables = BTreeMap::new();
    let images = images(arguments);
    for (name, value) in [
        ("IMAGES", &images),
        ("TAG", &arguments.tag),
        ("VERSION", &arguments.image_version),
        (CACHE_FROM, &arguments.cache_from),
        (CACHE_TO, &arguments.cache_to),
    ] {
        if let Some(value) = value {
            variables.insert(name.to_owned(), value.clone());
        }
    }
    let mut targets = Vec::new();
    for service in &chosen.rebuilt {
        if arguments.debug {
            targets.push(debug_target(service));
        } else {
            // What its debug target holds is not what the content tag names.
            let tag = content_tag(planned, service);
            variables.extend(tag.map(|tag| (key_variable(service), tag.to_string())));
            targets.push(service.to_string());
        }
    }
    let mut flags = Vec::new();
    if arguments.push {
        flags.push("--push".to_owned());
    }
    if arguments.load {
        flags.push("--load".to_owned());
    }
    if let Some(builder) = &arguments.builder {
        flags.extend(["--builder".to_owned(), builder.clone()]);
    }
    flags.extend(arguments.bake_flags.iter().cloned());
    Bake {
        directory: planned.directory.clone(),
        file: format!("{BUILD_FILES}/{BAKE_FILE}"),
        targets,
        variables,
        flags,
    }
}
