//! What can be typed after `rebake ci`.

use super::{BaselineArguments, BuildArguments, RegistryArguments, TreeArguments};
use camino::Utf8PathBuf;
use clap::{Args, Subcommand, ValueEnum};
use rebake_ci::{
    gitlab::{Include, JobName},
    registry::ImagePrefix,
};
use rebake_planner::{discover::service_name::ServiceName, recipe::ImageReference};
use std::num::NonZeroUsize;

#[derive(Debug, Args)]
pub(crate) struct CiArguments {
    #[command(subcommand)]
    pub(crate) service: CiService,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CiService {
    /// Write the outputs and the summary of a step of GitHub Actions, and annotations to stdout.
    ///
    /// Outputs go to the file that GITHUB_OUTPUT names (to stdout where it is not set): `any`, `count`, `reused`, `matrix` (at most 256 jobs), `services`, and `plan` where the plan is written to a file. The summary goes to the file that GITHUB_STEP_SUMMARY names.
    Github(GithubArguments),
    /// Write a child pipeline and a dotenv report for GitLab CI, and the plan to stdout.
    Gitlab(Box<GitlabArguments>),
    /// Give the images of all services another tag in the registry, without a build.
    ///
    /// After the builds of a run: the images that were reused get the run's tag beside their content tags. Ends with code 1 when an image is not there.
    Retag(RetagArguments),
    /// Take over what pull requests have built, without a build.
    ///
    /// An image is taken over where it stands under the content tag that is needed now.
    /// Whoever may push a branch decides what these images hold, whatever their tags say: promote them only where all who may push are trusted with what runs. An image that is there already, or nowhere, is left; what can't be taken over is said, and is left to the build.
    Promote(PromoteArguments),
}

/// What all CI services have in common.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Write the plan to this file too, as `rebake plan --format json` prints it.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<Utf8PathBuf>,

    #[command(flatten)]
    pub(crate) baseline: BaselineArguments,

    /// Fetch no history. Without this flag git is asked for the commit that the event names, where a shallow clone does
    /// not hold it.
    #[arg(long, help_heading = "Baseline")]
    pub(crate) no_fetch: bool,

    #[command(flatten)]
    pub(crate) registry: RegistryArguments,
    #[command(flatten)]
    pub(crate) tree: TreeArguments,
    #[command(flatten)]
    pub(crate) build: BuildArguments,
}

#[derive(Debug, Args)]
pub(crate) struct GithubArguments {
    /// How many jobs the matrix may have; where there are more services, each job builds several.
    #[arg(long, value_name = "N", default_value = "256", value_parser = parse_matrix_jobs)]
    pub(crate) max_jobs: NonZeroUsize,

    #[command(flatten)]
    pub(crate) run: RunArguments,
}

#[derive(Debug, Args)]
pub(crate) struct GitlabArguments {
    /// How many jobs the child pipeline may have; where there are more services, each job builds several.
    #[arg(long, value_name = "N", default_value = "200")]
    pub(crate) max_jobs: NonZeroUsize,

    /// What builds the images.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) builder: BuilderName,

    /// Where the child pipeline goes.
    #[arg(long, value_name = "FILE", default_value = "rebake-pipeline.json")]
    pub(crate) pipeline: Utf8PathBuf,

    /// Where the dotenv report goes: REBAKE_ANY, REBAKE_COUNT and REBAKE_REUSED.
    #[arg(long, value_name = "FILE", default_value = "rebake.env")]
    pub(crate) dotenv: Utf8PathBuf,

    /// What stands before the names of images, with a slash at its end. Default: CI_REGISTRY_IMAGE and a slash.
    #[arg(long, value_name = "PREFIX", value_parser = parse_images)]
    pub(crate) images: Option<String>,

    /// The tag that images get beside their content tags. Default: CI_COMMIT_SHA, else latest.
    #[arg(long, value_name = "TAG", value_parser = parse_tag)]
    pub(crate) tag: Option<String>,

    /// Where caches are imported from, up to the service's name: `type=registry,ref=HOST/cache:`.
    #[arg(long, value_name = "CACHE", default_value = "", value_parser = parse_line)]
    pub(crate) cache_from: String,

    /// Where caches are exported to, up to the service's name.
    #[arg(long, value_name = "CACHE", default_value = "", value_parser = parse_line)]
    pub(crate) cache_to: String,

