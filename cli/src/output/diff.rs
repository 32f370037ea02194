//! Two answers beside each other, for people.

use super::{
    count, reasons,
    style::{self, paint},
};
use crate::standpoint::Standpoint;
use rebake_planner::plan::{Difference, ImageChange};
use std::fmt::Write as _;

/// Renders every image that changed, and how many did not.
pub(crate) fn render(differences: &[Difference]) -> String {
    let mut text = String::new();
    for difference in differences {
        let (change, style) = match difference.change {
            ImageChange::Same => continue,
            ImageChange::Changed => ("changed", style::REBUILD),
            ImageChange::Added => ("added", style::REUSE),
            ImageChange::Removed => ("removed", style::ERROR),
        };
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{} {} {}",
            paint(style::HEADING, difference.service.as_str()),
            paint(style::FAINT, &difference.platform.to_string()),
            paint(style, change)
        );
        for reason in &difference.reasons {
            for line in reasons::long(reason, difference.service.as_str(), &Standpoint::root()) {
                let _ = writeln!(text, "  {line}");
            }
        }
        text.push('\n');
    }
    let same = differences
        .iter()
        .filter(|difference| difference.change == ImageChange::Same)
        .count();
    let _ = writeln!(text, "{}", same_images(same));
    text
}

fn same_images(same: usize) -> String {
    count(same, "image is the same", "images are the same")
}
