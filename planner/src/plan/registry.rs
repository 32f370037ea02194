//! A plan beside a registry.
//!
//! In: a plan, and what a registry says of the content tags of its services. Out: verdicts. A service without a content
//! tag is in doubt: it is rebuilt, whatever a registry holds. It must never ask a registry itself.

use super::Plan;
use crate::{
    decide::{TagState, decide_by_tag},
    diagnostic::{Code, Diagnostic, Severity},
    discover::service_name::ServiceName,
};
use std::collections::{BTreeMap, BTreeSet};

impl Plan {
    /// The services whose images a registry can be asked for, each with its content tag.
    pub fn content_tags(&self) -> BTreeMap<ServiceName, String> {
        self.images
            .iter()
            .filter_map(|image| {
                let tag = image.tag.as_ref()?;
                Some((image.inputs.service.clone(), tag.to_string()))
            })
            .collect()
    }

    /// Decides anew by what a registry says: an image is reused where its content tag is there, whatever a comparison
    /// found, and rebuilt where it is not. `prefix` is what stands before the service's name in an image's.
    ///
    /// ```
    /// use rebake_planner::decide::{TagState, Verdict};
    /// use rebake_planner::plan::{PlanOptions, plan};
    /// use rebake_planner::tree::memory::MemoryTree;
    ///
    /// let tree = MemoryTree::new()
    ///     .with_file("go.mod", "module ex.com/shop\n\ngo 1.26\n")?
    ///     .with_file("cmd/api/main.go", "package main\n\nfunc main() {}\n")?;
    /// let mut plan = plan(&tree, &PlanOptions::new())?;
    /// let states = plan.content_tags().into_keys().map(|service| (service, TagState::Present)).collect();
    /// plan.compare_with_registry("ghcr.io/acme/", &states);
    /// assert_eq!(plan.images[0].verdict, Verdict::Reuse);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compare_with_registry(
        &mut self,
        prefix: &str,
        states: &BTreeMap<ServiceName, TagState>,
    ) {
        let not_asked = TagState::Unavailable("it was not asked".to_owned());
        let mut failures: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for image in &mut self.images {
            let service = &image.inputs.service;
            let Some(tag) = &image.tag else { continue };
            let state = states.get(service).unwrap_or(&not_asked);
            if let TagState::Unavailable(message) = state {
                let services = failures.entry(message).or_default();
                services.insert(service.to_string());
            }
            let reasons = std::mem::take(&mut image.reasons);
            let name = format!("{prefix}{service}:{tag}");
            (image.verdict, image.reasons) = decide_by_tag(&name, state, reasons);
        }
        self.registry = Some(prefix.to_owned());
        let diagnostics = failures
            .into_iter()
            .map(|(message, services)| Diagnostic {
                code: Code::RegistryUnavailable,
                severity: Severity::Warning,
                message: format!(
                    "the registry can't be asked: {message}; the services are rebuilt"
                ),
                path: None,
                position: None,
                services: services.into_iter().collect(),
            })
            .collect();
        self.add_diagnostics(diagnostics);
    }
}
