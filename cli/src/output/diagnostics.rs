//! Findings for people: what, where, and which services they touch.

use super::{
    printable,
    style::{self, paint},
};
use crate::standpoint::Standpoint;
use rebake_planner::diagnostic::{Diagnostic, Severity};
use std::fmt::Write as _;

/// As many service names as one line shows.
const NAMES_SHOWN: usize = 6;

/// Renders diagnostics in their order.
pub(crate) fn render(diagnostics: &[Diagnostic], standpoint: &Standpoint) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        let (style, severity) = match diagnostic.severity {
            Severity::Error => (style::ERROR, "error"),
            Severity::Warning => (style::WARNING, "warning"),
            Severity::Note => (style::NOTE, "note"),
        };
        let head = paint(style, &format!("{severity}[{}]", diagnostic.code));
        // Writing to a string can't fail.
        let _ = writeln!(text, "{head}: {}", printable(&diagnostic.message));
        if let Some(path) = &diagnostic.path {
            let place = diagnostic
                .position
                .map(|position| format!(":{position}"))
                .unwrap_or_default();
            let arrow = paint(style::FAINT, "-->");
            let _ = writeln!(
                text,
                "  {arrow} {}{place}",
                printable(&standpoint.show(path.as_str()))
            );
        }
        if !diagnostic.services.is_empty() {
            let shown = diagnostic.services.len().min(NAMES_SHOWN);
            let names = diagnostic.services[..shown].join(", ");
            let more = diagnostic.services.len() - shown;
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let _ = writeln!(
                text,
                "  {} services: {names}{more}",
                paint(style::FAINT, "=")
            );
        }
    }
    text
}
