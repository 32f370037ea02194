//! What paths are to services, for people.

use super::{
    count,
    plan::compared_with,
    printable, reasons,
    style::{self, paint},
};
use crate::planning::Planned;
use rebake_planner::{
    decide::Verdict,
    path::RepoPath,
    plan::{Outside, PlannedImage, Standing},
    wire::StandingRow,
};
use std::{collections::BTreeMap, fmt::Write as _};

/// As many paths of one kind as are named.
const NAMED: usize = 12;

/// Every service that a path reaches, and how.
pub(crate) fn reached(planned: &Planned, images: &[&PlannedImage], path: &RepoPath) -> String {
    let mut text = String::new();
    let mut outside: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for image in images {
        let service = image.inputs.service.as_str();
        for standing in planned.plan.standing(image, path) {
            let (what, file, via) = match standing {
                Standing::Input { kind, via } => {
                    (reasons::role(kind).to_owned(), path.clone(), via)
                }
                Standing::Holds {
                    inputs,
                    nearest,
                    via,
                } => (
                    format!("holds {}", count(inputs, "input", "inputs")),
                    nearest,
                    via,
                ),
                Standing::Outside(why) => {
                    outside.entry(explain(&why)).or_default().push(service);
                    continue;
                }
                _ => continue,
            };
            // Writing to a string can't fail.
            let _ = writeln!(
                text,
                "{} {} {what}",
                paint(style::HEADING, service),
                paint(style::FAINT, &image.inputs.platform.to_string()),
            );
            for line in reasons::way(&planned.standpoint.show(file.as_str()), &via, service) {
                let _ = writeln!(text, "{}", paint(style::FAINT, &printable(&line)));
            }
            text.push('\n');
        }
    }
    if text.is_empty() {
        let _ = writeln!(
            text,
            "{} reaches no service",
            printable(&planned.standpoint.show(path.as_str()))
        );
    }
    for (why, mut services) in outside {
        services.dedup();
        let _ = writeln!(
            text,
            "not {}: {}",
            list(services.iter().copied()),
            printable(&why)
        );
    }
    text
}

/// Why changed paths do not matter to a service.
pub(crate) fn outside(planned: &Planned, images: &[&PlannedImage], paths: &[RepoPath]) -> String {
    let mut text = String::new();
    for image in images {
        let verdict = match (&planned.baseline, image.verdict) {
            (None, _) => String::new(),
            (Some(_), Verdict::Reuse) => paint(style::REUSE, " is reused"),
            (Some(_), Verdict::Rebuild) => paint(style::REBUILD, " must be rebuilt"),
        };
        let _ = writeln!(
            text,
            "{} {}{verdict}{}\n",
            paint(style::HEADING, image.inputs.service.as_str()),
            paint(style::FAINT, &image.inputs.platform.to_string()),
            paint(style::FAINT, &compared_with(planned.baseline.as_ref())),
        );
        let mut by_reason: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for path in paths {
            for standing in planned.plan.standing(image, path) {
                let why = match standing {
                    Standing::Outside(why) => explain(&why),
                    Standing::Input { kind, .. } if kind.as_str() == "manifest" => {
                        "a manifest: only what this build takes from it counts, and `rebake inputs` shows that"
                            .to_owned()
                    }
                    Standing::Input { kind, .. } => format!(
                        "an input ({}): it does matter, see `rebake why {}`",
                        reasons::role(kind),
                        image.inputs.service
                    ),
                    Standing::Holds { inputs, .. } => format!(
                        "holds {}: it does matter",
                        count(inputs, "input", "inputs")
                    ),
                    _ => continue,
                };
                by_reason.entry(why).or_default().push(path.as_str());
            }
        }
        if paths.is_empty() {
            text.push_str("  nothing changed at all\n");
        }
        for (why, paths) in by_reason {
            let _ = writeln!(text, "  {}", printable(&why));
            for path in paths.iter().take(NAMED) {
                let _ = writeln!(
                    text,
                    "    {}",
                    paint(style::FAINT, &printable(&planned.standpoint.show(path)))
                );
            }
            if paths.len() > NAMED {
                let _ = writeln!(text, "    and {} more", paths.len() - NAMED);
            }
        }
    }
    text
}

fn list<'a>(services: impl ExactSizeIterator<Item = &'a str>) -> String {
    let total = services.len();
    let named: Vec<&str> = services.take(NAMED).collect();
    match total - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn explain(why: &Outside) -> String {
    match why {
        Outside::Test => "a test file: `go build` does not compile it".to_owned(),
        Outside::Excluded => {
            "its name or build constraint leaves it out for this platform and these tags".to_owned()
        }
        Outside::NotReached {
            import_path: Some(import_path),
        } => format!("the main package does not import `{import_path}`, directly or indirectly"),
        Outside::NotReached { import_path: None } => {
            "it lies in no module of this tree".to_owned()
        }
        Outside::OtherManifest => {
            "a manifest of which nothing but versions and checksums could count, and those are compared one by one".to_owned()
        }
        Outside::NotBuilt => "no file that Go builds, and no package of the service embeds it".to_owned(),
        other => reasons::kind_in_words(&StandingRow::from(Standing::Outside(other.clone()))),
    }
}
