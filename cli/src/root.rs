//! Where the tree begins.
//!
//! In: `--root`, or the current directory. Out: the root, and the git repository around it. Above a root that was
//! named nothing is read, git's own discovery excepted.

use crate::{failure::Failure, standpoint::Standpoint};
use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use rebake_planner::{
    path::RepoPath,
    tree::git::{Repository, RepositoryError},
};

/// The root of a tree.
pub(crate) struct Root {
    pub(crate) directory: Utf8PathBuf,
    /// The repository around it, where there is one; an error where there is one that can't be read.
    pub(crate) repository: Result<Option<Repository>, RepositoryError>,
}

/// Where the current directory is in a tree; at its root for whoever stands elsewhere.
pub(crate) fn standpoint_in(root: &Utf8Path) -> Standpoint {
    path_below(root, Utf8Path::new(".")).map_or_else(|_| Standpoint::root(), Standpoint::at)
}

/// Where a path that was typed lies below the root: relative to the current directory, or absolute. Links are not
/// followed, since a link may be an input itself.
pub(crate) fn path_below(root: &Utf8Path, typed: &Utf8Path) -> Result<RepoPath, Failure> {
    let current = std::env::current_dir().map_err(Failure::CurrentDirectory)?;
    let current =
        Utf8PathBuf::from_path_buf(current).map_err(|_| Failure::CurrentDirectoryNotUtf8)?;
    let outside = || Failure::OutsideRoot {
        path: typed.to_owned(),
        root: root.to_owned(),
    };
    let real_root = root.canonicalize_utf8().map_err(|_| outside())?;
    // The same directory may have several names; where it can't be told, the typed one has to do.
    let start = if typed.is_absolute() {
        Utf8PathBuf::from("/")
    } else {
        current.canonicalize_utf8().unwrap_or(current)
    };
    let mut below: Vec<&str> = start.iter().filter(|element| *element != "/").collect();
    for element in typed.components() {
        match element {
            Utf8Component::ParentDir => {
                below.pop();
            }
            Utf8Component::Normal(name) => below.push(name),
            _ => {}
        }
    }
    let absolute = format!("/{}", below.join("/"));
    let relative = [real_root.as_path(), root]
        .into_iter()
        .find_map(|root| Utf8Path::new(&absolute).strip_prefix(root).ok())
        .ok_or_else(outside)?;
    RepoPath::new(relative.as_str()).map_err(|_| outside())
}

/// Finds the root: the one that was named, else the top level of the git checkout, else the nearest directory
/// up with a go.work, else with a go.mod.
pub(crate) fn find_root(named: Option<&Utf8Path>) -> Result<Root, Failure> {
    if let Some(directory) = named {
        return Ok(Root {
            directory: directory.to_owned(),
            repository: Repository::discover(directory),
        });
    }
    let current = std::env::current_dir().map_err(Failure::CurrentDirectory)?;
    let current =
        Utf8PathBuf::from_path_buf(current).map_err(|_| Failure::CurrentDirectoryNotUtf8)?;
    let nearest = |name: &str, is_there: &dyn Fn(&Utf8Path) -> bool| {
        current
            .ancestors()
            .find(|directory| is_there(&directory.join(name)))
            .map(Utf8Path::to_owned)
    };
    let (directory, repository) = match Repository::discover(&current) {
        Ok(Some(repository)) => {
            let top_level = repository.top_level().map(Utf8Path::to_owned);
            (top_level, Ok(Some(repository)))
        }
        Ok(None) => (None, Ok(None)),
        Err(error) => (
            nearest(".git", &|path| path.symlink_metadata().is_ok()),
            Err(error),
        ),
    };
    let is_file: &dyn Fn(&Utf8Path) -> bool = &|path| path.is_file();
    let directory = directory
        .or_else(|| nearest("go.work", is_file))
        .or_else(|| nearest("go.mod", is_file));
    match directory {
        Some(directory) => Ok(Root {
            directory,
            repository,
        }),
        None => Err(Failure::NoRoot(current)),
    }
}
