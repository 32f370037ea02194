//! The child pipeline of GitLab, held to the rules of its server.

use crate::plans::{HOSTILE, hostile_plan, plan, plan_of, row, row_for};
use rebake_ci::{
    MaxJobs, Selection,
    gitlab::{Builder, CHILD_JOBS, ChildSettings, Include, child_pipeline, dotenv_report},
};
use rebake_planner::{
    emit::{Build, KeptBuild},
    path::RepoPath,
};
use serde_json::{Map, Value, json};
use std::num::NonZeroUsize;

fn settings(builder: Builder) -> ChildSettings {
    ChildSettings {
        builder,
        max_jobs: MaxJobs(NonZeroUsize::new(CHILD_JOBS).unwrap()),
        images: "registry.example/shop/".to_owned(),
        tag: "v1".to_owned(),
        cache_from: "type=registry,ref=registry.example/shop/cache:".to_owned(),
        cache_to: String::new(),
        version: None,
        includes: Vec::new(),
        build_files_job: None,
        image: None,
        daemon_image: None,
    }
}

fn jobs(document: &Value) -> Map<String, Value> {
    let reserved = ["stages", "workflow", "include"];
    let mut jobs = document.as_object().unwrap().clone();
    jobs.retain(|name, _| !name.starts_with('.') && !reserved.contains(&name.as_str()));
    jobs
}

/// What GitLab demands of any pipeline.
fn check(text: &str) -> Value {
    assert!(text.len() <= 5_000_000, "{}", text.len());
    let document: Value = serde_json::from_str(text).unwrap();
    let jobs = jobs(&document);
    assert!(!jobs.is_empty(), "an empty child fails the parent");
    assert!(jobs.len() <= CHILD_JOBS);
    assert_eq!(document["workflow"]["rules"], json!([{"when": "always"}]));
    for (name, job) in &jobs {
        assert!(name.starts_with("rebake:"), "{name}");
        assert!(name.len() <= 255, "{name}");
        for parent in job["extends"].as_array().unwrap() {
            let parent = &document[parent.as_str().unwrap()];
            assert!(
                parent.as_object().is_some_and(|parent| !parent.is_empty()),
                "a hidden job may not be empty"
            );
        }
    }
    for (name, entry) in document.as_object().unwrap() {
        if let Some(variables) = entry.get("variables") {
            for (variable, value) in variables.as_object().unwrap() {
                let is_literal = value.as_str().is_some_and(|value| !value.contains('$'))
                    || value["expand"] == json!(false);
                assert!(is_literal, "{name}: {variable} would be expanded");
            }
        }
    }
    document
}

#[test]
fn each_service_is_a_job_that_bakes_its_target() {
    let plan = plan(&[
        row("api", "rebuild", &[]),
        row("web", "reuse", &[]),
        row("worker", "rebuild", &[]),
    ]);
    let text = child_pipeline(&plan, &[], &settings(Builder::Buildx)).unwrap();
    check(&text);
    insta::assert_snapshot!(text);
}

#[test]
fn jobs_take_what_they_build_from_out_of_the_artifacts_of_the_plan() {
    let needs = |document: &Value| document[".rebake-buildx"]["needs"].clone();
    let (some, none) = (
        plan(&[row("api", "rebuild", &[])]),
        plan(&[row("api", "reuse", &[])]),
    );
    let with = |job: &str| ChildSettings {
        build_files_job: Some(job.parse().unwrap()),
        ..settings(Builder::Buildx)
    };
    let document = check(&child_pipeline(&some, &[], &with("rebake-plan")).unwrap());
    assert_eq!(
        needs(&document),
        json!([{"pipeline": "$PARENT_PIPELINE_ID", "job": "rebake-plan"}])
    );
    let committed = child_pipeline(&some, &[], &settings(Builder::Buildx)).unwrap();
    assert_eq!(needs(&check(&committed)), Value::Null);
    // The job that does nothing waits for nothing.
    let idle = check(&child_pipeline(&none, &[], &with("rebake-plan")).unwrap());
    assert_eq!(idle["rebake:nothing-to-build"]["needs"], Value::Null);
    for wrong in ["", "$CI_JOB_NAME", "a\nb", &"a".repeat(256)] {
        wrong.parse::<rebake_ci::gitlab::JobName>().unwrap_err();
    }
}

#[test]
fn images_of_jobs_are_the_users_choice() {
    let digest = format!("mirror.example/tools/docker@sha256:{}", "a".repeat(64));
    let plan = plan(&[row("api", "rebuild", &[])]);
    let chosen = |builder| ChildSettings {
        image: Some(digest.parse().unwrap()),
        daemon_image: Some("mirror.example/dind:1".parse().unwrap()),
        ..settings(builder)
    };
    let buildx = check(&child_pipeline(&plan, &[], &chosen(Builder::Buildx)).unwrap());
    assert_eq!(buildx[".rebake-buildx"]["image"], digest);
    assert_eq!(
        buildx[".rebake-buildx"]["services"],
        json!([{"name": "mirror.example/dind:1", "alias": "docker"}])
    );
    let buildctl = check(&child_pipeline(&plan, &[], &chosen(Builder::Buildctl)).unwrap());
    assert_eq!(buildctl[".rebake-buildctl"]["image"]["name"], digest);
}

