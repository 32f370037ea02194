//! Reasons for people.
//!
//! In: the reasons of a verdict. Out: a line for a table, or a few lines with the way from what changed to the service.
//! Everything is printable: it may stand in a terminal as it is.

use super::printable;
use crate::standpoint::Standpoint;
use rebake_planner::{
    decide::{Change, Reason},
    diagnostic::Code,
    file_kind::FileKind,
    wire::ReasonRow,
};
use serde::Serialize;
use serde_json::Value;

/// As many digits of a key or digest as tell two apart at a glance.
const DIGITS: usize = 12;

/// A reason in a few words.
pub(crate) fn short(reason: &Reason, standpoint: &Standpoint) -> String {
    printable(&describe(reason, standpoint)).into_owned()
}

fn describe(reason: &Reason, standpoint: &Standpoint) -> String {
    match reason {
        Reason::NoBaseline => "nothing to compare with".to_owned(),
        Reason::ServiceAdded => "new service".to_owned(),
        Reason::Uncertain { codes } => with_codes("uncertain", codes),
        Reason::BaselineUncertain { codes } => with_codes("the baseline was uncertain", codes),
        Reason::BaselineUnavailable { .. } => "nothing to compare with: see the warning".to_owned(),
        Reason::Key { old, new } => format!(
            "key {} → {}",
            &old.to_hex()[..DIGITS],
            &new.to_hex()[..DIGITS]
        ),
        Reason::File { path, change, .. } => {
            format!("{} {}", standpoint.show(path.as_str()), verb(*change))
        }
        Reason::Manifest {
            path,
            name,
            old,
            new,
        } => format!(
            "{}: {name} {}",
            standpoint.show(path.as_str()),
            arrow(old.as_deref(), new.as_deref())
        ),
        Reason::Module { module, old, new } => {
            format!("{module} {}", arrow(old.as_deref(), new.as_deref()))
        }
        Reason::Setting { setting, old, new } => {
            format!("{setting} {}", arrow(old.as_deref(), new.as_deref()))
        }
        Reason::Recipe { old, new } => {
            format!("build recipe {}", arrow(old.as_deref(), new.as_deref()))
        }
        Reason::Tier { old, new } => format!("third-party tier {old} → {new}"),
        Reason::Unchanged => "unchanged".to_owned(),
        Reason::TagPresent { .. } => "in the registry".to_owned(),
        Reason::TagMissing { .. } => "not in the registry".to_owned(),
        Reason::RegistryUnavailable { .. } => "the registry can't be asked".to_owned(),
        other => kind_in_words(&ReasonRow::from(other)),
    }
}

/// What the contract calls a row, for those that are younger than the texts here.
pub(super) fn kind_in_words(row: &impl Serialize) -> String {
    let row = serde_json::to_value(row).unwrap_or_default();
    let kind = row.get("kind").and_then(Value::as_str);
    kind.unwrap_or("of another kind").replace('-', " ")
}

fn with_codes(what: &str, codes: &[Code]) -> String {
    let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    if codes.is_empty() {
        return what.to_owned();
    }
    format!("{what}: {}", codes.join(", "))
}

fn verb(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed => "changed",
    }
}

fn arrow(old: Option<&str>, new: Option<&str>) -> String {
    match (old, new) {
        (Some(old), Some(new)) => {
            let (short_old, short_new) = (without_sum(old), without_sum(new));
            if short_old == short_new {
                format!("{old} → {new}")
            } else {
                format!("{short_old} → {short_new}")
            }
        }
        (None, Some(new)) => format!("now {}", without_sum(new)),
        (Some(old), None) => format!("no longer {}", without_sum(old)),
        (None, None) => String::new(),
    }
}

/// A version without the checksum behind it.
fn without_sum(text: &str) -> &str {
    match text.rsplit_once(" h1:") {
        Some((version, sum)) if !sum.contains(' ') => version,
        _ => text,
    }
}

/// A reason with everything that is known of it: the first line says what, the others how it reaches the service.
pub(crate) fn long(reason: &Reason, service: &str, standpoint: &Standpoint) -> Vec<String> {
    let mut lines = vec![match reason {
        Reason::File { kind, .. } => format!("{} ({})", describe(reason, standpoint), role(*kind)),
        Reason::BaselineUnavailable { message } => format!("nothing to compare with: {message}"),
        Reason::TagPresent { image } | Reason::TagMissing { image } => {
            format!("{}: {image}", describe(reason, standpoint))
        }
        Reason::RegistryUnavailable { image, message } => {
            format!("the registry can't be asked for {image}: {message}")
        }
        Reason::BaselineUncertain { .. } => format!(
            "{}; a plan of the baseline alone (`--head`) says where",
            describe(reason, standpoint)
        ),
        _ => describe(reason, standpoint),
    }];
    if let Reason::File {
        path,
        old,
        new,
        via,
        ..
    } = reason
    {
        let short =
            |digest: &rebake_planner::tree::ContentDigest| digest.to_hex()[..DIGITS].to_owned();
        if let (Some(old), Some(new)) = (old, new) {
            lines.push(format!("  content {} → {}", short(old), short(new)));
        }
        lines.extend(way(&standpoint.show(path.as_str()), via, service));
    }
    lines
        .iter()
        .map(|line| printable(line).into_owned())
        .collect()
}

/// The way from a file to a service, a step a line.
pub(crate) fn way(path: &str, via: &[String], service: &str) -> Vec<String> {
    if via.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!("  {path}")];
    for package in via {
        lines.push(format!("  → {package}"));
    }
    lines.push(format!("  → {service}"));
    lines
}

/// The packages between a file and the main package, behind what [`short`] says.
pub(crate) fn way_in_line(reason: &Reason) -> String {
    match reason {
        Reason::File { via, .. } if via.len() > 1 => {
            format!(" (→ {})", printable(&via.join(" → ")))
        }
        _ => String::new(),
    }
}

/// What a file is for.
pub(crate) fn role(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Go | FileKind::Cgo => "compiled",
        FileKind::Embed => "embedded",
        FileKind::Manifest => "manifest",
        FileKind::Pgo => "profile for the compiler",
        FileKind::Asset => "asset",
        FileKind::CgoInclude => "included by C code",
        FileKind::BackEdge => "may be imported by third-party code",
        FileKind::Extra => "declared in rebake.toml",
        _ => "compiled with the package",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rebake_planner::{
        plan::{Outside, Standing},
        wire::StandingRow,
    };

    #[test]
    fn what_no_text_is_known_for_is_called_as_in_the_contract() {
        let image = "ex.com/api:k-1".to_owned();
        let reason = ReasonRow::from(&Reason::TagMissing { image });
        assert_eq!(kind_in_words(&reason), "tag missing");
        let standing = Standing::Outside(Outside::NotReached { import_path: None });
        assert_eq!(kind_in_words(&StandingRow::from(standing)), "not reached");
        assert_eq!(kind_in_words(&"no row"), "of another kind");
    }
}
