//! Whether git's own files are as they were.
//!
//! In: a repository, and a directory of its work tree. Out: a [`RepositoryStamp`] that differs from an earlier one where
//! what is tracked, how a checkout writes it, or where history is cut off may have changed since. It must never take
//! fewer of a file's stat data for enough, whatever the configuration says.

use super::repository::Repository;
use crate::path::RepoPath;
use camino::Utf8Path;
use gix::index::{entry::Stat, fs::Metadata};
use std::path::PathBuf;

/// The state of git's index, configuration, attributes and history's end. See [`Repository::stamp`]; HEAD and the
/// references are to be asked for themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryStamp(Vec<Option<Stat>>);

impl Repository {
    /// In which state git's own files are, as far as they say something of a directory of the work tree.
    pub fn stamp(&self, directory: &Utf8Path) -> RepositoryStamp {
        RepositoryStamp::of(self, directory)
    }
}

impl RepositoryStamp {
    fn of(repository: &Repository, directory: &Utf8Path) -> Self {
        let [own, shared] = repository.git_directories();
        let index = repository
            .objects()
            .with_repository(gix::Repository::index_path);
        let mut files = vec![
            index,
            own.join("config.worktree"),
            shared.join("config"),
            shared.join("info").join("attributes"),
            shared.join("shallow"),
        ];
        files.extend(attributes_above(repository, directory));
        let stat = |file: &PathBuf| Stat::from_fs(&Metadata::from_path_no_follow(file).ok()?).ok();
        Self(files.iter().map(stat).collect())
    }
}

/// The attribute files that count for a directory and do not lie in it.
fn attributes_above(repository: &Repository, directory: &Utf8Path) -> Vec<PathBuf> {
    let below = repository.path_in_work_tree(directory);
    let (Some(top_level), Some(below)) = (repository.top_level(), below) else {
        return Vec::new();
    };
    std::iter::successors(below.parent(), RepoPath::parent)
        .map(|above| top_level.join(above.as_tree_str()).join(".gitattributes"))
        .map(Into::into)
        .collect()
}
