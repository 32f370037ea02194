//! `rebake ci gitlab`.

use super::{plan_run, variable, write_whole};
use crate::{
    arguments::ci::{BuilderName, GitlabArguments},
    commands::{answered, generate::write_build_files},
    exit_code::ExitCode,
    failure::Failure,
    output::Output,
};
use rebake_ci::{
    MaxJobs, Selection,
    gitlab::{
        Builder, ChildSettings, PredefinedVariables, baseline, child_pipeline, dotenv_report,
        read_event,
    },
};

pub(crate) fn run(arguments: &GitlabArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let run = plan_run(&arguments.run, output, |_| {
        baseline(&read_event(&predefined()))
    })?;
    let settings = ChildSettings {
        builder: match arguments.builder {
            BuilderName::Buildx => Builder::Buildx,
            BuilderName::Buildctl => Builder::Buildctl,
        },
        max_jobs: MaxJobs(arguments.max_jobs),
        images: arguments.images.clone().unwrap_or_else(|| {
            variable("CI_REGISTRY_IMAGE").map_or_else(String::new, |image| format!("{image}/"))
        }),
        tag: arguments
            .tag
            .clone()
            .or_else(|| variable("CI_COMMIT_SHA"))
            .unwrap_or_else(|| "latest".to_owned()),
        cache_from: arguments.cache_from.clone(),
        cache_to: arguments.cache_to.clone(),
        version: arguments.stamp.clone(),
        includes: arguments.include.clone(),
        build_files_job: arguments.build_files_job.clone(),
        image: arguments.build_image.clone(),
        daemon_image: arguments.daemon_image.clone(),
    };
    let pipeline = child_pipeline(&run.document, &run.planned.plan.builds(), &settings)?;
    let report = dotenv_report(&Selection::of(&run.document));
    output.show_diagnostics(&run.planned);
    run.write_plan(arguments.run.plan.as_deref())?;
    if arguments.build_files_job.is_some() {
        write_build_files(&run.planned, output)?;
    }
    write_whole(&arguments.dotenv, &report)?;
    write_whole(&arguments.pipeline, &pipeline)?;
    output.write(&run.render());
    Ok(answered(&run.planned, &arguments.run.build))
}

fn predefined() -> PredefinedVariables {
    PredefinedVariables {
        pipeline_source: variable("CI_PIPELINE_SOURCE"),
        commit_tag: variable("CI_COMMIT_TAG"),
        commit_before_sha: variable("CI_COMMIT_BEFORE_SHA"),
        merge_request_iid: variable("CI_MERGE_REQUEST_IID"),
        merge_request_target_branch_sha: variable("CI_MERGE_REQUEST_TARGET_BRANCH_SHA"),
        merge_request_diff_base_sha: variable("CI_MERGE_REQUEST_DIFF_BASE_SHA"),
        external_pull_request_target_branch_sha: variable(
            "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA",
        ),
    }
}
