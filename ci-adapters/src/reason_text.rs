//! Reasons in a few words.
//!
//! In: the reasons of a plan. Out: plain text, unescaped: the writer of a form escapes it.

use rebake_planner::wire::{FileReason, ReasonRow};

/// As many digits of a key as tell two apart at a glance.
const DIGITS: usize = 12;

/// What a reason says.
pub(crate) fn describe(reason: &ReasonRow) -> String {
    match reason {
        ReasonRow::NoBaseline => "nothing to compare with".to_owned(),
        ReasonRow::ServiceAdded => "new service".to_owned(),
        ReasonRow::Uncertain { codes } => with_codes("uncertain", codes),
        ReasonRow::BaselineUncertain { codes } => with_codes("the baseline was uncertain", codes),
        ReasonRow::BaselineUnavailable { message } => {
            format!("nothing to compare with: {message}")
        }
        ReasonRow::KeyChanged { old, new } => {
            format!(
                "key {} → {}",
                &old.to_hex()[..DIGITS],
                &new.to_hex()[..DIGITS]
            )
        }
        ReasonRow::FileChanged(file) => file_reason(file, "changed"),
        ReasonRow::FileAdded(file) => file_reason(file, "added"),
        ReasonRow::FileRemoved(file) => file_reason(file, "removed"),
        ReasonRow::ManifestChanged {
            path,
            name,
            old,
            new,
        } => format!("{path}: {name} {}", arrow(old.as_deref(), new.as_deref())),
        ReasonRow::ModuleChanged { module, old, new } => {
            format!("{module} {}", arrow(old.as_deref(), new.as_deref()))
        }
        ReasonRow::SettingChanged { setting, old, new } => {
            format!("{setting} {}", arrow(old.as_deref(), new.as_deref()))
        }
        ReasonRow::RecipeChanged { old, new } => {
            format!("build recipe {}", arrow(old.as_deref(), new.as_deref()))
        }
        ReasonRow::TierChanged { old, new } => format!("third-party tier {old} → {new}"),
        ReasonRow::Unchanged => "unchanged".to_owned(),
        ReasonRow::TagPresent { image } => format!("{image} is in the registry"),
        ReasonRow::TagMissing { image } => format!("{image} is not in the registry"),
        ReasonRow::RegistryUnavailable { message, .. } => {
            format!("the registry can't be asked: {message}")
        }
        // A kind that is younger than this text.
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

fn with_codes(what: &str, codes: &[String]) -> String {
    if codes.is_empty() {
        return what.to_owned();
    }
    format!("{what}: {}", codes.join(", "))
}

fn file_reason(file: &FileReason, verb: &str) -> String {
    let way = if file.via.len() > 1 {
        format!(" (→ {})", file.via.join(" → "))
    } else {
        String::new()
    };
    format!("{} {verb}{way}", file.path)
}

fn arrow(old: Option<&str>, new: Option<&str>) -> String {
    match (old, new) {
        (Some(old), Some(new)) => format!("{old} → {new}"),
        (None, Some(new)) => format!("now {new}"),
        (Some(old), None) => format!("no longer {old}"),
        (None, None) => String::new(),
    }
}
