//! Why a command ends without an answer.

use crate::exit_code::ExitCode;
use camino::Utf8PathBuf;
use rebake_ci::LimitError;
use rebake_planner::{
    diagnostic::Diagnostic,
    discover::service_name::ServiceName,
    emit::EmitError,
    path::{RepoPath, RepoPathError},
    plan::{ContextError, PlanError},
    recipe::ImageReferenceError,
    spelling::nearest,
    tree::TreeError,
    tree::git::GitError,
    wire::BaselineError,
};

/// A failure of the whole command. What concerns single services is a diagnostic of the plan instead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(
        "the current directory can't be read ({0}); go elsewhere, or name the root with --root"
    )]
    CurrentDirectory(std::io::Error),
    #[error("the current directory is not UTF-8; name the root with --root")]
    CurrentDirectoryNotUtf8,
    #[error(
        "no git checkout, go.work or go.mod at or above {0}; go into one, or name the root with --root"
    )]
    NoRoot(Utf8PathBuf),
    #[error("can't open the root {path}: {}", error.kind)]
    Root { path: Utf8PathBuf, error: TreeError },
    #[error(
        "{0} is in no git checkout, so there is no commit to compare with; name an earlier answer with --baseline"
    )]
    NothingToCompareWith(Utf8PathBuf),
    #[error("{flag} needs a git checkout, and {root} is in none")]
    NoRepository {
        flag: &'static str,
        root: Utf8PathBuf,
    },
    #[error("`{path}` does not lie below the root {root}")]
    OutsideRoot {
        path: Utf8PathBuf,
        root: Utf8PathBuf,
    },
    #[error("there is no file or directory `{path}` below the root {root}")]
    NoSuchPath { path: RepoPath, root: Utf8PathBuf },
    #[error("can't read the baseline {path}: {error}")]
    ReadBaseline {
        path: Utf8PathBuf,
        error: std::io::Error,
    },
    #[error("the baseline {path} is not what `rebake inputs` or `rebake plan` prints: {error}")]
    ParseBaseline {
        path: Utf8PathBuf,
        error: serde_json::Error,
    },
    #[error("can't compare with the baseline {path}: {error}")]
    Baseline {
        path: Utf8PathBuf,
        error: BaselineError,
    },
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("there is no service `{name}`{}", instead_of(name.as_str(), known))]
    UnknownService {
        name: ServiceName,
        known: Vec<String>,
    },
    #[error("can't start {threads} threads: {error}")]
    Threads {
        threads: usize,
        error: rayon::ThreadPoolBuildError,
    },
    #[error("there is a {0} already; `rebake init --print` shows what would be written")]
    ConfigExists(Utf8PathBuf),
    #[error("the build of `{service}` can't be written: {error}")]
    Emit {
        service: ServiceName,
        error: EmitError,
    },
    #[error("can't write {path}: {error}")]
    Write {
        path: Utf8PathBuf,
        error: std::io::Error,
    },
    #[error(transparent)]
    Context(#[from] ContextError),
    #[error("{0} has changed since it was planned; run the command again")]
    ChangedMeanwhile(RepoPath),
    #[error("the directory {0} is not empty; name another one, or replace it with --replace")]
    DirectoryNotEmpty(Utf8PathBuf),
    #[error("the directory {0} is a git checkout, which is never replaced; name another one")]
    DirectoryIsCheckout(Utf8PathBuf),
    #[error(
        "neither `docker buildx` nor `buildx` answers; install buildx (docs.docker.com/build), or build with BuildKit what `rebake generate` writes"
    )]
    NoBuildx,
    #[error("can't run buildx: {0}")]
    Buildx(std::io::Error),
    #[error("bake failed ({0}); its own words stand above")]
    BakeFailed(std::process::ExitStatus),
    #[error(
        "the build failed on BuildKit {0}, and the emitted files need 0.26 or newer; make a new builder with `docker buildx create --driver docker-container --use`"
    )]
    BuildKitTooOld(String),
    #[error("the bake record can't be read: {0}")]
    BakeRecord(serde_json::Error),
    #[error("can't make a temporary directory: {0}")]
    Scratch(std::io::Error),
    #[error("{} in doubt and can't be built; mend what the errors above name", list_doubtful(.0))]
    ServicesInDoubt(Vec<ServiceName>),
    #[error(
        "`{service}` has no debug target, because a service is called `{taken_by}`; give that one another name in rebake.toml"
    )]
    DebugTargetTaken { service: String, taken_by: String },
    #[error(
        "the baseline can't be had, so nothing is cached for certain; the warnings above say what mends it"
    )]
    NothingToPredictFrom,
    #[error("no commit can be built, only a directory; check it out, and leave --head out")]
    BuildOfCommit,
    #[error("{0}; --images and --tag make the names of images")]
    ImageName(#[from] ImageReferenceError),
    #[error("the registry can't be asked: {0}")]
    Registry(String),
    #[error("{} of {all} images did not get the tag `{tag}`: {}", .problems.len(), .problems.join("; "))]
    Retag {
        tag: String,
        all: usize,
        problems: Vec<String>,
    },
    #[error(
        "images can't be taken over from {from} to {to}: these must be two places of one registry"
    )]
    Promotion { from: String, to: String },
    #[error(transparent)]
    CiLimit(#[from] LimitError),
    #[error("there is no verb `{}`{}", verb.escape_debug(), instead_of_verb(verb, known))]
    UnknownVerb { verb: String, known: Vec<String> },
    #[error("can't write the manual: {0}")]
    Manual(std::io::Error),
    #[error("can't watch {path}: {error}")]
    Watch {
        path: Utf8PathBuf,
        error: notify::Error,
    },
    #[error("the embedded sample is broken: {0}")]
    Demo(#[from] RepoPathError),
    #[error("can't write the answer: {0}")]
    Serialize(#[from] serde_json::Error),
    #[error("can't write to stdout: {0}")]
    Stdout(std::io::Error),
}

fn list_doubtful(services: &[ServiceName]) -> String {
    let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
    match names.as_slice() {
        [one] => format!("`{one}` is"),
        many => format!("`{}` are", many.join("`, `")),
    }
}

/// As many names as a message lists.
const LISTED: usize = 20;

/// What may have been meant by a name that does not exist: one that is spelt much like it, or of which it is a part.
fn instead_of(name: &str, known: &[String]) -> String {
    if known.is_empty() {
        return "; this plan has no service at all".to_owned();
    }
    let known_names = || known.iter().map(String::as_str);
    let mut containing = known_names().filter(|known| known.split('-').any(|part| part == name));
    let meant = match (nearest(name, known_names()), containing.next()) {
        (Some(near), _) => Some(near),
        (None, only) => only.filter(|_| containing.next().is_none()),
    };
    if let Some(meant) = meant {
        return format!("; did you mean `{meant}`?");
    }
    let listed = known[..known.len().min(LISTED)].join(", ");
    match known.len() - known.len().min(LISTED) {
        0 => format!("; there are {listed}"),
        more => format!("; there are {listed} and {more} more, which `rebake plan` lists"),
    }
}

fn instead_of_verb(verb: &str, known: &[String]) -> String {
    match nearest(verb, known.iter().map(String::as_str)) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None if known.is_empty() => "; that one has none of its own".to_owned(),
        None => format!("; there are {}", known.join(", ")),
    }
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::UnknownService { .. }
            | Self::NothingToCompareWith(_)
            | Self::OutsideRoot { .. }
            | Self::NoSuchPath { .. }
            | Self::UnknownVerb { .. }
            | Self::BuildOfCommit
            | Self::ImageName(_)
            | Self::Promotion { .. }
            | Self::NoRepository { .. }
            | Self::Plan(PlanError::Glob(_)) => ExitCode::Usage,
            _ => ExitCode::Failed,
        }
    }

    /// The findings behind the failure, each with its own place.
    pub(crate) fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Plan(PlanError::Config(diagnostics)) => diagnostics,
            _ => &[],
        }
    }
}
