//! The summary of a step.
//!
//! In: a plan. Out: one page of Markdown: what is built and why, what is reused, what had no effect, what was noticed.
//! Every text of the repository is escaped. The page keeps below a size that the caller gives, because the runner throws a
//! larger one away whole: tables end early, and say by how much.

use crate::{escape::short_markdown as markdown, reason_text::describe, selection::Selection};
use rebake_planner::wire::{
    Baseline, DiagnosticRow, PlanDocument, ReasonRow, ServiceRow, SeverityName, VerdictName,
};
use std::{fmt::Write as _, time::Duration};

/// What the summary of a step may hold, in bytes.
pub const SUMMARY_LIMIT: usize = 1024 * 1024;

/// As many reasons of one image as are told.
const TOLD: usize = 10;

/// As many digits of a commit as git shows.
const COMMIT_DIGITS: usize = 10;

/// What a plan does not say of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SummaryFacts {
    /// How long it took.
    pub took: Duration,
    /// Why there was nothing to compare with.
    pub without_baseline: Option<String>,
    /// How long the last builds of services took that are reused now, as far as that is known.
    pub build_times: Vec<Duration>,
    /// How many bytes the page may have.
    pub limit: usize,
}

/// Writes the page.
pub fn step_summary(plan: &PlanDocument, facts: &SummaryFacts) -> String {
    let selection = Selection::of(plan);
    let mut text = heading(plan, &selection, facts);
    // Parts of what is left, so that a long table takes no room from the next.
    let room = facts
        .limit
        .saturating_sub(text.len())
        .saturating_sub(RESERVE);
    let built = plan
        .services
        .iter()
        .filter(|row| row.verdict != VerdictName::Reuse);
    let rows = merged_platforms(&built.collect::<Vec<_>>());
    push_table(
        &mut text,
        "| Service | Platform | Why |\n| --- | --- | --- |\n",
        rows,
        room / 2,
    );
    let diagnostics = &plan.diagnostics;
    push_details(
        &mut text,
        &count(diagnostics.len(), "finding", "findings"),
        diagnostics.iter().map(diagnostic_item).collect(),
        room / 6,
    );
    push_details(
        &mut text,
        &format!("{} reused", selection.reuse.len()),
        selection
            .reuse
            .iter()
            .map(|service| format!("- {}\n", markdown(service.as_str())))
            .collect(),
        room / 6,
    );
    push_details(
        &mut text,
        &format!(
            "{} without effect on any image",
            count(plan.unaffected.len(), "change", "changes")
        ),
        plan.unaffected
            .iter()
            .map(|path| format!("- {}\n", markdown(path)))
            .collect(),
        room / 6,
    );
    text
}

/// What headings of parts and the lines about what was left out may take.
const RESERVE: usize = 2_000;

fn heading(plan: &PlanDocument, selection: &Selection, facts: &SummaryFacts) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = writeln!(
        text,
        "### rebake: {} to build, {} to reuse\n",
        count(selection.build.len(), "service", "services"),
        selection.reuse.len()
    );
    let compared = match (&plan.baseline, &facts.without_baseline) {
        (Some(Baseline::Commit { commit, .. }), _) => format!(
            "Compared with {}",
            markdown(commit.get(..COMMIT_DIGITS).unwrap_or(commit))
        ),
        (Some(Baseline::Unavailable { message, .. }), _) => {
            format!("Everything is built: {}", markdown(message))
        }
        (Some(Baseline::File { path }), _) => format!("Compared with {}", markdown(path)),
        (_, Some(why)) => format!("Compared with nothing: {}", markdown(why)),
        (_, None) => "Compared with nothing".to_owned(),
    };
    let registry = match &plan.registry {
        Some(prefix) => format!(" · content tags in {}", markdown(prefix)),
        None => String::new(),
    };
    let _ = write!(
        text,
        "{compared}{registry} · planned in {} ms",
        facts.took.as_millis()
    );
    if plan.excluded_mains > 0 {
        let _ = write!(
            text,
            " · {} left out",
            count(plan.excluded_mains, "main package", "main packages")
        );
    }
    text.push_str("\n\n");
    if !selection.reuse.is_empty() {
        let _ = writeln!(text, "{}\n", saved(selection, &facts.build_times));
    }
    if !plan.removed.is_empty() {
        let shown: Vec<String> = plan
            .removed
            .iter()
            .take(100)
            .map(|name| markdown(name))
            .collect();
        let more = match plan.removed.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = writeln!(text, "Removed: {}{more}\n", shown.join(", "));
    }
    text
}

