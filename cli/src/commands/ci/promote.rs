//! `rebake ci promote`: images that pull requests have built, taken over without a build.
//!
//! In: a plan, the registry, where pull requests push and where trusted images stand. Out: images under the same content tag
//! in the other place, and under the run's tag. Only the plan of what is checked out says which content tag that is. It must
//! never touch an image that is there already; what it can't take over is for the build.

use crate::{
    arguments::{ci::PromoteArguments, encryption},
    commands::answered,
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output, printable},
    planning::{Planned, plan_alone, set_threads},
    registry::connect,
};
use rebake_ci::registry::{Image, OciRegistry, RegistryError, for_each_image};
use rebake_planner::discover::service_name::ServiceName;
use std::collections::BTreeMap;

pub(crate) fn run(arguments: &PromoteArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let (from, to) = (&arguments.from, &arguments.registry);
    if from.host() != to.host() || from == to {
        return Err(Failure::Promotion {
            from: from.to_string(),
            to: to.to_string(),
        });
    }
    set_threads(&arguments.tree)?;
    let planned = plan_alone(output.talk(), &arguments.tree, &arguments.build)?;
    for service in &arguments.services {
        planned.check_service(Some(service))?;
    }
    output.show_diagnostics(&planned);
    let registry =
        connect(to, encryption(arguments.registry_insecure)).map_err(Failure::Registry)?;
    let promoted = promote(arguments, &planned, &registry);
    let mut count = 0;
    for (service, result) in promoted {
        match result {
            Ok(true) => {
                count += 1;
                output.write(&format!("{service} was taken over from {from}\n"));
            }
            Ok(false) => {}
            Err(error) => {
                let problem = error.to_string();
                let problem = printable(&problem);
                output.say(&format!("{service} was not taken over: {problem}\n"));
            }
        }
    }
    output.write(&format!(
        "{} taken over\n",
        output::count(count, "image", "images")
    ));
    Ok(answered(&planned, &arguments.build))
}

/// Whether each service's image was taken over. A service in doubt has no content tag, and none is looked for.
fn promote(
    arguments: &PromoteArguments,
    planned: &Planned,
    registry: &OciRegistry,
) -> BTreeMap<ServiceName, Result<bool, RegistryError>> {
    let targets: Vec<(ServiceName, Image)> = planned
        .plan
        .content_tags()
        .into_iter()
        .filter(|(service, _)| {
            arguments.services.is_empty() || arguments.services.contains(service)
        })
        .map(|(service, tag)| {
            let image = arguments.registry.image(&service, &tag);
            (service, image)
        })
        .collect();
    let sources: BTreeMap<&Image, Image> = targets
        .iter()
        .map(|(service, target)| (target, arguments.from.image(service, &target.tag)))
        .collect();
    for_each_image(&targets, &|target| {
        // A registry that can't say whether it has the image is asked for nothing more.
        if registry.has(target)? {
            return Ok(false);
        }
        match sources.get(target) {
            // The content tag last: what has it is whole.
            Some(source) => {
                let tags = [arguments.tag.as_str(), target.tag.as_str()];
                registry.promote(source, &target.repository, &tags)
            }
            None => Ok(false),
        }
    })
}