    /// What binaries are stamped with.
    #[arg(long, value_name = "VERSION", value_parser = parse_line)]
    pub(crate) stamp: Option<String>,

    /// Write what the child builds from, below `.rebake`, and have its jobs take it from the artifacts of this job. The
    /// job that starts the child must pass PARENT_PIPELINE_ID on: CI_PIPELINE_ID. Without this flag the files must be
    /// committed.
    #[arg(long, value_name = "JOB")]
    pub(crate) build_files_job: Option<JobName>,

    /// The image of the child's jobs: Docker's client, or rootless BuildKit; with a digest, best.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) build_image: Option<ImageReference>,

    /// The image of the Docker daemon beside them.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) daemon_image: Option<ImageReference>,

    /// A file that the child includes, with a hidden job `.rebake-build` whose settings all jobs get: local:/FILE,
    /// remote:https://… or `project:GROUP/NAME[@REF]:/FILE`; repeatable.
    #[arg(long, value_name = "INCLUDE")]
    pub(crate) include: Vec<Include>,

    #[command(flatten)]
    pub(crate) run: RunArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RetagArguments {
    /// The services; without them, all.
    #[arg(id = "service", value_name = "SERVICE")]
    pub(crate) services: Vec<ServiceName>,

    /// The tag to give, such as the commit's id.
    #[arg(long, value_name = "TAG", value_parser = parse_tag)]
    pub(crate) tag: String,

    /// What stands before the names of the images, with a slash at its end.
    #[arg(long, value_name = "PREFIX", help_heading = "Registry")]
    pub(crate) registry: ImagePrefix,

    /// Speak to the registry without TLS. One on this machine is spoken to so anyway.
    #[arg(long, help_heading = "Registry")]
    pub(crate) registry_insecure: bool,

    #[command(flatten)]
    pub(crate) tree: TreeArguments,
    #[command(flatten)]
    pub(crate) build: BuildArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PromoteArguments {
    /// The services; without them, all.
    #[arg(id = "service", value_name = "SERVICE")]
    pub(crate) services: Vec<ServiceName>,

    /// Where pull requests push: what stands before the names of their images.
    #[arg(long, value_name = "PREFIX", help_heading = "Registry")]
    pub(crate) from: ImagePrefix,

    /// What stands before the names of trusted images, in the same registry.
    #[arg(long, value_name = "PREFIX", help_heading = "Registry")]
    pub(crate) registry: ImagePrefix,

    /// The tag that images get beside their content tags.
    #[arg(long, value_name = "TAG", value_parser = parse_tag)]
    pub(crate) tag: String,

    /// Speak to the registry without TLS. One on this machine is spoken to so anyway.
    #[arg(long, help_heading = "Registry")]
    pub(crate) registry_insecure: bool,

    #[command(flatten)]
    pub(crate) tree: TreeArguments,
    #[command(flatten)]
    pub(crate) build: BuildArguments,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum BuilderName {
    /// `docker buildx bake`, with a Docker daemon as a service.
    #[default]
    Buildx,
    /// `buildctl`, with a rootless BuildKit in the job itself.
    Buildctl,
}

fn parse_matrix_jobs(text: &str) -> Result<NonZeroUsize, String> {
    let limit = rebake_ci::github::MATRIX_JOBS;
    match text.parse::<NonZeroUsize>() {
        Ok(jobs) if jobs.get() <= limit => Ok(jobs),
        _ => Err(format!("GitHub takes 1 to {limit} jobs")),
    }
}

fn parse_images(text: &str) -> Result<String, String> {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "._-/:".contains(character);
    if text.chars().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("a registry and a repository, as in `ghcr.io/acme/shop/`".to_owned())
    }
}

fn parse_tag(text: &str) -> Result<String, String> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let is_plain = |character: char| is_word(character) || ".-".contains(character);
    if text.len() > 128 || !text.starts_with(is_word) || !text.chars().all(is_plain) {
        return Err("a tag is 1 to 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two".to_owned());
    }
    let is_hex =
        |text: &str| text.len() == 64 && text.chars().all(|digit| digit.is_ascii_hexdigit());
    if text.strip_prefix("k-").is_some_and(is_hex) {
        return Err(
            "it has the form of a content tag, and those are given by builds alone".to_owned(),
        );
    }
    Ok(text.to_owned())
}

fn parse_line(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        Err("it must be one line of printable characters".to_owned())
    } else {
        Ok(text.to_owned())
    }
}
