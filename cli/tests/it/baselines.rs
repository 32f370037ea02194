//! Plans beside an earlier one: what must be rebuilt, why, and what has no effect.

use crate::shop::Shop;
use serde_json::Value;

/// An edit, and the services that it must rebuild.
type Case = (&'static str, fn(&Shop), &'static [&'static str]);

const ALL: &[&str] = &["api", "cart", "mailer", "worker"];

/// The shop as it is, and one edit each.
const EDITS: &[Case] = &[
    ("nothing", |_| {}, &[]),
    ("a page", |shop| shop.write("README.md", "# Shop\n"), &[]),
    (
        "a test",
        |shop| shop.write("internal/money/money_test.go", "package money\n"),
        &[],
    ),
    (
        "a new test",
        |shop| shop.write("internal/auth/auth_test.go", "package auth\n"),
        &[],
    ),
    (
        "a comment in go.mod",
        |shop| append(shop, "go.mod", "\n// Keep sorted.\n"),
        &[],
    ),
    (
        "a retraction in go.mod",
        |shop| append(shop, "go.mod", "\nretract v1.0.0\n"),
        &[],
    ),
    (
        "a package that nobody imports",
        |shop| shop.write("internal/unused/unused.go", "package unused\n"),
        &[],
    ),
    (
        "a file for another platform",
        |shop| shop.write("internal/queue/queue_windows.go", "package queue\n"),
        &[],
    ),
    (
        "the platform file that is not built",
        |shop| append(shop, "services/worker/priority_other.go", "\n// x\n"),
        &[],
    ),
    (
        "the platform file that is built",
        |shop| append(shop, "services/worker/priority_linux.go", "\n// x\n"),
        &["worker"],
    ),
    (
        "one main package",
        |shop| append(shop, "services/api/main.go", "\n// x\n"),
        &["api"],
    ),
    (
        "an embedded file",
        |shop| shop.write("internal/templates/mails/order.txt", "thanks\n"),
        &["mailer"],
    ),
    (
        "a new file that an embed pattern matches",
        |shop| shop.write("internal/templates/mails/new.txt", "new\n"),
        &["mailer"],
    ),
    (
        "an embedded file that is gone",
        |shop| shop.remove("internal/templates/mails/reminder.txt"),
        &["mailer"],
    ),
    (
        "a renamed file",
        |shop| {
            let root = shop.root().join("internal/queue");
            std::fs::rename(root.join("queue.go"), root.join("line.go")).unwrap();
        },
        &["cart", "mailer", "worker"],
    ),
    (
        "the go line",
        |shop| {
            let path = shop.root().join("go.mod");
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(path, text.replace("go 1.24", "go 1.25")).unwrap();
        },
        ALL,
    ),
    (
        "a dependency, for the services that may link it",
        |shop| {
            let path = shop.root().join("go.mod");
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(path, text.replace("sync v0.11.0", "sync v0.12.0")).unwrap();
        },
        &["api", "cart", "worker"],
    ),
    (
        "the mode of a source file",
        |shop| {
            use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};
            let path = shop.root().join("services/api/main.go");
            std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        },
        &[],
    ),
    (
        "the time of every file",
        |shop| {
            let path = shop.root().join("services/api/main.go");
            let content = std::fs::read(&path).unwrap();
            std::fs::write(path, content).unwrap();
        },
        &[],
    ),
    (
        "a C file in a package, which no Go file of it uses",
        |shop| shop.write("internal/queue/notes.c", "int x;\n"),
        &[],
    ),
    (
        "an assembler file in a package",
        |shop| shop.write("internal/queue/fast.s", "TEXT ·x(SB), 7, $0\n"),
        &["cart", "mailer", "worker"],
    ),
];

fn append(shop: &Shop, path: &str, addition: &str) {
    let path = shop.root().join(path);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, text + addition).unwrap();
}

