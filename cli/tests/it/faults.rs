//! What users are told when something is wrong.

use crate::shop::Shop;

#[test]
fn every_fault_of_the_configuration_is_shown_with_its_place() {
    let shop = Shop::new();
    shop.write(
        "rebake.toml",
        "platfroms = [\"linux/amd64\"]\ngo = \"one\"\n\n[[service]]\ndir = \"../outside\"\n",
    );
    let answer = shop.run(&["plan"]);
    assert_eq!(answer.code, 1);
    assert_eq!(answer.stdout, "");
    insta::assert_snapshot!(answer.stderr);
}

#[test]
fn an_unknown_name_is_answered_with_what_was_meant_or_with_those_that_exist() {
    let shop = Shop::new();
    shop.write("tools/release/main.go", "package main\n\nfunc main() {}\n");
    let cases: [(&[&str], &str); 8] = [
        (
            &["inputs", "cartt"],
            "there is no service `cartt`; did you mean `cart`?",
        ),
        (
            &["inputs", "payments"],
            "there is no service `payments`; there are api, cart, mailer, worker",
        ),
        (
            &["inputs", "release", "--services", "**"],
            "there is no service `release`; did you mean `tools-release`?",
        ),
        (
            &["inputs", "api", "--services", "x"],
            "there is no service `api`; this plan has no service at all",
        ),
        (
            &["man", "pln"],
            "there is no verb `pln`; did you mean `plan`?",
        ),
        (
            &["man", "ci", "githob"],
            "there is no verb `githob`; did you mean `github`?",
        ),
        (
            &["man", "plan", "x"],
            "there is no verb `x`; that one has none of its own",
        ),
        (
            &["explain", "untracked_input"],
            "no diagnostic has that code; did you mean `untracked-input`?",
        ),
    ];
    for (arguments, message) in cases {
        let answer = shop.run(arguments);
        assert_eq!(answer.code, 2, "{answer:?}");
        let last = answer
            .stderr
            .lines()
            .find(|line| line.starts_with("error: "));
        assert!(last.unwrap().ends_with(message), "{answer:?}");
    }
}

#[test]
fn a_path_that_does_not_exist_has_no_standing() {
    let shop = Shop::new();
    shop.commit_all();
    for arguments in [
        &["why", "--path", "internal/nope.go"][..],
        &["why-not", "mailer", "internal/nope.go"],
        &["why-not", "mailer", "internal/nope.go", "--head", "HEAD"],
    ] {
        let answer = shop.run(arguments);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert_eq!(answer.stdout, "");
        let message = "there is no file or directory `internal/nope.go` below the root";
        assert!(answer.stderr.contains(message), "{answer:?}");
    }
    // What was removed is among what changed, a directory too.
    shop.remove("internal/money/money_test.go");
    for path in ["internal/money/money_test.go", "internal"] {
        let answer = shop.run(&["why-not", "mailer", path, "--base", "HEAD"]);
        assert_eq!(answer.code, 0, "{answer:?}");
    }
}

#[test]
fn a_glob_that_is_none_is_named() {
    let answer = Shop::new().run(&["plan", "--services", "services/["]);
    insta::assert_snapshot!(answer.stderr, @"error: `services/[` is no glob: unclosed character class; missing ']'");
}

#[test]
fn a_commit_needs_a_checkout() {
    let answer = Shop::new().run(&["plan", "--root", ".", "--head", "main"]);
    insta::assert_snapshot!(answer.stderr, @"error: --head needs a git checkout, and . is in none");
}

#[test]
fn a_fault_in_a_go_file_leaves_the_services_that_need_it_without_a_key() {
    let shop = Shop::new();
    shop.write("internal/auth/auth.go", "package auth\n\nimport \"fmt\n");
    let answer = shop.run(&["plan"]);
    assert_eq!(answer.code, 0);
    insta::assert_snapshot!(answer.stderr);
    let row = |service: &str| {
        let start = format!("  {service} ");
        let row = answer.stdout.lines().find(|line| line.starts_with(&start));
        row.unwrap().to_owned()
    };
    assert!(row("api").contains("unknown"), "{}", answer.stdout);
    assert!(!row("mailer").contains("unknown"), "{}", answer.stdout);
}

#[test]
fn a_plan_without_services_says_what_is_missing() {
    let empty = Shop::empty();
    empty.write("rebake.toml", "");
    let library = Shop::empty();
    library.write("go.mod", "module ex.com/a\n\ngo 1.24\n");
    library.write("a.go", "package a\n");
    let shop = Shop::new();
    let cases: [(&Shop, &[&str], &str); 3] = [
        (
            &empty,
            &["plan", "--root", "."],
            "no services: there is no go.mod at the root or below it",
        ),
        (
            &library,
            &["plan"],
            "no services: there is no main package in 1 module",
        ),
        (
            &shop,
            &["plan", "--services", "apps/*"],
            "no services: no services glob matches one of 4 main packages",
        ),
    ];
    for (shop, arguments, message) in cases {
        let answer = shop.run(arguments);
        assert_eq!(answer.code, 0, "{answer:?}");
        assert!(answer.stdout.contains(message), "{answer:?}");
    }
}

#[test]
fn who_asks_about_one_service_is_told_nothing_of_others() {
    let shop = Shop::new();
    shop.write("internal/auth/auth.go", "package auth\n\nimport \"fmt\n");
    for arguments in [&["inputs", "mailer"][..], &["graph", "mailer"]] {
        assert_eq!(shop.run(arguments).stderr, "", "{arguments:?}");
    }
    assert!(shop.run(&["inputs", "api"]).stderr.contains("auth.go:3:8"));
    assert!(shop.run(&["inputs"]).stderr.contains("auth.go:3:8"));
}
