//! The script of the jobs without Docker, run by a shell with a `buildctl` that writes down what it is told.

#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

fn run(directory: &Path, builds: &str, variables: &[(&str, &str)]) -> (Output, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gitlab/buildctl.sh");
    let fake = directory.join("buildctl");
    let log = directory.join("log");
    fs::write(
        &fake,
        format!(
            "#!/bin/sh\nfor argument; do printf '<%s>' \"$argument\"; done >> {0}\necho >> {0}\ncat\ncase \"$*\" in *failing*) exit 1;; esac\n",
            log.display()
        ),
    )
    .unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new("sh")
        .arg(script)
        .current_dir(directory)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("REBAKE_BUILDCTL", &fake)
        .env("REBAKE_BUILDS", builds)
        .envs([
            ("IMAGES", "r.example/shop/"),
            ("TAG", "v1"),
            ("CACHE_FROM", ""),
            ("CACHE_TO", ""),
            ("VERSION", "1.2"),
        ])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let log = fs::read_to_string(log).unwrap_or_default();
    (output, log)
}

#[test]
fn each_line_is_a_build_with_the_options_of_the_bake_file() {
    let directory = tempfile::tempdir().unwrap();
    let (output, log) = run(
        directory.path(),
        "api|.|.rebake/api|Dockerfile|final|linux/amd64,linux/arm64|k-1|netrc|stamped\nkept|web|docker|web.Dockerfile||linux/amd64|||",
        &[
            ("CACHE_FROM", "type=registry,ref=c:"),
            ("CACHE_TO", "type=registry,ref=c:"),
        ],
    );
    assert!(output.status.success(), "{output:?}");
    insta::assert_snapshot!(log.replace("><", ">\n<"));
}

#[test]
fn a_build_that_fails_fails_the_job() {
    let directory = tempfile::tempdir().unwrap();
    let builds = "failing|.|.rebake/failing|Dockerfile|final|linux/amd64|||\napi|.|.rebake/api|Dockerfile|final|linux/amd64|||";
    let (output, log) = run(directory.path(), builds, &[]);
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[test]
fn no_field_is_a_command() {
    let directory = tempfile::tempdir().unwrap();
    let hostile = "$(touch pwned)`touch pwned`;touch pwned\"'\\ *";
    let (output, log) = run(
        directory.path(),
        &format!("kept|{hostile}|{hostile}|{hostile}||linux/amd64|||"),
        &[("VERSION", hostile), ("TAG", hostile)],
    );
    assert!(output.status.success(), "{output:?}");
    assert!(log.contains(&format!("<context={hostile}>")), "{log}");
    assert!(!directory.path().join("pwned").exists());
}
