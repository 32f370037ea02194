//! `rebake why-not`: why changes do not matter to a service.

use super::{answered, with_default_base, without_default_base};
use crate::{
    arguments::{BaselineArguments, Format, WhyNotArguments},
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output},
    planning::{check_path, plan_tree, set_threads},
    root::path_below,
};
use rebake_planner::{path::RepoPath, wire::StandingsDocument};

pub(crate) fn run(arguments: &WhyNotArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    set_threads(&arguments.tree)?;
    let has_baseline = arguments.baseline.is_named();
    let baseline = match &arguments.path {
        // What a path is to a service needs nothing to compare with.
        Some(_) if !has_baseline => BaselineArguments::default(),
        _ => with_default_base(&arguments.baseline),
    };
    let planned = plan_tree(output.talk(), &arguments.tree, &arguments.build, &baseline)
        .map_err(|failure| without_default_base(&arguments.baseline, failure))?;
    let service = Some(&arguments.service);
    planned.check_service(service)?;
    let paths: Vec<RepoPath> = match &arguments.path {
        Some(path) => {
            let path = path_below(&planned.directory, path)?;
            check_path(&arguments.tree, &planned, &path)?;
            vec![path]
        }
        None => planned
            .changed
            .iter()
            .filter_map(|path| RepoPath::new(path).ok())
            .collect(),
    };
    output.show_diagnostics_of(&planned, service);
    let images = planned.images_of(service);
    match arguments.format {
        Format::Human => {
            output.write(&output::standing::outside(&planned, &images, &paths));
        }
        Format::Json => output.write_json(&StandingsDocument::new(
            &planned.plan,
            planned.root.clone(),
            planned.baseline.clone(),
            images,
            &paths,
        ))?,
    }
    Ok(answered(&planned, &arguments.build))
}
