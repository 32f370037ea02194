//! What the action's scripts decide, event by event.
//!
//! In: the scripts of this repository. Out: complaints. Where images go and what is reused is the action's promise to
//! whoever requires its check; what installs rebake must run nothing that it has not checked.

use crate::tools;
use std::{
    env,
    error::Error,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A push to the default branch; every other event is this with other variables.
const PUSH: [(&str, &str); 10] = [
    ("GITHUB_EVENT_NAME", "push"),
    ("GITHUB_REF", "refs/heads/main"),
    ("GITHUB_REF_NAME", "main"),
    ("GITHUB_REPOSITORY", "Acme/Shop"),
    ("GITHUB_ACTOR", "person"),
    ("GITHUB_SHA", "c0ffee"),
    ("DEFAULT_BRANCH", "main"),
    ("HEAD_REPOSITORY", ""),
    ("PULL_REQUEST", ""),
    ("IMAGES", ""),
];

/// Variables of the environment.
type Variables<'a> = &'a [(&'a str, &'a str)];

/// An installation: its name, checksums.txt, variables, and why it is refused.
type Installation<'a> = (&'a str, &'a str, Variables<'a>, Option<&'a str>);

/// What is said: trusted, reused, promoted, images, tag, cache from, cache to.
type Said = [&'static str; 7];

const SHOP: &str = "ghcr.io/acme/shop/";
const OWN: &str = "ghcr.io/acme/shop/pull_request/";
const CACHE: &str = "type=registry,ref=ghcr.io/acme/shop/build_cache:";

/// The events that have a destination.
const DESTINATIONS: &[(&str, Variables<'static>, Said)] = &[
    (
        "a push to the default branch",
        &[],
        [SHOP, SHOP, "", SHOP, "c0ffee", CACHE, CACHE],
    ),
    (
        "a push to another branch",
        &[("GITHUB_REF", "refs/heads/x"), ("GITHUB_REF_NAME", "x")],
        [SHOP, SHOP, "", OWN, "c0ffee", CACHE, ""],
    ),
    (
        "a branch that is called like the default one's ref",
        &[("GITHUB_REF", "refs/heads/refs/heads/main")],
        [SHOP, SHOP, "", OWN, "c0ffee", CACHE, ""],
    ),
    (
        "an event that names no default branch",
        &[("DEFAULT_BRANCH", "")],
        [SHOP, SHOP, "", OWN, "c0ffee", CACHE, ""],
    ),
    (
        "a tag",
        &[
            ("GITHUB_REF", "refs/tags/v1.0.0"),
            ("GITHUB_REF_NAME", "v1.0.0"),
        ],
        [SHOP, "", "", SHOP, "v1.0.0", "", ""],
    ),
    (
        "a tag that is no tag of an image",
        &[("GITHUB_REF", "refs/tags/a/b"), ("GITHUB_REF_NAME", "a/b")],
        [SHOP, "", "", SHOP, "c0ffee", "", ""],
    ),
    (
        "a schedule",
        &[("GITHUB_EVENT_NAME", "schedule"), ("DEFAULT_BRANCH", "")],
        [SHOP, SHOP, "", SHOP, "c0ffee", CACHE, CACHE],
    ),
    (
        "a dispatch on another branch",
        &[
            ("GITHUB_EVENT_NAME", "workflow_dispatch"),
            ("GITHUB_REF", "refs/heads/x"),
        ],
        [SHOP, SHOP, "", OWN, "c0ffee", CACHE, ""],
    ),
    (
        "a merge queue",
        &[
            ("GITHUB_EVENT_NAME", "merge_group"),
            ("GITHUB_REF", "refs/heads/gh-readonly-queue/main/pr-7"),
        ],
        [SHOP, SHOP, "", SHOP, "c0ffee", CACHE, ""],
    ),
    (
        "a pull request",
        &[
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("GITHUB_REF", "refs/pull/7/merge"),
            ("HEAD_REPOSITORY", "Acme/Shop"),
            ("PULL_REQUEST", "7"),
        ],
        [SHOP, SHOP, "", OWN, "pr-7", CACHE, ""],
    ),
    (
        "a pull request from a fork",
        &[
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("HEAD_REPOSITORY", "stranger/shop"),
            ("PULL_REQUEST", "7"),
        ],
        [SHOP, SHOP, "", "", "pr-7", CACHE, ""],
    ),
    (
        "a pull request from a fork that is gone",
        &[("GITHUB_EVENT_NAME", "pull_request"), ("PULL_REQUEST", "7")],
        [SHOP, SHOP, "", "", "pr-7", CACHE, ""],
    ),
    (
        "Dependabot's pull request",
        &[
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("GITHUB_ACTOR", "dependabot[bot]"),
            ("HEAD_REPOSITORY", "Acme/Shop"),
            ("PULL_REQUEST", "7"),
        ],
        [SHOP, SHOP, "", "", "pr-7", CACHE, ""],
    ),
    (
        "a push that may take over",
        &[("PROMOTE", "true")],
        [SHOP, SHOP, OWN, SHOP, "c0ffee", CACHE, CACHE],
    ),
    (
        "a merge queue that may take over",
        &[
            ("PROMOTE", "true"),
            ("GITHUB_EVENT_NAME", "merge_group"),
            ("GITHUB_REF", "refs/heads/gh-readonly-queue/main/pr-7"),
        ],
        [SHOP, SHOP, OWN, SHOP, "c0ffee", CACHE, ""],
    ),
    (
        "a tag, which takes over nothing",
        &[
            ("PROMOTE", "true"),
            ("GITHUB_REF", "refs/tags/v1.0.0"),
            ("GITHUB_REF_NAME", "v1.0.0"),
        ],
        [SHOP, "", "", SHOP, "v1.0.0", "", ""],
    ),
    (
        "another branch, which takes over nothing",
        &[("PROMOTE", "true"), ("GITHUB_REF", "refs/heads/x")],
        [SHOP, SHOP, "", OWN, "c0ffee", CACHE, ""],
    ),
    (
        "a pull request, which takes over nothing",
        &[
            ("PROMOTE", "true"),
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("HEAD_REPOSITORY", "Acme/Shop"),
            ("PULL_REQUEST", "7"),
        ],
        [SHOP, SHOP, "", OWN, "pr-7", CACHE, ""],
    ),
    (
        "a push that reuses nothing",
        &[("REUSE", "false")],
        [SHOP, "", "", SHOP, "c0ffee", CACHE, CACHE],
    ),
    (
        "a prefix of one's own",
        &[("IMAGES", "registry.example.com:5000/Shop")],
        [
            "registry.example.com:5000/shop/",
            "registry.example.com:5000/shop/",
            "",
            "registry.example.com:5000/shop/",
            "c0ffee",
            "type=registry,ref=registry.example.com:5000/shop/build_cache:",
            "type=registry,ref=registry.example.com:5000/shop/build_cache:",
        ],
    ),
];

/// The events that are refused, and what is said.
const REFUSED: &[(&str, Variables<'static>, &str)] = &[
    (
        "pull_request_target",
        &[
            ("GITHUB_EVENT_NAME", "pull_request_target"),
            ("PULL_REQUEST", "7"),
        ],
        "does not build on the event pull_request_target",
    ),
    (
        "workflow_run",
        &[("GITHUB_EVENT_NAME", "workflow_run")],
        "does not build on the event workflow_run",
    ),
    (
        "a comment",
        &[("GITHUB_EVENT_NAME", "issue_comment")],
        "does not build on the event issue_comment",
    ),
    (
        "one place for trusted images and others",
        &[
            ("IMAGES", "r.example/a"),
            ("PULL_REQUEST_IMAGES", "r.example/A/"),
        ],
        "Pull requests need a place of their own",
    ),
    (
        "taking over what would not be reused",
        &[("PROMOTE", "true"), ("REUSE", "false")],
        "the input promote needs reuse",
    ),
    (
        "a choice that is none",
        &[("PROMOTE", "yes")],
        "the input promote is neither true nor false",
    ),
    (
        "a prefix that is none",
        &[("IMAGES", "r.example/$(touch x)")],
        "the input images is no prefix of image names",
    ),
    (
        "a number that is none",
        &[
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("PULL_REQUEST", "7\nimages=x"),
        ],
        "the event says no number of a pull request",
    ),
];

/// Tells where the scripts decide otherwise.
pub(super) fn check() -> Result<Vec<String>, Box<dyn Error>> {
    let mut complaints = Vec::new();
    let here = tools::workspace().join("ci-adapters/github");
    let decide = |variables: Variables<'_>| -> Result<Output, Box<dyn Error>> {
        let script = "set -euo pipefail\n. \"$HERE/messages.sh\"\n. \"$HERE/destination.sh\"\ndestination\n\
                      printf '%s\\n' \"$trusted_images\" \"$reused_images\" \"$promoted_images\" \"$images\" \"$tag\" \"$cache_from\" \"$cache_to\"";
        Ok(Command::new("bash")
            .args(["-c", script])
            .env("HERE", &here)
            .envs(PUSH)
            .envs(variables.iter().copied())
            .output()?)
    };
    for (name, variables, expected) in DESTINATIONS {
        let output = decide(variables)?;
        let said = String::from_utf8_lossy(&output.stdout);
        let said: Vec<&str> = said.lines().collect();
        if said != expected {
            complaints.push(format!(
                "{name}: the action decides {said:?}, not {expected:?}"
            ));
        }
    }
    for (name, variables, expected) in REFUSED {
        let output = decide(variables)?;
        let said = String::from_utf8_lossy(&output.stdout);
        if output.status.success() || !said.contains(expected) || said.lines().count() != 1 {
            complaints.push(format!(
                "{name}: the action says {said:?}, not {expected:?}"
            ));
        }
    }
    complaints.extend(installs(&here)?);
    println!(
        "the action's scripts: {} events, {} refusals, and what is installed",
        DESTINATIONS.len(),
        REFUSED.len()
    );
    Ok(complaints)
}

/// What installs rebake, given a release, a broken one and none.
fn installs(here: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let at = |name: &str| -> PathBuf { directory.path().join(name) };
    fs::create_dir_all(at("scripts"))?;
    for name in ["install.sh", "messages.sh"] {
        fs::copy(here.join(name), at("scripts").join(name))?;
    }
    let program = at("rebake");
    fs::write(&program, "#!/bin/sh\necho ran >>\"$RAN\"\n")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let target = format!("{}-unknown-linux-musl", env::consts::ARCH);
    let mut sums = String::from("# nothing\n");
    for version in ["0.9.0", "1.0.0"] {
        let release = at("releases").join(format!("v{version}"));
        fs::create_dir_all(&release)?;
        let archive = release.join(format!("rebake-{target}.tar.gz"));
        super::install::must(
            Command::new("tar")
                .arg("--directory")
                .arg(directory.path())
                .args(["--create", "--gzip", "--file"])
                .arg(&archive)
                .arg("rebake"),
        )?;
        let sum = Command::new("sha256sum").arg(&archive).output()?;
        let sum = String::from_utf8(sum.stdout)?;
        let sum = sum.split(' ').next().unwrap_or_default();
        sums.push_str(&format!("{sum}  v{version}/rebake-{target}.tar.gz\n"));
    }
    // The older one was tampered with after it was released.
    let broken = at("releases/v0.9.0").join(format!("rebake-{target}.tar.gz"));
    fs::write(&broken, [fs::read(&broken)?, b"x".to_vec()].concat())?;

    let mut complaints = Vec::new();
    let given = program.display().to_string();
    let cases: [Installation<'_>; 7] = [
        ("the newest release", &sums, &[], None),
        ("a release by name", &sums, &[("VERSION", "1.0.0")], None),
        (
            "a release that was tampered with",
            &sums,
            &[("VERSION", "0.9.0")],
            Some("has not the SHA-256"),
        ),
        (
            "a release that is not known",
            &sums,
            &[("VERSION", "2.0.0")],
            Some("knows no released rebake 2.0.0"),
        ),
        (
            "a version that is a pattern",
            &sums,
            &[("VERSION", "*")],
            Some("is no version"),
        ),
        (
            "no release at all",
            "# nothing\n",
            &[],
            Some("there is no release of rebake yet"),
        ),
        (
            "a given program",
            "# nothing\n",
            &[("BINARY", &given)],
            None,
        ),
    ];
    for (name, sums, variables, refusal) in cases {
        fs::write(at("scripts/checksums.txt"), sums)?;
        let temporary = tempfile::tempdir()?;
        let ran = temporary.path().join("ran");
        let path = temporary.path().join("path");
        let output = Command::new("bash")
            .arg(at("scripts/install.sh"))
            .env("RUNNER_TEMP", temporary.path())
            .env("GITHUB_PATH", &path)
            .env("RAN", &ran)
            .env(
                "REBAKE_RELEASES",
                format!("file://{}", at("releases").display()),
            )
            .envs(variables.iter().copied())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let is_well = match refusal {
            None => output.status.success() && ran.is_file() && path.is_file(),
            Some(refusal) => {
                !output.status.success()
                    && said.contains(refusal)
                    && !ran.exists()
                    && !path.exists()
            }
        };
        if !is_well {
            complaints.push(format!(
                "{name}: install.sh says {said:?} {:?}, expected {refusal:?}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    Ok(complaints)
}
