//! The registry client, against servers that do what registries do on bad days.

use crate::server::{Asked, Server, answer};
use rebake_ci::registry::{
    ContentTags as _, Credentials, Encryption, Image, ImagePrefix, OciRegistry, RegistryOptions,
    tag_states,
};
use rebake_planner::{decide::TagState, discover::service_name::ServiceName};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const INDEX: &str = "Content-Type: application/vnd.oci.image.index.v1+json";
const DIGEST: &str = "Docker-Content-Digest: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"size":1}]}"#;

fn options() -> RegistryOptions {
    RegistryOptions {
        encryption: Encryption::Required,
        timeout: Duration::from_millis(700),
        silence: Duration::from_secs(20),
        patience: Duration::from_secs(20),
        first_wait: Duration::from_millis(2),
    }
}

fn registry(server: &Server, credentials: Credentials) -> (OciRegistry, Image) {
    let prefix: ImagePrefix = format!("{}/shop/", server.address).parse().unwrap();
    let image = prefix.image(&"api".parse().unwrap(), "k-1");
    let registry = OciRegistry::new(&prefix, credentials, options()).unwrap();
    (registry, image)
}

fn user() -> Credentials {
    Credentials::Password {
        user: "u".to_owned(),
        password: "s3cret".to_owned(),
    }
}

/// "Basic u:s3cret"
const BASIC: &str = "Basic dTpzM2NyZXQ=";

/// What a client that asks once says, and what it asked.
fn ask(
    credentials: Credentials,
    serve: impl Fn(&Asked) -> Option<String> + Send + Sync + 'static,
) -> (TagState, Vec<Asked>) {
    let server = Server::new(serve);
    let (registry, image) = registry(&server, credentials);
    let state = registry.state(&image);
    (state, server.asked())
}

fn problem(state: &TagState) -> &str {
    match state {
        TagState::Unavailable(message) => message,
        _ => "",
    }
}

#[test]
fn a_manifest_that_is_there_is_present_and_one_that_is_not_is_missing() {
    let (state, asked) = ask(Credentials::Anonymous, |asked| {
        answer(asked, "200 OK", &[INDEX, DIGEST], MANIFEST)
    });
    assert_eq!(state, TagState::Present);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].method, "HEAD");
    assert_eq!(asked[0].path, "/v2/shop/api/manifests/k-1");
    let accepted = asked[0].header("accept").unwrap();
    for media_type in [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ] {
        assert!(accepted.contains(media_type), "{accepted}");
    }
    let (state, _) = ask(Credentials::Anonymous, |asked| {
        answer(asked, "404 Not Found", &[], "{}")
    });
    assert_eq!(state, TagState::Missing);
}

#[test]
fn what_a_head_leaves_out_is_read_from_the_manifest() {
    type Headers = &'static [&'static str];
    let cases: &[(&str, Headers, Headers, &str, bool)] = &[
        // No digest, no HEAD at all.
        ("200 OK", &[INDEX], &[INDEX], MANIFEST, true),
        ("405 Method Not Allowed", &[], &[INDEX], MANIFEST, true),
        (
            "200 OK",
            &[],
            &["Content-Type: application/vnd.docker.distribution.manifest.v2+json; charset=utf-8"],
            r#"{"schemaVersion":2,"config":{},"layers":[]}"#,
            true,
        ),
        // A page of a proxy.
        (
            "200 OK",
            &["Content-Type: text/html"],
            &["Content-Type: text/html"],
            MANIFEST,
            false,
        ),
        (
            "200 OK",
            &[],
            &["Content-Type: application/json"],
            MANIFEST,
            false,
        ),
        (
            "200 OK",
            &["Content-Type: text/html", DIGEST],
            &[INDEX],
            "<html>",
            false,
        ),
        (
            "200 OK",
            &[INDEX, "Docker-Content-Digest: x"],
            &[INDEX],
            "{}",
            false,
        ),
        // Not the type that it says.
        (
            "200 OK",
            &[],
            &["Content-Type: application/vnd.oci.image.manifest.v1+json"],
            MANIFEST,
            false,
        ),
        (
            "200 OK",
            &[],
            &[INDEX],
            r#"{"schemaVersion":2,"manifests":[]}"#,
            false,
        ),
        (
            "200 OK",
            &[],
            &[INDEX],
            r#"{"schemaVersion":1,"manifests":[{}]}"#,
            false,
        ),
    ];
    for (status, head, get, body, is_present) in cases {
        let (state, asked) = ask(Credentials::Anonymous, |asked| {
            match asked.method.as_str() {
                "HEAD" => answer(asked, status, head, body),
                _ => answer(asked, "200 OK", get, body),
            }
        });
        assert_eq!(asked.len(), 2, "{head:?} {get:?}");
        assert_eq!(
            state == TagState::Present,
            *is_present,
            "{head:?} {get:?} {body}: {state:?}"
        );
        assert_ne!(state, TagState::Missing, "{body}");
    }
}

