//! The crate is pure but for its registry client, and its forms do not know each other.

use std::{fs, path::Path};

/// What no module may name.
const NOWHERE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "println!",
];

/// What not even the client may name.
const ONLY_IN_MAIN: &[&str] = &["std::env", "println!"];

fn sources(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let code: Vec<&str> = code
                .lines()
                .map(|line| line.split("//").next().unwrap())
                .collect();
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
            found.push((name.to_str().unwrap().to_owned(), code.join("\n")));
        }
    }
}

#[test]
fn no_module_but_the_registry_client_reaches_out() {
    let mut modules = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut modules,
    );
    assert!(modules.len() > 10, "the crate has moved");
    for (path, code) in &modules {
        // The client asks a registry and credential helpers; it reads no environment and prints nothing either.
        let is_client = path.starts_with("src/registry");
        for name in NOWHERE {
            let may = is_client && !ONLY_IN_MAIN.contains(name);
            assert!(may || !code.contains(name), "{path} names {name}");
        }
        assert!(is_client || !code.contains("ureq"), "{path} names ureq");
        for (own, other) in [("src/github", "gitlab"), ("src/gitlab", "github")] {
            assert!(
                !path.starts_with(own) || !code.contains(&format!("{other}::")),
                "{path} knows {other}"
            );
        }
    }
}
