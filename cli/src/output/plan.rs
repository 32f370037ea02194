//! A plan for people.

use super::{
    count, printable,
    style::{self, paint},
    table::{Cell, table},
};
use crate::planning::Planned;
use rebake_planner::{
    decide::{Change, Reason, Verdict},
    file_kind::FileKind,
    plan::{Plan, PlannedImage},
};
use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

/// As many digits of a key as tell images apart at a glance.
const KEY_DIGITS: usize = 12;

/// Renders a whole plan.
pub(crate) fn render(planned: &Planned) -> String {
    let mut text = heading(&planned.plan, &planned.name);
    text.push_str(&rows(&planned.plan));
    text.push_str(&summary(&planned.plan, Some(planned.took)));
    text
}

/// What was planned, in one line.
pub(crate) fn heading(plan: &Plan, name: &str) -> String {
    let services: BTreeSet<&str> = plan
        .images
        .iter()
        .map(|image| image.inputs.service.as_str())
        .collect();
    format!(
        "{} {}\n\n",
        paint(style::HEADING, &printable(name)),
        paint(
            style::FAINT,
            &format!(
                "· {} · {}",
                count(services.len(), "service", "services"),
                count(plan.modules.len(), "module", "modules")
            )
        )
    )
}

/// The table of images.
pub(crate) fn rows(plan: &Plan) -> String {
    if plan.images.is_empty() {
        return "  no services: no main package was found, or no services glob matches one\n"
            .to_owned();
    }
    let rows: Vec<Vec<Cell>> = plan.images.iter().map(row).collect();
    table(
        &[
            "SERVICE", "PLATFORM", "VERDICT", "KEY", "TIER", "FILES", "WHY",
        ],
        &rows,
    )
}

fn row(image: &PlannedImage) -> Vec<Cell> {
    let verdict = match image.verdict {
        Verdict::Rebuild => Cell::styled("rebuild", style::REBUILD),
        Verdict::Reuse => Cell::styled("reuse", style::REUSE),
    };
    let key = match image.keys {
        Some(keys) => Cell::text(&keys.image.to_hex()[..KEY_DIGITS]),
        None => Cell::styled("unknown", style::ERROR),
    };
    let files = image
        .inputs
        .files
        .iter()
        .filter(|file| file.kind != FileKind::Manifest)
        .count();
    vec![
        Cell::text(image.inputs.service.as_str()),
        Cell::text(image.inputs.platform.to_string()),
        verdict,
        key,
        Cell::text(image.inputs.tier.as_str()),
        Cell::number(files),
        Cell::text(why(&image.reasons)),
    ]
}

/// The first reason, and how many more there are.
fn why(reasons: &[Reason]) -> String {
    let Some(first) = reasons.first() else {
        return String::new();
    };
    let more = reasons.len() - 1;
    let more = if more > 0 {
        format!(" (+{more} more)")
    } else {
        String::new()
    };
    printable(&format!("{}{more}", reason(first))).into_owned()
}

fn reason(reason: &Reason) -> String {
    let change = |old: &Option<String>, new: &Option<String>| match (old, new) {
        (Some(old), Some(new)) => format!("{old} → {new}"),
        (None, Some(new)) => format!("now {new}"),
        (Some(old), None) => format!("no longer {old}"),
        (None, None) => String::new(),
    };
    match reason {
        Reason::NoBaseline => "nothing to compare with".to_owned(),
        Reason::ServiceAdded => "new service".to_owned(),
        Reason::Uncertain { codes } => {
            let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
            format!("uncertain: {}", codes.join(", "))
        }
        Reason::BaselineUncertain => "the baseline was uncertain".to_owned(),
        Reason::File { path, change, .. } => {
            let change = match change {
                Change::Added => "added",
                Change::Removed => "removed",
                Change::Changed => "changed",
            };
            format!("{path} {change}")
        }
        Reason::Manifest {
            path,
            name,
            old,
            new,
        } => format!("{path}: {name} {}", change(old, new)),
        Reason::Module { module, old, new } => format!("{module} {}", change(old, new)),
        Reason::Setting { setting, old, new } => format!("{setting} {}", change(old, new)),
        Reason::Recipe { old, new } => format!("build recipe {}", change(old, new)),
        Reason::Tier { old, new } => format!("third-party tier {old} → {new}"),
        Reason::Unchanged => "unchanged".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The counts, and how long it took.
pub(crate) fn summary(plan: &Plan, took: Option<Duration>) -> String {
    let rebuild = plan
        .images
        .iter()
        .filter(|image| image.verdict == Verdict::Rebuild)
        .count();
    let mut text = format!(
        "\n{} to rebuild, {} to reuse",
        paint(style::REBUILD, &count(rebuild, "image", "images")),
        paint(style::REUSE, &(plan.images.len() - rebuild).to_string()),
    );
    if plan.excluded_mains > 0 {
        // Writing to a string can't fail.
        let _ = write!(
            text,
            "; {} left out (--services '**' takes all)",
            count(plan.excluded_mains, "main package", "main packages")
        );
    }
    for service in &plan.removed {
        let _ = write!(text, "\nremoved: {service}");
    }
    if let Some(took) = took {
        let _ = write!(
            text,
            "{}",
            paint(style::FAINT, &format!(" · {} ms", took.as_millis()))
        );
    }
    text.push('\n');
    text
}
