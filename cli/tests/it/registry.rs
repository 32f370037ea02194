//! `--registry`: what a registry holds decides.

use crate::{
    server::{Server, answer},
    shop::Shop,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

/// A registry that holds some images, and knows one user.
struct Registry {
    server: Server,
    held: Arc<Mutex<BTreeSet<String>>>,
}

/// "Basic u:p"
const BASIC: &str = "Basic dTpw";

impl Registry {
    fn new() -> Self {
        let held: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let seen = Arc::clone(&held);
        let server = Server::new(move |asked| {
            let manifest = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;
            let media_type = "Content-Type: application/vnd.oci.image.manifest.v1+json";
            if asked.authorization() != BASIC {
                let challenge = "WWW-Authenticate: Basic realm=\"shop\"";
                return answer(asked, "401 Unauthorized", &[challenge], "");
            }
            if asked.method == "PUT" {
                assert_eq!(asked.body, manifest);
                seen.lock().unwrap().insert(asked.path.clone());
                return answer(asked, "201 Created", &[], "");
            }
            if seen.lock().unwrap().contains(&asked.path) {
                answer(asked, "200 OK", &[media_type], manifest)
            } else {
                answer(asked, "404 Not Found", &[], "{}")
            }
        });
        Self { server, held }
    }

    fn prefix(&self) -> String {
        format!("{}/shop/", self.server.address)
    }

    /// Takes in the image of every service that a plan names a tag for.
    fn push(&self, plan: &Value, service: &str) {
        for row in plan["services"].as_array().unwrap() {
            if row["name"] == service {
                let tag = row["tag"].as_str().unwrap();
                let path = format!("/v2/shop/{service}/manifests/{tag}");
                self.held.lock().unwrap().insert(path);
            }
        }
    }
}

/// A directory with docker's configuration for a registry.
fn docker_config(registry: &Registry) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let config = format!(
        r#"{{"auths":{{"{}":{{"auth":"dTpw"}}}}}}"#,
        registry.server.address
    );
    std::fs::write(directory.path().join("config.json"), config).unwrap();
    directory
}

fn plan(shop: &Shop, registry: &Registry, more: &[&str]) -> (Value, String) {
    let config = docker_config(registry);
    let prefix = registry.prefix();
    let mut arguments = vec!["plan", "--format", "json", "--registry", &prefix];
    arguments.extend(more);
    let answer = shop.run_with(
        &arguments,
        &[("DOCKER_CONFIG", config.path().to_str().unwrap())],
    );
    assert_eq!(answer.code, 0, "{answer:?}");
    (serde_json::from_str(&answer.stdout).unwrap(), answer.stderr)
}

/// The verdict of each service, with the kinds of its reasons.
fn verdicts(plan: &Value) -> Vec<String> {
    let rows = plan["services"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let reasons = row["reasons"].as_array().unwrap();
            let kinds: Vec<&str> = reasons
                .iter()
                .map(|reason| reason["kind"].as_str().unwrap())
                .collect();
            format!(
                "{} {} {}",
                row["name"].as_str().unwrap(),
                row["verdict"].as_str().unwrap(),
                kinds.join(" ")
            )
        })
        .collect()
}

#[test]
fn what_the_registry_holds_is_reused_and_the_rest_is_rebuilt() {
    let shop = Shop::new();
    let registry = Registry::new();
    let (nothing, _) = plan(&shop, &registry, &[]);
    assert_eq!(
        verdicts(&nothing),
        [
            "api rebuild tag-missing",
            "cart rebuild tag-missing",
            "mailer rebuild tag-missing",
            "worker rebuild tag-missing",
        ]
    );
    assert_eq!(nothing["registry"], registry.prefix());
    assert_eq!(nothing["baseline"], Value::Null);
    registry.push(&nothing, "api");
    registry.push(&nothing, "mailer");
    let (some, stderr) = plan(&shop, &registry, &[]);
    assert_eq!(
        verdicts(&some),
        [
            "api reuse tag-present",
            "cart rebuild tag-missing",
            "mailer reuse tag-present",
            "worker rebuild tag-missing",
        ]
    );
    assert_eq!(stderr, "");
    // Another content, another tag.
    shop.write("internal/templates/mails/order.txt", "Thank you!\n");
    let (changed, _) = plan(&shop, &registry, &[]);
    assert_eq!(verdicts(&changed)[2], "mailer rebuild tag-missing");
}

