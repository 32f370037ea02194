//! Which steps of each build will run, for people.

use super::{
    plan::heading,
    style::{self, paint},
    table::{Cell, table},
};
use crate::planning::Planned;
use rebake_planner::wire::{ForecastRow, PredictionDocument, StageRow};
use std::collections::BTreeSet;

/// The order of the stages in every Dockerfile that has them.
const STAGES: [&str; 9] = [
    "base",
    "manifests",
    "resolve",
    "deps",
    "sources",
    "build",
    "assets",
    "furniture",
    "final",
];

pub(crate) fn render(planned: &Planned, document: &PredictionDocument) -> String {
    let rows = || document.services.iter();
    let used: BTreeSet<&str> = rows()
        .filter_map(|row| row.stages.as_ref())
        .flatten()
        .map(|stage| stage.stage.as_str())
        .collect();
    let columns: Vec<&str> = STAGES
        .into_iter()
        .filter(|stage| used.contains(stage))
        .collect();
    let mut followed = BTreeSet::new();
    let cells: Vec<Vec<Cell>> = rows()
        .map(|row| {
            let mut cells = vec![Cell::text(row.name.as_str())];
            for column in &columns {
                cells.push(match &row.stages {
                    None => Cell::styled("runs", style::REBUILD),
                    Some(stages) => cell(stages, column, &mut followed),
                });
            }
            cells
        })
        .collect();
    let titles: Vec<String> = columns.iter().map(|column| column.to_uppercase()).collect();
    let mut heads = vec!["SERVICE"];
    heads.extend(titles.iter().map(String::as_str));
    let mut text = heading(&planned.plan, &planned.name, planned.baseline.as_ref());
    text.push_str(&table(&heads, &cells));
    for stage in followed {
        text.push_str(&paint(
            style::FAINT,
            &format!("\n* unless {stage}, which runs, yields something else\n"),
        ));
    }
    text
}

fn cell(stages: &[StageRow], column: &str, followed: &mut BTreeSet<String>) -> Cell {
    let stage = stages.iter().find(|stage| stage.stage == column);
    match stage.map(|stage| &stage.forecast) {
        None => Cell::text(""),
        Some(ForecastRow::Cached) => Cell::styled("cached", style::REUSE),
        Some(ForecastRow::Runs) => Cell::styled("runs", style::REBUILD),
        Some(ForecastRow::Follows { of }) => {
            followed.insert(of.clone());
            Cell::styled("cached*", style::REUSE)
        }
    }
}
