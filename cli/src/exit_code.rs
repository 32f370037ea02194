//! The exit codes: part of the machine contract.

/// How the process ends. All other codes are reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitCode {
    /// 0: done.
    Done,
    /// 1: a bad tree, a bad configuration, or `--strict` and a diagnostic.
    Failed,
    /// 2: wrong usage.
    Usage,
    /// 3: something must be rebuilt; only with `--exit-code`.
    MustRebuild,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(match code {
            ExitCode::Done => 0,
            ExitCode::Failed => 1,
            ExitCode::Usage => 2,
            ExitCode::MustRebuild => 3,
        })
    }
}
