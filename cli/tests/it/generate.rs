//! `rebake generate` writes what is missing or stale, removes what is left over, and touches nothing else.

use crate::shop::Shop;

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn what_is_written_passes_the_check() {
    let shop = Shop::new();
    let check = shop.run(&["generate", "--check"]);
    assert_eq!(check.code, 1, "{check:?}");
    assert!(
        check.stdout.contains("missing    .rebake/api/Dockerfile\n"),
        "{check:?}"
    );
    assert!(!shop.root().join(".rebake").exists());
    let written = shop.run(&["generate"]);
    assert_eq!(written.code, 0, "{written:?}");
    let check = shop.run(&["generate", "--check"]);
    assert_eq!(check.code, 0, "{check:?}");
    assert_eq!(lines(&check.stdout), ["18 files are as they should be"]);
}

#[test]
fn the_files_change_no_key() {
    let shop = Shop::new();
    let before = shop.run(&["plan", "--format", "json"]).stdout;
    assert_eq!(shop.run(&["generate"]).code, 0);
    assert_eq!(shop.run(&["plan", "--format", "json"]).stdout, before);
}

#[test]
fn a_stale_file_is_rewritten_and_a_service_that_is_no_more_leaves_nothing() {
    let shop = Shop::new();
    assert_eq!(shop.run(&["generate"]).code, 0);
    shop.write(
        ".rebake/api/Dockerfile",
        "# Written by `rebake generate`, once.\n",
    );
    shop.write(".rebake/api/notes.txt", "mine\n");
    shop.write(".rebake/mine/Dockerfile", "FROM scratch\n");
    std::fs::remove_dir_all(shop.root().join("services/worker")).unwrap();
    let check = shop.run(&["generate", "--check"]);
    assert_eq!(check.code, 1, "{check:?}");
    assert_eq!(
        lines(&check.stdout),
        [
            "stale      .rebake/api/Dockerfile",
            "stale      .rebake/docker-bake.json",
            "left over  .rebake/worker/Dockerfile",
            "left over  .rebake/worker/Dockerfile.dockerignore",
            "left over  .rebake/worker/imports",
            "left over  .rebake/worker/inputs",
            "12 of 14 files are as they should be; run `rebake generate`",
        ]
    );
    assert_eq!(shop.run(&["generate"]).code, 0);
    assert_eq!(shop.run(&["generate", "--check"]).code, 0);
    assert!(!shop.root().join(".rebake/worker").exists());
    assert!(shop.root().join(".rebake/api/notes.txt").exists());
    assert!(shop.root().join(".rebake/mine/Dockerfile").exists());
}

#[test]
fn a_service_in_doubt_fails_and_the_others_are_written() {
    let shop = Shop::new();
    shop.write("services/api/broken.go", "package main\n\nimport \"fmt\n");
    let answer = shop.run(&["generate"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer.stderr.contains("services/api/broken.go:3"),
        "{answer:?}"
    );
    assert!(!shop.root().join(".rebake/api").exists());
    assert!(shop.root().join(".rebake/cart/Dockerfile").exists());
    let told = "in doubt, so left as it is: api; `rebake plan` says why\n";
    assert!(answer.stdout.ends_with(told), "{answer:?}");
}

#[test]
fn a_service_that_comes_into_doubt_keeps_its_files_and_fails_the_check() {
    let shop = Shop::new();
    assert_eq!(shop.run(&["generate"]).code, 0);
    let kept = shop.root().join(".rebake/api/Dockerfile");
    let before = std::fs::read_to_string(&kept).unwrap();
    shop.write("services/api/broken.go", "package main\n\nimport \"fmt\n");
    for arguments in [&["generate"][..], &["generate", "--check"]] {
        assert_eq!(shop.run(arguments).code, 1, "{arguments:?}");
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), before);
    }
    shop.remove("services/api/broken.go");
    // The bake file has lost the service; its own files are as they were.
    let answer = shop.run(&["generate"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(!answer.stdout.contains(".rebake/api"), "{answer:?}");
}

/// Service and what becomes of its stages, `-` for cached, `+` for what runs, `?` for what follows another.
fn predicted(shop: &Shop) -> Vec<String> {
    let answer = shop.run(&[
        "generate",
        "--predict",
        "--base",
        "HEAD",
        "--format",
        "json",
    ]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let document: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    let rows = document["services"].as_array().unwrap().iter();
    rows.map(|row| {
        let stages = row["stages"].as_array().map(|stages| {
            let signs = stages
                .iter()
                .map(|stage| match stage["forecast"].as_str().unwrap() {
                    "cached" => '-',
                    "runs" => '+',
                    _ => '?',
                });
            signs.collect()
        });
        let name = row["name"].as_str().unwrap();
        format!("{name} {}", stages.unwrap_or_else(|| "new".to_owned()))
    })
    .collect()
}

#[test]
fn a_prediction_tells_which_stages_an_edit_runs() {
    let shop = Shop::new();
    shop.commit_all();
    let all_cached = [
        "api -------",
        "cart -------",
        "mailer -------",
        "worker -------",
    ];
    assert_eq!(predicted(&shop), all_cached);
    shop.write("README.md", "# Shop\n");
    shop.write("internal/money/money_test.go", "package money\n");
    assert_eq!(predicted(&shop), all_cached);
    shop.write("services/api/page.go", "package main\n");
    shop.write("services/new/main.go", "package main\n\nfunc main() {}\n");
    assert_eq!(
        predicted(&shop),
        [
            "api ----++?",
            "cart -------",
            "mailer -------",
            "new new",
            "worker -------"
        ]
    );
    assert!(!shop.root().join(".rebake").exists());
}

#[test]
fn an_untracked_file_that_only_the_build_sees_runs_what_copies_it() {
    let shop = Shop::new();
    shop.commit_all();
    shop.write("internal/queue/queue_windows.go", "package queue\n");
    // Go takes the same files as before, so the binary is the same.
    assert_eq!(
        predicted(&shop),
        [
            "api -------",
            "cart ----++-",
            "mailer ----++-",
            "worker ----++-"
        ]
    );
}

#[test]
fn without_its_baseline_there_is_no_prediction() {
    let shop = Shop::new();
    shop.commit_all();
    let answer = shop.run(&["generate", "--predict", "--base", "nowhere"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{answer:?}");
    let answer = shop.run(&["generate", "--predict"]);
    assert_eq!(answer.code, 2, "{answer:?}");
}