#[test]
fn buildctl_gets_what_the_bake_file_says() {
    let plan = plan(&[
        row_for("api", "linux/amd64", "rebuild", &[]),
        row_for("api", "linux/arm64", "reuse", &[]),
        row("kept", "rebuild", &[]),
    ]);
    let kept = Build::Kept(KeptBuild {
        service: "kept".parse().unwrap(),
        dockerfile: RepoPath::new("docker/$HOME/web.Dockerfile").unwrap(),
        context: RepoPath::new("web").unwrap(),
        platforms: vec!["linux/amd64".parse().unwrap()],
    });
    let text = child_pipeline(&plan, &[kept], &settings(Builder::Buildctl)).unwrap();
    let document = check(&text);
    let tag = format!("k-{}", "ab".repeat(32));
    assert_eq!(
        document["rebake:api"]["variables"]["REBAKE_BUILDS"],
        format!("api|.|.rebake/api|Dockerfile|final|linux/amd64,linux/arm64|{tag}||")
    );
    assert_eq!(
        document["rebake:kept"]["variables"]["REBAKE_BUILDS"],
        json!({
            "value": format!("kept|web|docker/$HOME|web.Dockerfile||linux/amd64|{tag}||"),
            "expand": false,
        })
    );
}

#[test]
fn nothing_to_build_is_a_job_that_does_nothing() {
    let plan = plan(&[row("web", "reuse", &[])]);
    for builder in [Builder::Buildx, Builder::Buildctl] {
        let document = check(&child_pipeline(&plan, &[], &settings(builder)).unwrap());
        let names: Vec<String> = jobs(&document).keys().cloned().collect();
        assert_eq!(names, ["rebake:nothing-to-build"]);
    }
    assert_eq!(
        dotenv_report(&Selection::of(&plan)),
        "REBAKE_ANY=false\nREBAKE_COUNT=0\nREBAKE_REUSED=1\n"
    );
}

#[test]
fn five_thousand_services_become_as_many_jobs_as_there_may_be() {
    let plan = plan_of(5_000);
    for builder in [Builder::Buildx, Builder::Buildctl] {
        let document = check(&child_pipeline(&plan, &[], &settings(builder)).unwrap());
        let jobs = jobs(&document);
        assert_eq!(jobs.len(), CHILD_JOBS);
        let listed: usize = jobs
            .values()
            .map(|job| match builder {
                Builder::Buildx => {
                    let names = job["variables"]["REBAKE_SERVICES"].as_str().unwrap();
                    names.split(' ').count()
                }
                Builder::Buildctl => {
                    let builds = job["variables"]["REBAKE_BUILDS"].as_str().unwrap();
                    builds.lines().count()
                }
            })
            .sum();
        assert_eq!(listed, 5_000);
    }
}

#[test]
fn no_text_of_a_repository_reaches_the_pipeline() {
    for builder in [Builder::Buildx, Builder::Buildctl] {
        let plain = child_pipeline(&hostile_plan("x"), &[], &settings(builder)).unwrap();
        for hostile in HOSTILE {
            let text = child_pipeline(&hostile_plan(hostile), &[], &settings(builder)).unwrap();
            assert_eq!(text, plain, "{hostile:?}");
        }
    }
}

#[test]
fn a_path_that_a_line_can_not_hold_is_refused() {
    let plan = plan(&[row("kept", "rebuild", &[])]);
    for name in ["a|b", "a\nb"] {
        let kept = Build::Kept(KeptBuild {
            service: "kept".parse().unwrap(),
            dockerfile: RepoPath::new(&format!("docker/{name}")).unwrap(),
            context: RepoPath::root(),
            platforms: Vec::new(),
        });
        let error = child_pipeline(&plan, &[kept], &settings(Builder::Buildctl)).unwrap_err();
        assert!(error.to_string().contains("buildctl"), "{error}");
    }
}

#[test]
fn files_of_the_user_are_included_and_settings_are_data() {
    let mut settings = settings(Builder::Buildx);
    settings.includes = [
        "local:/ci/rebake.yml",
        "project:a/b@v1:/x.yml",
        "project:a/b:/x.yml",
        "remote:https://example.com/x.yml",
    ]
    .iter()
    .map(|text| text.parse().unwrap())
    .collect();
    settings.version = Some("$(id) ${CI_JOB_TOKEN}".to_owned());
    let plan = plan(&[row("api", "rebuild", &[])]);
    let document = check(&child_pipeline(&plan, &[], &settings).unwrap());
    assert_eq!(
        document["include"],
        json!([
            {"local": "/ci/rebake.yml"},
            {"project": "a/b", "ref": "v1", "file": "/x.yml"},
            {"project": "a/b", "file": "/x.yml"},
            {"remote": "https://example.com/x.yml"},
        ])
    );
    for text in [
        "",
        "x",
        "local:",
        "remote:http://x",
        "project:a",
        "exec:/x",
        "local:/a\nb",
    ] {
        assert!(text.parse::<Include>().is_err(), "{text:?}");
    }
}
