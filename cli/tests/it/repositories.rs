//! Repositories of every kind, and broken ones: each is planned, or there is a reason.

use crate::shop::{Answer, Shop};
use serde_json::Value;

fn append(shop: &Shop, path: &str, addition: &str) {
    let path = shop.root().join(path);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, text + addition).unwrap();
}

/// Two commits, of which the second edits a package of `api`.
fn history() -> Shop {
    let shop = Shop::new();
    shop.commit_all();
    append(&shop, "internal/catalog/catalog.go", "\n// x\n");
    shop.commit_all();
    shop
}

fn document(answer: &Answer) -> Value {
    assert_eq!(answer.code, 0, "{answer:?}");
    serde_json::from_str(&answer.stdout).unwrap()
}

fn rebuilt(plan: &Value) -> Vec<&str> {
    let rows = plan["services"].as_array().unwrap();
    rows.iter()
        .filter(|row| row["verdict"] == "rebuild")
        .map(|row| row["name"].as_str().unwrap())
        .collect()
}

const ALL: [&str; 4] = ["api", "cart", "mailer", "worker"];

#[test]
fn a_bare_repository_is_planned_from_its_objects() {
    let shop = history();
    shop.git(&["clone", "--quiet", "--bare", ".", "../bare.git"]);
    let arguments = [
        "plan",
        "--root",
        "../bare.git",
        "--head",
        "main",
        "--base",
        "main~1",
        "--format",
        "json",
    ];
    let plan = document(&shop.run(&arguments));
    assert_eq!(rebuilt(&plan), ["api"]);
}

#[test]
fn a_linked_work_tree_is_planned_like_any_other() {
    let shop = history();
    shop.git(&["worktree", "add", "--quiet", "../linked", "-b", "linked"]);
    shop.write("../linked/services/cart/more.go", "package main\n");
    let arguments = [
        "plan",
        "--root",
        "../linked",
        "--base",
        "main~1",
        "--format",
        "json",
    ];
    let plan = document(&shop.run(&arguments));
    assert_eq!(rebuilt(&plan), ["api", "cart"]);
}

#[test]
fn a_directory_below_the_top_level_is_a_root_of_its_own() {
    let shop = Shop::new();
    std::fs::rename(
        shop.root().join("go.mod"),
        shop.root().join("internal/go.mod"),
    )
    .unwrap();
    shop.write(
        "internal/cmd/tool/main.go",
        "package main\n\nfunc main() {}\n",
    );
    shop.commit_all();
    shop.write("internal/cmd/tool/more.go", "package main\n");
    shop.write("services/api/more.go", "package main\n");
    let arguments = [
        "plan", "--root", "internal", "--base", "HEAD", "--format", "json",
    ];
    let plan = document(&shop.run(&arguments));
    assert_eq!(rebuilt(&plan), ["tool"]);
    // A root that the base does not have yet: every service is new.
    shop.write("fresh/go.mod", "module ex.com/fresh\n\ngo 1.24\n");
    shop.write("fresh/cmd/x/main.go", "package main\n\nfunc main() {}\n");
    let arguments = [
        "plan", "--root", "fresh", "--base", "HEAD", "--format", "json",
    ];
    let plan = document(&shop.run(&arguments));
    assert_eq!(plan["services"][0]["reasons"][0]["kind"], "service-added");
}

#[test]
fn a_commit_whose_objects_are_gone_is_no_base() {
    let shop = history();
    let tree = shop.git(&["rev-parse", "HEAD~1^{tree}"]);
    let object = format!(".git/objects/{}/{}", &tree[..2], &tree[2..]);
    shop.remove(&object);
    let plan = document(&shop.run(&["plan", "--base", "HEAD~1", "--format", "json"]));
    assert_eq!(rebuilt(&plan), ALL);
    let reason = &plan["services"][0]["reasons"][0];
    assert_eq!(reason["kind"], "baseline-unavailable");
    assert!(
        reason["message"].as_str().unwrap().contains(&tree),
        "{reason}"
    );
}

#[test]
fn a_file_of_the_base_that_is_gone_rebuilds_the_services_that_had_it() {
    let shop = history();
    let blob = shop.git(&["rev-parse", "HEAD~1:internal/catalog/catalog.go"]);
    shop.remove(&format!(".git/objects/{}/{}", &blob[..2], &blob[2..]));
    let plan = document(&shop.run(&["plan", "--base", "HEAD~1", "--format", "json"]));
    assert_eq!(rebuilt(&plan), ["api"]);
    let reason = &plan["services"][0]["reasons"][0];
    assert_eq!(reason["kind"], "baseline-uncertain");
    let codes = reason["codes"].as_array().unwrap();
    assert!(codes.contains(&"unreadable".into()), "{reason}");
}

#[test]
fn a_partial_clone_compares_what_it_has() {
    let shop = history();
    shop.git(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", shop.root().display());
    shop.git(&["clone", "--quiet", "--filter=blob:none", &url, "../partial"]);
    let arguments = [
        "plan",
        "--root",
        "../partial",
        "--base",
        "HEAD~1",
        "--format",
        "json",
    ];
    let plan = document(&shop.run(&arguments));
    // The one old file that it lacks is that of the edit; all others are as they are now.
    assert_eq!(rebuilt(&plan), ["api"]);
}

#[test]
fn a_repository_that_can_t_be_read_is_planned_as_a_directory_and_compared_with_nothing() {
    let shop = Shop::new();
    shop.git(&["init", "--quiet", "--object-format=sha256"]);
    shop.git(&["add", "--all"]);
    shop.git(&["commit", "--quiet", "--message=x"]);
    let plain = document(&shop.run(&["plan", "--format", "json"]));
    assert_eq!(rebuilt(&plain), ALL);
    assert_eq!(plain["root"]["vcs"], "none");
    assert_eq!(plain["diagnostics"][0]["code"], "unreadable-repository");
    let plan = document(&shop.run(&["plan", "--base", "HEAD", "--format", "json"]));
    assert_eq!(rebuilt(&plan), ALL);
    let reason = &plan["services"][0]["reasons"][0];
    assert_eq!(reason["kind"], "baseline-unavailable");
    assert!(
        reason["message"].as_str().unwrap().contains("SHA-256"),
        "{reason}"
    );
    let head = shop.run(&["plan", "--head", "HEAD"]);
    assert_eq!(head.code, 1, "{head:?}");
    assert!(head.stderr.contains("SHA-256"), "{head:?}");
}

#[test]
fn the_answer_of_another_repository_is_no_base_for_reuse() {
    let shop = Shop::new();
    let answer = shop.run(&["inputs", "--format", "json"]);
    shop.write("../shop.json", &answer.stdout);
    let other = Shop::new();
    append(&other, "go.mod", "\ngodebug http2client=0\n");
    let path = shop.root().join("../shop.json");
    let arguments = [
        "plan",
        "--baseline",
        path.to_str().unwrap(),
        "--format",
        "json",
    ];
    let plan = document(&other.run(&arguments));
    assert_eq!(rebuilt(&plan), ALL);
}
