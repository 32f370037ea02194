//! What git knows of a checked-out directory.
//!
//! In: the index and the work tree. Out: whether the directory differs from the commit, and findings about the
//! inputs of a plan: untracked files, files that a filter rewrites, Git LFS pointers. It must never change a key, and
//! never write the index.
//!
//! Source: gitformat-index, and git/Documentation/technical/racy-git.txt.
//!
//! Known gaps: **a tracked file whose stat data changed and that a filter rewrites counts as changed**, because only
//! running the filter could tell.

use super::{CommitId, GitError, is_lfs_pointer};
use crate::{
    diagnostic::{Code, Diagnostic, Severity},
    file_kind::FileKind,
    path::RepoPath,
    plan::Plan,
};
use camino::Utf8PathBuf;
use gix::{
    ThreadSafeRepository,
    bstr::{BStr, ByteSlice as _},
    index::{
        File as Index,
        entry::{Flags, Mode, Stat, stat::Options as StatOptions},
    },
};
use rayon::prelude::*;
use std::{collections::BTreeMap, fmt};

/// What git knows of a checkout.
pub struct WorkTreeState {
    repository: ThreadSafeRepository,
    top_level: Utf8PathBuf,
    /// The planned root below the top level.
    prefix: RepoPath,
    head: Option<CommitId>,
    index: Option<Index>,
    is_dirty: bool,
}

impl fmt::Debug for WorkTreeState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WorkTreeState")
            .field("head", &self.head)
            .field("is_dirty", &self.is_dirty)
            .finish_non_exhaustive()
    }
}

impl WorkTreeState {
    pub(super) fn read(
        repository: &ThreadSafeRepository,
        top_level: Utf8PathBuf,
        prefix: RepoPath,
    ) -> Result<Self, GitError> {
        let local = repository.to_thread_local();
        let head = local.head_commit().ok();
        let index_path = local.index_path();
        let index = if index_path.is_file() {
            Some(
                local
                    .open_index()
                    .map_err(|error| GitError::Index(error.to_string()))?,
            )
        } else {
            None
        };
        let head_tree = head
            .as_ref()
            .and_then(|commit| commit.tree_id().ok())
            .map(gix::Id::detach);
        let is_dirty = match &index {
            None => head.is_some(),
            Some(index) => {
                let options = local
                    .stat_options()
                    .map_err(|error| GitError::Index(error.to_string()))?;
                let trusts_modes = local
                    .config_snapshot()
                    .boolean("core.fileMode")
                    .unwrap_or(true);
                is_index_changed(&local, index, head_tree)?
                    || is_work_tree_changed(index, &top_level, options, trusts_modes)
            }
        };
        let head = head.map(|commit| CommitId(commit.id));
        Ok(Self {
            repository: repository.clone(),
            top_level,
            prefix,
            head,
            index,
            is_dirty,
        })
    }

    /// The commit that is checked out; nothing before the first one.
    pub fn head(&self) -> Option<CommitId> {
        self.head
    }

    /// Whether a tracked file differs from the commit that is checked out.
    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// Whether git tracks a path of the planned root, or it lies in a submodule.
    pub fn is_tracked(&self, path: &RepoPath) -> bool {
        let Some(index) = &self.index else {
            return false;
        };
        let full = self.below_top_level(path);
        if index.entry_index_by_path(BStr::new(&full)).is_ok() {
            return true;
        }
        // What lies in a submodule is tracked there.
        full.match_indices('/').any(|(end, _)| {
            index
                .entry_by_path(BStr::new(&full[..end]))
                .is_some_and(|entry| entry.mode == Mode::COMMIT)
        })
    }

    fn below_top_level(&self, path: &RepoPath) -> String {
        if self.prefix.is_root() {
            path.as_tree_str().to_owned()
        } else {
            format!("{}/{}", self.prefix, path.as_tree_str())
        }
    }

    /// Adds to a plan what is worth knowing of its inputs.
    pub fn inspect(&self, plan: &mut Plan) {
        let mut services: BTreeMap<RepoPath, Vec<String>> = BTreeMap::new();
        for image in &plan.images {
            let name = image.inputs.service.as_str();
            for file in image
                .inputs
                .files
                .iter()
                .filter(|file| file.kind != FileKind::Manifest)
            {
                let named = services.entry(file.path.clone()).or_default();
                if named.last().is_none_or(|last| last != name) {
                    named.push(name.to_owned());
                }
            }
        }
        let mut found: Vec<(Code, String, RepoPath, Vec<String>)> = Vec::new();
        let mut tracked: Vec<(RepoPath, Vec<String>)> = Vec::new();
        for (path, services) in services {
            if self.is_tracked(&path) {
                tracked.push((path, services));
                continue;
            }
            let message = "git does not track this input, so a fresh clone would not build the same; commit it or remove it";
            found.push((Code::UntrackedInput, message.to_owned(), path, services));
        }
        if let Some(filters) = self.filters() {
            self.inspect_filtered(&filters, tracked, &mut found);
        }
        plan.add_diagnostics(
            found
                .into_iter()
                .map(|(code, message, path, services)| Diagnostic {
                    code,
                    severity: Severity::Warning,
                    message,
                    path: Some(path),
                    position: None,
                    services,
                })
                .collect(),
        );
    }

