//! Why services are rebuilt, for people.

use super::{
    count,
    plan::compared_with,
    reasons,
    style::{self, paint},
};
use crate::planning::Planned;
use crate::standpoint::Standpoint;
use rebake_planner::{
    decide::{Reason, Verdict},
    discover::service_name::ServiceName,
    plan::PlannedImage,
};
use std::fmt::Write as _;

/// As many reasons of one image as are told; the JSON document has all.
const TOLD: usize = 12;

/// Renders the reasons of one service, or of every service that is rebuilt.
pub(crate) fn render(planned: &Planned, service: Option<&ServiceName>) -> String {
    let mut text = String::new();
    for image in planned.images_of(service) {
        if service.is_none() && image.verdict == Verdict::Reuse {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&heading(planned, image));
        if image.verdict == Verdict::Rebuild {
            text.push_str(&told(image, &planned.standpoint));
        }
    }
    if text.is_empty() {
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "nothing must be rebuilt{}",
            paint(style::FAINT, &compared_with(planned.baseline.as_ref()))
        );
    }
    text
}

fn heading(planned: &Planned, image: &PlannedImage) -> String {
    let (verdict, style) = match image.verdict {
        Verdict::Rebuild => ("must be rebuilt", style::REBUILD),
        Verdict::Reuse => (
            "is reused: nothing that it is made of changed",
            style::REUSE,
        ),
    };
    format!(
        "{} {} {}{}\n",
        paint(style::HEADING, image.inputs.service.as_str()),
        paint(style::FAINT, &image.inputs.platform.to_string()),
        paint(style, verdict),
        paint(style::FAINT, &compared_with(planned.baseline.as_ref())),
    )
}

fn told(image: &PlannedImage, standpoint: &Standpoint) -> String {
    let mut text = String::new();
    let service = image.inputs.service.as_str();
    // Files have a way to show, so they come first.
    let (files, others): (Vec<&Reason>, Vec<&Reason>) = image
        .reasons
        .iter()
        .partition(|reason| matches!(reason, Reason::File { .. }));
    let all: Vec<&Reason> = files.into_iter().chain(others).collect();
    for reason in all.iter().take(TOLD) {
        let lines = reasons::long(reason, service, standpoint);
        let (first, rest) = lines
            .split_first()
            .map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        // Writing to a string can't fail.
        let _ = writeln!(text, "\n  {first}");
        for line in rest {
            let _ = writeln!(text, "  {}", paint(style::FAINT, line));
        }
    }
    if all.len() > TOLD {
        let more = count(all.len() - TOLD, "more reason", "more reasons");
        let _ = writeln!(text, "\n  and {more}; --format json has all");
    }
    text
}
