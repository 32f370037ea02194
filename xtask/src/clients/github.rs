//! GitHub Actions, played by act.
//!
//! In: a sample monorepo with a workflow, and an event. Out: which jobs ran, how they ended, and what they said. The action
//! and the reusable workflow are those of this repository, installed as from a release: an archive with a sum.
//!
//! **What stands in for what is not here**: `actions/checkout` fetches as the real one does, from the sample's server;
//! `docker/setup-buildx-action` names the builder of the tests, and `docker/login-action` does nothing. `$/.`, which act
//! does not know, is written as the release that it stands for, and `ghcr.io` as the registry of the tests.

use super::{
    cancelled,
    install::{Wheels, must},
    shop::Shop,
};
use crate::{builder::Builder, tools};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The release that the examples name.
const RELEASE: &str = "v0.1.0";

/// The registries that examples name; those of the tests take their place.
const REGISTRIES: [&str; 2] = ["ghcr.io", "registry.example.com"];

const STAND_INS: [(&str, &str); 3] = [
    ("actions/checkout", include_str!("stand_ins/checkout.yml")),
    (
        "docker/setup-buildx-action",
        include_str!("stand_ins/setup-buildx.yml"),
    ),
    ("docker/login-action", include_str!("stand_ins/login.yml")),
];

/// What GitHub tells a workflow.
pub(super) struct Event {
    pub(super) name: &'static str,
    pub(super) payload: Value,
}

impl Event {
    /// A push to a branch or a tag.
    pub(super) fn push(reference: &str, before: &str, after: &str) -> Self {
        Self {
            name: "push",
            payload: json!({"ref": reference, "before": before, "after": after}),
        }
    }

    /// A pull request, from a branch of a repository.
    pub(super) fn pull_request(number: u32, base: &str, head: &str, repository: &str) -> Self {
        Self {
            name: "pull_request",
            payload: json!({
                "number": number,
                "action": "synchronize",
                "pull_request": {
                    "number": number,
                    "base": {"sha": base, "ref": "main", "repo": {"full_name": "acme/shop"}},
                    "head": {"sha": head, "ref": "feature", "repo": {"full_name": repository}},
                },
            }),
        }
    }

    /// An entry of a merge queue.
    pub(super) fn merge_group(base: &str, head: &str) -> Self {
        Self {
            name: "merge_group",
            payload: json!({
                "action": "checks_requested",
                "merge_group": {
                    "base_sha": base, "head_sha": head, "base_ref": "refs/heads/main",
                    "head_ref": "refs/heads/gh-readonly-queue/main/pr-7",
                },
            }),
        }
    }
}

/// How a run went.
#[derive(Debug)]
pub(super) struct Run {
    /// Whether all jobs ended well.
    pub(super) succeeded: bool,
    /// The jobs that ran, as the checks are called, with their results.
    pub(super) jobs: BTreeMap<String, String>,
    /// The commands that the runner obeyed, from the log and from files.
    pub(super) commands: Vec<Obeyed>,
    /// All that was said.
    pub(super) log: String,
}

/// A command that the runner obeyed.
#[derive(Debug)]
pub(super) struct Obeyed {
    /// `set-output`, `add-path` and the like.
    pub(super) name: String,
    /// What it is about.
    pub(super) key: String,
    pub(super) value: String,
}

/// act, with the action and all that it needs.
pub(super) struct GitHub<'a> {
    builder: &'a Builder,
    wheels: &'a Wheels,
    directory: tempfile::TempDir,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    job: String,
    #[serde(default)]
    msg: String,
    #[serde(rename = "jobResult")]
    job_result: Option<String>,
    command: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    arg: String,
    content: Option<String>,
}

