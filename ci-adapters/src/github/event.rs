//! What a run on GitHub is compared with.
//!
//! In: the event's name, the ref and the event's payload. Out: an [`Event`], and from it and the commit that is checked
//! out the [`BaselineChoice`]. Names of branches are never used: a payload's commit ids lead to the same answers, and
//! nothing that a contributor chooses reaches git.
//!
//! **Known gaps**: a run that failed or was cancelled leaves images of its push unbuilt, and the next push compares with
//! that push's commit. Asking the registry for content tags has no such gap.

use crate::baseline_choice::{BaselineChoice, CheckedOut, CommitSha};
use serde::Deserialize;

/// Why a workflow runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// `pull_request`.
    PullRequest {
        /// The tip of the base branch, as GitHub last saw it.
        base: CommitSha,
        /// The tip of the pull request's branch.
        head: CommitSha,
    },
    /// `merge_group`: a merge queue.
    MergeGroup {
        /// What the group is merged onto: the base branch, or the group before.
        base: CommitSha,
    },
    /// `push` to a branch.
    Push {
        /// What the branch pointed to; nothing for a new branch.
        before: Option<CommitSha>,
    },
    /// `push` of a tag.
    Tag,
    /// Any other event: `schedule`, `workflow_dispatch`, `release`, ….
    Other {
        /// Its name.
        name: String,
    },
    /// The event can't be understood.
    Unreadable {
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Deserialize)]
struct PullRequestPayload {
    pull_request: PullRequest,
}

#[derive(Deserialize)]
struct PullRequest {
    base: Tip,
    head: Tip,
}

#[derive(Deserialize)]
struct Tip {
    sha: String,
}

#[derive(Deserialize)]
struct MergeGroupPayload {
    merge_group: MergeGroup,
}

#[derive(Deserialize)]
struct MergeGroup {
    base_sha: String,
}

#[derive(Deserialize)]
struct PushPayload {
    before: String,
    #[serde(default)]
    r#ref: Option<String>,
}

/// Reads an event: `$GITHUB_EVENT_NAME`, `$GITHUB_REF` and the content of the file `$GITHUB_EVENT_PATH`, or why it can't be
/// had.
pub fn read_event(name: &str, reference: Option<&str>, payload: Result<&str, &str>) -> Event {
    let read = || -> Result<Event, String> {
        let commit = |text: &str| text.parse::<CommitSha>().map_err(|error| error.to_string());
        match name {
            "pull_request" => {
                let PullRequestPayload { pull_request } = parse(payload)?;
                Ok(Event::PullRequest {
                    base: commit(&pull_request.base.sha)?,
                    head: commit(&pull_request.head.sha)?,
                })
            }
            "merge_group" => {
                let MergeGroupPayload { merge_group } = parse(payload)?;
                Ok(Event::MergeGroup {
                    base: commit(&merge_group.base_sha)?,
                })
            }
            "push" => {
                let push: PushPayload = parse(payload)?;
                let is_tag = |name: &str| name.starts_with("refs/tags/");
                if push.r#ref.as_deref().or(reference).is_some_and(is_tag) {
                    return Ok(Event::Tag);
                }
                let before = commit(&push.before)?;
                Ok(Event::Push {
                    before: (!before.is_zero()).then_some(before),
                })
            }
            other => Ok(Event::Other {
                name: other.to_owned(),
            }),
        }
    };
    read().unwrap_or_else(|problem| Event::Unreadable { problem })
}

fn parse<'a, Payload: Deserialize<'a>>(payload: Result<&'a str, &str>) -> Result<Payload, String> {
    serde_json::from_str(payload?).map_err(|error| error.to_string())
}