#[test]
fn the_registry_decides_and_the_baseline_explains() {
    let shop = Shop::new();
    shop.commit_all();
    let registry = Registry::new();
    shop.write("internal/templates/mails/order.txt", "Thank you!\n");
    let (missing, _) = plan(&shop, &registry, &["--base", "HEAD"]);
    assert_eq!(
        verdicts(&missing),
        [
            // The base says that nothing changed, but the build of it failed.
            "api rebuild tag-missing unchanged",
            "cart rebuild tag-missing unchanged",
            "mailer rebuild tag-missing file-changed",
            "worker rebuild tag-missing unchanged",
        ]
    );
    registry.push(&missing, "mailer");
    let (present, _) = plan(&shop, &registry, &["--base", "HEAD"]);
    assert_eq!(
        verdicts(&present)[2],
        "mailer reuse tag-present file-changed"
    );
    assert_eq!(present["unaffected"], missing["unaffected"]);
    let (without, stderr) = plan(&shop, &registry, &["--base", "nowhere"]);
    assert_eq!(
        verdicts(&without)[2],
        "mailer reuse tag-present baseline-unavailable"
    );
    assert!(
        stderr.contains("the registry decides without it"),
        "{stderr}"
    );
}

#[test]
fn a_service_in_doubt_is_rebuilt_and_not_even_asked_for() {
    let shop = Shop::new();
    let registry = Registry::new();
    shop.write(
        "services/api/broken.go",
        "package main\n\nimport \"nowhere.example/x\"\n",
    );
    let (plan, _) = plan(&shop, &registry, &[]);
    assert_eq!(verdicts(&plan)[0], "api rebuild uncertain");
    let asked = registry.server.asked();
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|asked| !asked.path.contains("/api/")));
}

#[test]
fn a_registry_that_refuses_rebuilds_everything_and_says_so_once() {
    let shop = Shop::new();
    let registry = Registry::new();
    let prefix = registry.prefix();
    let arguments = ["plan", "--registry", &prefix];
    // Nobody has logged in.
    let answer = shop.run(&arguments);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(
        answer.stdout.contains("4 images to rebuild, 0 to reuse"),
        "{answer:?}"
    );
    assert_eq!(
        answer.stderr.matches("registry-unavailable").count(),
        1,
        "{answer:?}"
    );
    assert!(answer.stderr.contains("docker login"), "{answer:?}");
    assert_eq!(shop.run(&[&arguments[..], &["--strict"]].concat()).code, 1);
    // Credentials that can't be had.
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("config.json"), "s3cret").unwrap();
    let config = directory.path().to_str().unwrap();
    let answer = shop.run_with(&arguments, &[("DOCKER_CONFIG", config)]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(
        answer.stderr.contains("is no configuration of docker"),
        "{answer:?}"
    );
    assert!(!answer.stderr.contains("s3cret"), "{answer:?}");
}

#[test]
fn a_prefix_that_no_registry_could_hold_is_wrong_usage() {
    let shop = Shop::new();
    for prefix in ["https://ghcr.io/x/", "ghcr.io/X/", "ghcr.io/x:tag/"] {
        let answer = shop.run(&["plan", "--registry", prefix]);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.stderr.contains("no prefix of images"), "{answer:?}");
    }
    let answer = shop.run(&["plan", "--registry-insecure"]);
    assert_eq!(answer.code, 2, "{answer:?}");
}

