//! The child pipeline: a job for each service, or for a batch of them.
//!
//! In: a plan, how its services are built, and the settings of the run. Out: one JSON document, which GitLab reads as YAML.
//! Scripts are constants; names travel as variables.
//!
//! A job extends two hidden jobs. `.rebake-buildx` or `.rebake-buildctl`, written here, holds image, services, script and
//! the run's variables. `.rebake-build` is the user's: tags, rules, retry, another image, `before_script`, variables. It
//! comes last, so it wins; it is written here with nothing in it that matters, so that it need not exist. The user
//! brings it with another entry of `trigger: include`, or with an `include` here ([`Include`]).
//!
//! - A child without jobs makes the parent fail, so there is always one: `rebake:nothing-to-build`.
//! - A job without rules does not run in the child of a merge request's pipeline, unless the workflow has rules. It has.
//! - `$` in a variable is expanded. A value that holds one is written with `expand: false`; others are plain strings, which
//!   gitlab-ci-local understands too.
//! - GitLab takes 5 MB. More is an error.
//! - What the jobs build from stands below `.rebake`: committed, or among the artifacts of the job that has planned. A child
//!   finds that job by `PARENT_PIPELINE_ID`, a variable that the job which starts the child passes on.
//!
//! It must never write a text of the repository into a script or the name of a job, service names excepted.

use crate::{
    job_batches::{JobBatch, LimitError, MaxJobs, batches},
    selection::Selection,
};
use rebake_planner::{
    discover::service_name::ServiceName,
    emit::{BAKE_FILE, BUILD_FILES, Build, CACHE_FROM, CACHE_TO, KeptBuild, key_variable},
    path::RepoPath,
    recipe::{Credentials, ImageReference},
    wire::PlanDocument,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, str::FromStr};

/// As many jobs as a child gets, unless the user says other.
pub const CHILD_JOBS: usize = 200;

/// What GitLab takes as a generated pipeline.
const LIMIT: usize = 5_000_000;

/// The names of a batch's services, and how each is built.
const BUILDS_LIMIT: usize = 120_000;

const BUILDCTL: &str = include_str!("buildctl.sh");

/// Fields of a line of `REBAKE_BUILDS` stand between these.
const SEPARATOR: char = '|';

/// What builds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Builder {
    /// `docker buildx bake`, with a Docker daemon as a service.
    #[default]
    Buildx,
    /// `buildctl`, with a rootless BuildKit in the job itself.
    Buildctl,
}

/// A file that the child includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Include {
    /// Of the same project.
    Local(String),
    /// Of another project, by name, ref and path.
    Project {
        /// The project.
        project: String,
        /// The ref; nothing for its default branch.
        reference: Option<String>,
        /// The file.
        file: String,
    },
    /// By its address.
    Remote(String),
}

/// Why a text names no include.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is no include: write local:/FILE, remote:https://… or project:GROUP/NAME[@REF]:/FILE", .0.escape_debug()
)]
pub struct IncludeError(String);

impl FromStr for Include {
    type Err = IncludeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || IncludeError(text.to_owned());
        let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
        if rest.is_empty() || rest.chars().any(char::is_control) {
            return Err(wrong());
        }
        match kind {
            "local" => Ok(Self::Local(rest.to_owned())),
            "remote" if rest.starts_with("https://") => Ok(Self::Remote(rest.to_owned())),
            "project" => {
                let (project, file) = rest.split_once(":/").ok_or_else(wrong)?;
                let (project, reference) = match project.split_once('@') {
                    Some((project, reference)) => (project, Some(reference.to_owned())),
                    None => (project, None),
                };
                Ok(Self::Project {
                    project: project.to_owned(),
                    reference,
                    file: format!("/{file}"),
                })
            }
            _ => Err(wrong()),
        }
    }
}

impl Include {
    fn to_json(&self) -> Value {
        match self {
            Self::Local(path) => json!({ "local": path }),
            Self::Remote(address) => json!({ "remote": address }),
            Self::Project {
                project,
                reference: None,
                file,
            } => json!({ "project": project, "file": file }),
            Self::Project {
                project,
                reference: Some(reference),
                file,
            } => json!({ "project": project, "ref": reference, "file": file }),
        }
    }
}

/// What a run chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildSettings {
    /// What builds.
    pub builder: Builder,
    /// How many jobs there may be.
    pub max_jobs: MaxJobs,
    /// What stands before the names of images.
    pub images: String,
    /// The tag that they get beside their content tags.
    pub tag: String,
    /// Where caches are imported from, up to the service's scope; empty for nowhere.
    pub cache_from: String,
    /// Where caches are exported to, up to the service's scope; empty for nowhere.
    pub cache_to: String,
    /// What binaries are stamped with; nothing for what the bake file says.
    pub version: Option<String>,
    /// What the child includes.
    pub includes: Vec<Include>,
    /// The job of the parent whose artifacts hold what the child builds from; nothing where that is committed.
    pub build_files_job: Option<JobName>,
    /// The image of the jobs; nothing for the builder's own.
    pub image: Option<ImageReference>,
    /// The image of the Docker daemon beside them; nothing for Docker's own.
    pub daemon_image: Option<ImageReference>,
}

