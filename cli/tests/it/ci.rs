//! `rebake ci`: what CI services get, and what a run is compared with, in clones as CI services make them.

use crate::shop::{Answer, Shop};
use serde_json::Value;
use std::{fs, path::PathBuf};

/// A clone of a shop, as a CI service checks it out, with the files that the service names.
struct Run {
    shop: Shop,
    /// The directory of the files.
    files: PathBuf,
}

impl Run {
    /// Clones one commit of a shop, without any history.
    fn shallow(origin: &Shop, commit: &str) -> Self {
        let run = Self::empty(origin);
        run.shop
            .git(&["fetch", "--quiet", "--depth=1", "origin", commit]);
        run.shop.git(&["checkout", "--quiet", "FETCH_HEAD"]);
        run
    }

    fn empty(origin: &Shop) -> Self {
        let shop = Shop::empty();
        shop.git(&["init", "--quiet", "--initial-branch=main"]);
        let address = format!("file://{}", origin.root().display());
        shop.git(&["remote", "add", "origin", &address]);
        let files = shop.root().parent().unwrap().join("files");
        fs::create_dir_all(&files).unwrap();
        Self { shop, files }
    }

    fn file(&self, name: &str) -> String {
        self.files.join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.files.join(name)).unwrap_or_default()
    }

    fn github(&self, event: &str, payload: &str, more: &[&str]) -> Answer {
        fs::write(self.files.join("event.json"), payload).unwrap();
        let mut arguments = vec!["ci", "github"];
        arguments.extend(more);
        self.shop.run_with(
            &arguments,
            &[
                // git is needed for the history.
                ("PATH", "/usr/local/bin:/usr/bin:/bin"),
                ("GITHUB_EVENT_NAME", event),
                ("GITHUB_EVENT_PATH", &self.file("event.json")),
                ("GITHUB_OUTPUT", &self.file("output")),
                ("GITHUB_STEP_SUMMARY", &self.file("summary.md")),
                ("GITHUB_WORKSPACE", self.shop.root().to_str().unwrap()),
            ],
        )
    }

    /// The output of a name.
    fn output(&self, name: &str) -> String {
        let text = self.read("output");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.expect(name).to_owned()
    }

    fn services(&self) -> Vec<String> {
        serde_json::from_str(&self.output("services")).unwrap()
    }
}

fn push_of(before: &str) -> String {
    format!(r#"{{"ref":"refs/heads/main","before":"{before}"}}"#)
}

/// A shop with two commits, the second of which changes the mails alone.
fn origin() -> (Shop, String, String) {
    let shop = Shop::new();
    shop.commit_all();
    let first = shop.git(&["rev-parse", "HEAD"]);
    shop.write("internal/templates/mails/order.txt", "Thank you!\n");
    shop.commit_all();
    let second = shop.git(&["rev-parse", "HEAD"]);
    (shop, first, second)
}

#[test]
fn a_push_to_github_builds_what_it_changed_and_says_why() {
    let (origin, first, second) = origin();
    let run = Run::shallow(&origin, &second);
    let answer = run.github(
        "push",
        &push_of(&first),
        &["--plan", &run.file("plan.json")],
    );
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.stderr, "");
    assert_eq!(run.services(), ["mailer"]);
    assert_eq!(run.output("any"), "true");
    assert_eq!(run.output("count"), "1");
    assert_eq!(run.output("reused"), "3");
    assert_eq!(
        run.output("matrix"),
        r#"{"include":[{"name":"mailer","services":"mailer","batch":1}]}"#
    );
    assert_eq!(run.output("plan"), run.file("plan.json"));
    let plan: Value = serde_json::from_str(&run.read("plan.json")).unwrap();
    assert_eq!(plan["baseline"]["commit"], first);
    let summary = run.read("summary.md");
    assert!(
        summary.contains("1 service to build, 3 to reuse"),
        "{summary}"
    );
    assert!(
        summary.contains("| mailer | linux/amd64 | internal/templates/mails/order.txt changed"),
        "{summary}"
    );
    assert!(
        answer.stdout.contains("1 image to rebuild, 3 to reuse"),
        "{answer:?}"
    );
}

