//! What is put into a registry: tags, the time of a build, images of pull requests.

use crate::{
    registry::{DIGEST, INDEX, MANIFEST, challenge, registry, user},
    server::{Server, answer},
};
use rebake_ci::registry::{Credentials, Image};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

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
