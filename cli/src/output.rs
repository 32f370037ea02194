//! What goes to stdout and what to stderr.
//!
//! In: plans and failures. Out: one document, which `main` writes when the command is done, and talk on stderr at
//! once. Everything that comes from a repository passes [`printable`] first: a file name may not steer a terminal.

pub(crate) mod build;
pub(crate) mod diagnostics;
pub(crate) mod diff;
pub(crate) mod dot;
pub(crate) mod generate;
pub(crate) mod graph;
pub(crate) mod html;
pub(crate) mod init;
pub(crate) mod inputs;
pub(crate) mod markdown;
pub(crate) mod mermaid;
pub(crate) mod plan;
pub(crate) mod prediction;
pub(crate) mod reasons;
pub(crate) mod standing;
mod style;
mod table;
pub(crate) mod why;

use crate::{failure::Failure, planning::Planned, progress::Talk, standpoint::Standpoint};
use rebake_ci::escape::is_harmless;
use rebake_planner::{diagnostic::Diagnostic, discover::service_name::ServiceName};
use serde::Serialize;
use std::{borrow::Cow, fmt::Write as _};

/// The two streams.
pub(crate) struct Output {
    document: String,
    talk: Talk,
}

/// What became of a document that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flushed {
    Whole,
    NobodyReads,
}

impl Output {
    pub(crate) fn new(talk: Talk) -> Self {
        Self {
            document: String::new(),
            talk,
        }
    }

    /// Whether anything but failures is said on stderr.
    pub(crate) fn talk(&self) -> Talk {
        self.talk
    }

    /// What stdout will get.
    pub(crate) fn document(&self) -> &str {
        &self.document
    }

    /// Adds to the document.
    pub(crate) fn write(&mut self, text: &str) {
        self.document.push_str(text);
    }

    /// Makes the document one JSON value.
    pub(crate) fn write_json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.document = without_commands(serde_json::to_string_pretty(value)?);
        self.document.push('\n');
        Ok(())
    }

    /// Adds a JSON value in one line.
    pub(crate) fn write_json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.document
            .push_str(&without_commands(serde_json::to_string(value)?));
        self.document.push('\n');
        Ok(())
    }

    /// Sends to stdout what there is so far.
    pub(crate) fn flush(&mut self) -> Flushed {
        use std::io::Write as _;
        let document = std::mem::take(&mut self.document);
        let mut stdout = anstream::stdout().lock();
        let written = stdout
            .write_all(document.as_bytes())
            .and_then(|()| stdout.flush());
        match written {
            Ok(()) => Flushed::Whole,
            Err(_) => Flushed::NobodyReads,
        }
    }

    /// Says something on stderr.
    pub(crate) fn say(&self, text: &str) {
        if self.talk == Talk::Wanted {
            say(text);
        }
    }

    /// Shows the findings of a plan.
    pub(crate) fn show_diagnostics(&self, planned: &Planned) {
        self.show_diagnostics_of(planned, None);
    }

    /// Shows the findings that touch a service, or all: who asks about one has no use for those of others.
    pub(crate) fn show_diagnostics_of(&self, planned: &Planned, service: Option<&ServiceName>) {
        if self.talk == Talk::Unwanted {
            return;
        }
        let is_wanted = |found: &&Diagnostic| {
            let names = &found.services;
            service
                .is_none_or(|name| names.is_empty() || names.iter().any(|one| one == name.as_str()))
        };
        let found = planned.plan.diagnostics.iter().filter(is_wanted);
        let found: Vec<Diagnostic> = found.cloned().collect();
        say(&diagnostics::render(&found, &planned.standpoint));
    }

    /// Says why the command failed.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        self.document.clear();
        let mut text = diagnostics::render(failure.diagnostics(), &Standpoint::root());
        let error = style::paint(style::ERROR, "error");
        // Writing to a string can't fail.
        let _ = writeln!(text, "{error}: {}", printable(&failure.to_string()));
        say(&text);
    }
}

fn say(text: &str) {
    use std::io::Write as _;
    // A closed stderr is no reason to fail.
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// What GitHub's runner takes for a command anywhere in a line of a log; `::` counts at its beginning alone.
const OLD_COMMAND: &str = "##[";

/// JSON in which no string holds a command of a CI. The value is the same.
pub(crate) fn without_commands(json: String) -> String {
    // Outside of strings no `#` occurs.
    if json.contains(OLD_COMMAND) {
        json.replace(OLD_COMMAND, "##\\u005b")
    } else {
        json
    }
}

/// A text that can neither steer a terminal, change the direction of writing, nor be a command to a CI that reads the log.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let starts_command = text.trim_start().starts_with("::");
    let is_plain = text.chars().all(is_harmless);
    if is_plain && !starts_command && !text.contains(OLD_COMMAND) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        let opens_command = (character == '[' && escaped.ends_with("##"))
            || (character == ':' && starts_command && escaped.trim_start().is_empty());
        if is_harmless(character) && !opens_command {
            escaped.push(character);
        } else {
            escaped.extend(character.escape_unicode());
        }
    }
    Cow::Owned(escaped)
}

/// A count with its noun.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_steers_a_terminal() {
        let cases = [
            ("services/api", "services/api"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("a\nb", "a\\u{a}b"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("grün", "grün"),
            ("::add-mask::true", "\\u{3a}:add-mask::true"),
            ("  ::error::x/y.go", "  \\u{3a}:error::x/y.go"),
            ("a::b", "a::b"),
            ("a##[add-mask]true", "a##\\u{5b}add-mask]true"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected);
        }
    }
}
