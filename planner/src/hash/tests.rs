use super::*;
use crate::{
    discover::service_name::ServiceName,
    inputs::{InputFile, ManifestFact, Setting, ThirdPartyModule, Tier},
    path::RepoPath,
    target::Platform,
    tree::ContentDigest,
};
use std::{collections::BTreeMap, sync::Arc};

fn file(path: &str, kind: FileKind, content: &str) -> InputFile {
    InputFile {
        path: RepoPath::new(path).unwrap(),
        kind,
        digest: ContentDigest::of(content.as_bytes()),
        mode: FileMode::Regular,
    }
}

fn sample() -> ImageInputs {
    ImageInputs {
        service: "api".parse::<ServiceName>().unwrap(),
        main: "ex.com/shop/services/api".to_owned(),
        directory: RepoPath::new("services/api").unwrap(),
        platform: Platform::default(),
        tier: Tier::Module,
        files: vec![
            file("services/api/main.go", FileKind::Go, "package main\n"),
            file("services/api/start.sh", FileKind::Asset, "#!/bin/sh\n"),
        ],
        facts: vec![ManifestFact {
            manifest: RepoPath::new("go.mod").unwrap(),
            name: "go".to_owned(),
            value: "1.26".to_owned(),
        }],
        modules: Arc::new(vec![ThirdPartyModule {
            path: "ex.org/lib".to_owned(),
            version: "v1.2.3".to_owned(),
            sum: Some("h1:abc=".to_owned()),
            replacement: None,
        }]),
        settings: Setting::ALL
            .iter()
            .map(|setting| (*setting, setting.as_str().to_owned()))
            .collect(),
    }
}

fn modules(inputs: &mut ImageInputs) -> &mut Vec<ThirdPartyModule> {
    Arc::make_mut(&mut inputs.modules)
}

