//! Which steps of a build will run, and which come from the cache.
//!
//! In: how a service was built and how it is built now, with the paths that differ between both trees. Out: a
//! [`Prediction`] for a builder that has the cache of the former build, whether it made it or imported it. It reads the
//! emitted instructions as BuildKit does: a step runs when its text, the step before it or the content that it sees
//! differs. It must never say that a step is cached when what enters it is not known to be the same.
//!
//! Source: moby/buildkit solver/llbsolver/ops (`file.go`, `exec.go`: which inputs count by content).
//!
//! **Known gaps:** an image that is not pinned may mean another image; a build argument that changes, such as a version, is
//! not part of a tree; permissions count by the executable bit alone.

use super::{
    EmitError, EmittedFile, ServiceBuild,
    dockerfile::{self, Instruction, Link, Mount, Source},
    emit_service,
    stages::{self, GO_IMAGE},
};
use crate::{
    file_kind::FileKind,
    inputs::{ImageInputs, InputFile},
    path::RepoPath,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// A service at one time.
#[derive(Debug, Clone)]
pub struct ServiceState<'a> {
    /// How it is built.
    pub build: &'a ServiceBuild,
    /// Its inputs, those of every platform.
    pub inputs: Vec<&'a ImageInputs>,
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forecast {
    /// It comes from the cache.
    Cached,
    /// It comes from the cache if the stage that is named, which runs, yields what it yielded before; else it runs.
    Follows(&'static str),
    /// It runs.
    Runs,
}

impl fmt::Display for Forecast {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cached => formatter.write_str("cached"),
            Self::Follows(stage) => {
                write!(formatter, "cached, unless {stage} yields something else")
            }
            Self::Runs => formatter.write_str("runs"),
        }
    }
}

/// An instruction that makes a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictedStep {
    /// The stage.
    pub stage: &'static str,
    /// Its place in the stage as BuildKit counts, from 1; the `FROM` of an image counts, that of another stage does not.
    pub number: usize,
    /// What becomes of it.
    pub forecast: Forecast,
}

/// What becomes of the steps of a target, in the order of the Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// The steps, `FROM`s left out.
    pub steps: Vec<PredictedStep>,
}

impl Prediction {
    /// What becomes of a stage: of that of its steps that is the least likely to be cached. Nothing when the stage has no
    /// step, or is not part of the target.
    pub fn stage(&self, name: &str) -> Option<Forecast> {
        let steps = self.steps.iter().filter(|step| step.stage == name);
        steps.map(|step| step.forecast).max()
    }

