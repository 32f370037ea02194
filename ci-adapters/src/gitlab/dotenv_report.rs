//! The dotenv report of the plan's job.
//!
//! In: a plan. Out: `REBAKE_ANY`, `REBAKE_COUNT` and `REBAKE_REUSED`, for rules and scripts of later jobs. It stays far
//! below GitLab's 20 variables and 5 KB, and holds no text of the repository.

use crate::selection::Selection;

/// Writes the report.
pub fn dotenv_report(selection: &Selection) -> String {
    format!(
        "REBAKE_ANY={}\nREBAKE_COUNT={}\nREBAKE_REUSED={}\n",
        !selection.build.is_empty(),
        selection.build.len(),
        selection.reuse.len()
    )
}
