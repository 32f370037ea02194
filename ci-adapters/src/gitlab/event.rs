//! What a pipeline on GitLab is compared with.
//!
//! In: predefined variables. Out: an [`Event`], and from it the [`BaselineChoice`].
//!
//! **Known gaps**: a pipeline that failed or was cancelled leaves images of its push unbuilt, and the next push compares
//! with that push's commit. Asking the registry for content tags has no such gap.

use crate::baseline_choice::{BaselineChoice, CommitSha};

/// The predefined variables that say why a pipeline runs. An empty one counts as one that is not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PredefinedVariables {
    /// `CI_PIPELINE_SOURCE`.
    pub pipeline_source: Option<String>,
    /// `CI_COMMIT_TAG`.
    pub commit_tag: Option<String>,
    /// `CI_COMMIT_BEFORE_SHA`.
    pub commit_before_sha: Option<String>,
    /// `CI_MERGE_REQUEST_IID`.
    pub merge_request_iid: Option<String>,
    /// `CI_MERGE_REQUEST_TARGET_BRANCH_SHA`: set in merged results pipelines and merge trains alone.
    pub merge_request_target_branch_sha: Option<String>,
    /// `CI_MERGE_REQUEST_DIFF_BASE_SHA`.
    pub merge_request_diff_base_sha: Option<String>,
    /// `CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA`.
    pub external_pull_request_target_branch_sha: Option<String>,
}

/// Why a pipeline runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A merge request's branch merged into its target, before the real merge.
    MergedResults {
        /// The target's commit.
        target: CommitSha,
    },
    /// A merge request's branch.
    MergeRequest {
        /// Where the branch left its target.
        diff_base: CommitSha,
    },
    /// A pull request of another service.
    ExternalPullRequest {
        /// The tip of the target branch.
        target: CommitSha,
    },
    /// A push to a branch.
    Push {
        /// What the branch pointed to; nothing where GitLab does not tell, as for a new branch.
        before: Option<CommitSha>,
    },
    /// A tag.
    Tag,
    /// Any other source: `schedule`, `web`, `api`, `trigger`, ….
    Other {
        /// Its name.
        source: String,
    },
    /// The variables can't be understood.
    Unreadable {
        /// What is wrong with them.
        problem: String,
    },
}

/// Reads why a pipeline runs.
pub fn read_event(variables: &PredefinedVariables) -> Event {
    let read = || -> Result<Event, String> {
        let commit = |text: &Option<String>| match text.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => text
                .parse::<CommitSha>()
                .map(|commit| (!commit.is_zero()).then_some(commit))
                .map_err(|error| error.to_string()),
        };
        let is_set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        if is_set(&variables.commit_tag) {
            return Ok(Event::Tag);
        }
        // A child pipeline has its parent's variables of a merge request, and another source.
        if is_set(&variables.merge_request_iid) {
            if let Some(target) = commit(&variables.merge_request_target_branch_sha)? {
                return Ok(Event::MergedResults { target });
            }
            return match commit(&variables.merge_request_diff_base_sha)? {
                Some(diff_base) => Ok(Event::MergeRequest { diff_base }),
                None => Err("CI_MERGE_REQUEST_DIFF_BASE_SHA is not set".to_owned()),
            };
        }
        let source = variables.pipeline_source.as_deref().unwrap_or_default();
        match source {
            "push" | "parent_pipeline" => Ok(Event::Push {
                before: commit(&variables.commit_before_sha)?,
            }),
            "external_pull_request_event" => {
                match commit(&variables.external_pull_request_target_branch_sha)? {
                    Some(target) => Ok(Event::ExternalPullRequest { target }),
                    None => Err("CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA is not set".to_owned()),
                }
            }
            other => Ok(Event::Other {
                source: other.to_owned(),
            }),
        }
    };
    read().unwrap_or_else(|problem| Event::Unreadable { problem })
}

/// Chooses what to compare with.
pub fn baseline(event: &Event) -> BaselineChoice {
    let nothing = |why: &str| BaselineChoice::Nothing(why.to_owned());
    match event {
        Event::MergedResults { target } => BaselineChoice::Commit(target.clone()),
        Event::MergeRequest { diff_base } => BaselineChoice::Commit(diff_base.clone()),
        Event::ExternalPullRequest { target } => BaselineChoice::CommonAncestor(target.clone()),
        // The commit itself, and not an ancestor: after a force push, what the old commit changed must be built again.
        Event::Push {
            before: Some(before),
        } => BaselineChoice::Commit(before.clone()),
        Event::Push { before: None } => {
            nothing("the branch is new to this pipeline, so everything is built")
        }
        Event::Tag => nothing("it is a tag's pipeline, so everything is built"),
        Event::Other { source } => BaselineChoice::Nothing(format!(
            "a pipeline of the source `{}` has nothing to compare with, so everything is built",
            source.escape_debug()
        )),
        Event::Unreadable { problem } => BaselineChoice::Nothing(format!(
            "the pipeline's variables can't be understood ({}), so everything is built",
            problem.escape_debug()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pipeline_has_its_base() {
        let sha = |digit: char| digit.to_string().repeat(40);
        let commit = |digit: char| sha(digit).parse::<CommitSha>().unwrap();
        let itself = |digit| Some(BaselineChoice::Commit(commit(digit)));
        type Case<'a> = (&'a str, &'a [(&'a str, String)], Option<BaselineChoice>);
        let cases: &[Case<'_>] = &[
            ("push", &[("before", sha('a'))], itself('a')),
            ("push", &[("before", sha('0'))], None),
            ("push", &[], None),
            ("push", &[("before", "--upload-pack=x".to_owned())], None),
            (
                "push",
                &[("before", sha('a')), ("tag", "v1".to_owned())],
                None,
            ),
            (
                "merge_request_event",
                &[
                    ("iid", "7".to_owned()),
                    ("before", sha('0')),
                    ("target", String::new()),
                    ("diff", sha('b')),
                ],
                itself('b'),
            ),
            (
                "merge_request_event",
                &[
                    ("iid", "7".to_owned()),
                    ("target", sha('c')),
                    ("diff", sha('b')),
                ],
                itself('c'),
            ),
            ("merge_request_event", &[("iid", "7".to_owned())], None),
            (
                "parent_pipeline",
                &[("iid", "7".to_owned()), ("diff", sha('b'))],
                itself('b'),
            ),
            ("parent_pipeline", &[("before", sha('a'))], itself('a')),
            (
                "external_pull_request_event",
                &[("external", sha('d'))],
                Some(BaselineChoice::CommonAncestor(commit('d'))),
            ),
            ("schedule", &[("before", sha('a'))], None),
            ("web", &[], None),
            ("", &[], None),
            ("$(x)\n", &[], None),
        ];
        for (source, set, expected) in cases {
            let get = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.clone())
            };
            let variables = PredefinedVariables {
                pipeline_source: Some((*source).to_owned()),
                commit_tag: get("tag"),
                commit_before_sha: get("before"),
                merge_request_iid: get("iid"),
                merge_request_target_branch_sha: get("target"),
                merge_request_diff_base_sha: get("diff"),
                external_pull_request_target_branch_sha: get("external"),
            };
            match (baseline(&read_event(&variables)), expected) {
                (BaselineChoice::Nothing(why), None) => {
                    assert!(why.ends_with("everything is built"), "{why}");
                    assert!(!why.contains('\n'), "{why}");
                }
                (chosen, expected) => assert_eq!(Some(&chosen), expected.as_ref(), "{variables:?}"),
            }
        }
    }
}
