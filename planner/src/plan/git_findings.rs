//! What git knows of a plan's inputs.
//!
//! In: a plan of a directory and the state of its work tree, or a plan of a commit and its tree. Out: findings, added
//! to the plan: inputs that git does not track, inputs that a checkout has converted, Git LFS pointers in place of
//! content. It must never change a key.
//!
//! **Known gap**: an input that is a link is not followed, so a pointer behind it is found only where its target is
//! an input, too.

use super::{Plan, PlannedImage};
use crate::{
    diagnostic::{Code, Diagnostic, Severity},
    file_kind::FileKind,
    path::RepoPath,
    tree::{
        ReadLimit, SourceTree as _,
        git::{
            CheckoutFilter, GitTree, LONGEST_POINTER, StagedFile, Tracking, WorkTreeState,
            is_lfs_pointer,
        },
    },
};
use rayon::iter::{IntoParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Adds to a plan of a commit which of its inputs are Git LFS pointers. `tree` is the tree that was planned.
///
/// Only files as small as a pointer are read. What can't be read is left to the plan, which has read it before.
pub fn inspect_commit(tree: &GitTree, plan: &mut Plan) {
    let mut findings = InputFindings::about(plan);
    // A pointer is not Go, so an image with a key has none among its Go files, which are most of all files.
    let paths: BTreeSet<RepoPath> = plan
        .images
        .iter()
        .flat_map(|image| {
            let files = image.inputs.files.iter();
            files.filter(|file| match file.kind {
                FileKind::Manifest => false,
                FileKind::Go | FileKind::Cgo => image.keys.is_none(),
                _ => true,
            })
        })
        .map(|file| file.path.clone())
        .collect();
    let pointers: Vec<&RepoPath> = paths
        .par_iter()
        .filter(|path| {
            tree.small_file(path, LONGEST_POINTER)
                .is_some_and(|content| is_lfs_pointer(&content))
        })
        .collect();
    for path in pointers {
        let message = "this input is a Git LFS pointer, as a commit never holds the content; plan from a checkout with `git lfs pull`";
        findings.report(Code::LfsPointer, message.to_owned(), path);
    }
    let found = findings.found;
    plan.add_diagnostics(found);
}

/// Adds to a plan of a directory what git knows of its inputs. `state` must be of the root that was planned.
pub fn inspect_work_tree(state: &WorkTreeState, plan: &mut Plan) {
    let mut findings = InputFindings::about(plan);
    let inputs = findings.inputs();
    let paths: Vec<&RepoPath> = inputs.iter().map(|(path, _)| *path).collect();
    let tracking = state.tracking_of(&paths);
    let mut tracked = Vec::with_capacity(paths.len());
    for (path, tracking) in paths.iter().zip(&tracking) {
        if matches!(tracking, Tracking::Untracked) {
            // Of a file behind links git tracks the links and the file.
            let way = plan.behind_links.get(*path);
            let is_tracked_behind =
                way.is_some_and(|way| way.iter().all(|path| state.is_tracked(path)));
            if is_tracked_behind {
                continue;
            }
            let message = "git does not track this input, so a fresh clone would not build the same; commit it or remove it";
            findings.report(Code::UntrackedInput, message.to_owned(), path);
        } else {
            tracked.push(*path);
        }
    }
    let has_none = |directory: &RepoPath| plan.lists_without(directory, ".gitattributes");
    let filters: BTreeMap<&RepoPath, CheckoutFilter> = match state
        .checkout_filters_where(&tracked, &has_none)
    {
        // One finding a file, of its first conversion: the last one that is put in stays.
        Ok(filtered) => filtered.into_iter().rev().collect(),
        Err(error) => {
            let message = format!(
                "git's attributes can't be read, so whether a checkout converts inputs is not known: {error}"
            );
            findings.report(Code::FilteredContent, message, &RepoPath::root());
            BTreeMap::new()
        }
    };
    for (path, conversion) in conversions(state, &inputs, &tracking, &filters) {
        match conversion {
            Conversion::LfsPointer => {
                let message =
                    "this input is a Git LFS pointer and not the content; run `git lfs pull`";
                findings.report(Code::LfsPointer, message.to_owned(), path);
            }
            Conversion::Converted(filter) => {
                findings.report(Code::FilteredContent, converted(filter), path);
            }
        }
    }
    let found = findings.found;
    plan.add_diagnostics(found);
}

/// Whether what git knows of a plan's inputs is the same after some of them were edited, in a tree whose index and
/// attributes are as they were.
pub fn findings_stay(state: &WorkTreeState, plan: &Plan, edited: &[RepoPath]) -> bool {
    let was_found = |path: &RepoPath| {
        plan.diagnostics.iter().any(|found| {
            let of_content = matches!(found.code, Code::LfsPointer | Code::FilteredContent);
            of_content && found.path.as_ref() == Some(path)
        })
    };
    let Ok(disk) = state.root_on_disk() else {
        return false;
    };
    let is_pointer = |path: &RepoPath| {
        let start = disk.read(path, ReadLimit::Bytes(LONGEST_POINTER + 1));
        start.is_ok_and(|start| is_lfs_pointer(&start))
    };
    let has_no_filter = state
        .checkout_filters(edited)
        .is_ok_and(|filters| filters.is_empty());
    has_no_filter
        && !edited
            .iter()
            .any(|path| was_found(path) || is_pointer(path))
}

/// The inputs whose bytes on disk are not what the build should see, or not the commit's.
fn conversions<'a>(
    state: &WorkTreeState,
    inputs: &[(&'a RepoPath, Reading)],
    tracking: &[Tracking<'_>],
    filters: &'a BTreeMap<&RepoPath, CheckoutFilter>,
) -> Vec<(&'a RepoPath, Conversion<'a>)> {
    // Files of submodules stand below the same root.
    let Ok(disk) = state.root_on_disk() else {
        return Vec::new();
    };
    // Of a changed file the index does not know the length. Without a list of changes any file may be one.
    let changed: Option<HashSet<&str>> = state.changes().ok().map(|changes| {
        let paths = changes.iter().map(|change| change.path.as_str());
        paths.collect()
    });
    let is_changed = |path: &RepoPath| {
        changed
            .as_ref()
            .is_none_or(|changed| changed.contains(path.as_tree_str()))
    };
    let looked_at: Vec<(&RepoPath, &Tracking<'_>, ReadLimit)> = inputs
        .iter()
        .zip(tracking)
        .filter_map(|((path, reading), tracking)| {
            if filters.contains_key(path) {
                return Some((*path, tracking, ReadLimit::Whole));
            }
            let may_be_pointer = *reading == Reading::Unparsed
                && (is_changed(path)
                    || match tracking {
                        Tracking::Staged(staged) => may_be_pointer(staged),
                        Tracking::Tracked | Tracking::Untracked => true,
                    });
            // One byte more than a pointer has tells it from a longer file.
            may_be_pointer.then_some((*path, tracking, ReadLimit::Bytes(LONGEST_POINTER + 1)))
        })
        .collect();
    looked_at
        .into_par_iter()
        .filter_map(|(path, tracking, limit)| {
            let content = disk.read(path, limit).ok()?;
            if is_lfs_pointer(&content) {
                return Some((path, Conversion::LfsPointer));
            }
            let filter = filters.get(path)?;
            let same = match tracking {
                Tracking::Staged(staged) => staged.holds(&content),
                Tracking::Tracked | Tracking::Untracked => false,
            };
            (!same).then_some((path, Conversion::Converted(filter)))
        })
        .collect()
}

/// Whether the length that the index knows is a pointer's.
fn may_be_pointer(staged: &StagedFile<'_>) -> bool {
    staged.length().is_none_or(|length| {
        usize::try_from(length).is_ok_and(|length| length > 0 && length <= LONGEST_POINTER)
    })
}

/// How the plan has read an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As Go, without a fault: so it is no pointer.
    Go,
    Unparsed,
}

enum Conversion<'a> {
    LfsPointer,
    Converted(&'a CheckoutFilter),
}

fn converted(filter: &CheckoutFilter) -> String {
    format!(
        "git's `{filter}` makes this file differ from the commit's, so a plan of the commit has another key"
    )
}

/// Findings about inputs, as they are collected.
struct InputFindings<'plan> {
    images: &'plan [PlannedImage],
    found: Vec<Diagnostic>,
}

impl<'plan> InputFindings<'plan> {
    fn about(plan: &'plan Plan) -> Self {
        Self {
            images: &plan.images,
            found: Vec::new(),
        }
    }

    /// The files that enter a key by their bytes, sorted.
    fn inputs(&self) -> Vec<(&'plan RepoPath, Reading)> {
        let mut seen = foldhash::HashSet::default();
        let mut inputs = Vec::new();
        for image in self.images {
            let is_whole = image.keys.is_some();
            for file in &image.inputs.files {
                // Images share the paths of the packages that they share.
                if file.kind != FileKind::Manifest && seen.insert(file.path.address()) {
                    let reading = match file.kind {
                        FileKind::Go | FileKind::Cgo if is_whole => Reading::Go,
                        _ => Reading::Unparsed,
                    };
                    inputs.push((&file.path, reading));
                }
            }
        }
        // Each image's files are sorted already, of which only a stable sort makes use.
        inputs.sort_by_key(|(path, _)| *path);
        inputs.dedup_by_key(|(path, _)| *path);
        inputs
    }

    /// The services whose keys a file enters by its bytes.
    fn services_of(&self, path: &RepoPath) -> Vec<String> {
        let mut services: Vec<String> = Vec::new();
        for image in self.images {
            let files = &image.inputs.files;
            let first = files.partition_point(|file| file.path < *path);
            let is_input = files[first..]
                .iter()
                .take_while(|file| file.path == *path)
                .any(|file| file.kind != FileKind::Manifest);
            let name = image.inputs.service.as_str();
            if is_input && services.last().is_none_or(|last| last != name) {
                services.push(name.to_owned());
            }
        }
        services
    }

    fn report(&mut self, code: Code, message: String, path: &RepoPath) {
        self.found.push(Diagnostic {
            code,
            severity: Severity::Warning,
            message,
            path: Some(path.clone()),
            position: None,
            services: self.services_of(path),
        });
    }
}
