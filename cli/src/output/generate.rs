//! What `rebake generate` wrote, or would write.

use super::printable;
use crate::{build_files::Difference, planning::Planned};
use rebake_planner::{discover::service_name::ServiceName, emit::EmittedFile, path::RepoPath};
use std::collections::BTreeSet;

pub(crate) fn render(
    planned: &Planned,
    files: &[EmittedFile],
    differences: &[(RepoPath, Difference)],
    in_doubt: &BTreeSet<&ServiceName>,
    check: bool,
) -> String {
    let mut text = String::new();
    for (path, difference) in differences {
        let path = planned.standpoint.show(path.as_str());
        text.push_str(&format!(
            "{:<9}  {}\n",
            verb_of(*difference, check),
            printable(&path)
        ));
    }
    let unchanged = files.len()
        - differences
            .iter()
            .filter(|(_, one)| *one != Difference::LeftOver)
            .count();
    text.push_str(&match (differences.len(), check) {
        (0, _) => format!("{} files are as they should be\n", files.len()),
        (_, false) => format!(
            "{unchanged} of {} files were as they should be\n",
            files.len()
        ),
        (_, true) => format!(
            "{unchanged} of {} files are as they should be; run `rebake generate`\n",
            files.len()
        ),
    });
    if !in_doubt.is_empty() {
        let names: Vec<&str> = in_doubt.iter().map(|name| name.as_str()).collect();
        text.push_str(&format!(
            "in doubt, so left as it is: {}; `rebake plan` says why\n",
            names.join(", ")
        ));
    }
    text
}

/// What a difference is called.
fn verb_of(difference: Difference, check: bool) -> &'static str {
    match (difference, check) {
        (Difference::Missing, false) => "wrote",
        (Difference::Stale, false) => "rewrote",
        (Difference::LeftOver, false) => "removed",
        (Difference::Missing, true) => "missing",
        (Difference::Stale, true) => "stale",
        (Difference::LeftOver, true) => "left over",
    }
}