/// What need not be built, and how long that took when it was. A time that nobody has measured is not told.
fn saved(selection: &Selection, build_times: &[Duration]) -> String {
    let builds = count(selection.reuse.len(), "build", "builds");
    let took = duration(build_times.iter().sum());
    match build_times.len() {
        0 => format!("Saved: {builds}"),
        known if known == selection.reuse.len() => {
            format!("Saved: {builds}, which last took {took}")
        }
        known => format!("Saved: {builds}; {known} of them last took {took}"),
    }
}

/// A duration as people say it, to the second.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A row for each service, or several where its platforms have different reasons.
fn merged_platforms(rows: &[&ServiceRow]) -> Vec<String> {
    let mut merged: Vec<(&ServiceRow, Vec<String>)> = Vec::new();
    for row in rows {
        let platform = row.image.platform.to_string();
        match merged.last_mut() {
            Some((first, platforms))
                if first.image.name == row.image.name && first.reasons == row.reasons =>
            {
                platforms.push(platform);
            }
            _ => merged.push((row, vec![platform])),
        }
    }
    merged
        .iter()
        .map(|(row, platforms)| {
            format!(
                "| {} | {} | {} |\n",
                markdown(row.image.name.as_str()),
                markdown(&platforms.join(", ")),
                why(&row.reasons)
            )
        })
        .collect()
}

fn why(reasons: &[ReasonRow]) -> String {
    let mut told: Vec<String> = reasons
        .iter()
        .take(TOLD)
        .map(|reason| markdown(&describe(reason)))
        .collect();
    if reasons.len() > TOLD {
        told.push(format!("and {} more", reasons.len() - TOLD));
    }
    told.join("<br>")
}

fn diagnostic_item(diagnostic: &DiagnosticRow) -> String {
    let severity = match diagnostic.severity {
        SeverityName::Error => "error",
        SeverityName::Warning => "warning",
        SeverityName::Note => "note",
    };
    let place = match (&diagnostic.path, diagnostic.line) {
        (Some(path), Some(line)) => format!("{}&#58;{line} ", markdown(path)),
        (Some(path), None) => format!("{} ", markdown(path)),
        _ => String::new(),
    };
    format!(
        "- {severity} {place}{} ({})\n",
        markdown(&diagnostic.message),
        markdown(&diagnostic.code)
    )
}

fn push_table(text: &mut String, heading: &str, rows: Vec<String>, room: usize) {
    if rows.is_empty() {
        return;
    }
    text.push_str(heading);
    let left_out = push_while_fitting(text, rows, room);
    text.push('\n');
    if left_out > 0 {
        let _ = writeln!(text, "{left_out} more rows do not fit here.\n");
    }
}

fn push_details(text: &mut String, summary: &str, items: Vec<String>, room: usize) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(text, "<details><summary>{summary}</summary>\n");
    let left_out = push_while_fitting(text, items, room);
    if left_out > 0 {
        let _ = writeln!(text, "- {left_out} more do not fit here");
    }
    text.push_str("\n</details>\n\n");
}

/// How many did not fit.
fn push_while_fitting(text: &mut String, items: Vec<String>, room: usize) -> usize {
    let number = items.len();
    let mut used = 0;
    for (index, item) in items.into_iter().enumerate() {
        used += item.len();
        if used > room {
            return number - index;
        }
        text.push_str(&item);
    }
    0
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