fn plan(shop: &Shop, arguments: &[&str]) -> Value {
    let arguments = [&["plan", "--format", "json"], arguments].concat();
    let answer = shop.run(&arguments);
    assert_eq!(answer.code, 0, "{answer:?}");
    serde_json::from_str(&answer.stdout).unwrap()
}

fn names<'a>(plan: &'a Value, verdict: &str) -> Vec<&'a str> {
    let rows = plan["services"].as_array().unwrap();
    rows.iter()
        .filter(|row| row["verdict"] == verdict)
        .map(|row| row["name"].as_str().unwrap())
        .collect()
}

#[test]
fn an_edit_rebuilds_the_services_that_it_reaches() {
    for (title, edit, expected) in EDITS {
        let shop = Shop::new();
        shop.commit_all();
        edit(&shop);
        let edited = plan(&shop, &["--base", "HEAD"]);
        assert_eq!(
            names(&edited, "rebuild"),
            *expected,
            "{title}, not committed"
        );
        shop.git(&["add", "--all"]);
        let staged = plan(&shop, &["--base", "HEAD"]);
        assert_eq!(names(&staged, "rebuild"), *expected, "{title}, staged");
        shop.commit_all();
        let committed = plan(&shop, &["--base", "HEAD~1"]);
        assert_eq!(
            names(&committed, "rebuild"),
            *expected,
            "{title}, committed"
        );
        let between = plan(&shop, &["--base", "HEAD~1", "--head", "HEAD"]);
        assert_eq!(
            names(&between, "rebuild"),
            *expected,
            "{title}, from git alone"
        );
        assert_eq!(committed["services"], between["services"], "{title}");
        let back = plan(&shop, &["--base", "HEAD~1", "--head", "HEAD~1"]);
        assert!(names(&back, "rebuild").is_empty(), "{title}, and back");
    }
}

#[test]
fn what_reaches_no_service_is_listed() {
    let shop = Shop::new();
    shop.commit_all();
    shop.write("README.md", "# Shop\n");
    shop.write("internal/money/money_test.go", "package money\n");
    append(&shop, "go.mod", "\n// Keep sorted.\n");
    append(&shop, "internal/queue/queue.go", "\n// x\n");
    shop.git(&["add", "--all"]);
    let edited = plan(&shop, &["--base", "HEAD"]);
    let expected = ["README.md", "go.mod", "internal/money/money_test.go"];
    assert_eq!(edited["unaffected"], serde_json::json!(expected));
    shop.commit_all();
    let committed = plan(&shop, &["--base", "HEAD~1", "--head", "HEAD"]);
    assert_eq!(committed["unaffected"], edited["unaffected"]);
}

#[test]
fn what_a_manifest_says_for_a_service_is_not_without_effect() {
    let shop = Shop::new();
    shop.commit_all();
    let go_mod = std::fs::read_to_string(shop.root().join("go.mod")).unwrap();
    shop.write("go.mod", &go_mod.replace("sync v0.11.0", "sync v0.12.0"));
    append(
        &shop,
        "go.sum",
        "golang.org/x/sync v0.12.0 h1:MHc5BpPuC30uJk597Ri8TV3CNZcTLu6B6z4lJy+g6Jw=\n",
    );
    let edited = plan(&shop, &["--base", "HEAD"]);
    assert_eq!(edited["unaffected"], serde_json::json!([]));
}

#[test]
fn services_come_and_go() {
    let shop = Shop::new();
    shop.commit_all();
    shop.write("services/new/main.go", "package main\n\nfunc main() {}\n");
    shop.remove("services/cart/main.go");
    let edited = plan(&shop, &["--base", "HEAD"]);
    assert_eq!(names(&edited, "rebuild"), ["new"]);
    assert_eq!(edited["removed"], serde_json::json!(["cart"]));
    assert_eq!(edited["unaffected"], serde_json::json!([]));
    let new = &edited["services"][2];
    assert_eq!(
        new["reasons"],
        serde_json::json!([{"kind": "service-added"}])
    );
}

