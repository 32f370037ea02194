//! The registry client, against servers that do what registries do on bad days.

use crate::server::{Asked, Server, answer};
use rebake_ci::registry::{
    ContentTags as _, Credentials, Encryption, Image, ImagePrefix, OciRegistry, RegistryOptions,
    tag_states,
};
use rebake_planner::{decide::TagState, discover::service_name::ServiceName};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

pub(crate) const INDEX: &str = "Content-Type: application/vnd.oci.image.index.v1+json";
pub(crate) const DIGEST: &str = "Docker-Content-Digest: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"size":1}]}"#;

pub(crate) fn options() -> RegistryOptions {
    RegistryOptions {
        encryption: Encryption::Required,
        timeout: Duration::from_millis(700),
        silence: Duration::from_secs(20),
        patience: Duration::from_secs(20),
        first_wait: Duration::from_millis(2),
    }
}

pub(crate) fn registry(server: &Server, credentials: Credentials) -> (OciRegistry, Image) {
    let prefix: ImagePrefix = format!("{}/shop/", server.address).parse().unwrap();
    let image = prefix.image(&"api".parse().unwrap(), "k-1");
    let registry = OciRegistry::new(&prefix, credentials, options()).unwrap();
    (registry, image)
}

pub(crate) fn user() -> Credentials {
    Credentials::Password {
        user: "u".to_owned(),
        password: "s3cret".to_owned(),
    }
}

/// "Basic u:s3cret"
pub(crate) const BASIC: &str = "Basic dTpzM2NyZXQ=";

/// What a client that asks once says, and what it asked.
pub(crate) fn ask(
    credentials: Credentials,
    serve: impl Fn(&Asked) -> Option<String> + Send + Sync + 'static,
) -> (TagState, Vec<Asked>) {
    let server = Server::new(serve);
    let (registry, image) = registry(&server, credentials);
    let state = registry.state(&image);
    (state, server.asked())
}

pub(crate) fn problem(state: &TagState) -> &str {
    match state {
        TagState::Unavailable(message) => message,
        _ => "",
    }
}

pub(crate) fn challenge(asked: &Asked, realm: &str) -> Option<String> {
    let header = format!(r#"WWW-Authenticate: Bearer realm="{realm}",service="r&s""#);
    answer(asked, "401 Unauthorized", &[&header], "")
}

/// A refusal that asks for a user and a password.
pub(crate) fn password_challenge(asked: &Asked) -> Option<String> {
    let header = r#"WWW-Authenticate: Basic realm="x""#;
    answer(asked, "401 Unauthorized", &[header], "")
}

/// The images of so many services, under one content tag.
fn images_of(prefix: &ImagePrefix, count: usize) -> Vec<(ServiceName, Image)> {
    (0..count)
        .map(|number| {
            let service: ServiceName = format!("s{number}").parse().unwrap();
            let image = prefix.image(&service, "k-1");
            (service, image)
        })
        .collect()
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
    let images = images_of(&prefix, 200);
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
    let images = images_of(&prefix, 20);
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
