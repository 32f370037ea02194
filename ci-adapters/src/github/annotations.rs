//! Diagnostics as annotations.
//!
//! In: the diagnostics of a plan. Out: workflow commands, one a line, for stdout. GitHub shows ten of a kind a step, so
//! there are no more; the summary has the others.
//!
//! It must never print a text of the repository but escaped: in data `%` and line ends, in properties `:` and `,` too.

use crate::escape::printable;
use rebake_planner::wire::{DiagnosticRow, SeverityName};
use std::fmt::Write as _;

/// As many of a kind as GitHub shows of a step.
const SHOWN: usize = 10;

/// Writes the commands. `directory` is where the root of the plan lies in the checkout, empty for the checkout itself.
pub fn annotations(diagnostics: &[DiagnosticRow], directory: &str) -> String {
    let mut text = String::new();
    for (severity, command) in [
        (SeverityName::Error, "error"),
        (SeverityName::Warning, "warning"),
        (SeverityName::Note, "notice"),
    ] {
        let of_kind = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity);
        for diagnostic in of_kind.take(SHOWN) {
            text.push_str(&annotation(command, diagnostic, directory));
        }
    }
    text
}

fn annotation(command: &str, diagnostic: &DiagnosticRow, directory: &str) -> String {
    let mut properties = Vec::new();
    if let Some(path) = &diagnostic.path {
        let file = match directory {
            "" => path.clone(),
            _ => format!("{directory}/{path}"),
        };
        properties.push(format!("file={}", property(&file)));
        if let Some(line) = diagnostic.line {
            properties.push(format!("line={line}"));
        }
        if let Some(column) = diagnostic.column {
            properties.push(format!("col={column}"));
        }
    }
    properties.push(format!(
        "title={}",
        property(&format!("rebake {}", diagnostic.code))
    ));
    let mut message = diagnostic.message.clone();
    if !diagnostic.services.is_empty() {
        // Writing to a string can't fail.
        let _ = write!(message, " ({})", diagnostic.services.join(", "));
    }
    format!("::{command} {}::{}\n", properties.join(","), data(&message))
}

fn data(text: &str) -> String {
    printable(text)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
        // The older form of commands counts anywhere in a line.
        .replace("##[", "##%5B")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(severity: SeverityName, path: &str, message: &str) -> DiagnosticRow {
        DiagnosticRow {
            code: "syntax".to_owned(),
            severity,
            message: message.to_owned(),
            path: Some(path.to_owned()),
            line: Some(3),
            column: Some(7),
            services: vec!["api".to_owned()],
        }
    }

    #[test]
    fn a_diagnostic_shows_at_its_line() {
        let diagnostics = [diagnostic(SeverityName::Warning, "go.mod", "50% wrong")];
        assert_eq!(
            annotations(&diagnostics, "shop"),
            "::warning file=shop/go.mod,line=3,col=7,title=rebake syntax::50%25 wrong (api)\n"
        );
    }

    #[test]
    fn no_text_of_a_repository_is_a_command() {
        for hostile in [
            "a\n::set-output name=x::y",
            "a\r::add-mask::true",
            "a,line=1::b",
            "##[add-mask]true",
            "a%0A::error::b",
            "\u{1b}[2J",
            "${{ github.token }}",
        ] {
            let text = annotations(&[diagnostic(SeverityName::Error, hostile, hostile)], "");
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(text.starts_with("::error file="), "{text}");
            assert!(!text.contains("##["), "{text}");
            assert!(!text.contains(['\u{1b}', '\r']), "{text}");
            let (properties, _) = text[2..].split_once("::").unwrap();
            let names: Vec<&str> = properties["error ".len()..]
                .split(',')
                .map(|property| property.split_once('=').unwrap().0)
                .collect();
            assert_eq!(names, ["file", "line", "col", "title"], "{text}");
        }
    }

    #[test]
    fn no_more_are_written_than_are_shown() {
        let mut diagnostics = vec![diagnostic(SeverityName::Note, "a", "b"); 30];
        diagnostics.extend(vec![diagnostic(SeverityName::Error, "a", "b"); 3]);
        let text = annotations(&diagnostics, "");
        assert_eq!(text.lines().count(), SHOWN + 3);
        assert_eq!(text.matches("::error ").count(), 3);
    }
}
