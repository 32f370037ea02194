//! What `rebake generate --predict` prints.
//!
//! In: predictions. Out: a document of the contract. It must never compute an answer.

use super::{Baseline, Root, VERSION};
use crate::{
    discover::service_name::ServiceName,
    emit::{Forecast, Prediction},
};
use serde::{Deserialize, Serialize};

/// Which steps of each build will run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PredictionDocument {
    /// The version of the contract: 1.
    pub version: u32,
    /// What was planned.
    pub root: Root,
    /// What the builder is taken to have built.
    pub baseline: Option<Baseline>,
    /// One row a service with an emitted Dockerfile, sorted by name.
    pub services: Vec<PredictionRow>,
}

/// Which stages of a build will run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PredictionRow {
    /// The service's name.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: ServiceName,
    /// The stages, in the order of the Dockerfile; null where the baseline has no such build, and everything runs.
    pub stages: Option<Vec<StageRow>>,
}

/// What becomes of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StageRow {
    /// The stage.
    pub stage: String,
    /// What becomes of those of its steps that are the least likely to come from the cache.
    #[serde(flatten)]
    pub forecast: ForecastRow,
}

/// What becomes of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "forecast", rename_all = "kebab-case")]
pub enum ForecastRow {
    /// It comes from the cache.
    Cached,
    /// It comes from the cache if a stage that runs yields what it yielded before.
    Follows {
        /// That stage.
        of: String,
    },
    /// It runs.
    Runs,
}

impl PredictionDocument {
    /// What predictions say; nothing for a service that the baseline does not have.
    pub fn new<'a>(
        root: Root,
        baseline: Option<Baseline>,
        predictions: impl IntoIterator<Item = (&'a ServiceName, Option<&'a Prediction>)>,
    ) -> Self {
        let rows = predictions.into_iter().map(|(name, prediction)| {
            let stages = prediction.map(Prediction::stages);
            PredictionRow {
                name: name.clone(),
                stages: stages.map(|stages| stages.into_iter().map(StageRow::from).collect()),
            }
        });
        Self {
            version: VERSION,
            root,
            baseline,
            services: rows.collect(),
        }
    }
}

impl From<(&str, Forecast)> for StageRow {
    fn from((stage, forecast): (&str, Forecast)) -> Self {
        Self {
            stage: stage.to_owned(),
            forecast: match forecast {
                Forecast::Cached => ForecastRow::Cached,
                Forecast::Follows(of) => ForecastRow::Follows { of: of.to_owned() },
                Forecast::Runs => ForecastRow::Runs,
            },
        }
    }
}
