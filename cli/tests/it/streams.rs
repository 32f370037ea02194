//! What goes to stdout, what to stderr, and in which colours.

use crate::shop::Shop;

const ESCAPE: char = '\u{1b}';

#[test]
fn a_failure_leaves_stdout_empty_and_says_why() {
    let shop = Shop::new();
    let cases: &[&[&str]] = &[
        &["plan", "--root", "nowhere"],
        &["plan", "--services", "["],
        &["plan", "--platform", "linux"],
        &["plan", "--head", "main"],
        &["inputs", "nope"],
        &["inputs", "nope", "--format", "json"],
        &["graph", "nope", "--format", "json"],
        &["explain", "nope"],
    ];
    for arguments in cases {
        let answer = shop.run(arguments);
        assert_ne!(answer.code, 0, "{arguments:?}");
        assert_eq!(answer.stdout, "", "{arguments:?}");
        assert!(
            answer.stderr.contains("error: "),
            "{arguments:?}: {answer:?}"
        );
    }
}

#[test]
fn findings_go_to_stderr_and_the_document_stays_whole() {
    let answer = Shop::new().run(&["plan", "--go", "1.99", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(document["diagnostics"][0]["code"], "go-version-unknown");
    assert!(
        answer.stderr.starts_with("error[go-version-unknown]: "),
        "{answer:?}"
    );
}

#[test]
fn a_strict_failure_keeps_the_answer() {
    let answer = Shop::new().run(&["plan", "--go", "1.99", "--strict", "--format", "json"]);
    assert_eq!(answer.code, 1);
    let document: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(document["services"][0]["key"], serde_json::Value::Null);
}

#[test]
fn quiet_says_nothing_but_why_it_failed() {
    let shop = Shop::new();
    let answer = shop.run(&["plan", "--go", "1.99", "--quiet"]);
    assert_eq!(answer.stderr, "");
    assert!(answer.stdout.contains("go-version-unknown"));
    let answer = shop.run(&["inputs", "nope", "--quiet"]);
    assert!(
        answer.stderr.contains("there is no service `nope`"),
        "{answer:?}"
    );
}

#[test]
fn colours_follow_the_flag_then_the_environment_then_the_terminal() {
    let shop = Shop::new();
    // No terminal stands behind a test, so there are colours only where somebody asks for them.
    let check = |arguments: &[&str], variables: &[(&str, &str)], coloured: bool| {
        let answer = shop.run_with(arguments, variables);
        assert_eq!(
            answer.stdout.contains(ESCAPE),
            coloured,
            "{arguments:?} {variables:?}"
        );
    };
    let force = ("CLICOLOR_FORCE", "1");
    let no_color = ("NO_COLOR", "1");
    check(&["plan"], &[], false);
    check(&["plan", "--color", "always"], &[], true);
    check(&["plan", "--color", "never"], &[], false);
    check(&["plan"], &[force], true);
    check(&["plan"], &[force, no_color], false);
    check(&["plan", "--color", "always"], &[no_color], true);
    check(&["plan", "--color", "never"], &[force], false);
    check(
        &["plan", "--color", "always", "--format", "json"],
        &[],
        false,
    );
}

#[test]
fn colours_change_nothing_but_colours() {
    let shop = Shop::new();
    let plain = shop.run(&["inputs", "api"]);
    let coloured = shop.run(&["inputs", "api", "--color", "always"]);
    let mut text = String::new();
    let mut rest = coloured.stdout.as_str();
    while let Some((before, after)) = rest.split_once(ESCAPE) {
        text.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    text.push_str(rest);
    assert_eq!(text, plain.stdout);
}

#[cfg(unix)]
#[test]
fn no_file_name_steers_a_terminal() {
    let shop = Shop::new();
    let name = "internal/catalog/\u{1b}[31mred.json";
    shop.write(name, "[]");
    shop.write(
        "internal/catalog/more.go",
        "package catalog\n\nimport \"embed\"\n\n//go:embed *.json\nvar all embed.FS\n",
    );
    for arguments in [["inputs", "api"], ["plan", "--quiet"], ["graph", "api"]] {
        let answer = shop.run(&arguments);
        assert!(!answer.stdout.contains(ESCAPE), "{arguments:?}: {answer:?}");
        assert!(!answer.stderr.contains(ESCAPE), "{arguments:?}: {answer:?}");
    }
    let answer = shop.run(&["inputs", "api"]);
    assert!(
        answer.stdout.contains("\\u{1b}[31mred.json")
            || answer.stderr.contains("\\u{1b}[31mred.json"),
        "{answer:?}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_can_t_be_written_is_a_failure_that_says_why() {
    let shop = Shop::new();
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_rebake"))
        .arg("plan")
        .current_dir(shop.root())
        .env_clear()
        .stdout(full)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr.contains("error: can't write to stdout: "),
        "{stderr}"
    );
}