#[test]
fn the_base_is_where_the_branches_parted() {
    let shop = Shop::new();
    shop.commit_all();
    shop.git(&["checkout", "--quiet", "-b", "feature"]);
    append(&shop, "services/api/main.go", "\n// x\n");
    shop.commit_all();
    shop.git(&["checkout", "--quiet", "main"]);
    append(&shop, "services/mailer/main.go", "\n// x\n");
    shop.commit_all();
    shop.git(&["checkout", "--quiet", "feature"]);
    let feature = plan(&shop, &["--base", "main"]);
    assert_eq!(names(&feature, "rebuild"), ["api"]);
    let parted = shop.git(&["merge-base", "main", "feature"]);
    assert_eq!(
        feature["baseline"],
        serde_json::json!({"kind": "commit", "revision": "main", "commit": parted})
    );
    // A merge of both, as a pull request is checked out.
    shop.git(&["merge", "--quiet", "--no-edit", "main"]);
    let merged = plan(&shop, &["--base", "main"]);
    assert_eq!(names(&merged, "rebuild"), ["api"]);
}

#[test]
fn without_a_baseline_that_can_be_had_everything_is_rebuilt() {
    let shop = Shop::new();
    shop.git(&["init", "--quiet", "--initial-branch=main"]);
    let cases: [(&str, &dyn Fn(), &str, &str); 4] = [
        ("before the first commit", &|| {}, "HEAD", "HEAD"),
        (
            "an unknown revision",
            &|| shop.commit_all(),
            "nowhere",
            "there is no revision `nowhere`",
        ),
        (
            "a history of its own",
            &|| {
                shop.git(&["checkout", "--quiet", "--orphan", "other"]);
                shop.write("README.md", "# Another history\n");
                shop.commit_all();
            },
            "main",
            "no common ancestor",
        ),
        (
            "a commit that a shallow clone has not",
            &|| {
                shop.commit_all();
                let git = shop.root().join(".git");
                let head = shop.git(&["rev-parse", "HEAD"]);
                std::fs::write(git.join("shallow"), format!("{head}\n")).unwrap();
            },
            "HEAD~1",
            "git fetch --unshallow",
        ),
    ];
    for (title, prepare, revision, expected) in cases {
        prepare();
        let planned = plan(&shop, &["--base", revision]);
        assert_eq!(names(&planned, "rebuild"), ALL, "{title}");
        let reason = &planned["services"][0]["reasons"][0];
        assert_eq!(reason["kind"], "baseline-unavailable", "{title}");
        assert_eq!(planned["baseline"]["kind"], "unavailable", "{title}");
        let message = reason["message"].as_str().unwrap();
        assert!(message.contains(expected), "{title}: {message}");
        let warning = &planned["diagnostics"][0];
        assert_eq!(warning["code"], "baseline-unavailable", "{title}");
        assert_eq!(warning["severity"], "warning", "{title}");
    }
}

#[test]
fn an_earlier_answer_serves_as_baseline() {
    let shop = Shop::new();
    for verb in ["inputs", "plan"] {
        let answer = shop.run(&[verb, "--format", "json"]);
        shop.write(&format!("../{verb}.json"), &answer.stdout);
    }
    append(&shop, "internal/catalog/catalog.go", "\n// x\n");
    let by_inputs = plan(&shop, &["--baseline", "../inputs.json"]);
    assert_eq!(names(&by_inputs, "rebuild"), ["api"]);
    let reason = &by_inputs["services"][0]["reasons"][0];
    assert_eq!(reason["kind"], "file-changed");
    assert_eq!(reason["path"], "internal/catalog/catalog.go");
    let by_keys = plan(&shop, &["--baseline", "../plan.json"]);
    assert_eq!(names(&by_keys, "rebuild"), ["api"]);
    assert_eq!(by_keys["services"][0]["reasons"][0]["kind"], "key-changed");
}