/// The name of a job of the parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobName(String);

/// Why a text names no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no name of a job: 1 to 255 printable characters, without `$`", .0.escape_debug())]
pub struct JobNameError(String);

impl FromStr for JobName {
    type Err = JobNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // GitLab would expand a variable there.
        let is_plain = |character: char| !character.is_control() && character != '$';
        if (1..=255).contains(&text.len()) && text.chars().all(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(JobNameError(text.to_owned()))
        }
    }
}

/// Writes the child.
///
/// # Errors
/// When it is larger than GitLab takes, or a path can't be handed to `buildctl`.
pub fn child_pipeline(
    plan: &PlanDocument,
    builds: &[Build],
    settings: &ChildSettings,
) -> Result<String, LimitError> {
    let selection = Selection::of(plan);
    let mut document = Map::new();
    if !settings.includes.is_empty() {
        let includes: Vec<Value> = settings.includes.iter().map(Include::to_json).collect();
        document.insert("include".to_owned(), json!(includes));
    }
    document.insert("stages".to_owned(), json!(["rebake"]));
    document.insert(
        "workflow".to_owned(),
        json!({ "rules": [{ "when": "always" }] }),
    );
    let (name, hidden) = match settings.builder {
        Builder::Buildx => (".rebake-buildx", buildx(settings)),
        Builder::Buildctl => (".rebake-buildctl", buildctl(settings)),
    };
    // An empty hidden job is refused.
    document.insert(".rebake-build".to_owned(), json!({ "stage": "rebake" }));
    if selection.build.is_empty() {
        document.insert("rebake:nothing-to-build".to_owned(), nothing_to_build());
    } else {
        let mut hidden = hidden;
        if let Some(JobName(job)) = &settings.build_files_job {
            hidden["needs"] = json!([{ "pipeline": "$PARENT_PIPELINE_ID", "job": job }]);
        }
        document.insert(name.to_owned(), hidden);
    }
    let how = HowBuilt::of(plan, builds);
    let batches = batches(&selection.build, settings.max_jobs)?;
    for batch in &batches {
        let variables = match settings.builder {
            Builder::Buildx => how.bake_variables(batch),
            Builder::Buildctl => how.buildctl_variables(batch, &batches)?,
        };
        document.insert(
            format!("rebake:{}", batch.name),
            json!({ "extends": [name, ".rebake-build"], "variables": variables }),
        );
    }
    let text = format!("{:#}\n", Value::Object(document));
    if text.len() > LIMIT {
        return Err(LimitError::Document {
            what: "the child pipeline",
            service: "GitLab",
            size: text.len(),
            limit: LIMIT,
        });
    }
    Ok(text)
}

/// A value that GitLab leaves as it is.
fn data(value: &str) -> Value {
    if value.contains('$') {
        json!({ "value": value, "expand": false })
    } else {
        json!(value)
    }
}

fn variables_of_all(settings: &ChildSettings) -> Map<String, Value> {
    let mut variables = Map::new();
    variables.insert("IMAGES".to_owned(), data(&settings.images));
    variables.insert("TAG".to_owned(), data(&settings.tag));
    variables.insert(CACHE_FROM.to_owned(), data(&settings.cache_from));
    variables.insert(CACHE_TO.to_owned(), data(&settings.cache_to));
    let version = settings.version.as_deref().unwrap_or("dev");
    variables.insert("VERSION".to_owned(), data(version));
    variables
}

fn buildx(settings: &ChildSettings) -> Value {
    let mut variables = variables_of_all(settings);
    variables.insert("DOCKER_TLS_CERTDIR".to_owned(), json!("/certs"));
    json!({
        "stage": "rebake",
        "image": image_or(settings.image.as_ref(), "docker:29-cli"),
        // The alias by which the client finds it, whatever the image is called.
        "services": [{ "name": image_or(settings.daemon_image.as_ref(), "docker:29-dind"), "alias": "docker" }],
        "variables": variables,
        "before_script": [
            "if [ -n \"${CI_REGISTRY_PASSWORD:-}\" ]; then printf '%s' \"$CI_REGISTRY_PASSWORD\" | docker login --username \"$CI_REGISTRY_USER\" --password-stdin \"$CI_REGISTRY\"; fi",
            // buildx takes the address of a daemon with TLS from a context alone.
            "docker context create rebake",
            "docker buildx create --use --driver docker-container --name rebake rebake",
        ],
        "script": [format!("docker buildx bake --file {BUILD_FILES}/{BAKE_FILE} --push -- $REBAKE_SERVICES")],
    })
}

