//! `rebake init` writes a file that changes nothing, and that can be edited from there.

use crate::shop::Shop;

fn keys(shop: &Shop) -> Vec<(String, String)> {
    let answer = shop.run(&["plan", "--format", "json"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let plan: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(plan["diagnostics"], serde_json::json!([]));
    let rows = plan["services"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| (text(&row["name"]), text(&row["key"])))
        .collect()
}

#[test]
fn the_file_says_what_is_and_changes_nothing() {
    let shop = Shop::new();
    let before = keys(&shop);
    let answer = shop.run(&["init"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.stdout.starts_with("wrote "), "{answer:?}");
    let text = std::fs::read_to_string(shop.root().join("rebake.toml")).unwrap();
    insta::assert_snapshot!("rebake_toml", text);
    assert_eq!(keys(&shop), before);
    // The services that it lists are those that there are.
    let is_of_a_service = |line: &&str| {
        ["[[service]]", "dir =", "name =", "assets =", "inputs ="]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let services: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(is_of_a_service)
        .collect();
    shop.write("rebake.toml", &services.join("\n"));
    assert_eq!(keys(&shop), before);
}

#[test]
fn main_packages_that_are_left_out_are_named() {
    let shop = Shop::new();
    let program = "package main\n\nfunc main() {}\n";
    shop.write("tools/release/main.go", program);
    shop.write("main.go", program);
    let text = shop.run(&["init", "--print"]).stdout;
    let told = "# Main packages that they leave out:\n#   \".\"\n#   \"tools/release\"\n\n";
    assert!(text.contains(told), "{text}");
}

#[test]
fn a_dockerfile_beside_a_main_package_can_be_kept() {
    let shop = Shop::new();
    let dockerfile = "FROM golang:1.26 AS build\nCOPY . .\nRUN CGO_ENABLED=0 go build -o /x .\nFROM scratch\nCOPY --from=build /x /x\n";
    shop.write("services/api/Dockerfile", dockerfile);
    shop.write("services/alone/go.mod", "module ex.com/alone\n\ngo 1.24\n");
    shop.write("services/alone/main.go", "package main\n\nfunc main() {}\n");
    shop.write("services/alone/Dockerfile", dockerfile);
    shop.write("services/cart/Dockerfile/x", "");
    let text = shop.run(&["init", "--print"]).stdout;
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("# dockerfile") || line.starts_with("# context"))
        .collect();
    let lines = [
        "# dockerfile = \"services/alone/Dockerfile\" # for a service that keeps its own",
        "# context = \"services/alone\" # where that is built from this directory and not from the root",
        "# dockerfile = \"services/api/Dockerfile\" # for a service that keeps its own",
    ];
    assert_eq!(kept, lines);
    let services: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != "# [[service]]")
        .filter_map(|line| line.strip_prefix("# "))
        .collect();
    shop.write("rebake.toml", &services.join("\n"));
    let inputs = shop.run(&["inputs", "--format", "json"]);
    assert_eq!(inputs.code, 0, "{inputs:?}");
    assert_eq!(inputs.stdout.matches("\"kind\": \"dockerfile\"").count(), 2);
}

#[test]
fn a_directory_that_holds_all_services_can_be_left_out_of_their_names() {
    let shop = Shop::empty();
    shop.write("go.mod", "module ex.com/a\n\ngo 1.24\n");
    let program = "package main\n\nfunc main() {}\n";
    shop.write("src/web/front/main.go", program);
    shop.write("src/api/main.go", program);
    let text = shop.run(&["init", "--print"]).stdout;
    let hint = "services = [\"**\"]\n# services = [\"src/**\"] # the same with shorter names: \"src-api\" becomes \"api\"\n";
    assert!(text.contains(hint), "{text}");
    shop.write("tools/main.go", program);
    let text = shop.run(&["init", "--print"]).stdout;
    assert!(!text.contains("shorter names"), "{text}");
}

#[test]
fn where_there_is_no_service_no_glob_is_chosen() {
    let shop = Shop::empty();
    shop.write("go.mod", "module ex.com/a\n\ngo 1.24\n");
    assert_eq!(shop.run(&["init"]).code, 0);
    let answer = shop.run(&["plan"]);
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""), "{answer:?}");
}

#[test]
fn what_is_there_is_not_overwritten() {
    let shop = Shop::new();
    shop.write("rebake.toml", "cgo = false\n");
    let answer = shop.run(&["init"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.contains("already"), "{answer:?}");
    let text = std::fs::read_to_string(shop.root().join("rebake.toml")).unwrap();
    assert_eq!(text, "cgo = false\n");
    assert_eq!(shop.run(&["init", "--print"]).code, 0);
}

#[test]
fn names_of_a_hostile_repository_stay_in_their_strings() {
    let shop = Shop::new();
    shop.write(
        "services/a\"\n[x]/main.go",
        "package main\n\nfunc main() {}\n",
    );
    let text = shop.run(&["init", "--print"]).stdout;
    assert!(text.lines().all(|line| !line.starts_with("[x]")), "{text}");
    shop.write("rebake.toml", &text);
    let answer = shop.run(&["plan"]);
    assert!(!answer.stderr.contains("rebake.toml"), "{answer:?}");
}

#[cfg(unix)]
#[test]
fn everybody_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let shop = Shop::new();
    shop.run(&["init"]);
    let ordinary = shop.root().join("ordinary");
    std::fs::write(&ordinary, "").unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&shop.root().join("rebake.toml")), mode(&ordinary));
}
