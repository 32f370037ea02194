//! A plan beside an earlier one.
//!
//! In: a plan, the images of a baseline, and the paths that changed between the two. Out: verdicts with their reasons,
//! removed services, and the changes that reach no service. It must never read a file, or call a change without effect
//! where an image that has it is in doubt.

use super::{Plan, PlannedImage, builds::Origin};
use crate::{
    config,
    decide::{Baseline, Change, Detail, ImageState, Reason, Verdict, decide},
    diagnostic::Code,
    file_kind::FileKind,
    graph::{chains::Chains, load::PackageGraph},
    hash::ImageKeys,
    inputs::ImageInputs,
    path::RepoPath,
};
use rayon::prelude::*;
use std::{
    cell::LazyCell,
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// An image of an earlier plan.
#[derive(Debug, Clone)]
pub struct BaselineImage {
    /// Everything that could change it then; what only names it, where just the keys are known.
    pub inputs: ImageInputs,
    /// Its keys then.
    pub keys: Option<ImageKeys>,
    /// The codes of the diagnostics that left it in doubt then, where they are known.
    pub doubts: Vec<Code>,
    /// Whether the inputs are all there.
    pub detail: Detail,
    /// The packages that it was made of, where it was planned and not read.
    pub(crate) graph: Option<Arc<PackageGraph>>,
}

impl BaselineImage {
    /// An image of a plan that was written down.
    pub fn recorded(
        inputs: ImageInputs,
        keys: Option<ImageKeys>,
        doubts: Vec<Code>,
        detail: Detail,
    ) -> Self {
        Self {
            inputs,
            keys,
            doubts,
            detail,
            graph: None,
        }
    }
}

impl From<&PlannedImage> for BaselineImage {
    fn from(image: &PlannedImage) -> Self {
        Self {
            inputs: image.inputs.clone(),
            keys: image.keys,
            doubts: image.doubts.clone(),
            detail: Detail::Inputs,
            graph: Some(Arc::clone(&image.graph)),
        }
    }
}

impl PlannedImage {
    pub(super) fn state(&self) -> ImageState<'_> {
        ImageState {
            inputs: &self.inputs,
            keys: self.keys.as_ref(),
            doubts: &self.doubts,
            detail: Detail::Inputs,
        }
    }
}

impl Plan {
    /// Compares this plan with the images of an earlier one, and decides anew.
    ///
    /// ```
    /// use rebake_planner::decide::{Reason, Verdict};
    /// use rebake_planner::plan::{BaselineImage, PlanOptions, plan};
    /// use rebake_planner::tree::memory::MemoryTree;
    ///
    /// let shop = |greeting: &str| {
    ///     MemoryTree::new()
    ///         .with_file("go.mod", "module ex.com/shop\n\ngo 1.26\n")?
    ///         .with_file("cmd/api/main.go", "package main\n\nimport _ \"ex.com/shop/hello\"\n")?
    ///         .with_file("hello/hello.go", format!("package hello // {greeting}\n"))
    /// };
    /// let options = PlanOptions::new();
    /// let before = plan(&shop("good morning")?, &options)?;
    /// let baseline: Vec<BaselineImage> = before.images.iter().map(BaselineImage::from).collect();
    /// let mut after = plan(&shop("good evening")?, &options)?;
    /// after.compare_with(&baseline);
    /// assert_eq!(after.images[0].verdict, Verdict::Rebuild);
    /// let Reason::File { path, via, .. } = &after.images[0].reasons[0] else { unreachable!() };
    /// assert_eq!(path.as_str(), "hello/hello.go");
    /// assert_eq!(via, &["ex.com/shop/hello", "ex.com/shop/cmd/api"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A service of the baseline that is missing where the tree could not be read, or where all its files need cgo and
    /// cgo is off, is not removed: it is rebuilt, in
    /// doubt, with the inputs that it had.
    pub fn compare_with(&mut self, baseline: &[BaselineImage]) {
        self.keep_unseen(baseline);
        let name = |inputs: &ImageInputs| (inputs.service.clone(), inputs.platform.clone());
        let by_name: HashMap<_, &BaselineImage> = baseline
            .iter()
            .map(|old| (name(&old.inputs), old))
            .collect();
        self.images.par_iter_mut().for_each(|image| {
            let old_image = by_name.get(&name(&image.inputs)).copied();
            let old = old_image.map(|old| ImageState {
                inputs: &old.inputs,
                keys: old.keys.as_ref(),
                doubts: &old.doubts,
                detail: old.detail,
            });
            // Only a rebuild has reasons that need them.
            let now = LazyCell::new(|| image.graph.chains_from(&image.inputs.main));
            let then = LazyCell::new(|| {
                let graph = old_image.and_then(|old| old.graph.as_deref());
                let main = old_image.map_or("", |old| &old.inputs.main);
                graph.map(|graph| graph.chains_from(main))
            });
            let chain = |path: &RepoPath, change: Change| match (&*then, change) {
                (Some(then), Change::Removed) => chain_to(then, path),
                _ => chain_to(&now, path),
            };
            (image.verdict, image.reasons) = decide(image.state(), Baseline::Image(old), &chain);
        });
        let present: BTreeSet<&str> = self
            .images
            .iter()
            .map(|image| image.inputs.service.as_str())
            .collect();
        let removed: BTreeSet<String> = baseline
            .iter()
            .map(|old| old.inputs.service.as_str())
            .filter(|service| !present.contains(service))
            .map(str::to_owned)
            .collect();
        self.removed = removed.into_iter().collect();
    }

