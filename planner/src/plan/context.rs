//! The build context of one service: the files that its build needs, and no others.
//!
//! In: a plan and the tree that it was made of. Out: a [`ServiceContext`]: files and links, each where the build looks for
//! it, for people who keep a Dockerfile of their own. It must never name a file that the plan does not know, nor read
//! contents: whoever writes the context reads them, and holds them to the digests.

use super::{
    Plan, PlannedImage,
    builds::{GoBuild, Origin, layout},
};
use crate::{
    discover::service_name::ServiceName,
    file_kind::FileKind,
    path::RepoPath,
    tree::{
        ContentDigest, EntryKind, FileMode, SourceTree, TreeError, TreeErrorKind, view::TreeView,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// What a build context of a service holds, sorted by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceContext {
    /// The directory of the tree that is the context. Paths are relative to the tree's root all the same.
    pub root: RepoPath,
    /// Files and links; directories are those that these need.
    pub entries: BTreeMap<RepoPath, ContextEntry>,
}

/// A file or a link of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextEntry {
    /// A regular file, with the content that the tree has at its path.
    File {
        /// Whether it may be executed.
        mode: FileMode,
        /// The digest of its content, where the plan rests on the content as it is.
        digest: Option<ContentDigest>,
    },
    /// A symbolic link.
    Link {
        /// Its text.
        target: String,
    },
}

/// Why there is no context.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The plan has no such service.
    #[error("there is no service `{0}`")]
    UnknownService(ServiceName),
    /// The plan does not know what the service is made of.
    #[error("`{0}` is in doubt, so what its build needs is not known")]
    InDoubt(ServiceName),
    /// A file can't be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl Plan {
    /// The files that the build of a service needs, on any of its platforms: its inputs, and the manifests that Go
    /// reads. For a service with a Dockerfile of its own, those of them that lie in its context.
    ///
    /// # Errors
    /// When there is no such service, when it is in doubt, or when the tree is not what was planned.
    pub fn context(
        &self,
        tree: &dyn SourceTree,
        service: &ServiceName,
    ) -> Result<ServiceContext, ContextError> {
        let images: Vec<&PlannedImage> = self
            .images
            .iter()
            .filter(|image| image.inputs.service == *service)
            .collect();
        let Some(first) = images.first() else {
            return Err(ContextError::UnknownService(service.clone()));
        };
        if images.iter().any(|image| image.keys.is_none()) {
            return Err(ContextError::InDoubt(service.clone()));
        }
        let (root, go) = match &first.origin {
            Origin::Go(go) => (RepoPath::root(), Some(go)),
            Origin::Dockerfile { context, go, .. } => (context.clone(), go.as_ref()),
            Origin::Gone => return Err(ContextError::UnknownService(service.clone())),
        };
        let mut wanted = go.map(|go| manifests(go)).unwrap_or_default();
        for image in &images {
            for file in &image.inputs.files {
                let digest = (file.kind != FileKind::Manifest).then_some(file.digest);
                let known = wanted.entry(file.path.clone()).or_default();
                *known = known.or(digest);
            }
        }
        let view = TreeView::new(tree);
        for image in &images {
            for package in image.graph.closure(&image.inputs.main) {
                if package.files.is_empty() {
                    let directory = &package.local.directory;
                    wanted.extend(mark_of_package(&view, directory)?.map(|path| (path, None)));
                }
            }
        }
        let mut entries = BTreeMap::new();
        for (path, digest) in wanted {
            add(&view, &path, digest, &mut entries)?;
        }
        entries.retain(|path, _| path.starts_with(&root));
        Ok(ServiceContext { root, entries })
    }
}

/// The manifests that Go reads, whole: their keys are over what they mean, so nothing is known of their contents.
fn manifests(go: &GoBuild) -> BTreeMap<RepoPath, Option<ContentDigest>> {
    let layout = layout(go, &BTreeSet::new());
    let paths = layout.manifests().iter().cloned();
    paths.map(|path| (path, None)).collect()
}

/// A file that makes a package of a directory in which Go builds nothing: tests alone, or files for other platforms.
///
/// Source: cmd/go/internal/fsys (`IsGoDir`).
fn mark_of_package(
    view: &TreeView<'_>,
    directory: &RepoPath,
) -> Result<Option<RepoPath>, TreeError> {
    let Some(listed) = view.directory(directory)? else {
        return Ok(None);
    };
    for entry in &listed.entries {
        if entry.name.ends_with(".go") {
            let found = view.locate_in(&listed, &entry.name)?;
            if found.is_some_and(|found| found.kind == EntryKind::File) {
                return Ok(Some(directory.child(&entry.name)));
            }
        }
    }
    Ok(None)
}

/// Adds a file, and the links on the way to it.
fn add(
    view: &TreeView<'_>,
    path: &RepoPath,
    digest: Option<ContentDigest>,
    entries: &mut BTreeMap<RepoPath, ContextEntry>,
) -> Result<(), TreeError> {
    let gone = || TreeError::new(path, TreeErrorKind::NotFound);
    let found = view.locate(path)?.ok_or_else(gone)?;
    if found.kind != EntryKind::File {
        return Err(TreeError::new(path, TreeErrorKind::NotAFile));
    }
    // The digest of what stands behind links is over their texts too.
    let digest = digest.filter(|_| found.links.is_empty());
    for hop in found.links {
        let target = hop.target;
        entries.insert(hop.link, ContextEntry::Link { target });
    }
    let mode = view.tree().mode(&found.real)?;
    let entry = entries
        .entry(found.real)
        .or_insert(ContextEntry::File { mode, digest });
    if let ContextEntry::File { digest: known, .. } = entry {
        *known = known.or(digest);
    }
    Ok(())
}
