//! What git knows of a plan's inputs.
//!
//! In: a plan of a directory and the state of its work tree. Out: findings, added to the plan: inputs that
//! git does not track, inputs that a checkout has converted, Git LFS pointers in place of content. It must
//! never change a key.

use super::attributes::{CheckoutFilter, below};
use super::is_lfs_pointer;
use super::work_tree::WorkTreeState;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::file_kind::FileKind;
use crate::path::RepoPath;
use crate::plan::Plan;
use crate::tree::disk::DiskTree;
use crate::tree::{ReadLimit, SourceTree as _};
use gix::bstr::BStr;
use std::collections::BTreeMap;

impl WorkTreeState {
    /// Adds to a plan of this root what is worth knowing of its inputs.
    pub fn inspect(&self, plan: &mut Plan) {
        let inputs = inputs_of(plan);
        let mut found = Vec::new();
        let mut report = |code, message: String, path: &RepoPath| {
            found.push(Diagnostic {
                code,
                severity: Severity::Warning,
                message,
                path: Some(path.clone()),
                position: None,
                services: inputs.get(path).cloned().unwrap_or_default(),
            });
        };
        let mut tracked = Vec::new();
        for path in inputs.keys() {
            if self.is_tracked(path) {
                tracked.push(path.clone());
            } else {
                let message = "git does not track this input, so a fresh clone would not build the same; commit it or remove it";
                report(Code::UntrackedInput, message.to_owned(), path);
            }
        }
        match self.checkout_filters(&tracked) {
            Ok(mut filtered) => {
                // One finding a file.
                filtered.dedup_by(|next, kept| next.0 == kept.0);
                for (path, filter) in filtered {
                    match self.conversion(&path) {
                        Conversion::None => {}
                        Conversion::LfsPointer => {
                            let message = "this input is a Git LFS pointer and not the content; run `git lfs pull`";
                            report(Code::LfsPointer, message.to_owned(), &path);
                        }
                        Conversion::Converted => {
                            report(Code::FilteredContent, converted(&filter), &path);
                        }
                    }
                }
            }
            Err(error) => {
                let message = format!(
                    "git's attributes can't be read, so whether a checkout converts inputs is not known: {error}"
                );
                report(Code::FilteredContent, message, &RepoPath::root());
            }
        }
        plan.add_diagnostics(found);
    }

    /// What the bytes on disk are to the commit's.
    fn conversion(&self, path: &RepoPath) -> Conversion {
        let from_top = below(&self.root, path);
        let content =
            DiskTree::open(&self.top_level).and_then(|disk| disk.read(&from_top, ReadLimit::Whole));
        let Ok(content) = content else {
            return Conversion::None;
        };
        if is_lfs_pointer(&content) {
            return Conversion::LfsPointer;
        }
        let entry = self.index.entry_by_path(BStr::new(from_top.as_tree_str()));
        let same = entry.is_some_and(|entry| {
            gix::objs::compute_hash(entry.id.kind(), gix::objs::Kind::Blob, &content)
                .is_ok_and(|id| id == entry.id)
        });
        if same {
            Conversion::None
        } else {
            Conversion::Converted
        }
    }
}

enum Conversion {
    None,
    LfsPointer,
    Converted,
}

fn converted(filter: &CheckoutFilter) -> String {
    format!(
        "git's `{filter}` makes this file differ from the commit's, so a plan of the commit has another key"
    )
}

/// The files that enter a key by their bytes, with the services that they enter.
fn inputs_of(plan: &Plan) -> BTreeMap<RepoPath, Vec<String>> {
    let mut inputs: BTreeMap<RepoPath, Vec<String>> = BTreeMap::new();
    for image in &plan.images {
        let name = image.inputs.service.as_str();
        let files = image.inputs.files.iter();
        for file in files.filter(|file| file.kind != FileKind::Manifest) {
            let services = inputs.entry(file.path.clone()).or_default();
            if services.last().is_none_or(|last| last != name) {
                services.push(name.to_owned());
            }
        }
    }
    inputs
}
