//! `rebake init`: a `rebake.toml` with what was found, commented.
//!
//! The file changes nothing: every line that would is a comment, but the services globs that already count.

use super::answered;
use crate::{
    arguments::InitArguments,
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
    let failed = |error: std::io::Error| Failure::WriteConfig {
        path: path.to_owned(),
        error,
    };
    let directory = path.parent().unwrap_or(path);
    let mut file = tempfile::Builder::new()
        .prefix(".rebake.toml.")
        .permissions_of_a_file()
        .tempfile_in(directory)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::ConfigExists(path.to_owned()))
        }
        Err(error) => Err(failed(error.error)),
    }
}

/// What a temporary file lacks: it is made for its owner alone, and rebake.toml is a file like any other.
trait PermissionsOfAFile {
    fn permissions_of_a_file(&mut self) -> &mut Self;
}

impl PermissionsOfAFile for tempfile::Builder<'_, '_> {
    #[cfg(unix)]
    fn permissions_of_a_file(&mut self) -> &mut Self {
        use std::os::unix::fs::PermissionsExt as _;
        // The umask takes away from this what the user takes away from every file.
        self.permissions(std::fs::Permissions::from_mode(0o666))
    }

    #[cfg(not(unix))]
    fn permissions_of_a_file(&mut self) -> &mut Self {
        self
    }
}
