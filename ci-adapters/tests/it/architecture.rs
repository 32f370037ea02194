//! The crate is pure, and its forms do not know each other.

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
fn no_module_reaches_out() {
    let mut modules = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut modules,
    );
    assert!(modules.len() > 10, "the crate has moved");
    for (path, code) in &modules {
        for name in NOWHERE {
            assert!(!code.contains(name), "{path} names {name}");
        }
        for (own, other) in [("src/github", "gitlab"), ("src/gitlab", "github")] {
            assert!(
                !path.starts_with(own) || !code.contains(&format!("{other}::")),
                "{path} knows {other}"
            );
        }
    }
}
