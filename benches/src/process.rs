//! Running a program to see how long it takes and how much memory it needs.
//!
//! In: a command. Out: its output, the time from start to exit, or its peak resident memory. A program
//! that fails has no measurement. The memory is taken in a process of its own: the kernel counts what
//! the starting process holds into the child's peak, and a measuring program may hold a lot.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A program that could not be started, or that failed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The system could not start it, or lost it.
    #[error("{}: {source}", program.display())]
    Start {
        /// The program's file.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended with an error.
    #[error("{command} ended with {status}: {message}")]
    Failed {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its standard error.
        message: String,
    },
}

impl ProcessError {
    fn start(command: &Command, source: std::io::Error) -> Self {
        Self::Start {
            program: PathBuf::from(command.get_program()),
            source,
        }
    }

    fn failed(command: &Command, status: ExitStatus, standard_error: &[u8]) -> Self {
        let arguments = command.get_args().take(6);
        let command: Vec<_> = std::iter::once(command.get_program())
            .chain(arguments)
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let message = String::from_utf8_lossy(standard_error);
        Self::Failed {
            command: command.join(" "),
            status,
            message: message.lines().last().unwrap_or_default().to_owned(),
        }
    }
}

/// Runs a command and gives its standard output.
///
/// # Errors
/// When it can't be started, or fails.
pub fn output(command: &mut Command) -> Result<Vec<u8>, ProcessError> {
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .map_err(|source| ProcessError::start(command, source))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(ProcessError::failed(command, output.status, &output.stderr))
    }
}

/// Runs a command whose output goes nowhere, and says how long it took from start to exit.
///
/// # Errors
/// When it can't be started, or fails.
pub fn time(command: &mut Command) -> Result<Duration, ProcessError> {
    discard_output(command);
    let start = Instant::now();
    let status = command
        .status()
        .map_err(|source| ProcessError::start(command, source))?;
    let duration = start.elapsed();
    if status.success() {
        Ok(duration)
    } else {
        Err(ProcessError::failed(command, status, b""))
    }
}

/// Runs a command whose output goes nowhere, as this process's only child, and gives its peak
/// resident memory in bytes. The caller should hold little memory itself.
///
/// # Errors
/// When it can't be started, or fails.
pub fn peak_memory(program: &Path, arguments: &[std::ffi::OsString]) -> Result<u64, ProcessError> {
    let mut command = Command::new(program);
    command.args(arguments);
    discard_output(&mut command);
    let used = command
        .spawn()
        .and_then(wait4::Wait4::wait4)
        .map_err(|source| ProcessError::start(&command, source))?;
    if used.status.success() {
        Ok(used.rusage.maxrss)
    } else {
        Err(ProcessError::failed(&command, used.status, b""))
    }
}

fn discard_output(command: &mut Command) {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
}
