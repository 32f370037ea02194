//! Findings for people: what, where, and which services they touch.

use super::{
    printable,
    style::{self, paint},
};
use crate::standpoint::Standpoint;
use rebake_planner::diagnostic::{Code, Diagnostic, Severity};
use std::{collections::HashMap, fmt::Write as _};

/// As many service names as one line shows.
const NAMES_SHOWN: usize = 6;

/// As many findings as are shown that say the same of different files.
const ALIKE_SHOWN: usize = 5;

/// Renders diagnostics in their order. Of many that say the same of different files the first are shown and the rest
/// counted: a person reads no flood, and a program asks for JSON.
pub(crate) fn render(diagnostics: &[Diagnostic], standpoint: &Standpoint) -> String {
    let mut text = String::new();
    let mut alike: HashMap<_, usize> = HashMap::new();
    for diagnostic in diagnostics {
        *alike.entry(kind_of(diagnostic)).or_default() += 1;
    }
    let mut seen: HashMap<_, usize> = HashMap::new();
    for diagnostic in diagnostics {
        let kind = kind_of(diagnostic);
        let all = alike.get(&kind).copied().unwrap_or_default();
        let number = seen.entry(kind).or_default();
        *number += 1;
        // One line more is not worth leaving one finding out.
        if *number > ALIKE_SHOWN && all > ALIKE_SHOWN + 1 {
            if *number == all {
                let _ = writeln!(
                    text,
                    "{}: {} more files are told the same; `--format json` lists them",
                    head(diagnostic),
                    all - ALIKE_SHOWN
                );
            }
            continue;
        }
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{}: {}",
            head(diagnostic),
            printable(&diagnostic.message)
        );
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

/// What findings have in common that say the same.
fn kind_of(diagnostic: &Diagnostic) -> (Severity, Code, &str) {
    (
        diagnostic.severity,
        diagnostic.code,
        diagnostic.message.as_str(),
    )
}

fn head(diagnostic: &Diagnostic) -> String {
    let (style, severity) = match diagnostic.severity {
        Severity::Error => (style::ERROR, "error"),
        Severity::Warning => (style::WARNING, "warning"),
        Severity::Note => (style::NOTE, "note"),
    };
    paint(style, &format!("{severity}[{}]", diagnostic.code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rebake_planner::path::RepoPath;

    fn untracked(count: usize) -> String {
        let diagnostics: Vec<Diagnostic> = (0..count)
            .map(|number| Diagnostic {
                code: Code::UntrackedInput,
                severity: Severity::Warning,
                message: "git does not track this".to_owned(),
                path: RepoPath::new(&format!("f{number}.go")).ok(),
                position: None,
                services: Vec::new(),
            })
            .collect();
        render(&diagnostics, &Standpoint::root())
    }

    #[test]
    fn of_many_findings_that_say_the_same_the_first_are_shown_and_the_rest_counted() {
        let text = untracked(20);
        assert_eq!(text.matches("-->").count(), ALIKE_SHOWN, "{text}");
        assert!(text.contains("15 more files are told the same"), "{text}");
    }

    #[test]
    fn a_single_finding_is_never_left_out_for_a_line_that_counts_it() {
        let text = untracked(ALIKE_SHOWN + 1);
        assert_eq!(text.matches("-->").count(), ALIKE_SHOWN + 1, "{text}");
    }
}