/// Chooses what to compare with.
pub fn baseline(event: &Event, checked_out: &CheckedOut) -> BaselineChoice {
    let nothing = |why: &str| BaselineChoice::Nothing(why.to_owned());
    match event {
        // GitHub checks out a merge of the pull request's branch into the base branch. Its first parent is the base as it
        // was merged, whatever the payload says, and its images were built when it was pushed.
        Event::PullRequest { base, head } => match checked_out.parents.as_slice() {
            [first, second] if second == head => BaselineChoice::Commit(first.clone()),
            _ => BaselineChoice::CommonAncestor(base.clone()),
        },
        Event::MergeGroup { base } => BaselineChoice::Commit(base.clone()),
        // The commit itself, and not an ancestor: after a force push, what the old commit changed must be built again.
        Event::Push {
            before: Some(before),
        } => BaselineChoice::Commit(before.clone()),
        Event::Push { before: None } => nothing("the branch is new, so everything is built"),
        Event::Tag => nothing("a tag was pushed, so everything is built"),
        Event::Other { name } => BaselineChoice::Nothing(format!(
            "the event `{}` has nothing to compare with, so everything is built",
            name.escape_debug()
        )),
        Event::Unreadable { problem } => BaselineChoice::Nothing(format!(
            "the event can't be understood ({}), so everything is built",
            problem.escape_debug()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha(digit: char) -> String {
        digit.to_string().repeat(40)
    }

    fn commit(digit: char) -> CommitSha {
        sha(digit).parse().unwrap()
    }

    /// Where what is to be expected stands for everything that is built.
    const ALL: Option<(&str, char)> = None;

    #[test]
    fn each_event_has_its_base() {
        let pull_request = format!(
            r#"{{"pull_request":{{"base":{{"sha":"{}","ref":"--upload-pack=x"}},"head":{{"sha":"{}"}}}}}}"#,
            sha('b'),
            sha('c')
        );
        let merge_group = format!(r#"{{"merge_group":{{"base_sha":"{}"}}}}"#, sha('d'));
        let push = |before: &str, reference: &str| {
            format!(r#"{{"before":"{before}","ref":"{reference}","forced":true}}"#)
        };
        let main = "refs/heads/main";
        let merge = vec![commit('a'), commit('c')];
        type Case<'a> = (&'a str, String, Vec<CommitSha>, Option<(&'a str, char)>);
        let cases: &[Case<'_>] = &[
            // The test merge: its first parent, also where the payload's base lags behind.
            (
                "pull_request",
                pull_request.clone(),
                merge,
                Some(("itself", 'a')),
            ),
            // The branch itself was checked out.
            (
                "pull_request",
                pull_request.clone(),
                vec![commit('e')],
                Some(("ancestor", 'b')),
            ),
            // The branch itself, whose last commit merges the base: its first parent is not the base.
            (
                "pull_request",
                pull_request,
                vec![commit('e'), commit('a')],
                Some(("ancestor", 'b')),
            ),
            ("merge_group", merge_group, vec![], Some(("itself", 'd'))),
            (
                "push",
                push(&sha('f'), main),
                vec![commit('e')],
                Some(("itself", 'f')),
            ),
            ("push", push(&sha('0'), main), vec![commit('e')], ALL),
            ("push", push(&sha('f'), "refs/tags/v1"), vec![], ALL),
            ("push", push("--output=x", main), vec![], ALL),
            ("push", "{\"before\":".to_owned(), vec![], ALL),
            ("pull_request", "[]".to_owned(), vec![], ALL),
            ("merge_group", "{}".to_owned(), vec![], ALL),
            ("schedule", "{}".to_owned(), vec![], ALL),
            ("workflow_dispatch", "not json".to_owned(), vec![], ALL),
            // It runs in the base branch, and a pull request's code must not be there.
            ("pull_request_target", "{}".to_owned(), vec![], ALL),
            ("::set-output\n", String::new(), vec![], ALL),
        ];
        for (name, payload, parents, expected) in cases {
            let event = read_event(name, None, Ok(payload));
            let checked_out = CheckedOut {
                parents: parents.clone(),
            };
            let expected = expected.map(|(how, digit)| match how {
                "itself" => BaselineChoice::Commit(commit(digit)),
                _ => BaselineChoice::CommonAncestor(commit(digit)),
            });
            match (baseline(&event, &checked_out), expected) {
                (BaselineChoice::Nothing(why), None) => {
                    assert!(why.ends_with("everything is built"), "{why}");
                    assert!(!why.contains('\n'), "{why}");
                }
                (chosen, expected) => assert_eq!(Some(chosen), expected, "{name} {payload}"),
            }
        }
    }

    #[test]
    fn the_ref_of_the_runner_tells_a_tag_where_the_payload_does_not() {
        let payload = format!(r#"{{"before":"{}"}}"#, sha('a'));
        assert_eq!(
            read_event("push", Some("refs/tags/v1"), Ok(&payload)),
            Event::Tag
        );
        let event = read_event("push", None, Err("no such file"));
        assert_eq!(
            event,
            Event::Unreadable {
                problem: "no such file".to_owned()
            }
        );
    }
}
