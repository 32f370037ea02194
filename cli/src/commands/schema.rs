//! `rebake schema`: the JSON Schema of the machine contract.

use crate::{
    arguments::{Document, SchemaArguments},
    exit_code::ExitCode,
    failure::Failure,
    output::Output,
};
use rebake_planner::config::schema::ConfigSchema;
use rebake_planner::wire::{
    BuiltDocument, DiffDocument, GraphDocument, InputsDocument, PlanDocument, PredictionDocument,
    StandingsDocument,
};

pub(crate) fn run(arguments: SchemaArguments, output: &mut Output) -> Result<ExitCode, Failure> {
    let schema = match arguments.document {
        Document::Plan => schemars::schema_for!(PlanDocument),
        Document::Inputs => schemars::schema_for!(InputsDocument),
        Document::Graph => schemars::schema_for!(GraphDocument),
        Document::Standings => schemars::schema_for!(StandingsDocument),
        Document::Config => schemars::schema_for!(ConfigSchema),
        Document::Built => schemars::schema_for!(BuiltDocument),
        Document::Prediction => schemars::schema_for!(PredictionDocument),
        Document::Diff => schemars::schema_for!(DiffDocument),
    };
    output.write_json(&schema)?;
    Ok(ExitCode::Done)
}