    /// The stages in their order, with what becomes of each.
    pub fn stages(&self) -> Vec<(&'static str, Forecast)> {
        let mut stages: Vec<(&'static str, Forecast)> = Vec::new();
        for step in &self.steps {
            match stages.last_mut() {
                Some((name, forecast)) if *name == step.stage => {
                    *forecast = step.forecast.max(*forecast);
                }
                _ => stages.push((step.stage, step.forecast)),
            }
        }
        stages
    }
}

/// Predicts what building the image anew runs. `changed` are the paths of files and links whose content or mode differs
/// between both trees, those that only one has included.
///
/// # Errors
/// When one of the builds can't be written down.
pub fn predict(
    before: &ServiceState<'_>,
    after: &ServiceState<'_>,
    changed: &BTreeSet<RepoPath>,
) -> Result<Prediction, EmitError> {
    let old = stages_of(&stages::instructions(before.build)?)?;
    let new = stages_of(&stages::instructions(after.build)?)?;
    let changes = Changes::new(before, after, changed)?;
    let mut predictor = Predictor {
        old: &old,
        changes: &changes,
        finished: BTreeMap::new(),
        steps: Vec::new(),
    };
    let wanted = stages_behind(&new, FINAL);
    for stage in new.iter().filter(|stage| wanted.contains(stage.name)) {
        predictor.stage(stage);
    }
    Ok(Prediction {
        steps: predictor.steps,
    })
}

/// The target that is built.
const FINAL: &str = "final";

/// The image of which there is nothing to pull.
const EMPTY_IMAGE: &str = "scratch";

/// One stage of a Dockerfile.
struct Stage {
    name: &'static str,
    /// The platform and the image or stage that it starts from.
    base: (Option<&'static str>, String),
    /// Its instructions, each with its text.
    instructions: Vec<(Instruction, String)>,
}

fn stages_of(instructions: &[Instruction]) -> Result<Vec<Stage>, EmitError> {
    let mut stages: Vec<Stage> = Vec::new();
    for instruction in instructions {
        match instruction {
            Instruction::Comment(_) | Instruction::Blank => {}
            Instruction::From {
                platform,
                base,
                stage,
            } => stages.push(Stage {
                name: stage,
                base: (*platform, base.clone()),
                instructions: Vec::new(),
            }),
            other => {
                let text = dockerfile::render(std::slice::from_ref(other))?;
                if let Some(stage) = stages.last_mut() {
                    stage.instructions.push((other.clone(), text));
                }
            }
        }
    }
    Ok(stages)
}

/// A stage with all stages that it needs.
fn stages_behind<'a>(stages: &'a [Stage], target: &'a str) -> BTreeSet<&'a str> {
    let mut wanted = BTreeSet::from([target]);
    // A stage needs only stages above it.
    for stage in stages.iter().rev() {
        if !wanted.contains(stage.name) {
            continue;
        }
        wanted.insert(&stage.base.1);
        for (instruction, _) in &stage.instructions {
            match instruction {
                Instruction::CopyStage { stage, .. } => {
                    wanted.insert(stage);
                }
                Instruction::Run { mounts, .. } => {
                    wanted.extend(mounts.iter().filter_map(|mount| match mount {
                        Mount::Stage { stage, .. } => Some(*stage),
                        _ => None,
                    }));
                }
                _ => {}
            }
        }
    }
    wanted
}

/// What differs between two times, as builds see it.
struct Changes {
    /// The paths of the context that differ, emitted files included.
    visible: BTreeSet<RepoPath>,
    /// Whether the cut manifests, or the list of a workspace's modules, are certainly the same.
    resolved_alike: bool,
    /// Whether the binaries are certainly the same.
    built_alike: bool,
    /// Whether the image's other files are the same.
    assets_alike: bool,
}

impl Changes {
    fn new(
        before: &ServiceState<'_>,
        after: &ServiceState<'_>,
        changed: &BTreeSet<RepoPath>,
    ) -> Result<Self, EmitError> {
        let mut visible: BTreeSet<RepoPath> = changed
            .iter()
            .filter(|path| before.build.lets_in(path) || after.build.lets_in(path))
            // What is emitted is compared with what would be emitted, whatever the trees hold of it.
            .filter(|path| !path.starts_with(&RepoPath::root().child(super::BUILD_FILES)))
            .cloned()
            .collect();
        let old: BTreeSet<EmittedFile> = emit_service(before.build)?.into_iter().collect();
        let new: BTreeSet<EmittedFile> = emit_service(after.build)?.into_iter().collect();
        let different = old.symmetric_difference(&new);
        visible.extend(
            different
                .map(|file| file.path.clone())
                .filter(|path| after.build.lets_in(path)),
        );
        let imports = after.build.directory().child("imports");
        Ok(Self {
            resolved_alike: !visible.contains(&imports) && manifests_mean_the_same(before, after),
            built_alike: programs(before) == programs(after),
            assets_alike: assets(before) == assets(after)
                && before.build.assets == after.build.assets,
            visible,
        })
    }

    fn touch(&self, sources: &[Source], excluded: &[Source]) -> bool {
        let covers = |source: &Source, path: &RepoPath| match source {
            Source::Path(source) => path.starts_with(source),
            Source::Everywhere(name) => path.file_name() == Some(name),
        };
        self.visible.iter().any(|path| {
            sources.iter().any(|source| covers(source, path))
                && !excluded.iter().any(|source| covers(source, path))
        })
    }
}

/// Whether the manifests say the same about every platform's build.
fn manifests_mean_the_same(before: &ServiceState<'_>, after: &ServiceState<'_>) -> bool {
    fn meaning<'a>(inputs: &'a ImageInputs) -> impl PartialEq + 'a {
        let manifests = inputs.files.iter();
        let manifests: Vec<&InputFile> = manifests
            .filter(|file| file.kind == FileKind::Manifest)
            .collect();
        (&inputs.platform, &inputs.facts, &inputs.modules, manifests)
    }
    before.inputs.len() == after.inputs.len()
        && before.build.layout == after.build.layout
        && before
            .inputs
            .iter()
            .zip(&after.inputs)
            .all(|(old, new)| meaning(old) == meaning(new))
}

/// The inputs without what only stands beside the binary.
fn programs(state: &ServiceState<'_>) -> Vec<ImageInputs> {
    let inputs = state.inputs.iter().map(|inputs| {
        let mut inputs = ImageInputs::clone(inputs);
        inputs.files.retain(|file| file.kind != FileKind::Asset);
        inputs
    });
    inputs.collect()
}

