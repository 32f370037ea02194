//! Which stages of a Dockerfile hand on nothing but the program that the plan knows.
//!
//! In: a parsed Dockerfile, and the program. Out: for each stage whether Go's rules say what it takes of its context, or
//! whether all that it copies counts, and why. It must never take a stage for one that only compiles where it can't follow
//! each of its steps: commands come from a closed list, and the settings of the one `go build` are compared with the plan's.
//!
//! Known gaps: **what a base image sets** (GOFLAGS, a working directory) is not known; **build arguments** count with their
//! defaults; `-o NAME` is taken for a file, though a directory of that name would take the program under its own name.
//!
//! Source: the `go` command's flags and environment (`go help build`, `go help environment`), BuildKit's Dockerfile
//! reference for stages and working directories.

mod command_line;
mod followed;
mod go_command;

use crate::{
    diagnostic::Position,
    parse::dockerfile::{Dockerfile, Stage, Step, lineage, named_stage},
    path::RepoPath,
};
use followed::Followed;

pub(crate) use followed::Program;

/// What a stage makes of the files that it takes from the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StageUse {
    /// Nothing but the program comes out of it, or nothing at all.
    Compiles,
    /// They may end in the image: it is the image, or the image is made from it.
    Image,
    /// They may end in the image, or change the program in a way that the plan does not know: where, and why.
    Unclear(Position, String),
}

/// What each stage does, in their order.
pub(crate) fn stage_uses(
    dockerfile: &Dockerfile,
    program: Program<'_>,
    context: &RepoPath,
) -> Vec<StageUse> {
    let stages = &dockerfile.stages;
    let mut uses = vec![StageUse::Compiles; stages.len()];
    let Some(last) = stages.len().checked_sub(1) else {
        return uses;
    };
    let main = program.directory.strip_prefix(context);
    let mut pending: Vec<(usize, StageUse)> = lineage(stages, last)
        .into_iter()
        .map(|stage| (stage, StageUse::Image))
        .collect();
    while let Some((stage, how)) = pending.pop() {
        if uses[stage] != StageUse::Compiles {
            continue;
        }
        uses[stage] = how;
        for step in &stages[stage].steps {
            let Step::Copied(copied) = &step.value else {
                continue;
            };
            let Some(from) = named_stage(stages, stage, copied.from.as_deref()) else {
                continue;
            };
            let steps = Followed::of(stages, from, program, main);
            let unclear = copied
                .sources
                .iter()
                .find_map(|source| steps.why_not_the_program(source, step.position));
            let unclear = unclear.or_else(|| {
                // What the compiling stage takes from others is compiled, or is a tool: the plan knows neither.
                let inner = lineage(stages, from);
                inner
                    .into_iter()
                    .find_map(|stage| takes_from_others(stages, stage))
            });
            if let Some((position, why)) = unclear {
                let how = StageUse::Unclear(position, why);
                let reached = reached_from(stages, from);
                pending.extend(reached.into_iter().map(|stage| (stage, how.clone())));
            }
        }
    }
    uses
}

/// A stage, those that it starts from, and those that they copy from.
fn reached_from(stages: &[Stage], stage: usize) -> Vec<usize> {
    let mut reached: Vec<usize> = Vec::new();
    let mut pending = vec![stage];
    while let Some(at) = pending.pop() {
        if reached.contains(&at) {
            continue;
        }
        reached.push(at);
        pending.extend(named_stage(stages, at, Some(&stages[at].base)));
        for step in &stages[at].steps {
            if let Step::Copied(copied) = &step.value {
                pending.extend(named_stage(stages, at, copied.from.as_deref()));
            }
        }
    }
    reached
}

fn takes_from_others(stages: &[Stage], stage: usize) -> Option<(Position, String)> {
    stages[stage].steps.iter().find_map(|step| {
        let Step::Copied(copied) = &step.value else {
            return None;
        };
        let from = named_stage(stages, stage, copied.from.as_deref())?;
        let takes_from_context = reached_from(stages, from)
            .into_iter()
            .any(|stage| reads_context(&stages[stage]));
        takes_from_context.then(|| {
            let why = "what another stage makes is compiled here".to_owned();
            (step.position, why)
        })
    })
}

fn reads_context(stage: &Stage) -> bool {
    stage
        .steps
        .iter()
        .any(|step| matches!(&step.value, Step::Copied(copied) if copied.from.is_none()))
}