#[test]
fn an_answer_that_ends_early_is_none() {
    let (state, _) = ask(Credentials::Anonymous, |asked| {
        let mut text = answer(asked, "200 OK", &[INDEX], MANIFEST).unwrap();
        if asked.method == "GET" {
            text.truncate(text.len() - 10);
        }
        Some(text)
    });
    assert!(
        problem(&state).contains("can't be read to its end"),
        "{state:?}"
    );
    // In the middle of its head.
    let (state, _) = ask(Credentials::Anonymous, |_| {
        Some("HTTP/1.1 200 OK\r\nContent-".to_owned())
    });
    assert!(problem(&state).contains("can't be reached"), "{state:?}");
    let (state, _) = ask(Credentials::Anonymous, |_| {
        Some("nonsense\r\n\r\n".to_owned())
    });
    assert!(problem(&state).contains("can't be reached"), "{state:?}");
}

#[test]
fn a_huge_body_is_not_read() {
    let (state, _) = ask(Credentials::Anonymous, |asked| {
        answer(asked, "200 OK", &[INDEX], &" ".repeat(5 * 1024 * 1024))
    });
    assert!(
        problem(&state).contains("can't be read to its end"),
        "{state:?}"
    );
}

#[test]
fn a_busy_registry_is_asked_again_after_as_long_as_it_says() {
    for (status, header) in [
        ("429 Too Many Requests", "Retry-After: 1"),
        ("503 Service Unavailable", "Retry-After: 1"),
        ("500 Internal Server Error", "X: y"),
    ] {
        let count = AtomicUsize::new(0);
        let started = Instant::now();
        let (state, asked) = ask(Credentials::Anonymous, move |asked| {
            if count.fetch_add(1, Ordering::Relaxed) == 0 {
                answer(asked, status, &[header], "")
            } else {
                answer(asked, "200 OK", &[INDEX, DIGEST], "")
            }
        });
        assert_eq!(state, TagState::Present, "{status}");
        assert_eq!(asked.len(), 2);
        let waited = started.elapsed() >= Duration::from_millis(900);
        assert_eq!(waited, header.starts_with("Retry-After"), "{status}");
    }
}

#[test]
fn a_registry_that_stays_busy_is_left() {
    let (state, asked) = ask(Credentials::Anonymous, |asked| {
        answer(
            asked,
            "500 Internal Server Error",
            &[],
            "secret words of the server",
        )
    });
    assert!(problem(&state).ends_with("answers 500"), "{state:?}");
    assert_eq!(asked.len(), 4);
    // It would take longer than anybody waits.
    let (state, asked) = ask(Credentials::Anonymous, |asked| {
        answer(asked, "429 Too Many Requests", &["Retry-After: 3600"], "")
    });
    assert!(problem(&state).ends_with("answers 429"), "{state:?}");
    assert_eq!(asked.len(), 1);
}

