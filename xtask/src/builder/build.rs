//! One build, and BuildKit's own record of it.
//!
//! In: a [`Request`]. Out: a [`Record`]: which steps ran, which came from the cache, what they said, how much of the
//! context was sent. It must never guess from texts for people: `--progress rawjson` is read.
//!
//! Source: moby/buildkit client/graph.go (`SolveStatus`), util/progress/progressui (`rawjson`).

use super::Builder;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    error::Error,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// What to build, and what becomes of it.
pub(crate) struct Request {
    context: PathBuf,
    dockerfile: PathBuf,
    options: Vec<(String, String)>,
    locals: Vec<(String, PathBuf)>,
    arguments: Vec<String>,
}

impl Request {
    /// A target of a Dockerfile, for linux/amd64. `dockerfile` is the directory of the Dockerfile and of its ignore file.
    pub(crate) fn new(context: &Path, dockerfile: &Path, target: &str) -> Self {
        Self {
            context: context.to_owned(),
            dockerfile: dockerfile.to_owned(),
            options: vec![("target".to_owned(), target.to_owned())],
            locals: Vec::new(),
            arguments: Vec::new(),
        }
        .option("platform", "linux/amd64")
    }

    /// An option of the Dockerfile frontend; the last of a name counts.
    pub(crate) fn option(mut self, name: &str, value: &str) -> Self {
        self.options.retain(|(known, _)| known != name);
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A named context that is a directory.
    pub(crate) fn named_context(mut self, name: &str, directory: &Path) -> Self {
        self.locals.push((name.to_owned(), directory.to_owned()));
        self.option(&format!("context:{name}"), &format!("local:{name}"))
    }

    /// Writes the file system of the image to a directory.
    pub(crate) fn into_directory(self, directory: &Path) -> Self {
        self.argument(
            "--output",
            &format!("type=local,dest={}", directory.display()),
        )
    }

    /// An argument of `buildctl build` with its value.
    pub(crate) fn argument(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend([name.to_owned(), value.to_owned()]);
        self
    }

    fn command(&self, builder: &Builder) -> Command {
        let mut command = builder.buildctl();
        command.args([
            "build",
            "--progress",
            "rawjson",
            "--frontend",
            "dockerfile.v0",
        ]);
        let own = [("context", &self.context), ("dockerfile", &self.dockerfile)];
        let named = self.locals.iter().map(|(name, path)| (name.as_str(), path));
        for (name, path) in own.into_iter().chain(named) {
            command
                .arg("--local")
                .arg(format!("{name}={}", path.display()));
        }
        for (name, value) in &self.options {
            command.arg("--opt").arg(format!("{name}={value}"));
        }
        command.args(&self.arguments);
        command
    }
}

/// What became of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It came from the cache.
    Cached,
    /// It ran.
    Ran,
    /// It ran and failed.
    Failed,
}

/// One step of a build: an instruction that makes a layer, or something that BuildKit does besides.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// `[build 2/3] RUN …`, as BuildKit names it.
    pub(crate) name: String,
    /// What became of it.
    pub(crate) outcome: Outcome,
}

impl Step {
    /// The stage and the place in it, counted from 1, for what an instruction does; nothing for `FROM`, since an image is
    /// pulled or is there, nor for laying a linked layer on the others. In a build for several platforms BuildKit puts the platform before the stage.
    pub(crate) fn place(&self) -> Option<(&str, usize)> {
        let (place, instruction) = self.name.strip_prefix('[')?.split_once("] ")?;
        let (stage, number) = place.rsplit_once(' ')?;
        let (number, _) = number.split_once('/')?;
        let stage = stage.rsplit(' ').find(|word| !word.is_empty())?;
        let number = number.trim().parse().ok()?;
        let is_layer = !instruction.starts_with("FROM ") && !instruction.starts_with("LINK ");
        is_layer.then_some((stage, number))
    }
}

/// What became of a build.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// The steps, in the order in which they were first heard of.
    pub(crate) steps: Vec<Step>,
    /// What the steps said.
    pub(crate) said: String,
    /// What was asked for instead of an image.
    pub(crate) printed: String,
    /// Why the build failed.
    pub(crate) failure: Option<String>,
    /// How many bytes of the context were sent.
    pub(crate) sent: u64,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Record {
    /// What the build said, as an error, when it failed.
    pub(crate) fn or_failure(self) -> Result<Self, Box<dyn Error>> {
        match &self.failure {
            None => Ok(self),
            Some(failure) => {
                let lines: Vec<&str> = self.said.lines().collect();
                let end = &lines[lines.len().saturating_sub(20)..];
                Err(format!("{}\n{failure}", end.join("\n")).into())
            }
        }
    }

    /// How many instructions ran.
    pub(crate) fn ran(&self) -> usize {
        let steps = self.steps.iter();
        steps
            .filter(|step| step.outcome != Outcome::Cached && step.place().is_some())
            .count()
    }
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    vertexes: Vec<Vertex>,
    #[serde(default)]
    statuses: Vec<Progress>,
    #[serde(default)]
    logs: Vec<Log>,
}

#[derive(Deserialize)]
struct Vertex {
    digest: String,
    name: String,
    started: Option<String>,
    #[serde(default)]
    cached: bool,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
struct Progress {
    id: String,
    #[serde(default)]
    vertex: String,
    #[serde(default)]
    current: u64,
}

#[derive(Deserialize)]
struct Log {
    data: Option<String>,
}

impl Builder {
    /// Builds.
    ///
    /// # Errors
    /// When there is no builder to ask. That a build failed stands in its record.
    pub(crate) fn build(&self, request: &Request) -> Result<Record, Box<dyn Error>> {
        let started = Instant::now();
        let output = request.command(self).output()?;
        let took = started.elapsed();
        let mut order: Vec<String> = Vec::new();
        let mut steps: BTreeMap<String, Step> = BTreeMap::new();
        let mut sent: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut said = String::new();
        let mut rest = String::new();
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            let Ok(status) = serde_json::from_str::<Status>(line) else {
                rest.push_str(line);
                rest.push('\n');
                continue;
            };
            for vertex in status.vertexes {
                let outcome = if !vertex.error.is_empty() {
                    Outcome::Failed
                } else if vertex.cached {
                    Outcome::Cached
                } else {
                    Outcome::Ran
                };
                if vertex.started.is_none() && !vertex.cached && vertex.error.is_empty() {
                    // It is only announced.
                    continue;
                }
                let step = steps.entry(vertex.digest.clone()).or_insert_with(|| {
                    order.push(vertex.digest);
                    Step {
                        name: vertex.name,
                        outcome,
                    }
                });
                // What came from a cache elsewhere is fetched when it is needed, which is told as if it ran.
                if step.outcome != Outcome::Cached || outcome == Outcome::Failed {
                    step.outcome = outcome;
                }
            }
            for progress in status.statuses {
                if progress.id.starts_with("transferring context") {
                    let most = sent.entry((progress.vertex, progress.id)).or_default();
                    *most = progress.current.max(*most);
                }
            }
            for log in status.logs {
                let data = log.data.unwrap_or_default();
                said.push_str(&String::from_utf8_lossy(&STANDARD.decode(data)?));
            }
        }
        let failure = (!output.status.success()).then_some(rest);
        Ok(Record {
            steps: order
                .iter()
                .filter_map(|digest| steps.remove(digest))
                .collect(),
            said,
            printed: String::from_utf8_lossy(&output.stdout).into_owned(),
            failure,
            sent: sent.values().sum(),
            took,
        })
    }
}
