//! `rebake init`: a `rebake.toml` with what was found, commented.
//!
//! The file changes nothing: every line that would is a comment, but the services globs that already count.

use super::answered;
use crate::{
    arguments::InitArguments,
    build_files::new_file_in,
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output},
    planning::{Planned, plan_alone, set_threads, tree_of},
};
use camino::Utf8Path;
use rebake_planner::{
    config::FILE_NAME,
    path::RepoPath,
    tree::{EntryKind, SourceTree, view::TreeView},
};
use std::{collections::BTreeMap, io::Write as _};

/// What people call the Dockerfile of a directory.
const DOCKERFILE: &str = "Dockerfile";

pub(crate) fn run(arguments: &InitArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    let planned = plan_alone(output.talk(), &arguments.tree, &arguments.build)?;
    let dockerfiles = dockerfiles_beside(&*tree_of(&arguments.tree, &planned)?, &planned);
    let text = output::init::render(&planned, &arguments.build.services, &dockerfiles);
    if arguments.print {
        output.write(&text);
    } else {
        let path = planned.directory.join(FILE_NAME);
        write_new(&path, &text)?;
        output.write(&format!("wrote {}\n", output::printable(path.as_str())));
    }
    output.show_diagnostics(&planned);
    Ok(answered(&planned, &arguments.build))
}

/// The services with a Dockerfile in their own directory, by that directory.
fn dockerfiles_beside(tree: &dyn SourceTree, planned: &Planned) -> BTreeMap<RepoPath, RepoPath> {
    let view = TreeView::new(tree);
    let images = planned.plan.images.iter();
    images
        .map(|image| &image.inputs.directory)
        .filter_map(|directory| {
            let path = directory.child(DOCKERFILE);
            // What can't be looked at is not proposed.
            let found = view.locate(&path).ok()??;
            (found.kind == EntryKind::File).then(|| (directory.clone(), path))
        })
        .collect()
}

/// Writes a file that must not exist, whole or not at all.
fn write_new(path: &Utf8Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Write {
        path: path.to_owned(),
        error,
    };
    let directory = path.parent().unwrap_or(path);
    let mut file = new_file_in(directory).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::ConfigExists(path.to_owned()))
        }
        Err(error) => Err(failed(error.error)),
    }
}