#[test]
fn silence_is_no_answer_and_is_not_waited_for_again_and_again() {
    let started = Instant::now();
    let server = Server::new(|_| None);
    let prefix: ImagePrefix = format!("{}/shop/", server.address).parse().unwrap();
    let registry = OciRegistry::new(&prefix, Credentials::Anonymous, options()).unwrap();
    let images: Vec<(ServiceName, Image)> = (0..200)
        .map(|number| {
            let service: ServiceName = format!("s{number}").parse().unwrap();
            let image = prefix.image(&service, "k-1");
            (service, image)
        })
        .collect();
    let states = tag_states(&registry, &images);
    assert_eq!(states.len(), 200);
    assert!(
        states
            .values()
            .all(|state| problem(state).contains("can't be reached"))
    );
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn a_silent_registry_costs_what_silence_may_last_and_no_more() {
    let server = Server::new(|_| None);
    let prefix: ImagePrefix = format!("{}/shop/", server.address).parse().unwrap();
    let options = RegistryOptions {
        timeout: Duration::from_secs(2),
        silence: Duration::from_millis(600),
        ..options()
    };
    let started = Instant::now();
    let registry = OciRegistry::new(&prefix, Credentials::Anonymous, options).unwrap();
    let images: Vec<(ServiceName, Image)> = (0..20)
        .map(|number| {
            let service: ServiceName = format!("s{number}").parse().unwrap();
            let image = prefix.image(&service, "k-1");
            (service, image)
        })
        .collect();
    let states = tag_states(&registry, &images);
    assert!(
        states
            .values()
            .all(|state| problem(state).ends_with("gives no answer for 0.6 s")),
        "{states:?}"
    );
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(600), "{took:?}");
    assert!(took < Duration::from_millis(1_500), "{took:?}");
}

#[test]
fn a_wait_that_a_registry_asks_for_is_no_silence() {
    let count = AtomicUsize::new(0);
    let server = Server::new(move |asked| {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            answer(asked, "429 Too Many Requests", &["Retry-After: 1"], "")
        } else {
            answer(asked, "200 OK", &[INDEX, DIGEST], "")
        }
    });
    let prefix: ImagePrefix = format!("{}/shop/", server.address).parse().unwrap();
    let options = RegistryOptions {
        silence: Duration::from_millis(800),
        ..options()
    };
    let registry = OciRegistry::new(&prefix, Credentials::Anonymous, options).unwrap();
    let image = prefix.image(&"api".parse().unwrap(), "k-1");
    assert_eq!(registry.state(&image), TagState::Present);
}

#[test]
fn a_repository_that_a_token_service_does_not_know_is_no_answer_and_concerns_no_other() {
    // As GitHub's registry does: no token for a package that does not exist yet.
    let server = Server::new(|asked| {
        if asked.path.starts_with("/token") {
            if asked.path.contains("api") {
                return answer(asked, "200 OK", &[], r#"{"token":"t"}"#);
            }
            return answer(
                asked,
                "403 Forbidden",
                &[],
                r#"{"errors":[{"code":"DENIED"}]}"#,
            );
        }
        if asked.authorization() == "Bearer t" {
            return answer(asked, "200 OK", &[INDEX, DIGEST], "");
        }
        challenge(
            asked,
            &format!("http://{}/token", asked.header("host").unwrap()),
        )
    });
    let (registry, image) = registry(&server, user());
    let unknown = |name: &str| Image {
        repository: format!("shop/{name}"),
        ..image.clone()
    };
    let (web, cart) = (
        registry.state(&unknown("web")),
        registry.state(&unknown("cart")),
    );
    assert!(problem(&web).contains("no such repository yet"), "{web:?}");
    // One text for all: one finding, however many services are new.
    assert_eq!(web, cart);
    assert_eq!(registry.state(&image), TagState::Present);
}

#[test]
fn a_closed_port_is_told() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let prefix: ImagePrefix = format!("{address}/").parse().unwrap();
    let registry = OciRegistry::new(&prefix, Credentials::Anonymous, options()).unwrap();
    let state = registry.state(&prefix.image(&"api".parse().unwrap(), "k-1"));
    assert!(problem(&state).contains("can't be reached"), "{state:?}");
}

