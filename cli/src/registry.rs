//! A plan beside a registry.
//!
//! In: a plan, the prefix of its images, docker's configuration. Out: the plan, decided by what the registry holds. What goes
//! wrong on the way rebuilds, and is said.

use crate::arguments::RegistryArguments;
use rebake_ci::registry::{
    ContentTags, DockerConfig, Encryption, Image, ImagePrefix, OciRegistry, RegistryOptions,
    for_each_image, tag_states,
};
use rebake_planner::{
    decide::{Reason, TagState},
    discover::service_name::ServiceName,
    plan::{Plan, PlannedImage},
};
use std::{path::PathBuf, time::Duration};

/// As long as figures that only a summary shows are waited for.
const FIGURES_PATIENCE: Duration = Duration::from_secs(5);

/// A registry that can't even be asked, and why.
struct Unaskable(String);

impl ContentTags for Unaskable {
    fn state(&self, _: &Image) -> TagState {
        TagState::Unavailable(self.0.clone())
    }
}

/// Decides by a registry, where one was named.
pub(crate) fn decide_by_registry(arguments: &RegistryArguments, plan: &mut Plan) {
    let Some(prefix) = &arguments.registry else {
        return;
    };
    let images: Vec<(ServiceName, Image)> = plan
        .content_tags()
        .into_iter()
        .map(|(service, tag)| {
            let image = prefix.image(&service, &tag);
            (service, image)
        })
        .collect();
    let states = match connect(prefix, arguments.encryption()) {
        Ok(registry) => tag_states(&registry, &images),
        Err(problem) => tag_states(&Unaskable(problem), &images),
    };
    plan.compare_with_registry(prefix.as_str(), &states);
}

/// How long the last builds of services took, as far as the registry says it soon: nobody waits for a figure.
pub(crate) fn build_times(
    arguments: &RegistryArguments,
    plan: &Plan,
    services: &[ServiceName],
) -> Vec<Duration> {
    let Some(prefix) = &arguments.registry else {
        return Vec::new();
    };
    let is_silent = |image: &PlannedImage| {
        let mut reasons = image.reasons.iter();
        reasons.any(|reason| matches!(reason, Reason::RegistryUnavailable { .. }))
    };
    if services.is_empty() || plan.images.iter().any(is_silent) {
        return Vec::new();
    }
    let options = RegistryOptions {
        patience: FIGURES_PATIENCE,
        timeout: FIGURES_PATIENCE,
        ..options(arguments.encryption())
    };
    let Ok(registry) = connect_with(prefix, options) else {
        return Vec::new();
    };
    let images: Vec<(ServiceName, Image)> = services
        .iter()
        .map(|service| (service.clone(), prefix.image(service, "")))
        .collect();
    let times = for_each_image(&images, &|image| registry.build_time(image));
    times.into_values().flatten().collect()
}

/// A client with the credentials that docker would use.
pub(crate) fn connect(prefix: &ImagePrefix, encryption: Encryption) -> Result<OciRegistry, String> {
    connect_with(prefix, options(encryption))
}

fn options(encryption: Encryption) -> RegistryOptions {
    RegistryOptions {
        encryption,
        ..RegistryOptions::default()
    }
}

fn connect_with(prefix: &ImagePrefix, options: RegistryOptions) -> Result<OciRegistry, String> {
    let credentials = match docker_configuration() {
        Some(directory) => DockerConfig::read(&directory)
            .and_then(|config| config.credentials(prefix.host()))
            .map_err(|error| error.to_string())?,
        None => rebake_ci::registry::Credentials::Anonymous,
    };
    OciRegistry::new(prefix, credentials, options).map_err(|error| error.to_string())
}

/// Where docker looks for its configuration.
fn docker_configuration() -> Option<PathBuf> {
    let set = |name: &str| {
        let value = std::env::var_os(name)?;
        (!value.is_empty()).then(|| PathBuf::from(value))
    };
    set("DOCKER_CONFIG").or_else(|| {
        let home = set("HOME").or_else(|| set("USERPROFILE"))?;
        Some(home.join(".docker"))
    })
}
