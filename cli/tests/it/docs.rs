//! What the documents show is what the program does.

use rebake_planner::config::parse_config;
use std::{fs, path::Path, process::Command};

/// A text of the repository, by its path from the top.
pub(crate) fn document(path: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(workspace.join(path)).unwrap()
}

/// The contents of the fenced blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = text;
    let start = format!("```{language}\n");
    while let Some(found) = rest.find(&start) {
        let body = &rest[found + start.len()..];
        let end = body.find("```").unwrap();
        blocks.push(body[..end].to_owned());
        rest = &body[end + 3..];
    }
    blocks
}

#[test]
fn the_readme_opens_with_what_the_demo_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_rebake"))
        .arg("demo")
        .env_clear()
        .output()
        .unwrap();
    let demo = String::from_utf8(output.stdout).unwrap();
    let shown = blocks(&document("README.md"), "text").remove(0);
    assert!(
        demo.contains(&shown),
        "README.md shows\n{shown}\nand the demo prints\n{demo}"
    );
}

#[test]
fn every_key_of_the_documented_configuration_is_understood() {
    let blocks = blocks(&document("docs/configuration.md"), "toml");
    assert!(!blocks.is_empty());
    for block in blocks {
        let parsed = parse_config(block.as_bytes());
        assert!(parsed.faults.is_empty(), "{block}\n{:?}", parsed.faults);
    }
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    for path in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/configuration.md",
        "docs/keys.md",
        "docs/limits.md",
    ] {
        let text = document(path);
        let base = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .unwrap()
            .join(path);
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let target = target.split('#').next().unwrap();
            if target.is_empty() || target.starts_with("https://") {
                continue;
            }
            assert!(
                base.parent().unwrap().join(target).exists(),
                "{path} links to {target}"
            );
        }
    }
}
