//! `rebake ci retag`: another tag for the images that are there, without a build.
//!
//! In: a plan and a registry. Out: each service's image under the tag, pushed by its content tag's manifest. It must never
//! give a content tag, and never pass over a service silently.

use crate::{
    arguments::{ci::RetagArguments, encryption},
    commands::answered,
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output},
    planning::{plan_alone, set_threads},
    registry::connect,
};
use rebake_ci::registry::{Image, for_each_image};
use rebake_planner::discover::service_name::ServiceName;
use std::collections::BTreeSet;

pub(crate) fn run(arguments: &RetagArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    let planned = plan_alone(output.talk(), &arguments.tree, &arguments.build)?;
    for service in &arguments.services {
        planned.check_service(Some(service))?;
    }
    output.show_diagnostics(&planned);
    let services: BTreeSet<&ServiceName> = planned
        .plan
        .images
        .iter()
        .map(|image| &image.inputs.service)
        .filter(|service| arguments.services.is_empty() || arguments.services.contains(service))
        .collect();
    let tags = planned.plan.content_tags();
    let images: Vec<(ServiceName, Image)> = services
        .iter()
        .filter_map(|service| {
            let image = arguments.registry.image(service, tags.get(service)?);
            Some(((*service).clone(), image))
        })
        .collect();
    let registry = connect(&arguments.registry, encryption(arguments.registry_insecure))
        .map_err(Failure::Registry)?;
    let retagged = for_each_image(&images, &|image| registry.retag(image, &arguments.tag));
    let problems: Vec<String> = services
        .iter()
        .filter_map(|service| match retagged.get(service) {
            Some(Ok(true)) => None,
            Some(Ok(false)) => Some(format!("{service} is not in the registry")),
            Some(Err(error)) => Some(format!("{service}: {error}")),
            None => Some(format!("{service} is in doubt, so it has no content tag")),
        })
        .collect();
    if !problems.is_empty() {
        return Err(Failure::Retag {
            tag: arguments.tag.clone(),
            all: services.len(),
            problems,
        });
    }
    output.write(&format!(
        "{} got the tag {}\n",
        output::count(services.len(), "image", "images"),
        arguments.tag
    ));
    Ok(answered(&planned, &arguments.build))
}
