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
fn an_unknown_service_is_answered_with_those_that_exist() {
    let answer = Shop::new().run(&["inputs", "cartt"]);
    insta::assert_snapshot!(answer.stderr, @"error: there is no service `cartt`; there are api, cart, mailer, worker");
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