fn buildctl(settings: &ChildSettings) -> Value {
    let mut variables = variables_of_all(settings);
    for (name, value) in [
        ("BUILDKITD_FLAGS", "--oci-worker-no-process-sandbox"),
        ("REBAKE_BUILDCTL", "buildctl-daemonless.sh"),
    ] {
        variables.insert(name.to_owned(), json!(value));
    }
    json!({
        "stage": "rebake",
        "image": { "name": image_or(settings.image.as_ref(), "moby/buildkit:v0.32.2-rootless"), "entrypoint": [""] },
        "variables": variables,
        "before_script": [
            "if [ -n \"${CI_REGISTRY_PASSWORD:-}\" ]; then mkdir -p \"${DOCKER_CONFIG:-$HOME/.docker}\" && printf '{\"auths\":{\"%s\":{\"auth\":\"%s\"}}}' \"$CI_REGISTRY\" \"$(printf '%s:%s' \"$CI_REGISTRY_USER\" \"$CI_REGISTRY_PASSWORD\" | base64 | tr -d '\\n')\" > \"${DOCKER_CONFIG:-$HOME/.docker}/config.json\"; fi",
        ],
        "script": [BUILDCTL],
    })
}

fn image_or(chosen: Option<&ImageReference>, usual: &str) -> String {
    chosen.map_or_else(|| usual.to_owned(), ToString::to_string)
}

fn nothing_to_build() -> Value {
    json!({
        "extends": [".rebake-build"],
        "variables": { "GIT_STRATEGY": "none" },
        "services": [],
        "before_script": [],
        "script": ["echo 'Nothing to build: every image is up to date.'"],
    })
}

/// How each service is built.
struct HowBuilt<'a> {
    platforms: BTreeMap<&'a ServiceName, Vec<String>>,
    tags: BTreeMap<&'a ServiceName, &'a str>,
    builds: BTreeMap<&'a ServiceName, &'a Build>,
}

impl<'a> HowBuilt<'a> {
    fn of(plan: &'a PlanDocument, builds: &'a [Build]) -> Self {
        let mut platforms: BTreeMap<&ServiceName, Vec<String>> = BTreeMap::new();
        let mut tags = BTreeMap::new();
        for row in &plan.services {
            let of_service = platforms.entry(&row.image.name).or_default();
            of_service.push(row.image.platform.to_string());
            if let Some(tag) = &row.image.tag {
                tags.insert(&row.image.name, tag.as_str());
            }
        }
        Self {
            platforms,
            tags,
            builds: builds
                .iter()
                .map(|build| (build.service(), build))
                .collect(),
        }
    }

    fn bake_variables(&self, batch: &JobBatch) -> Map<String, Value> {
        let mut variables = Map::new();
        variables.insert("REBAKE_SERVICES".to_owned(), json!(batch.service_list()));
        for service in &batch.services {
            if let Some(tag) = self.tags.get(service) {
                variables.insert(key_variable(service), json!(tag));
            }
        }
        variables
    }

    fn buildctl_variables(
        &self,
        batch: &JobBatch,
        batches: &[JobBatch],
    ) -> Result<Map<String, Value>, LimitError> {
        let lines: Vec<String> = batch
            .services
            .iter()
            .map(|service| self.line(service))
            .collect::<Result<_, _>>()?;
        let builds = lines.join("\n");
        if builds.len() > BUILDS_LIMIT {
            return Err(LimitError::Batch {
                services: batches.iter().map(|batch| batch.services.len()).sum(),
                jobs: batches.len(),
                length: builds.len(),
            });
        }
        let mut variables = Map::new();
        variables.insert("REBAKE_BUILDS".to_owned(), data(&builds));
        Ok(variables)
    }

    /// Service, context, the Dockerfile's directory and name, target, platforms, content tag, credentials, and whether a
    /// version is stamped.
    fn line(&self, service: &ServiceName) -> Result<String, LimitError> {
        let directory = format!("{BUILD_FILES}/{service}");
        let mut fields = [
            service.to_string(),
            ".".to_owned(),
            directory,
            "Dockerfile".to_owned(),
            "final".to_owned(),
            self.platforms
                .get(service)
                .map_or_else(String::new, |platforms| platforms.join(",")),
            self.tags
                .get(service)
                .copied()
                .unwrap_or_default()
                .to_owned(),
            String::new(),
            String::new(),
        ];
        match self.builds.get(service) {
            Some(Build::Kept(KeptBuild {
                dockerfile,
                context,
                ..
            })) => {
                let parent = dockerfile.parent().unwrap_or_else(RepoPath::root);
                fields[1] = context.to_string();
                fields[2] = parent.to_string();
                fields[3] = dockerfile.file_name().unwrap_or_default().to_owned();
                fields[4] = String::new();
            }
            Some(Build::Emitted(build)) => {
                fields[7] = match build.recipe.credentials {
                    Some(Credentials::Netrc) => "netrc",
                    Some(Credentials::Ssh) => "ssh",
                    None => "",
                }
                .to_owned();
                if build.recipe.version_variable.is_some() {
                    fields[8] = "stamped".to_owned();
                }
            }
            None => {}
        }
        for field in &fields {
            let unwritable = |character: &char| *character == SEPARATOR || character.is_control();
            if let Some(character) = field.chars().find(unwritable) {
                return Err(LimitError::Unwritable {
                    text: field.clone(),
                    into: "the jobs of buildctl",
                    character,
                });
            }
        }
        Ok(fields.join(&SEPARATOR.to_string()))
    }
}
