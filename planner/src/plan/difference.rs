//! Two earlier answers, input by input.
//!
//! In: the images of two documents. Out: for each service and platform of either, how it changed and what changed in
//! it. It must never call two images the same that have no key.

use super::BaselineImage;
use crate::{
    decide::{Detail, Reason, differences},
    discover::service_name::ServiceName,
    target::Platform,
};
use std::collections::BTreeMap;

/// How one image differs between two answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The service.
    pub service: ServiceName,
    /// The platform.
    pub platform: Platform,
    /// How it changed.
    pub change: ImageChange,
    /// What changed, input by input, as far as both answers tell; without chains, since answers hold no graph.
    pub reasons: Vec<Reason>,
}

/// How an image changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageChange {
    /// Both answers have it, with the same key.
    Same,
    /// Both answers have it, with different keys, or with a doubt in either.
    Changed,
    /// Only the new answer has it.
    Added,
    /// Only the old answer has it.
    Removed,
}

/// Compares two answers: one row a service and platform, sorted by name, then platform.
pub fn diff(old: &[BaselineImage], new: &[BaselineImage]) -> Vec<Difference> {
    let mut pairs: BTreeMap<_, [Option<&BaselineImage>; 2]> = BTreeMap::new();
    for (side, images) in [old, new].into_iter().enumerate() {
        for image in images {
            let name = (
                image.inputs.service.clone(),
                image.inputs.platform.to_string(),
            );
            pairs.entry(name).or_default()[side] = Some(image);
        }
    }
    let of_pair = |[old, new]: [Option<&BaselineImage>; 2]| {
        let image = new.or(old)?;
        let (change, reasons) = match (old, new) {
            (Some(old), Some(new)) => compare(old, new),
            (None, _) => (ImageChange::Added, Vec::new()),
            (_, None) => (ImageChange::Removed, Vec::new()),
        };
        Some(Difference {
            service: image.inputs.service.clone(),
            platform: image.inputs.platform.clone(),
            change,
            reasons,
        })
    };
    pairs.into_values().filter_map(of_pair).collect()
}

fn compare(old: &BaselineImage, new: &BaselineImage) -> (ImageChange, Vec<Reason>) {
    if let (Some(old), Some(new)) = (&old.keys, &new.keys)
        && old.image == new.image
    {
        return (ImageChange::Same, Vec::new());
    }
    let mut reasons = if old.detail == Detail::Inputs && new.detail == Detail::Inputs {
        differences(&old.inputs, &new.inputs, &|_, _| Vec::new())
    } else {
        Vec::new()
    };
    if reasons.is_empty() {
        reasons.push(match (&old.keys, &new.keys) {
            (Some(old), Some(new)) => Reason::Key {
                old: old.image,
                new: new.image,
            },
            (_, None) => Reason::Uncertain {
                codes: new.doubts.clone(),
            },
            (None, _) => Reason::BaselineUncertain {
                codes: old.doubts.clone(),
            },
        });
    }
    (ImageChange::Changed, reasons)
}