/// A change of inputs, by name, and what it must change.
type Case = (&'static str, fn(&mut ImageInputs));

fn check(cases: &[Case], dependency_changes: bool, image_changes: bool) {
    let before = image_keys(&sample());
    for (name, change) in cases {
        let mut inputs = sample();
        change(&mut inputs);
        let after = image_keys(&inputs);
        assert_eq!(
            before.dependency != after.dependency,
            dependency_changes,
            "dependency key: {name}"
        );
        assert_eq!(
            before.image != after.image,
            image_changes,
            "image key: {name}"
        );
    }
}

#[test]
fn the_digest_of_the_sample_is_frozen() {
    let keys = image_keys(&sample());
    assert_eq!(
        keys.dependency.to_hex(),
        "c56da99f3cbebb8287de5d3e9c57e29ecd61088baa4c4b7b68c6cf9ec473f534"
    );
    assert_eq!(
        keys.image.to_hex(),
        "e45d9f08c24c4db957ec4502bd8ac5c94ab5fbcf8298710ec7d625651592e53e"
    );
    let tag = service_tag([("linux/amd64", keys.image)]);
    assert_eq!(
        tag.to_string(),
        "k-eba67a2949e72427877ad663cebe3d0585b4e92057b04754a5c79d2300d87c10"
    );
}

#[test]
fn every_setting_changes_the_keys_of_its_scope() {
    let before = image_keys(&sample());
    for setting in Setting::ALL {
        let mut inputs = sample();
        inputs.settings.insert(*setting, "other".to_owned());
        let after = image_keys(&inputs);
        let in_dependency_key = setting.scope() == SettingScope::Dependencies;
        assert_eq!(
            before.dependency != after.dependency,
            in_dependency_key,
            "{setting}"
        );
        assert_ne!(before.image, after.image, "{setting}");
        inputs.settings.remove(setting);
        assert_ne!(before.image, image_keys(&inputs).image, "{setting}");
    }
}

#[test]
fn the_tier_changes_both_keys() {
    check(&[("tier", |inputs| inputs.tier = Tier::Vendor)], true, true);
}

#[test]
fn every_part_of_a_module_changes_both_keys() {
    check(
        &[
            ("path", |inputs| modules(inputs)[0].path.push('x')),
            ("version", |inputs| modules(inputs)[0].version.push('x')),
            ("sum", |inputs| modules(inputs)[0].sum = None),
            ("empty sum", |inputs| {
                modules(inputs)[0].sum = Some(String::new());
            }),
            ("replacement", |inputs| {
                modules(inputs)[0].replacement = Some("a v1.0.0".to_owned());
            }),
            ("removed", |inputs| modules(inputs).clear()),
        ],
        true,
        true,
    );
}

#[test]
fn every_part_of_a_file_changes_the_image_key() {
    check(
        &[
            ("path", |inputs| {
                inputs.files[0].path = RepoPath::new("services/api/other.go").unwrap();
            }),
            ("kind", |inputs| inputs.files[0].kind = FileKind::Embed),
            ("content", |inputs| {
                inputs.files[0].digest = ContentDigest::of(b"");
            }),
            ("an asset's mode", |inputs| {
                inputs.files[1].mode = FileMode::Executable;
            }),
            ("added", |inputs| {
                inputs.files.push(file("x", FileKind::Pgo, ""));
            }),
            ("removed", |inputs| {
                inputs.files.remove(0);
            }),
        ],
        false,
        true,
    );
}

#[test]
fn every_part_of_a_fact_changes_the_image_key() {
    check(
        &[
            ("manifest", |inputs| {
                inputs.facts[0].manifest = RepoPath::new("go.work").unwrap();
            }),
            ("name", |inputs| inputs.facts[0].name.push('x')),
            ("value", |inputs| inputs.facts[0].value.push('x')),
            ("shifted", |inputs| {
                inputs.facts[0].name.push('1');
                inputs.facts[0].value.remove(0);
            }),
            ("removed", |inputs| inputs.facts.clear()),
        ],
        false,
        true,
    );
}

#[test]
fn the_name_of_a_service_changes_no_key() {
    check(
        &[
            ("service", |inputs| {
                inputs.service = "other".parse().unwrap();
            }),
            ("directory", |inputs| inputs.directory = RepoPath::root()),
            ("a source file's mode", |inputs| {
                inputs.files[0].mode = FileMode::Executable;
            }),
            ("a manifest's row", |inputs| {
                inputs.files.push(file("go.mod", FileKind::Manifest, ""));
            }),
        ],
        false,
        false,
    );
}

#[test]
fn lists_of_different_shapes_never_meet() {
    let encode =
        |texts: &[&str]| crate::digest::manifest_digest(texts.iter().map(|text| (*text, "")));
    assert_ne!(encode(&["ab"]), encode(&["a", "b"]));
    assert_ne!(encode(&["ab", "c"]), encode(&["a", "bc"]));
    assert_ne!(encode(&[]), encode(&[""]));
}

#[test]
fn a_tag_is_over_all_platforms_in_any_order() {
    let key = image_keys(&sample()).image;
    let mut other = sample();
    other.main.push('x');
    other.settings.insert(Setting::Main, "x".to_owned());
    let second = image_keys(&other).image;
    let tag = |rows: &[(&str, Key)]| service_tag(rows.iter().copied()).to_string();
    assert_eq!(
        tag(&[("a", key), ("b", second)]),
        tag(&[("b", second), ("a", key)])
    );
    assert_ne!(
        tag(&[("a", key), ("b", second)]),
        tag(&[("a", second), ("b", key)])
    );
    assert_ne!(tag(&[("a", key)]), tag(&[("b", key)]));
    assert_eq!(tag(&[("a", key)]).len(), "k-".len() + 64);
}

#[test]
fn keys_are_validated_when_read() {
    let key = image_keys(&sample()).image;
    let text = serde_json::to_string(&key).unwrap();
    assert_eq!(serde_json::from_str::<Key>(&text).unwrap(), key);
    for wrong in [
        "\"\"".to_owned(),
        text.to_uppercase(),
        text.replace('"', ""),
        format!("\"{}\"", "0".repeat(63)),
    ] {
        assert!(serde_json::from_str::<Key>(&wrong).is_err(), "{wrong}");
    }
}

proptest::proptest! {
    #[test]
    fn equal_inputs_have_equal_keys_and_a_changed_text_another(
        names in proptest::collection::btree_map("[a-z/]{1,8}", "[ -~]{0,8}", 0..6),
        extra in "[a-z]{1,4}",
    ) {
        let facts = |names: &BTreeMap<String, String>| {
            let mut inputs = sample();
            inputs.facts = names
                .iter()
                .map(|(name, value)| ManifestFact {
                    manifest: RepoPath::root(),
                    name: name.clone(),
                    value: value.clone(),
                })
                .collect();
            image_keys(&inputs)
        };
        let keys = facts(&names);
        proptest::prop_assert_eq!(keys, facts(&names.clone()));
        for name in names.keys() {
            let mut changed = names.clone();
            changed.insert(name.clone(), format!("{}{extra}", names[name]));
            proptest::prop_assert_ne!(keys.image, facts(&changed).image);
        }
    }
}
