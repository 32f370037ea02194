//! Who asks a registry, and where credentials go.

use crate::{
    registry::{BASIC, DIGEST, INDEX, ask, challenge, password_challenge, problem, registry, user},
    server::{Asked, Server, answer},
};
use rebake_ci::registry::{ContentTags as _, Credentials, Image};
use rebake_planner::decide::TagState;

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
            password_challenge(asked)
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
            password_challenge(asked)
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
        _ => password_challenge(asked),
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