    /// Finds the inputs that git rewrites on checkout. One stack of attribute files serves all, in the order of
    /// their paths.
    fn inspect_filtered(
        &self,
        filters: &Filters,
        inputs: Vec<(RepoPath, Vec<String>)>,
        found: &mut Vec<(Code, String, RepoPath, Vec<String>)>,
    ) {
        const NAMES: [&str; 6] = [
            "filter",
            "ident",
            "working-tree-encoding",
            "text",
            "eol",
            "crlf",
        ];
        let Some(index) = &self.index else { return };
        let local = self.repository.to_thread_local();
        let source = gix::worktree::stack::state::attributes::Source::WorktreeThenIdMapping;
        let Ok(mut stack) = local.attributes_only(index, source) else {
            return;
        };
        let mut outcome = stack.selected_attribute_matches(NAMES);
        for (path, services) in inputs {
            let full = self.below_top_level(&path);
            let Some(entry) = index.entry_by_path(BStr::new(&full)) else {
                continue;
            };
            let Ok(platform) = stack.at_entry(BStr::new(&full), Some(entry.mode)) else {
                continue;
            };
            platform.matching_attributes(&mut outcome);
            let attribute = outcome
                .iter_selected()
                .find(|attribute| {
                    use gix::attrs::StateRef::{Set, Value};
                    matches!(attribute.assignment.state, Set | Value(_))
                })
                .map(|attribute| format!("attribute `{}`", attribute.assignment.name.as_str()));
            let setting = filters
                .converts_line_ends
                .then(|| "setting `core.autocrlf`".to_owned());
            let Some(cause) = attribute.or(setting) else {
                continue;
            };
            let on_disk = self.top_level.join(&full);
            let Ok(metadata) = std::fs::symlink_metadata(&on_disk) else {
                continue;
            };
            if !metadata.is_file() {
                continue;
            }
            if metadata.len() < 1024 && is_lfs_pointer(&std::fs::read(&on_disk).unwrap_or_default())
            {
                let message =
                    "this input is a Git LFS pointer and not the content; run `git lfs pull`";
                found.push((Code::LfsPointer, message.to_owned(), path, services));
                continue;
            }
            // What git rewrites has another length, but for rare coincidences.
            let Ok(committed) = local.find_header(entry.id) else {
                continue;
            };
            if metadata.len() != committed.size() {
                let message = format!(
                    "git's {cause} makes this file differ from the commit's, so a plan of the commit has another key"
                );
                found.push((Code::FilteredContent, message, path, services));
            }
        }
    }

    /// The filters of the repository; nothing when it has none, which saves asking for every file.
    fn filters(&self) -> Option<Filters> {
        let index = self.index.as_ref()?;
        let local = self.repository.to_thread_local();
        let config = local.config_snapshot();
        let converts_line_ends = config
            .string("core.autocrlf")
            .is_some_and(|value| !value.eq_ignore_ascii_case(b"false") && !value.is_empty());
        let has_attributes = local.common_dir().join("info/attributes").is_file()
            || index
                .entries()
                .iter()
                .any(|entry| entry.path(index).rsplit_str("/").next() == Some(b".gitattributes"));
        (converts_line_ends || has_attributes).then_some(Filters { converts_line_ends })
    }
}

/// How the repository rewrites files on checkout.
struct Filters {
    converts_line_ends: bool,
}

/// Whether something is staged: the index holds another tree than the commit.
fn is_index_changed(
    repository: &gix::Repository,
    index: &Index,
    head_tree: Option<gix::ObjectId>,
) -> Result<bool, GitError> {
    let Some(head_tree) = head_tree else {
        return Ok(!index.entries().is_empty());
    };
    if let Some(tree) = index.tree()
        && tree.num_entries.is_some()
    {
        return Ok(tree.id != head_tree);
    }
    let of_head = repository
        .index_from_tree(&head_tree)
        .map_err(|error| GitError::Object(error.to_string()))?;
    let rows = |index: &Index| -> Vec<(Vec<u8>, gix::ObjectId, Mode)> {
        index
            .entries()
            .iter()
            .map(|entry| (entry.path(index).to_vec(), entry.id, entry.mode))
            .collect()
    };
    Ok(rows(&of_head) != rows(index))
}

fn is_work_tree_changed(
    index: &Index,
    top_level: &Utf8PathBuf,
    options: StatOptions,
    trusts_modes: bool,
) -> bool {
    index.entries().par_iter().any(|entry| {
        if entry.stage_raw() != 0 {
            return true;
        }
        if entry
            .flags
            .intersects(Flags::SKIP_WORKTREE | Flags::ASSUME_VALID)
            || entry.mode == Mode::COMMIT
        {
            return false;
        }
        let Ok(path) = entry.path(index).to_path() else {
            return true;
        };
        let path = top_level.as_std_path().join(path);
        let Ok(metadata) = gix::index::fs::Metadata::from_path_no_follow(&path) else {
            return true;
        };
        let is_link = entry.mode == Mode::SYMLINK;
        if metadata.is_symlink() != is_link || (!is_link && !metadata.is_file()) {
            return true;
        }
        let is_executable = entry.mode == Mode::FILE_EXECUTABLE;
        if trusts_modes && !is_link && metadata.is_executable() != is_executable {
            return true;
        }
        let Ok(stat) = Stat::from_fs(&metadata) else {
            return true;
        };
        if entry.stat.matches(&stat, options) && !entry.stat.is_racy(index.timestamp(), options) {
            return false;
        }
        let content = if is_link {
            std::fs::read_link(&path).map(|target| target.into_os_string().into_encoded_bytes())
        } else {
            std::fs::read(&path)
        };
        let Ok(content) = content else { return true };
        gix::objs::compute_hash(entry.id.kind(), gix::objs::Kind::Blob, &content)
            .map_or(true, |id| id != entry.id)
    })
}