#[test]
fn a_push_that_touches_nothing_builds_nothing() {
    let (origin, _, second) = origin();
    origin.write("README.md", "More.\n");
    origin.commit_all();
    let run = Run::shallow(&origin, "main");
    let answer = run.github("push", &push_of(&second), &[]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(run.output("any"), "false");
    assert_eq!(run.output("matrix"), r#"{"include":[]}"#);
    assert!(run.read("summary.md").contains("README.md"));
}

#[test]
fn after_a_force_push_what_the_old_commit_changed_is_built_again() {
    let (origin, first, second) = origin();
    origin.git(&["reset", "--quiet", "--hard", &first]);
    origin.write(
        "internal/money/money.go",
        "package money\n\n// Format formats.\nfunc Format(cents int) string { return \"\" }\n",
    );
    let run = Run::shallow(&origin, "main");
    let answer = run.github("push", &push_of(&second), &[]);
    assert_eq!(answer.code, 0, "{answer:?}");
    // The image of the mailer is the one of the commit that is no more.
    assert_eq!(run.services(), ["mailer"]);
}

#[test]
fn a_commit_that_no_one_has_builds_everything_and_says_what_to_do() {
    let (origin, _, second) = origin();
    let run = Run::shallow(&origin, &second);
    let answer = run.github("push", &push_of(&"d".repeat(40)), &[]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(run.services().len(), 4);
    let summary = run.read("summary.md");
    assert!(
        summary.contains("is not in this clone and can't be fetched"),
        "{summary}"
    );
    assert!(
        answer
            .stdout
            .contains("::warning title=rebake baseline-unavailable::"),
        "{answer:?}"
    );
}

#[test]
fn nothing_is_fetched_where_that_is_not_wanted() {
    let (origin, first, second) = origin();
    let run = Run::shallow(&origin, &second);
    let answer = run.github("push", &push_of(&first), &["--no-fetch"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(run.services().len(), 4);
    assert!(
        run.read("summary.md").contains("fetch-depth"),
        "{}",
        run.read("summary.md")
    );
}

#[test]
fn a_pull_request_is_compared_with_the_base_that_it_was_merged_into() {
    let (origin, _, second) = origin();
    // The branch leaves two commits before the base's tip; only the API is its own.
    origin.git(&["checkout", "--quiet", "-b", "feature", "HEAD~1"]);
    origin.write("services/api/extra.go", "package main\n");
    origin.commit_all();
    let head = origin.git(&["rev-parse", "HEAD"]);
    origin.git(&["checkout", "--quiet", "main"]);
    origin.git(&["merge", "--quiet", "--no-ff", "--message=x", "feature"]);
    let merge = origin.git(&["rev-parse", "HEAD"]);
    let payload = |base: &str| {
        format!(r#"{{"pull_request":{{"base":{{"sha":"{base}"}},"head":{{"sha":"{head}"}}}}}}"#)
    };
    // The test merge, with a base in the payload that is no commit of the repository.
    let run = Run::shallow(&origin, &merge);
    let answer = run.github("pull_request", &payload(&"e".repeat(40)), &[]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(run.services(), ["api"]);
    // The branch itself: the common ancestor is fetched.
    let run = Run::shallow(&origin, &head);
    let answer = run.github("pull_request", &payload(&second), &[]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(run.services(), ["api"]);
}

#[test]
fn a_history_of_many_commits_is_deepened_until_the_ancestor_is_there() {
    let (origin, _, _) = origin();
    origin.git(&["checkout", "--quiet", "-b", "feature"]);
    for _ in 0..60 {
        origin.git(&["commit", "--quiet", "--allow-empty", "--message=x"]);
    }
    origin.write("services/api/extra.go", "package main\n");
    origin.commit_all();
    let head = origin.git(&["rev-parse", "HEAD"]);
    origin.git(&["checkout", "--quiet", "main"]);
    for _ in 0..60 {
        origin.git(&["commit", "--quiet", "--allow-empty", "--message=y"]);
    }
    let base = origin.git(&["rev-parse", "HEAD"]);
    let run = Run::shallow(&origin, &head);
    let payload =
        format!(r#"{{"pull_request":{{"base":{{"sha":"{base}"}},"head":{{"sha":"{head}"}}}}}}"#);
    let answer = run.github("pull_request", &payload, &[]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(run.services(), ["api"], "{}", run.read("summary.md"));
}

#[test]
fn a_clone_without_contents_gets_those_that_differ() {
    let (origin, first, second) = origin();
    origin.git(&["config", "uploadpack.allowFilter", "true"]);
    for filter in ["blob:none", "tree:0"] {
        let run = Run::empty(&origin);
        let filter = format!("--filter={filter}");
        run.shop
            .git(&["fetch", "--quiet", &filter, "origin", &second]);
        run.shop.git(&["checkout", "--quiet", "FETCH_HEAD"]);
        let answer = run.github("push", &push_of(&first), &["--no-fetch"]);
        assert_eq!(answer.code, 0, "{answer:?}");
        let explained = "internal/templates/mails/order.txt changed";
        assert!(!run.read("summary.md").contains(explained), "{filter}");
        fs::remove_file(run.files.join("output")).unwrap();
        let answer = run.github("push", &push_of(&first), &[]);
        assert_eq!(answer.code, 0, "{answer:?}");
        assert_eq!(run.services(), ["mailer"], "{filter}: {answer:?}");
        assert!(run.read("summary.md").contains(explained), "{filter}");
    }
}

#[test]
fn events_without_a_base_build_everything_and_say_so() {
    let (origin, _, second) = origin();
    let run = Run::shallow(&origin, &second);
    for (event, payload) in [
        ("schedule", "{}"),
        ("workflow_dispatch", "{}"),
        ("push", "garbage"),
        (
            "push",
            r#"{"ref":"refs/tags/v1","before":"0000000000000000000000000000000000000000"}"#,
        ),
    ] {
        let _ = fs::remove_file(run.files.join("output"));
        let answer = run.github(event, payload, &[]);
        assert_eq!(answer.code, 0, "{answer:?}");
        assert_eq!(run.services().len(), 4, "{event}");
        assert!(
            answer.stdout.contains("so everything is built"),
            "{answer:?}"
        );
    }
}

#[test]
fn a_named_baseline_wins_over_the_event() {
    let (origin, first, second) = origin();
    let run = Run::shallow(&origin, &second);
    let answer = run.github("push", &push_of(&first), &["--base", "HEAD"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(run.output("any"), "false");
}

#[test]
fn a_failed_plan_leaves_no_outputs() {
    let (origin, first, second) = origin();
    let run = Run::shallow(&origin, &second);
    run.shop.write("rebake.toml", "nonsense = 1\n");
    let answer = run.github("push", &push_of(&first), &[]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert_eq!(answer.stdout, "");
    assert_eq!(run.read("output"), "");
    assert_eq!(run.read("summary.md"), "");
}

#[cfg(unix)]
#[test]
fn no_name_of_a_file_is_a_command_to_a_runner() {
    let (origin, _, _) = origin();
    let names = [
        "::add-mask::true",
        "##[add-mask]true",
        "a\n::set-output name=any::false",
        "a\nany=false",
        "${{ github.token }}",
        "$(touch pwned)",
        "\u{1b}[2J",
        "</details>",
    ];
    for name in names {
        let directory = format!("services/mailer/{name}");
        origin.write(&format!("{directory}/x.go"), "package x\n\nsyntax error\n");
        origin.write(
            &format!("services/api/{name}.go"),
            "package main\n\nsyntax error\n",
        );
    }
    origin.commit_all();
    let run = Run::shallow(&origin, "main");
    let answer = run.github("schedule", "{}", &["--plan", &run.file("plan.json")]);
    assert_eq!(answer.code, 0, "{answer:?}");
    for (stream, text) in [("stdout", &answer.stdout), ("stderr", &answer.stderr)] {
        for line in text.lines() {
            let is_ours = ["::error ", "::warning ", "::notice "]
                .iter()
                .any(|command| line.starts_with(command));
            assert!(
                is_ours || !line.trim_start().starts_with("::"),
                "{stream}: {line}"
            );
            assert!(!line.contains("##["), "{stream}: {line}");
        }
        assert!(!text.contains('\u{1b}'), "{stream}: {text}");
    }
    let outputs = run.read("output");
    let names: Vec<&str> = outputs
        .lines()
        .map(|line| line.split('=').next().unwrap())
        .collect();
    assert_eq!(
        names,
        ["any", "count", "reused", "matrix", "plan", "services"]
    );
    assert_eq!(run.output("any"), "true");
    assert!(!run.read("plan.json").contains("##["));
}

#[test]
fn gitlab_gets_a_child_pipeline_and_a_report() {
    let (origin, first, second) = origin();
    let run = Run::shallow(&origin, &second);
    let gitlab = |variables: &[(&str, &str)]| {
        let mut all = vec![
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("CI_PIPELINE_SOURCE", "push"),
            ("CI_REGISTRY_IMAGE", "registry.example/acme/shop"),
            ("CI_COMMIT_SHA", second.as_str()),
        ];
        all.extend(variables);
        let answer = run.shop.run_with(&["ci", "gitlab"], &all);
        assert_eq!(answer.code, 0, "{answer:?}");
        let read = |name: &str| fs::read_to_string(run.shop.root().join(name)).unwrap();
        let pipeline: Value = serde_json::from_str(&read("rebake-pipeline.json")).unwrap();
        let mut jobs: Vec<String> = pipeline.as_object().unwrap().keys().cloned().collect();
        jobs.retain(|name| name.starts_with("rebake:"));
        (jobs, read("rebake.env"), pipeline)
    };
    let (jobs, report, pipeline) = gitlab(&[("CI_COMMIT_BEFORE_SHA", &first)]);
    assert_eq!(jobs, ["rebake:mailer"]);
    assert_eq!(report, "REBAKE_ANY=true\nREBAKE_COUNT=1\nREBAKE_REUSED=3\n");
    assert_eq!(
        pipeline[".rebake-buildx"]["variables"]["IMAGES"],
        "registry.example/acme/shop/"
    );
    assert_eq!(pipeline[".rebake-buildx"]["variables"]["TAG"], second);
    let (jobs, report, _) = gitlab(&[("CI_COMMIT_BEFORE_SHA", &second)]);
    assert_eq!(jobs, ["rebake:nothing-to-build"]);
    assert_eq!(
        report,
        "REBAKE_ANY=false\nREBAKE_COUNT=0\nREBAKE_REUSED=4\n"
    );
    let (jobs, _, _) = gitlab(&[
        ("CI_MERGE_REQUEST_IID", "1"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", &first),
    ]);
    assert_eq!(jobs, ["rebake:mailer"]);
    let (jobs, _, _) = gitlab(&[("CI_COMMIT_TAG", "v1"), ("CI_COMMIT_BEFORE_SHA", &second)]);
    assert_eq!(jobs.len(), 4);
}

#[test]
fn gitlabs_child_is_handed_what_it_builds_from() {
    let (origin, _, second) = origin();
    let run = Run::shallow(&origin, &second);
    let emitted = run.shop.root().join(".rebake/docker-bake.json");
    let gitlab = |more: &[&str]| {
        let variables = [("CI_COMMIT_SHA", second.as_str())];
        run.shop
            .run_with(&[&["ci", "gitlab"], more].concat(), &variables)
    };
    assert_eq!(gitlab(&[]).code, 0);
    assert!(!emitted.exists());
    let answer = gitlab(&["--build-files-job", "plan"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(emitted.is_file(), "{answer:?}");
    assert_eq!(run.shop.run(&["generate", "--check"]).code, 0);
    // For what it was planned for, whatever was written before.
    let platforms = ["--build-files-job", "plan", "--platform", "linux/arm64"];
    assert_eq!(gitlab(&platforms).code, 0);
    let text = fs::read_to_string(&emitted).unwrap();
    assert!(text.contains("linux/arm64") && !text.contains("linux/amd64"));
    let answer = gitlab(&["--build-files-job", "$CI_JOB_NAME"]);
    assert_eq!(answer.code, 2, "{answer:?}");
}