fn assets<'a>(state: &ServiceState<'a>) -> BTreeSet<&'a InputFile> {
    let files = state.inputs.iter().flat_map(|inputs| &inputs.files);
    files.filter(|file| file.kind == FileKind::Asset).collect()
}

/// What is known of a stage that has been looked at.
#[derive(Clone, Copy)]
struct Finished {
    /// Its layers, taken together.
    layers: Forecast,
    /// Whether what it tells later commands, their environment and directory, is the same.
    settings_alike: bool,
}

struct Predictor<'a> {
    old: &'a [Stage],
    changes: &'a Changes,
    finished: BTreeMap<&'static str, Finished>,
    steps: Vec<PredictedStep>,
}

impl Predictor<'_> {
    fn stage(&mut self, stage: &Stage) {
        let old = self.old.iter().find(|old| old.name == stage.name);
        let base = self.finished.get(stage.base.1.as_str()).copied();
        let starts_alike = old.is_some_and(|old| old.base == stage.base);
        let mut state = match base {
            Some(base) if starts_alike => base,
            None if starts_alike => Finished {
                layers: Forecast::Cached,
                settings_alike: true,
            },
            _ => Finished {
                layers: Forecast::Runs,
                settings_alike: false,
            },
        };
        let is_from_image = base.is_none() && stage.base.1 != EMPTY_IMAGE;
        let mut number = usize::from(is_from_image);
        for (index, (instruction, text)) in stage.instructions.iter().enumerate() {
            let was = old.and_then(|old| old.instructions.get(index));
            let is_alike = was.is_some_and(|(_, was)| was == text);
            let Some(forecast) = self.step(instruction, is_alike, state) else {
                state.settings_alike &= is_alike;
                continue;
            };
            number += 1;
            if matches!(instruction, Instruction::Workdir(_)) {
                state.settings_alike &= is_alike;
            }
            state.layers = state.layers.max(forecast);
            self.steps.push(PredictedStep {
                stage: stage.name,
                number,
                forecast,
            });
        }
        self.finished.insert(stage.name, state);
    }

    /// What becomes of an instruction; nothing when it makes no layer.
    fn step(&self, instruction: &Instruction, is_alike: bool, state: Finished) -> Option<Forecast> {
        let own = if is_alike {
            Forecast::Cached
        } else {
            Forecast::Runs
        };
        let known = |is_touched: bool| {
            if is_touched {
                Forecast::Runs
            } else {
                Forecast::Cached
            }
        };
        Some(match instruction {
            Instruction::CopyContext {
                sources, exclude, ..
            } => own
                .max(state.layers)
                .max(known(self.changes.touch(sources, exclude))),
            Instruction::CopyStage { stage, link, .. } => {
                let below = match link {
                    Link::Linked => Forecast::Cached,
                    Link::Stacked => state.layers,
                };
                own.max(below).max(self.yielded(stage))
            }
            Instruction::Run { mounts, .. } => {
                let seen = mounts.iter().map(|mount| match mount {
                    Mount::Context { source, .. } => {
                        known(self.changes.touch(&[Source::Path(source.clone())], &[]))
                    }
                    Mount::Stage { stage, .. } => self.yielded(stage),
                    Mount::Cache { .. } | Mount::Netrc | Mount::Ssh => Forecast::Cached,
                });
                let settings = known(!state.settings_alike);
                seen.fold(own.max(state.layers).max(settings), Forecast::max)
            }
            Instruction::Workdir(_) => own.max(state.layers),
            Instruction::Comment(_)
            | Instruction::Blank
            | Instruction::From { .. }
            | Instruction::Arg(_)
            | Instruction::ArgOr(..)
            | Instruction::Env(_)
            | Instruction::User(_)
            | Instruction::Entrypoint(_) => return None,
        })
    }

    /// Whether what a stage hands on is the same: by content, however it came about.
    fn yielded(&self, stage: &'static str) -> Forecast {
        let layers = self.finished.get(stage).map(|finished| finished.layers);
        match (layers.unwrap_or(Forecast::Runs), stage) {
            (Forecast::Cached, _) => Forecast::Cached,
            (_, "resolve") if self.changes.resolved_alike => Forecast::Cached,
            (_, "build") if self.changes.built_alike => Forecast::Cached,
            (_, "assets") if self.changes.assets_alike => Forecast::Cached,
            // Assets are copied as they are, of another Go image something is another, and a build cache holds the time at which it was written.
            (Forecast::Runs, "assets" | "deps" | GO_IMAGE) => Forecast::Runs,
            (_, stage) => Forecast::Follows(stage),
        }
    }
}
