//! What the documents show is what the program does.

use crate::shop::Shop;
use rebake_planner::config::parse_config;
use std::{fs, path::Path, process::Command};

/// Stands before the blocks whose commands run in a copy of the sample monorepo, one after the other.
const IN_THE_SHOP: &str = "<!-- in the shop -->\n```console\n";

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
fn the_readme_shows_the_example_that_the_library_tests() {
    let example = |path: &str| blocks(&document(path), "rust");
    assert_eq!(example("README.md").len(), 1);
    assert_eq!(example("README.md"), example("planner/README.md"));
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

/// Everything that people read, but what is made from the code.
fn documents() -> Vec<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut documents: Vec<String> = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ]
    .map(str::to_owned)
    .to_vec();
    for entry in fs::read_dir(workspace.join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            documents.push(format!("docs/{name}"));
        }
    }
    documents.sort();
    documents
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for path in documents() {
        let text = document(&path);
        let base = workspace.join(&path);
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if target.starts_with("https://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() {
                base.clone()
            } else {
                base.parent().unwrap().join(file)
            };
            assert!(file.exists(), "{path} links to {target}");
            if !heading.is_empty() {
                let linked = fs::read_to_string(&file).unwrap();
                assert!(
                    linked
                        .lines()
                        .any(|line| anchor(line).as_deref() == Some(heading)),
                    "{path} links to {target}, and there is no such heading"
                );
            }
        }
    }
}

/// The anchor that a heading gets.
fn anchor(line: &str) -> Option<String> {
    let title = line.trim_start_matches('#').strip_prefix(' ')?;
    line.starts_with('#').then(|| {
        title
            .to_lowercase()
            .chars()
            .filter(|character| character.is_alphanumeric() || " -_".contains(*character))
            .map(|character| if character == ' ' { '-' } else { character })
            .collect()
    })
}

#[cfg(unix)]
#[test]
fn every_command_shown_in_the_shop_prints_what_the_documents_show() {
    let mut number = 0;
    for path in documents() {
        let shop = Shop::new();
        for (command, shown) in commands(&document(&path)) {
            number += 1;
            let printed = run(&shop, &command);
            assert!(
                fits(&without_durations(&shown), &without_durations(&printed)),
                "{path} shows for `{command}`\n{shown}\nand it prints\n{printed}"
            );
        }
    }
    assert!(number > 5, "the documents show too few commands");
}

#[test]
fn a_line_of_dots_stands_for_any_lines() {
    let cases = [
        ("a\nb\n", "a\nb\n", true),
        ("a\n…\n", "a\nb\nc\n", true),
        ("a\n…\nc\n", "a\nb\nc\n", true),
        ("a\n…\nb\n", "a\nb\nc\n", false),
        ("a\n", "a\nb\n", false),
        ("a\nb\n", "a\n", false),
    ];
    for (shown, printed, expected) in cases {
        assert_eq!(fits(shown, printed), expected, "{shown:?} {printed:?}");
    }
}

/// The commands of the blocks that are marked, each with the output that is shown for it.
fn commands(text: &str) -> Vec<(String, String)> {
    let mut commands = Vec::new();
    for block in text.split(IN_THE_SHOP).skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                commands.push((command.to_owned(), String::new()));
            } else {
                let (_, shown): &mut (String, String) = commands.last_mut().unwrap();
                shown.push_str(line);
                shown.push('\n');
            }
        }
    }
    commands
}

/// Runs a line in the shop as a person's shell would, with stderr between the lines of stdout.
fn run(shop: &Shop, line: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_rebake"));
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("exec 2>&1; {line}")])
        .current_dir(shop.root())
        .env_clear()
        .env("PATH", path)
        // So that a commit has the id that the documents show.
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "A")
        .env("GIT_AUTHOR_EMAIL", "a@example.com")
        .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
        .env("GIT_COMMITTER_NAME", "A")
        .env("GIT_COMMITTER_EMAIL", "a@example.com")
        .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Whether what is shown is what was printed, where a line `…` stands for any number of lines.
fn fits(shown: &str, printed: &str) -> bool {
    let shown: Vec<&str> = shown.lines().map(str::trim_end).collect();
    let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
    lines_fit(&shown, &printed)
}

fn lines_fit(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"…", shown)) => {
            (0..=printed.len()).any(|skipped| lines_fit(shown, &printed[skipped..]))
        }
        Some((line, shown)) => printed
            .split_first()
            .is_some_and(|(first, printed)| first == line && lines_fit(shown, printed)),
    }
}

/// How long a plan took differs from run to run.
fn without_durations(text: &str) -> String {
    text.lines()
        .map(|line| match line.strip_suffix(" ms") {
            Some(line) => {
                line.trim_end_matches(|character: char| character.is_ascii_digit())
                    .to_owned()
                    + "N ms\n"
            }
            None => line.to_owned() + "\n",
        })
        .collect()
}
