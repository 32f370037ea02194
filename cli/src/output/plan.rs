//! A plan for people.

use super::{
    count, printable, reasons,
    style::{self, paint},
    table::{Cell, table},
};
use crate::planning::Planned;
use crate::standpoint::Standpoint;
use rebake_planner::{
    decide::{Reason, Verdict},
    file_kind::FileKind,
    plan::{Plan, PlannedImage},
    wire::Baseline,
};
use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

/// As many digits of a key as tell images apart at a glance.
const KEY_DIGITS: usize = 12;

/// As many digits of a commit as git shows.
const COMMIT_DIGITS: usize = 10;

/// As many changed paths without effect as are listed; the JSON document has all.
const LISTED_PATHS: usize = 8;

/// Renders a whole plan.
pub(crate) fn render(planned: &Planned) -> String {
    let mut text = heading(&planned.plan, &planned.name, planned.baseline.as_ref());
    text.push_str(&rows(&planned.plan, &planned.standpoint));
    text.push_str(&summary(
        &planned.plan,
        Some(planned.took),
        &planned.standpoint,
    ));
    text
}

/// What was planned, in one line.
pub(crate) fn heading(plan: &Plan, name: &str, baseline: Option<&Baseline>) -> String {
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
                "· {} · {}{}{}",
                count(services.len(), "service", "services"),
                count(plan.modules.len(), "module", "modules"),
                compared_with(baseline),
                asked(plan)
            )
        )
    )
}

/// What a plan was compared with, to stand at the end of a line.
pub(crate) fn compared_with(baseline: Option<&Baseline>) -> String {
    match baseline {
        Some(Baseline::Commit { revision, commit }) => {
            let commit = commit.get(..COMMIT_DIGITS).unwrap_or(commit);
            format!(" · since {} ({commit})", printable(revision))
        }
        Some(Baseline::Unavailable { revision, .. }) => {
            format!(" · {} can't be compared with", printable(revision))
        }
        Some(Baseline::File { path }) => format!(" · since {}", printable(path)),
        Some(_) | None => String::new(),
    }
}

/// Which registry was asked, to stand at the end of a line.
fn asked(plan: &Plan) -> String {
    match &plan.registry {
        Some(prefix) => format!(" · tags in {}", printable(prefix)),
        None => String::new(),
    }
}

fn why_no_services(plan: &Plan) -> String {
    match (plan.modules.len(), plan.excluded_mains.len()) {
        (0, _) => "there is no go.mod at the root or below it".to_owned(),
        (modules, 0) => format!(
            "there is no main package in {}",
            count(modules, "module", "modules")
        ),
        (_, mains) => format!(
            "no services glob matches one of {}",
            count(mains, "main package", "main packages")
        ),
    }
}

/// The table of images.
pub(crate) fn rows(plan: &Plan, standpoint: &Standpoint) -> String {
    if plan.images.is_empty() {
        return format!("  no services: {}\n", why_no_services(plan));
    }
    let rows: Vec<Vec<Cell>> = plan
        .images
        .iter()
        .map(|image| row(image, standpoint))
        .collect();
    table(
        &[
            "SERVICE", "PLATFORM", "VERDICT", "KEY", "TIER", "FILES", "WHY",
        ],
        &rows,
    )
}

fn row(image: &PlannedImage, standpoint: &Standpoint) -> Vec<Cell> {
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
        Cell::text(why(&image.reasons, standpoint)),
    ]
}

/// The first reason, and how many more there are. Two images that differ tell more by what changed than by how many
/// files did, so files come first.
fn why(reasons: &[Reason], standpoint: &Standpoint) -> String {
    let Some(first) = reasons.first() else {
        return String::new();
    };
    // What a registry says decides, and what was found beside it explains.
    let (said, told) = match (first, reasons.get(1)) {
        (Reason::TagMissing { .. } | Reason::RegistryUnavailable { .. }, Some(second)) => (
            format!(
                "{}; {}",
                reasons::short(first, standpoint),
                reasons::short(second, standpoint)
            ),
            2,
        ),
        _ => (reasons::short(first, standpoint), 1),
    };
    match reasons.len() - told {
        0 => said,
        more => format!("{said} (+{more} more)"),
    }
}

/// The counts, and how long it took.
pub(crate) fn summary(plan: &Plan, took: Option<Duration>, standpoint: &Standpoint) -> String {
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
    if !plan.excluded_mains.is_empty() {
        // Writing to a string can't fail.
        let _ = write!(
            text,
            "; {} left out (--services '**' takes all)",
            count(plan.excluded_mains.len(), "main package", "main packages")
        );
    }
    if let Some(took) = took {
        let _ = write!(
            text,
            "{}",
            paint(style::FAINT, &format!(" · {} ms", took.as_millis()))
        );
    }
    for service in &plan.removed {
        let _ = write!(text, "\nremoved: {service}");
    }
    if !plan.unaffected.is_empty() {
        let listed: Vec<String> = plan
            .unaffected
            .iter()
            .take(LISTED_PATHS)
            .map(|path| printable(&standpoint.show(path)).into_owned())
            .collect();
        let more = match plan.unaffected.len() - listed.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = write!(
            text,
            "\n{}",
            paint(
                style::FAINT,
                &format!("without effect on any image: {}{more}", listed.join(", "))
            )
        );
    }
    text.push('\n');
    text
}
