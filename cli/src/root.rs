//! Where the tree begins.
//!
//! In: `--root`, or the current directory. Out: the root, and the git repository around it. Above a root that was
//! named nothing is read, git's own discovery excepted.

use crate::failure::Failure;
use camino::{Utf8Path, Utf8PathBuf};
use rebake_planner::tree::git::{GitError, Repository};

/// The root of a tree.
pub(crate) struct Root {
    pub(crate) directory: Utf8PathBuf,
    pub(crate) repository: Option<Repository>,
}

/// Finds the root: the one that was named, else the top level of the git checkout, else the nearest directory
/// up with a go.work, else with a go.mod.
pub(crate) fn find_root(named: Option<&Utf8Path>) -> Result<Root, Failure> {
    if let Some(directory) = named {
        return Ok(Root {
            directory: directory.to_owned(),
            repository: Repository::discover(directory).map_err(GitError::from)?,
        });
    }
    let current = std::env::current_dir().map_err(Failure::CurrentDirectory)?;
    let current =
        Utf8PathBuf::from_path_buf(current).map_err(|_| Failure::CurrentDirectoryNotUtf8)?;
    if let Some(repository) = Repository::discover(&current).map_err(GitError::from)?
        && let Some(top_level) = repository.top_level()
    {
        return Ok(Root {
            directory: top_level.to_owned(),
            repository: Some(repository),
        });
    }
    let nearest = |name: &str| {
        current
            .ancestors()
            .find(|directory| directory.join(name).is_file())
    };
    match nearest("go.work").or_else(|| nearest("go.mod")) {
        Some(directory) => Ok(Root {
            directory: directory.to_owned(),
            repository: None,
        }),
        None => Err(Failure::NoRoot(current)),
    }
}