#[test]
fn a_baseline_that_is_none_is_refused() {
    let shop = Shop::new();
    let cases = [
        (None, "can't read the baseline"),
        (Some("no json"), "is not what `rebake inputs`"),
        (Some("{\"version\": 1}"), "is not what `rebake inputs`"),
        (Some("{\"version\": 7, \"services\": []}"), "version 7"),
    ];
    for (content, expected) in cases {
        if let Some(content) = content {
            shop.write("../baseline.json", content);
        }
        let answer = shop.run(&["plan", "--baseline", "../baseline.json"]);
        assert_eq!(answer.code, 1, "{answer:?}");
        assert_eq!(answer.stdout, "");
        assert!(answer.stderr.contains(expected), "{answer:?}");
    }
}

#[test]
fn why_shows_the_way_from_the_edit_to_the_service() {
    let shop = Shop::new();
    shop.commit_all();
    append(&shop, "internal/catalog/catalog.go", "\n// x\n");
    let head = shop.git(&["rev-parse", "HEAD"]);
    let answer = shop.run(&["why", "api"]);
    let text = answer.stdout.replace(&head[..10], "COMMIT");
    insta::assert_snapshot!("why_a_service", text);
    // Who names no service is told of those that are rebuilt.
    let all = shop.run(&["why"]).stdout;
    assert!(all.starts_with(&answer.stdout), "{all}");
    assert!(!all.contains("mailer"), "{all}");
    let reused = shop.run(&["why", "mailer"]);
    let text = reused.stdout.replace(&head[..10], "COMMIT");
    insta::assert_snapshot!("why_a_reused_service", text);
    insta::assert_snapshot!(
        "why_a_path",
        shop.run(&["why", "--path", "internal/money/money.go"])
            .stdout
    );
    let answer = shop.run(&["why-not", "mailer"]);
    let text = answer.stdout.replace(&head[..10], "COMMIT");
    insta::assert_snapshot!("why_not", text);
    insta::assert_snapshot!(
        "why_not_a_path",
        shop.run(&["why-not", "mailer", "internal/money/money_test.go"])
            .stdout
    );
    let answer = shop.run(&["plan", "--base", "HEAD", "--format", "markdown"]);
    let text = answer.stdout.replace(&head[..10], "COMMIT");
    insta::assert_snapshot!("plan_as_markdown", text);
}

#[test]
fn without_git_one_must_name_what_to_compare_with() {
    let shop = Shop::new();
    for arguments in [
        &["why", "api"][..],
        &["why-not", "api"],
        &["graph", "--affected"],
    ] {
        let answer = shop.run(arguments);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.stderr.contains("--baseline"), "{answer:?}");
        assert_eq!(answer.stdout, "");
    }
    let answer = shop.run(&["plan", "--base", "main"]);
    assert!(
        answer.stderr.contains("--base needs a git checkout"),
        "{answer:?}"
    );
    // What a path reaches needs nothing to compare with.
    assert_eq!(shop.run(&["why", "--path", "go.mod"]).code, 0);
    assert_eq!(shop.run(&["why-not", "api", "README.md"]).code, 0);
}

#[test]
fn a_path_is_taken_from_where_one_stands_and_not_from_outside() {
    let shop = Shop::new();
    let below = shop.root().join("internal/money");
    let root = shop.root();
    let root = root.to_str().unwrap();
    let cases = [
        ("internal/money/money.go", root, 0),
        ("./internal/../internal/money/money.go", root, 0),
        (below.join("money.go").to_str().unwrap(), root, 0),
        ("../elsewhere.go", root, 2),
        ("/etc/passwd", root, 2),
    ]
    .map(|(path, root, code)| (path.to_owned(), root, code));
    for (path, root, code) in cases {
        let answer = shop.run(&["why", "--path", &path, "--root", root]);
        assert_eq!(answer.code, code, "{path}: {answer:?}");
    }
}

