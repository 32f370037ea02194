//! `rebake build` calls bake with the right words. What bake makes of them is tried on the real one by `cargo xtask images`.

use crate::shop::{Answer, Shop};
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

/// Stands in for docker: notes what it is called with, and leaves the record that bake would.
const DOCKER: &str = r#"#!/bin/sh
[ "$2" != version ] || exit 0
{
    pwd
    for word in "$@"; do echo "word $word"; done
    env | grep -E '^(IMAGES|TAG|VERSION|KEY_|CACHE_)' | sort
} > "$NOTES"
last=
for word in "$@"; do
    [ "$last" != --metadata-file ] || echo '{"api": {"containerimage.digest": "sha256:00112233445566778899", "image.name": "ex.com/api:v1,ex.com/api:k-1"}, "buildx.build.warnings": []}' > "$word"
    last=$word
done
exit "${DOCKER_STATUS:-0}"
"#;

struct Docker {
    directory: tempfile::TempDir,
}

impl Docker {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("docker");
        fs::write(&program, DOCKER).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { directory }
    }

    fn notes(&self) -> PathBuf {
        self.directory.path().join("notes")
    }

    /// The words and variables of the call, without the path of the record.
    fn called_with(&self) -> Vec<String> {
        let notes = fs::read_to_string(self.notes()).unwrap();
        let lines = notes.lines().skip(1);
        lines
            .filter(|line| !line.ends_with("metadata.json"))
            .map(str::to_owned)
            .collect()
    }

    fn run(&self, shop: &Shop, arguments: &[&str], status: &str) -> Answer {
        let path = format!("{}:/usr/bin:/bin", self.directory.path().display());
        let notes = self.notes();
        let variables = [
            ("PATH", path.as_str()),
            ("NOTES", notes.to_str().unwrap()),
            ("DOCKER_STATUS", status),
        ];
        shop.run_with(arguments, &variables)
    }
}

#[test]
fn bake_is_called_with_the_services_their_content_tags_and_what_was_asked_for() {
    let (shop, docker) = (Shop::new(), Docker::new());
    let answer = docker.run(
        &shop,
        &[
            "build",
            "api",
            "mailer",
            "--images",
            "ex.com/",
            "--tag",
            "v1",
            "--push",
            "--cache-from",
            "type=registry,ref=ex.com/cache:",
            "--",
            "--no-cache",
        ],
        "0",
    );
    assert_eq!(answer.code, 0, "{answer:?}");
    let plan = shop.run(&["plan", "--format", "json"]).stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let tag = |row: usize| plan["services"][row]["tag"].as_str().unwrap().to_owned();
    assert_eq!(
        docker.called_with(),
        [
            "word buildx",
            "word bake",
            "word -f",
            "word .rebake/docker-bake.json",
            "word --push",
            "word --no-cache",
            "word api",
            "word mailer",
            "word --metadata-file",
            "CACHE_FROM=type=registry,ref=ex.com/cache:",
            "IMAGES=ex.com/",
            &format!("KEY_API={}", tag(0)),
            &format!("KEY_MAILER={}", tag(2)),
            "TAG=v1",
        ]
    );
    assert!(shop.root().join(".rebake/api/Dockerfile").is_file());
    assert!(
        answer
            .stdout
            .contains("api      built  001122334455  ex.com/api:v1 ex.com/api:k-1"),
        "{}",
        answer.stdout
    );
}

#[test]
fn what_the_baseline_shows_to_be_as_it_was_is_not_built() {
    let (shop, docker) = (Shop::new(), Docker::new());
    shop.commit_all();
    let nothing = docker.run(&shop, &["build", "--base", "HEAD"], "0");
    assert_eq!(nothing.code, 0, "{nothing:?}");
    assert!(
        nothing.stdout.contains("0 images built, 4 reused"),
        "{nothing:?}"
    );
    assert!(!docker.notes().exists());
    shop.write("services/api/new.go", "package main\n");
    let one = docker.run(&shop, &["build", "--base", "HEAD", "--format", "json"], "0");
    let document: serde_json::Value = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!(document["built"][0]["name"], "api");
    assert_eq!(document["built"][0]["images"][1], "ex.com/api:k-1");
    assert_eq!(document["reused"].as_array().unwrap().len(), 3);
}

#[test]
fn a_dry_run_shows_the_command_and_writes_nothing() {
    let shop = Shop::new();
    let answer = shop.run(&["build", "cart", "--dry-run", "--tag", "a.b", "--load"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(
        answer.stdout.starts_with("KEY_CART=k-")
            && answer
                .stdout
                .ends_with(" TAG=a.b docker buildx bake -f .rebake/docker-bake.json --load cart\n"),
        "{answer:?}"
    );
    assert!(!shop.root().join(".rebake").exists());
}

#[test]
fn a_debug_image_gets_no_content_tag() {
    let shop = Shop::new();
    let answer = shop.run(&["build", "cart", "--dry-run", "--debug"]);
    assert_eq!(
        answer.stdout,
        "docker buildx bake -f .rebake/docker-bake.json cart-debug\n"
    );
    shop.write(
        "services/cart-debug/main.go",
        "package main\n\nfunc main() {}\n",
    );
    let answer = shop.run(&["build", "cart", "--dry-run", "--debug"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.contains("has no debug target"), "{answer:?}");
}

#[test]
fn what_can_t_be_built_fails_and_says_why() {
    let (shop, docker) = (Shop::new(), Docker::new());
    let cases: [(&[&str], i32, &str); 4] = [
        (&["build", "nobody"], 2, "there is no service `nobody`"),
        (&["build", "--head", "HEAD"], 2, "no commit can be built"),
        (
            &["build", "--images", "Ex.com/$(x)/"],
            2,
            "no image reference",
        ),
        (&["build", "--push", "--load"], 2, "cannot be used with"),
    ];
    for (arguments, code, message) in cases {
        let answer = docker.run(&shop, arguments, "0");
        assert_eq!(
            (answer.code, answer.stdout.as_str()),
            (code, ""),
            "{answer:?}"
        );
        assert!(answer.stderr.contains(message), "{answer:?}");
    }
    let failed = docker.run(&shop, &["build", "api"], "7");
    assert_eq!((failed.code, failed.stdout.as_str()), (1, ""), "{failed:?}");
    assert!(failed.stderr.contains("bake failed"), "{failed:?}");
    let nobody = shop.run_with(&["build", "api"], &[("PATH", "/nowhere")]);
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert!(nobody.stderr.contains("buildx"), "{nobody:?}");
    let untouched = Shop::new();
    untouched.run_with(&["build", "api"], &[("PATH", "/nowhere")]);
    assert!(!untouched.root().join(".rebake").exists());
}

#[test]
fn a_service_in_doubt_fails_after_the_others_are_built() {
    let (shop, docker) = (Shop::new(), Docker::new());
    shop.write("services/api/broken.go", "package main\n\nimport \"fmt\n");
    let answer = docker.run(&shop, &["build"], "0");
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{answer:?}");
    assert!(answer.stderr.contains("`api` is in doubt"), "{answer:?}");
    let called = docker.called_with();
    assert!(called.contains(&"word cart".to_owned()), "{called:?}");
    assert!(!called.contains(&"word api".to_owned()), "{called:?}");
}
