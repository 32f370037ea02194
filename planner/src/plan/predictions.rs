//! What building anew will run, for all services of a plan.
//!
//! In: an earlier plan, this one, and what differs between their trees. Out: a prediction a service. It must never compare
//! anything itself: the emit stage reads its own instructions.

use super::Plan;
use crate::{
    discover::service_name::ServiceName,
    emit::{Build, EmitError, Prediction, ServiceBuild, ServiceState, predict},
    path::RepoPath,
    tree::{EntryKind, SourceTree, TreeError, view::TreeView},
};
use std::collections::{BTreeMap, BTreeSet};

impl Plan {
    /// Predicts for each service with an emitted Dockerfile which steps run on a builder that has built `before`. Nothing
    /// for a service that could not be built from there. `changed` are the paths that differ between both trees.
    ///
    /// # Errors
    /// When a build can't be written down, with the service.
    pub fn predictions(
        &self,
        before: &Self,
        changed: &BTreeSet<RepoPath>,
    ) -> Result<BTreeMap<ServiceName, Option<Prediction>>, (ServiceName, EmitError)> {
        let old = before.emitted_builds();
        let mut predictions = BTreeMap::new();
        for (service, build) in self.emitted_builds() {
            let prediction = match old.get(&service) {
                None => None,
                Some(known) => {
                    let prediction =
                        predict(&before.state_of(known), &self.state_of(&build), changed)
                            .map_err(|error| (service.clone(), error))?;
                    Some(prediction)
                }
            };
            predictions.insert(service, prediction);
        }
        Ok(predictions)
    }

    /// The files that builds see beside their inputs and that git does not track, so that nobody else can tell whether
    /// they are new.
    ///
    /// # Errors
    /// When a directory can't be listed.
    pub fn untracked_beside_inputs(
        &self,
        tree: &dyn SourceTree,
        is_tracked: &dyn Fn(&RepoPath) -> bool,
    ) -> Result<BTreeSet<RepoPath>, TreeError> {
        let view = TreeView::new(tree);
        let mut directories = BTreeSet::new();
        for build in self.emitted_builds().into_values() {
            directories.extend(build.scope.packages);
            for embedded in &build.scope.embedded {
                let walk = view.walk(embedded, &|_, _| true);
                if let Some(error) = walk.errors.into_iter().next() {
                    return Err(error);
                }
                directories.extend(walk.directories.iter().map(|found| found.path.clone()));
            }
        }
        let mut untracked = BTreeSet::new();
        for path in directories {
            let Some(directory) = view.directory(&path)? else {
                continue;
            };
            for entry in &directory.entries {
                let path = path.child(&entry.name);
                if entry.kind != EntryKind::Directory && !is_tracked(&path) {
                    untracked.insert(path);
                }
            }
        }
        Ok(untracked)
    }

    fn emitted_builds(&self) -> BTreeMap<ServiceName, Box<ServiceBuild>> {
        let builds = self.builds().into_iter();
        builds
            .filter_map(|build| match build {
                Build::Emitted(build) => Some((build.service.clone(), build)),
                Build::Kept(_) => None,
            })
            .collect()
    }

    fn state_of<'a>(&'a self, build: &'a ServiceBuild) -> ServiceState<'a> {
        let images = self.images.iter().map(|image| &image.inputs);
        ServiceState {
            build,
            inputs: images
                .filter(|inputs| inputs.service == build.service)
                .collect(),
        }
    }
}