#[test]
fn a_failed_build_is_not_forgotten_by_the_next_push() {
    let shop = Shop::new();
    shop.commit_all();
    let registry = Registry::new();
    let (first, _) = plan(&shop, &registry, &[]);
    for service in ["api", "cart", "worker"] {
        // The build of the mailer failed.
        registry.push(&first, service);
    }
    shop.write("README.md", "More.\n");
    shop.commit_all();
    let config = docker_config(&registry);
    let event = config.path().join("event.json");
    let before = shop.git(&["rev-parse", "HEAD~1"]);
    std::fs::write(
        &event,
        format!(r#"{{"ref":"refs/heads/main","before":"{before}"}}"#),
    )
    .unwrap();
    let prefix = registry.prefix();
    let answer = shop.run_with(
        &["ci", "github", "--registry", &prefix],
        &[
            ("DOCKER_CONFIG", config.path().to_str().unwrap()),
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
        ],
    );
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(
        answer.stdout.contains("services=[\"mailer\"]"),
        "{answer:?}"
    );
    assert!(
        answer.stdout.contains("not in the registry; unchanged"),
        "{answer:?}"
    );
}

#[test]
fn images_that_are_there_get_another_tag_without_a_build() {
    let shop = Shop::new();
    let registry = Registry::new();
    let (planned, _) = plan(&shop, &registry, &[]);
    for service in ["api", "cart", "mailer"] {
        registry.push(&planned, service);
    }
    let config = docker_config(&registry);
    let prefix = registry.prefix();
    let retag = |more: &[&str]| {
        let arguments = ["ci", "retag", "--registry", &prefix];
        let variables = [("DOCKER_CONFIG", config.path().to_str().unwrap())];
        shop.run_with(&[&arguments[..], more].concat(), &variables)
    };
    let answer = retag(&["--tag", "v1", "api", "mailer"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.stdout, "2 images got the tag v1\n");
    for service in ["api", "mailer"] {
        let path = format!("/v2/shop/{service}/manifests/v1");
        assert!(registry.held.lock().unwrap().contains(&path));
    }
    let answer = retag(&["--tag", "v2"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert_eq!(answer.stdout, "");
    assert!(
        answer.stderr.contains("worker is not in the registry"),
        "{answer:?}"
    );
    shop.write(
        "services/api/broken.go",
        "package main\n\nimport \"nowhere.example/x\"\n",
    );
    let answer = retag(&["--tag", "v2", "api"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.contains("api is in doubt"), "{answer:?}");
    let content_tag = format!("k-{}", "a".repeat(64));
    for wrong in [content_tag.as_str(), "a/b", "-x", ""] {
        let answer = retag(&["--tag", wrong]);
        assert_eq!(answer.code, 2, "{answer:?}");
    }
}

#[test]
fn what_the_registry_holds_is_not_built_and_the_rest_is_built_for_it() {
    let (shop, registry) = (Shop::new(), Registry::new());
    let (before, _) = plan(&shop, &registry, &[]);
    for service in ["api", "cart", "worker"] {
        registry.push(&before, service);
    }
    let config = docker_config(&registry);
    let prefix = registry.prefix();
    let answer = shop.run_with(
        &["build", "--dry-run", "--push", "--registry", &prefix],
        &[("DOCKER_CONFIG", config.path().to_str().unwrap())],
    );
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(
        answer
            .stdout
            .starts_with(&format!("IMAGES={prefix} KEY_MAILER=k-"))
            && answer.stdout.ends_with(" --push mailer\n"),
        "{answer:?}"
    );
}

#[test]
fn images_are_taken_over_within_one_registry_and_from_another_place() {
    let (shop, registry) = (Shop::new(), Registry::new());
    let prefix = registry.prefix();
    for from in [prefix.as_str(), "other.example/shop/proposed/"] {
        let arguments = ["ci", "promote", "--registry", &prefix, "--tag", "v1"];
        let answer = shop.run(&[&arguments[..], &["--from", from]].concat());
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.stderr.contains("two places of one"), "{answer:?}");
    }
    assert!(registry.server.asked().is_empty());
}
