//! A hostile merge request on GitLab.
//!
//! In: GitLab as gitlab-ci-local plays it. Out: complaints. The names of [`hostile`] are planned, and go through the
//! generated child into the shells of its jobs; no runner can build, so that nothing else is tried.

use super::{
    gitlab::GitLab,
    hostile::{self, PROOF},
    shop::Shop,
};
use std::{error::Error, fs};

/// Tells the story and gives what was not as expected.
pub(super) fn tell(gitlab: &GitLab<'_>) -> Result<Vec<String>, Box<dyn Error>> {
    let shop = Shop::new("https://gitlab.com/acme/lab.git")?;
    gitlab.use_example(&shop, "many-services.yml")?;
    shop.write(
        ".gitignore",
        ".gitlab-ci-local\nrebake-pipeline.yml\nrebake.env\n.rebake\n",
    )?;
    let base = shop.push("The shop")?;
    hostile::write(&shop)?;
    shop.push("Nothing to see")?;
    let branch = format!("$(touch {PROOF})`touch {PROOF}`");
    let variables = [
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ("CI_MERGE_REQUEST_IID", "9"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.as_str()),
        // From a fork, and a member has started it.
        ("CI_MERGE_REQUEST_PROJECT_ID", "7"),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "666"),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", &branch),
        ("REBAKE_REUSE", "false"),
        ("NO_COLOR", "1"),
    ];
    gitlab.set_broken(true)?;
    let pipeline = gitlab.run(&shop, &variables)?;
    gitlab.set_broken(false)?;

    let mut complaints = Vec::new();
    let mut complain = |what: String| complaints.push(format!("a hostile merge request: {what}"));
    let report = fs::read_to_string(shop.tree().join("rebake.env")).unwrap_or_default();
    let count = report
        .lines()
        .find_map(|line| line.strip_prefix("REBAKE_COUNT="))
        .and_then(|count| count.parse::<usize>().ok());
    if count.is_none_or(|count| count < hostile::names().len()) {
        complain(format!("{count:?} services were planned\n{}", pipeline.log));
    }
    let child = fs::read_to_string(shop.tree().join("rebake-pipeline.yml")).unwrap_or_default();
    if !child.contains("/acme/lab/merge_request/from_forks/\"") {
        complain(format!("a fork pushes elsewhere:\n{child}"));
    }
    let jobs = pipeline.log.matches(" starting ").count();
    if jobs < 3 {
        complain(format!("only {jobs} jobs ran\n{}", pipeline.log));
    }
    if let Some(path) = hostile::find(&shop.tree()) {
        complain(format!("a shell has run a name: {}", path.display()));
    }
    println!("  a hostile merge request: {jobs} jobs");
    Ok(complaints)
}
