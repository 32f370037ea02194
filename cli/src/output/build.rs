//! What `rebake build` built, for people.

use super::{
    count, printable,
    style::{self, paint},
    table::{Cell, table},
};
use rebake_planner::wire::BuiltDocument;
use std::time::Duration;

/// As many digits of a digest as tell images apart at a glance.
const DIGEST_DIGITS: usize = 12;

pub(crate) fn render(images: &BuiltDocument, took: Duration) -> String {
    let built = images.built.iter().map(|image| {
        let digest = image.digest.as_deref().unwrap_or_default();
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        vec![
            Cell::text(image.name.as_str()),
            Cell::styled("built", style::REBUILD),
            Cell::text(digest.chars().take(DIGEST_DIGITS).collect::<String>()),
            Cell::text(printable(&image.images.join(" "))),
        ]
    });
    let reused = images.reused.iter().map(|image| {
        vec![
            Cell::text(image.name.as_str()),
            Cell::styled("reused", style::REUSE),
            Cell::text(""),
            Cell::text(printable(image.tag.as_deref().unwrap_or_default())),
        ]
    });
    let rows: Vec<Vec<Cell>> = built.chain(reused).collect();
    let heading = ["SERVICE", "IMAGE", "DIGEST", "NAMES"];
    let mut text = table(&heading, &rows);
    text.push_str(&paint(
        style::HEADING,
        &format!("\n{} built", count(images.built.len(), "image", "images")),
    ));
    text.push_str(&format!(
        ", {} reused · {:.1} s\n",
        images.reused.len(),
        took.as_secs_f32()
    ));
    text
}