    /// Decides anew for a baseline that was asked for and can't be had: everything is rebuilt, for that reason.
    pub fn compare_with_unavailable(&mut self, message: &str) {
        for image in &mut self.images {
            let baseline = Baseline::Unavailable(message);
            (image.verdict, image.reasons) = decide(image.state(), baseline, &|_, _| Vec::new());
        }
    }

    /// Finds those of the changed paths that reach no service, so that nothing is ignored silently. `changed` is what
    /// differs between the baseline's tree and this one; the plan must have been compared before.
    pub fn note_changes(&mut self, changed: &[String], baseline: &[BaselineImage]) {
        let is_unsure = |reason: &Reason| {
            matches!(
                reason,
                Reason::Uncertain { .. } | Reason::BaselineUncertain { .. }
            )
        };
        if self
            .images
            .iter()
            .any(|image| image.reasons.iter().any(is_unsure))
        {
            // Not all inputs of an image in doubt are known, so no change is known to have no effect on it.
            self.unaffected = Vec::new();
            return;
        }
        let mut reaching: HashSet<&str> = HashSet::new();
        let mut configuration_reaches = !self.removed.is_empty();
        for image in &self.images {
            let mut resolution_changed = false;
            for reason in &image.reasons {
                match reason {
                    Reason::File {
                        path, kind, change, ..
                    } => {
                        reaching.insert(path.as_str());
                        let ways = self.behind_links.get(path).into_iter().flatten();
                        reaching.extend(ways.map(RepoPath::as_str));
                        resolution_changed |= *change != Change::Changed;
                        configuration_reaches |= matches!(kind, FileKind::Asset | FileKind::Extra);
                    }
                    Reason::Manifest { path, .. } => {
                        reaching.insert(path.as_str());
                    }
                    Reason::Module { .. } | Reason::Tier { .. } => resolution_changed = true,
                    Reason::Setting { .. } => configuration_reaches = true,
                    Reason::Unchanged => {}
                    // Whatever else it is, it is not known which of the image's inputs matter.
                    _ => {
                        configuration_reaches = true;
                        resolution_changed = true;
                        reaching.extend(self.input_paths(&image.inputs));
                    }
                }
            }
            if resolution_changed {
                let manifests = changed
                    .iter()
                    .filter(|path| is_manifest_of(&image.inputs, path));
                reaching.extend(manifests.map(String::as_str));
            }
        }
        for old in baseline {
            if self
                .removed
                .iter()
                .any(|name| *name == *old.inputs.service.as_str())
            {
                reaching.extend(self.input_paths(&old.inputs));
            }
        }
        if configuration_reaches {
            reaching.insert(config::FILE_NAME);
        }
        let unaffected = changed
            .iter()
            .filter(|path| !reaching.contains(path.as_str()));
        self.unaffected = unaffected.cloned().collect();
    }

    fn input_paths<'a>(&'a self, inputs: &'a ImageInputs) -> impl Iterator<Item = &'a str> {
        inputs.files.iter().flat_map(|file| {
            let ways = self.behind_links.get(&file.path).into_iter().flatten();
            std::iter::once(file.path.as_str()).chain(ways.map(RepoPath::as_str))
        })
    }

    fn keep_unseen(&mut self, baseline: &[BaselineImage]) {
        let present: BTreeSet<String> = self
            .images
            .iter()
            .map(|image| image.inputs.service.to_string())
            .collect();
        for old in baseline {
            let needs_cgo = self.mains_without_cgo.contains(&old.inputs.directory);
            let doubts: BTreeSet<Code> = self
                .unseen
                .iter()
                .filter(|(directory, _)| old.inputs.directory.starts_with(directory))
                .map(|(_, code)| *code)
                .chain(needs_cgo.then_some(Code::NoGoFiles))
                .collect();
            if doubts.is_empty() || present.contains(old.inputs.service.as_str()) {
                continue;
            }
            self.images.push(PlannedImage {
                inputs: old.inputs.clone(),
                keys: None,
                doubts: doubts.into_iter().collect(),
                tag: None,
                verdict: Verdict::Rebuild,
                reasons: Vec::new(),
                graph: Arc::new(PackageGraph::default()),
                origin: Origin::Gone,
            });
        }
        self.images.sort_by_cached_key(|image| {
            (
                image.inputs.service.clone(),
                image.inputs.platform.to_string(),
            )
        });
    }
}

/// Whether a path is a manifest that says which modules serve this image's imports: the go.mod and go.work files among
/// its inputs, and the checksums and vendored modules beside them.
fn is_manifest_of(inputs: &ImageInputs, path: &str) -> bool {
    let beside = |suffix: &str| {
        let directory = path.strip_suffix(suffix)?;
        Some(directory.strip_suffix('/').unwrap_or(directory))
    };
    let names = [
        "go.mod",
        "go.sum",
        "go.work",
        "go.work.sum",
        "vendor/modules.txt",
    ];
    let Some(directory) = names.iter().find_map(|name| {
        let directory = beside(name)?;
        // Not the end of a longer name.
        (directory.is_empty() && path.len() == name.len()
            || path.len() == directory.len() + 1 + name.len())
        .then_some(directory)
    }) else {
        return false;
    };
    inputs
        .files
        .iter()
        .filter(|file| file.kind == FileKind::Manifest)
        .filter_map(|file| file.path.parent())
        .any(|manifests| manifests.as_tree_str() == directory)
}

/// The packages from one that holds a file to the main package; nothing where no package does, as for assets.
fn chain_to(chains: &Chains<'_>, path: &RepoPath) -> Vec<String> {
    let in_its_directory = || chains.to_directory(&path.parent()?);
    chains
        .to_file(path)
        .or_else(in_its_directory)
        .unwrap_or_default()
}