fn challenge(asked: &Asked, realm: &str) -> Option<String> {
    let header = format!(r#"WWW-Authenticate: Bearer realm="{realm}",service="r&s""#);
    answer(asked, "401 Unauthorized", &[&header], "")
}

#[test]
fn a_token_is_had_with_the_credentials_and_used_for_its_repository_alone() {
    let server = Server::new(|asked| {
        if asked.path.starts_with("/token") {
            assert_eq!(asked.authorization(), BASIC);
            let repository = asked.path.split("scope=repository%3A").nth(1).unwrap();
            let repository = repository.split("%3Apull").next().unwrap();
            return answer(
                asked,
                "200 OK",
                &[],
                &format!(r#"{{"token":"t-{repository}"}}"#),
            );
        }
        let name = asked.path["/v2/".len()..]
            .split("/manifests")
            .next()
            .unwrap();
        if asked.authorization() == format!("Bearer t-{}", name.replace('/', "%2F")) {
            answer(asked, "200 OK", &[INDEX, DIGEST], "")
        } else {
            let realm = format!("http://{}/token?x=y", asked.header("host").unwrap());
            challenge(asked, &realm)
        }
    });
    let (registry, image) = registry(&server, user());
    assert_eq!(registry.state(&image), TagState::Present);
    let paths: Vec<String> = server
        .asked()
        .iter()
        .map(|asked| asked.path.clone())
        .collect();
    assert_eq!(
        paths,
        [
            "/v2/shop/api/manifests/k-1",
            "/token?x=y&service=r%26s&scope=repository%3Ashop%2Fapi%3Apull",
            "/v2/shop/api/manifests/k-1",
        ]
    );
    // No password goes to the registry itself, which wants a token.
    assert_eq!(server.asked()[0].authorization(), "");
    // What was learnt is kept: the same repository needs no new token, another one needs no refusal first.
    assert_eq!(registry.state(&image), TagState::Present);
    assert_eq!(server.asked().len(), 4);
    let other = Image {
        repository: "shop/web".to_owned(),
        ..image
    };
    assert_eq!(registry.state(&other), TagState::Present);
    assert_eq!(server.asked().len(), 6);
}

#[test]
fn an_identity_token_is_changed_for_another() {
    let (state, asked) = ask(Credentials::IdentityToken("id/1".to_owned()), |asked| {
        if asked.path == "/token" {
            return answer(asked, "200 OK", &[], r#"{"access_token":"t"}"#);
        }
        if asked.authorization() == "Bearer t" {
            return answer(asked, "404 Not Found", &[], "");
        }
        challenge(
            asked,
            &format!("http://{}/token", asked.header("host").unwrap()),
        )
    });
    assert_eq!(state, TagState::Missing);
    assert_eq!(asked[1].method, "POST");
    assert!(
        asked[1].body.contains("grant_type=refresh_token"),
        "{asked:?}"
    );
    assert!(asked[1].body.contains("refresh_token=id%2F1"), "{asked:?}");
    assert_eq!(asked[1].authorization(), "");
}

#[test]
fn a_registry_that_wants_a_password_gets_it() {
    let serve = |asked: &Asked| {
        if asked.authorization() == BASIC {
            answer(asked, "200 OK", &[INDEX, DIGEST], "")
        } else {
            answer(
                asked,
                "401 Unauthorized",
                &["WWW-Authenticate: Basic realm=\"x\""],
                "",
            )
        }
    };
    let (state, _) = ask(user(), serve);
    assert_eq!(state, TagState::Present);
    let (state, _) = ask(Credentials::Anonymous, serve);
    assert!(problem(&state).contains("docker login"), "{state:?}");
}

#[test]
fn a_refusal_is_never_an_answer_about_a_tag() {
    for (status, header) in [
        ("401 Unauthorized", "X: y"),
        ("401 Unauthorized", "WWW-Authenticate: Negotiate"),
        (
            "401 Unauthorized",
            "WWW-Authenticate: Bearer realm=\"nonsense\"",
        ),
        (
            "401 Unauthorized",
            "WWW-Authenticate: Bearer realm=\"http://auth.example/token\"",
        ),
        ("403 Forbidden", "X: y"),
        ("418 I'm a teapot", "X: y"),
        ("204 No Content", "X: y"),
    ] {
        let (state, asked) = ask(user(), move |asked| answer(asked, status, &[header], ""));
        assert!(!problem(&state).is_empty(), "{status} {header}: {state:?}");
        assert!(
            asked.iter().all(|asked| asked.authorization().is_empty()),
            "{asked:?}"
        );
        assert!(!problem(&state).contains("s3cret"));
    }
}

#[test]
fn what_a_token_service_says_wrong_is_no_token() {
    for (status, body) in [
        ("200 OK", "{"),
        ("200 OK", "{}"),
        ("200 OK", "[]"),
        ("200 OK", r#"{"token":""}"#),
        ("200 OK", r#"{"token":"a\r\nX-Evil: 1"}"#),
        ("200 OK", r#"{"token":"a b"}"#),
        ("200 OK", r#"{"token":5}"#),
        ("403 Forbidden", r#"{"token":"t"}"#),
    ] {
        let (state, asked) = ask(user(), move |asked| {
            if asked.path.starts_with("/token") {
                return answer(asked, status, &[], body);
            }
            if asked.authorization().starts_with("Bearer") {
                return answer(asked, "200 OK", &[INDEX, DIGEST], "");
            }
            challenge(
                asked,
                &format!("http://{}/token", asked.header("host").unwrap()),
            )
        });
        assert!(!problem(&state).is_empty(), "{status} {body}: {state:?}");
        assert_eq!(asked.len(), 2, "{body}");
    }
    let (state, _) = ask(user(), |asked| {
        if asked.path.starts_with("/token") {
            let body = format!(r#"{{"token":"{}"}}"#, "a".repeat(100_000));
            return answer(asked, "200 OK", &[], &body);
        }
        challenge(
            asked,
            &format!("http://{}/token", asked.header("host").unwrap()),
        )
    });
    assert!(problem(&state).contains("no token"), "{state:?}");
}

#[test]
fn credentials_do_not_follow_a_redirection_to_another_place() {
    let elsewhere = Server::new(|asked| answer(asked, "200 OK", &[INDEX, DIGEST], ""));
    let address = elsewhere.address.clone();
    let (state, asked) = ask(user(), move |asked| {
        if asked.authorization() == BASIC {
            let location = format!("Location: http://{address}/x");
            answer(asked, "307 Temporary Redirect", &[&location], "")
        } else {
            answer(
                asked,
                "401 Unauthorized",
                &["WWW-Authenticate: Basic realm=\"x\""],
                "",
            )
        }
    });
    assert_eq!(state, TagState::Present);
    assert_eq!(asked.len(), 2);
    assert_eq!(elsewhere.asked().len(), 1);
    assert_eq!(elsewhere.asked()[0].authorization(), "");
}

#[test]
fn a_redirection_within_the_registry_keeps_them_and_none_leads_on_for_ever() {
    let (state, asked) = ask(user(), |asked| match asked.path.as_str() {
        "/moved" => answer(asked, "200 OK", &[INDEX, DIGEST], ""),
        _ if asked.authorization() == BASIC => {
            answer(asked, "301 Moved Permanently", &["Location: /moved"], "")
        }
        _ => answer(
            asked,
            "401 Unauthorized",
            &["WWW-Authenticate: Basic realm=\"x\""],
            "",
        ),
    });
    assert_eq!(state, TagState::Present);
    assert_eq!(asked[2].authorization(), BASIC);
    for location in [
        "/again",
        "",
        "ftp://x/",
        "http://registry.example/x",
        "//user@x/",
        "http://u:p@127.0.0.1/x",
    ] {
        let header = format!("Location: {location}");
        let (state, asked) = ask(Credentials::Anonymous, move |asked| {
            answer(asked, "302 Found", &[&header], "")
        });
        assert!(!problem(&state).is_empty(), "{location}: {state:?}");
        assert!(asked.len() <= 4, "{location}: {}", asked.len());
    }
}

#[test]
fn a_tag_is_added_without_a_build() {
    let server = Server::new(|asked| match asked.method.as_str() {
        "PUT" => answer(asked, "201 Created", &[], ""),
        _ if asked.path.ends_with("/k-1") => answer(asked, "200 OK", &[INDEX, DIGEST], MANIFEST),
        _ => answer(asked, "404 Not Found", &[], ""),
    });
    let (registry, image) = registry(&server, Credentials::Anonymous);
    assert!(registry.retag(&image, "v1").unwrap());
    let put = server.asked().pop().unwrap();
    assert_eq!(put.path, "/v2/shop/api/manifests/v1");
    assert_eq!(put.body, MANIFEST);
    assert_eq!(
        put.header("content-type"),
        Some("application/vnd.oci.image.index.v1+json")
    );
    let missing = Image {
        tag: "k-2".to_owned(),
        ..image
    };
    assert!(!registry.retag(&missing, "v1").unwrap());
}

#[test]
fn the_time_of_a_build_stands_beside_the_image_and_changes_nothing_of_it() {
    let kept: Arc<Mutex<Option<String>>> = Arc::default();
    let record = Arc::clone(&kept);
    let server = Server::new(move |asked| match asked.method.as_str() {
        "PUT" => {
            *record.lock().unwrap() = Some(asked.body.clone());
            answer(asked, "201 Created", &[], "")
        }
        _ if asked.path.ends_with("/sha256:aa") => answer(asked, "200 OK", &[INDEX], MANIFEST),
        _ if asked.path.ends_with("/rebake-build-time") => match &*record.lock().unwrap() {
            Some(kept) => answer(asked, "200 OK", &[INDEX], kept),
            None => answer(asked, "404 Not Found", &[], ""),
        },
        _ => answer(asked, "404 Not Found", &[], ""),
    });
    let (registry, image) = registry(&server, Credentials::Anonymous);
    assert_eq!(registry.build_time(&image), None);
    let built = |digest: &str| Image {
        tag: digest.to_owned(),
        ..image.clone()
    };
    let took = Duration::from_millis(41_250);
    registry
        .record_build_time(&built("sha256:bb"), took)
        .unwrap_err();
    assert_eq!(registry.build_time(&image), None);
    registry
        .record_build_time(&built("sha256:aa"), took)
        .unwrap();
    let put = server.asked().pop().unwrap();
    assert_eq!(put.path, "/v2/shop/api/manifests/rebake-build-time");
    assert_eq!(
        put.header("content-type"),
        Some("application/vnd.oci.image.index.v1+json")
    );
    assert!(
        put.body.contains(&format!(
            r#""digest":"sha256:aa","mediaType":"application/vnd.oci.image.index.v1+json","size":{}"#,
            MANIFEST.len()
        )),
        "{}",
        put.body
    );
    assert_eq!(registry.build_time(&image), Some(took));
    // What is no time is none.
    let record = kept.lock().unwrap().clone().unwrap();
    for wrong in [
        "",
        "-1",
        "soon",
        "1e9",
        "99999999999999999999",
        "999999999999",
    ] {
        *kept.lock().unwrap() = Some(record.replace("41250", wrong));
        assert_eq!(registry.build_time(&image), None, "{wrong}");
    }
}

/// A registry that holds one image, an index with one manifest, and mounts blobs or does not. What it was told to change.
fn promoted(
    manifest: &str,
    mounts: &'static str,
) -> (
    Result<bool, rebake_ci::registry::RegistryError>,
    Vec<String>,
) {
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"digest":"sha256:{a}","size":1}}],"layers":"none"}}"#
    );
    let manifest = manifest.replace("BLOB", &format!("sha256:{b}"));
    let server = Server::new(move |asked| {
        let at = asked.path.strip_prefix("/v2/shop/proposed/api/manifests/");
        let one = "Content-Type: application/vnd.oci.image.manifest.v1+json";
        match (asked.method.as_str(), at) {
            ("GET", Some("k-1")) => answer(asked, "200 OK", &[INDEX], &index),
            ("GET", Some(digest)) if digest.ends_with(&a) => {
                answer(asked, "200 OK", &[one], &manifest)
            }
            ("POST", _) => answer(asked, mounts, &[], ""),
            ("PUT", None) => answer(asked, "201 Created", &[], ""),
            _ => answer(asked, "404 Not Found", &[], ""),
        }
    });
    let (registry, image) = registry(&server, Credentials::Anonymous);
    let proposed = Image {
        repository: "shop/proposed/api".to_owned(),
        ..image
    };
    let result = registry.promote(&proposed, "shop/api", &["c0ffee", "k-1"]);
    let changes = server.asked().into_iter();
    let changes = changes.filter(|asked| asked.method != "GET");
    let changes = changes.map(|asked| format!("{} {}", asked.method, asked.path));
    (result, changes.collect())
}

const PART: &str = r#"{"schemaVersion":2,"config":{"digest":"BLOB"},"layers":[{"digest":"BLOB"}]}"#;

#[test]
fn an_image_is_promoted_whole_and_its_content_tag_comes_last() {
    let (result, changes) = promoted(PART, "201 Created");
    assert!(result.unwrap());
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let mount = format!("POST /v2/shop/api/blobs/uploads/?mount=sha256:{b}&from=shop/proposed/api");
    assert_eq!(
        changes,
        [
            mount.clone(),
            mount,
            format!("PUT /v2/shop/api/manifests/sha256:{a}"),
            "PUT /v2/shop/api/manifests/c0ffee".to_owned(),
            "PUT /v2/shop/api/manifests/k-1".to_owned(),
        ]
    );
}

#[test]
fn what_can_not_be_promoted_whole_gets_no_tag() {
    let many = format!(
        r#"{{"schemaVersion":2,"config":{{"digest":"BLOB"}},"layers":[{}]}}"#,
        vec![r#"{"digest":"BLOB"}"#; 600].join(",")
    );
    let strange = |digest: &str| PART.replacen("BLOB", digest, 1);
    let index = r#"{"schemaVersion":2,"manifests":[{"digest":"BLOB"}]}"#;
    for (manifest, mounts, expected) in [
        (PART, "202 Accepted", "does not share layers"),
        (PART, "403 Forbidden", "may push"),
        (&many, "201 Created", "names too much"),
        (index, "201 Created", "names an index within an index"),
        (&strange("../../x"), "201 Created", "what has no digest"),
        (
            &strange("sha256:x&from=other"),
            "201 Created",
            "what has no digest",
        ),
        ("{", "201 Created", "not JSON"),
    ] {
        let (result, changes) = promoted(manifest, mounts);
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(
            changes.iter().all(|change| !change.starts_with("PUT")),
            "{changes:?}"
        );
    }
}

#[test]
fn a_token_for_a_promotion_is_asked_for_both_repositories() {
    let server = Server::new(|asked| {
        if asked.path.starts_with("/token") {
            return answer(asked, "200 OK", &[], r#"{"token":"t"}"#);
        }
        if asked.authorization() != "Bearer t" {
            let realm = format!("http://{}/token", asked.header("host").unwrap());
            return challenge(asked, &realm);
        }
        match asked.method.as_str() {
            "GET" => answer(
                asked,
                "200 OK",
                &["Content-Type: application/vnd.oci.image.manifest.v1+json"],
                &PART.replace("BLOB", &format!("sha256:{}", "b".repeat(64))),
            ),
            _ => answer(asked, "201 Created", &[], ""),
        }
    });
    let (registry, image) = registry(&server, user());
    assert!(registry.promote(&image, "shop/trusted", &["k-1"]).unwrap());
    let tokens: Vec<String> = server
        .asked()
        .iter()
        .filter_map(|asked| Some(asked.path.split_once("service=r%26s&")?.1.to_owned()))
        .collect();
    assert_eq!(
        tokens,
        [
            "scope=repository%3Ashop%2Fapi%3Apull",
            "scope=repository%3Ashop%2Ftrusted%3Apull%2Cpush&scope=repository%3Ashop%2Fapi%3Apull",
            "scope=repository%3Ashop%2Ftrusted%3Apull%2Cpush",
        ]
    );
}