impl<'a> GitHub<'a> {
    /// Makes a release of this repository, and the stand-ins.
    pub(super) fn new(
        builder: &'a Builder,
        wheels: &'a Wheels,
        rebake: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let github = Self {
            builder,
            wheels,
            directory: tempfile::tempdir()?,
        };
        for (name, text) in STAND_INS {
            let directory = github.at("stand-ins").join(name);
            fs::create_dir_all(&directory)?;
            fs::write(directory.join("action.yml"), text)?;
        }
        let sum = github.release(rebake)?;
        let action = github.at("action");
        for directory in ["", "ci-adapters/github", ".github/workflows"] {
            fs::create_dir_all(action.join(directory))?;
        }
        let root = tools::workspace();
        for file in ["action.yml", ".github/workflows/rebake.yml"] {
            let text = fs::read_to_string(root.join(file))?;
            fs::write(action.join(file), github.adapted(&text))?;
        }
        for entry in fs::read_dir(root.join("ci-adapters/github"))? {
            let entry = entry?;
            let mut text = github.adapted(&fs::read_to_string(entry.path())?);
            if entry.file_name() == "checksums.txt" {
                text.push_str(&sum);
            }
            fs::write(
                action.join("ci-adapters/github").join(entry.file_name()),
                text,
            )?;
        }
        Ok(github)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where jobs have their work trees.
    pub(super) fn cache(&self) -> PathBuf {
        self.at("cache")
    }

    /// Packs a binary as the release workflow does, and gives its line for checksums.txt.
    fn release(&self, rebake: &Path) -> Result<String, Box<dyn Error>> {
        let target = format!("{}-unknown-linux-musl", env::consts::ARCH);
        let name = format!("{RELEASE}/rebake-{target}.tar.gz");
        let archive = self.at("releases").join(&name);
        let parent = archive.parent().ok_or("an archive without a folder")?;
        fs::create_dir_all(parent)?;
        must(
            Command::new("tar")
                .arg("--directory")
                .arg(rebake.parent().ok_or("a program without a folder")?)
                .args(["--create", "--gzip", "--file"])
                .arg(&archive)
                .arg("rebake"),
        )?;
        let sum = Command::new("sha256sum").arg(&archive).output()?;
        let sum = String::from_utf8(sum.stdout)?;
        let sum = sum.split(' ').next().unwrap_or_default();
        Ok(format!("{sum}  {name}\n"))
    }

    /// A file with what is not here replaced by what stands in for it.
    pub(super) fn adapted(&self, text: &str) -> String {
        let mut text = text.replace("uses: $/.", &format!("uses: rebake-build/rebake@{RELEASE}"));
        for registry in REGISTRIES {
            text = text.replace(registry, self.builder.registry());
        }
        text
    }

    /// An example as it runs here.
    pub(super) fn example(&self, name: &str) -> Result<String, Box<dyn Error>> {
        let path = tools::workspace().join("examples/github").join(name);
        Ok(self.adapted(&fs::read_to_string(path)?))
    }

    /// Runs the sample's workflow for an event, on the commit that the work tree is on.
    pub(super) fn run(
        &self,
        shop: &Shop,
        event: &Event,
        settings: &[(&str, &str)],
    ) -> Result<Run, Box<dyn Error>> {
        let output = self.act(shop, event, settings)?.output()?;
        Ok(Run::of(&output))
    }

    /// Runs it until its log holds a text, and cancels it there.
    pub(super) fn cancel(
        &self,
        shop: &Shop,
        event: &Event,
        sign: &str,
    ) -> Result<(), Box<dyn Error>> {
        cancelled::run_until(&mut self.act(shop, event, &[])?, self.builder, sign)
    }

    fn act(
        &self,
        shop: &Shop,
        event: &Event,
        settings: &[(&str, &str)],
    ) -> Result<Command, Box<dyn Error>> {
        let mut payload = event.payload.clone();
        payload["repository"] = json!({"default_branch": "main"});
        payload["sender"] = json!({"login": "person"});
        let events = self.at("event.json");
        fs::write(&events, payload.to_string())?;
        let mut act = self.wheels.act();
        act.arg(event.name)
            .args(["--json", "--no-skip-checkout", "--no-cache-server"])
            .args(["--actor", "person", "--secret", "GITHUB_TOKEN=a-token"])
            .args(["--platform", "ubuntu-latest=-self-hosted"])
            .arg("--directory")
            .arg(shop.tree())
            .arg("--workflows")
            .arg(shop.tree().join(".github/workflows/images.yml"))
            .arg("--eventpath")
            .arg(&events)
            .arg("--action-cache-path")
            .arg(self.cache());
        let mut local = |name: &str, reference: &str, path: &Path| {
            act.arg("--local-repository")
                .arg(format!("{name}@{reference}={}", path.display()));
        };
        local("rebake-build/rebake", RELEASE, &self.at("action"));
        for (name, _) in STAND_INS {
            let reference = pinned_commit(name)?;
            local(name, &reference, &self.at("stand-ins").join(name));
        }
        let mut environment = vec![
            (
                "STAND_IN_SERVER".to_owned(),
                format!("file://{}", shop.server().display()),
            ),
            (
                "REBAKE_RELEASES".to_owned(),
                format!("file://{}", self.at("releases").display()),
            ),
        ];
        for (name, value) in self.builder.buildx_environment()? {
            environment.push((name.to_owned(), value));
        }
        for (name, value) in settings {
            environment.push(((*name).to_owned(), (*value).to_owned()));
        }
        for (name, value) in environment {
            act.arg("--env").arg(format!("{name}={value}"));
        }
        let buildx = self.builder.buildx_path()?;
        let directories = buildx.parent().map(Path::to_owned).into_iter();
        let path = env::var_os("PATH").unwrap_or_default();
        act.env(
            "PATH",
            env::join_paths(directories.chain(env::split_paths(&path)))?,
        );
        Ok(act)
    }
}

impl Run {
    /// What act said of a run.
    fn of(output: &Output) -> Self {
        let mut jobs = BTreeMap::new();
        let mut log = String::new();
        let mut commands = Vec::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Ok(line) = serde_json::from_str::<Line>(line) else {
                let _ = writeln!(log, "{line}");
                continue;
            };
            if let Some(result) = line.job_result {
                jobs.insert(line.job.trim_end().to_owned(), result);
            }
            if let Some(name) = line.command {
                commands.push(Obeyed {
                    name,
                    key: line.name,
                    value: line.content.unwrap_or(line.arg),
                });
            }
            let _ = writeln!(log, "{} | {}", line.job.trim_end(), line.msg.trim_end());
        }
        log.push_str(&String::from_utf8_lossy(&output.stderr));
        Self {
            succeeded: output.status.success(),
            jobs,
            commands,
            log,
        }
    }
}

/// The commit that this repository pins an action to.
fn pinned_commit(action: &str) -> Result<String, Box<dyn Error>> {
    let text = fs::read_to_string(tools::workspace().join(".github/workflows/rebake.yml"))?;
    let (_, rest) = text
        .split_once(&format!("uses: {action}@"))
        .ok_or_else(|| format!("rebake.yml does not use {action}"))?;
    Ok(rest
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned())
}
