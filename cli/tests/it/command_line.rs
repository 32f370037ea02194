//! The help texts: docs/command-line.md holds what the program prints.

use crate::{docs::document, shop::Shop};

#[test]
fn the_reference_of_the_command_line_is_what_help_prints() {
    let shop = Shop::new();
    let reference = document("docs/command-line.md");
    let help = |arguments: &[&str]| {
        let answer = shop.run(arguments);
        assert_eq!(answer.code, 0, "{answer:?}");
        let lines = answer.stdout.lines();
        lines
            .map(|line| line.trim_end().to_owned() + "\n")
            .collect::<String>()
    };
    let verbs: [&[&str]; _] = [
        &["plan"],
        &["inputs"],
        &["why"],
        &["why-not"],
        &["diff"],
        &["graph"],
        &["init"],
        &["demo"],
        &["generate"],
        &["build"],
        &["context"],
        &["ci"],
        &["ci", "github"],
        &["ci", "gitlab"],
        &["ci", "retag"],
        &["ci", "promote"],
        &["explain"],
        &["completions"],
        &["man"],
        &["schema"],
    ];
    for verb in verbs {
        let text = help(&[verb, &["--help"][..]].concat());
        assert!(
            reference.contains(&text),
            "`cargo xtask generate` brings docs/command-line.md up to date with\n{text}"
        );
    }
    let text = help(&["--help"]);
    assert!(reference.contains(&text), "{text}");
    assert_eq!(reference.matches("\n## ").count(), verbs.len());
}

#[test]
fn every_shell_completes_every_verb() {
    let shop = Shop::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = shop.run(&["completions", shell]).stdout;
        for verb in ["plan", "why-not", "completions"] {
            assert!(script.contains(verb), "{shell}: {verb}");
        }
        assert!(script.contains("baseline"), "{shell}");
    }
}

#[test]
fn the_manual_has_every_verb_and_every_verb_has_a_page() {
    let shop = Shop::new();
    let manual = shop.run(&["man"]).stdout;
    for verb in ["plan", "inputs", "why", "diff", "graph", "init"] {
        assert!(manual.contains(verb), "{verb}");
        let page = shop.run(&["man", verb]);
        assert_eq!(page.code, 0, "{page:?}");
        assert!(
            page.stdout.contains(&format!("rebake\\-{verb}")),
            "{page:?}"
        );
        assert!(page.stdout.contains("OPTIONS"), "{verb}");
    }
    for nested in [&["man", "ci", "github"][..], &["man", "ci github"]] {
        let page = shop.run(nested).stdout;
        assert!(page.contains("rebake\\-ci\\-github"), "{page}");
        assert!(
            page.contains(concat!("rebake ", env!("CARGO_PKG_VERSION"))),
            "{page}"
        );
    }
    assert_eq!(shop.run(&["man", "nope"]).code, 2);
}

#[test]
fn every_verb_and_flag_is_explained() {
    let reference = document("docs/command-line.md");
    let lines: Vec<&str> = reference.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let is_flag = line.trim_start().starts_with('-') && !line.trim_start().starts_with("- ");
        if is_flag {
            let explanation = lines.get(number + 1).copied().unwrap_or_default();
            assert!(
                !explanation.trim().is_empty(),
                "line {} has no explanation: {line}",
                number + 1
            );
        }
    }
}
