//! The services of a plan, by what happens to them.
//!
//! In: a plan. Out: [`Selection`]. A service is built when any of its platforms must be: an image index holds them all.

use rebake_planner::{
    discover::service_name::ServiceName,
    wire::{PlanDocument, VerdictName},
};
use std::collections::BTreeMap;

/// Which services are built, and which are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those to build, sorted.
    pub build: Vec<ServiceName>,
    /// The others, sorted.
    pub reuse: Vec<ServiceName>,
}

impl Selection {
    /// What a plan says.
    pub fn of(plan: &PlanDocument) -> Self {
        let mut must_build: BTreeMap<&ServiceName, bool> = BTreeMap::new();
        for row in &plan.services {
            *must_build.entry(&row.image.name).or_default() |= row.verdict != VerdictName::Reuse;
        }
        let mut selection = Self::default();
        for (service, must_build) in must_build {
            let services = if must_build {
                &mut selection.build
            } else {
                &mut selection.reuse
            };
            services.push(service.clone());
        }
        selection
    }
}
