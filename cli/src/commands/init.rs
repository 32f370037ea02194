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
    planning::{plan_alone, set_threads},
};
use camino::Utf8Path;
use rebake_planner::config::FILE_NAME;
use std::io::Write as _;

pub(crate) fn run(arguments: &InitArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    let planned = plan_alone(output.talk(), &arguments.tree, &arguments.build)?;
    let text = output::init::render(&planned, &arguments.build.services);
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
