//! A plan as Markdown, for a pull request's comment or a job's summary.
//!
//! Names and paths come from a repository: every cell is escaped, so that none can open a link, a tag or a column.

use super::{count, plan::compared_with, reasons};
use crate::planning::Planned;
use crate::standpoint::Standpoint;
use rebake_ci::escape::markdown as escaped;
use rebake_planner::{decide::Verdict, discover::service_name::ServiceName, plan::PlannedImage};
use std::fmt::Write as _;

/// As many reasons of one image as are told.
const TOLD: usize = 10;

/// Renders a plan, or one service of it.
pub(crate) fn render(planned: &Planned, service: Option<&ServiceName>) -> String {
    let images = planned.images_of(service);
    let (rebuilt, reused): (Vec<&PlannedImage>, Vec<&PlannedImage>) = images
        .iter()
        .copied()
        .partition(|image| image.verdict == Verdict::Rebuild);
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = writeln!(
        text,
        "### {} to rebuild, {} to reuse{}\n",
        count(rebuilt.len(), "image", "images"),
        reused.len(),
        escaped(&compared_with(planned.baseline.as_ref()))
    );
    if !rebuilt.is_empty() {
        text.push_str("| service | platform | why |\n| --- | --- | --- |\n");
        for image in &rebuilt {
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                escaped(image.inputs.service.as_str()),
                escaped(&image.inputs.platform.to_string()),
                why(image)
            );
        }
        text.push('\n');
    }
    if !reused.is_empty() {
        text.push_str("<details><summary>reused</summary>\n\n");
        for image in &reused {
            let _ = writeln!(
                text,
                "- {} ({})",
                escaped(image.inputs.service.as_str()),
                escaped(&image.inputs.platform.to_string())
            );
        }
        text.push_str("\n</details>\n");
    }
    if service.is_none() && !planned.plan.removed.is_empty() {
        let removed: Vec<String> = planned
            .plan
            .removed
            .iter()
            .map(|name| escaped(name))
            .collect();
        let _ = writeln!(text, "\nremoved: {}", removed.join(", "));
    }
    if service.is_none() && !planned.plan.unaffected.is_empty() {
        let _ = writeln!(
            text,
            "\n<details><summary>{} without effect on any image</summary>\n",
            count(planned.plan.unaffected.len(), "change", "changes")
        );
        for path in planned.plan.unaffected.iter().take(100) {
            let _ = writeln!(text, "- {}", escaped(path));
        }
        if planned.plan.unaffected.len() > 100 {
            let _ = writeln!(text, "- and {} more", planned.plan.unaffected.len() - 100);
        }
        text.push_str("\n</details>\n");
    }
    text
}

fn why(image: &PlannedImage) -> String {
    let mut told: Vec<String> = image
        .reasons
        .iter()
        .take(TOLD)
        .map(|reason| {
            let way = reasons::way_in_line(reason);
            format!(
                "{}{}",
                escaped(&reasons::short(reason, &Standpoint::root())),
                escaped(&way)
            )
        })
        .collect();
    if image.reasons.len() > TOLD {
        told.push(format!("and {} more", image.reasons.len() - TOLD));
    }
    told.join("<br>")
}