#[test]
fn a_graph_that_no_page_draws_is_told() {
    let shop = Shop::new();
    let graph = |shop: &Shop| shop.run(&["graph", "api", "--format", "mermaid"]).stderr;
    assert_eq!(graph(&shop), "");
    let mut imports = String::from("package auth\n\nimport (\n");
    for number in 0..500 {
        let path = format!("internal/generated/p{number}");
        imports.push_str(&format!("\t_ \"example.com/shop/{path}\"\n"));
        shop.write(&format!("{path}/p.go"), "package p\n");
    }
    shop.write("internal/auth/many.go", &(imports + ")\n"));
    let told = graph(&shop);
    assert!(
        told.contains("pages draw a Mermaid graph of 500 at most"),
        "{told}"
    );
}

#[test]
fn the_affected_part_of_the_graph_is_what_lies_between_a_change_and_a_service() {
    let shop = Shop::new();
    shop.commit_all();
    append(&shop, "internal/catalog/catalog.go", "\n// x\n");
    let draw = |format: &str| {
        let answer = shop.run(&["graph", "--affected", "--format", format]);
        assert_eq!(answer.code, 0, "{answer:?}");
        answer.stdout
    };
    insta::assert_snapshot!("affected_dot", draw("dot"));
    insta::assert_snapshot!("affected_mermaid", draw("mermaid"));
    insta::assert_snapshot!("affected", draw("human"));
    let json: Value = serde_json::from_str(&draw("json")).unwrap();
    assert_eq!(json["packages"].as_array().unwrap().len(), 2);
    assert_eq!(json["services"].as_array().unwrap().len(), 1);
    assert_eq!(json["packages"][0]["changed"], true);
    assert_eq!(json["packages"][1]["changed"], false);
    let page = draw("html");
    assert!(
        page.contains("internal/catalog/catalog.go changed"),
        "{page}"
    );
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "{page}"
    );
}

#[test]
fn a_page_holds_no_markup_of_a_repository() {
    let shop = Shop::new();
    shop.write(
        "services/<b>'\"&/main.go",
        "package main\n\nfunc main() {}\n",
    );
    let page = shop.run(&["graph", "--format", "html"]).stdout;
    assert!(!page.contains("<b>'"), "{page}");
}

#[test]
fn paths_are_shown_from_where_one_stands() {
    let shop = Shop::new();
    shop.commit_all();
    append(&shop, "internal/catalog/catalog.go", "\n// x\n");
    shop.write("internal/queue/queue.go", "package queue\n\nimport \"fmt\n");
    let answer = shop.run_in("internal/queue", &["plan", "--base", "HEAD"]);
    assert!(answer.stderr.contains("--> queue.go:3:8"), "{answer:?}");
    assert!(
        answer.stdout.contains("../catalog/catalog.go changed"),
        "{answer:?}"
    );
    let answer = shop.run_in("internal", &["why", "api"]);
    assert!(
        answer.stdout.contains(" catalog/catalog.go\n"),
        "{answer:?}"
    );
    let markdown = ["plan", "--base", "HEAD", "--format", "markdown"];
    let answer = shop.run_in("internal", &markdown);
    assert!(
        answer.stdout.contains("| internal/catalog/catalog.go"),
        "{answer:?}"
    );
}

#[test]
fn two_answers_differ_input_by_input() {
    let shop = Shop::new();
    let save = |name: &str| {
        let answer = shop.run(&["inputs", "--format", "json"]);
        shop.write(&format!("../{name}.json"), &answer.stdout);
    };
    save("old");
    append(&shop, "internal/catalog/catalog.go", "\n// x\n");
    shop.remove("services/cart/main.go");
    shop.write("services/new/main.go", "package main\n\nfunc main() {}\n");
    save("new");
    let answer = shop.run(&["diff", "../old.json", "../new.json", "--exit-code"]);
    assert_eq!(answer.code, 3, "{answer:?}");
    insta::assert_snapshot!("diff", answer.stdout);
    let same = shop.run(&["diff", "../old.json", "../old.json", "--exit-code"]);
    assert_eq!(same.code, 0, "{same:?}");
}
