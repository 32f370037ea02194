//! Third-party code that may import packages of the tree, where its sources can't be seen.

use crate::rendering::tree_of;
use rebake_planner::{
    diagnostic::Code,
    file_kind::FileKind,
    plan::{PlanOptions, plan},
};

/// A service with third-party code, whose go.mod requires the module `events` of the tree indirectly; and a library of
/// the tree, which may require it directly.
fn back_edges(service_requires: &str, library_requires: &str) -> Vec<String> {
    let go_mod = format!(
        "module ex.com/api\n\ngo 1.24\n\nrequire (\n\tex.org/queue v1.0.0\n\tex.com/lib v0.0.0\n{service_requires})\n\nreplace (\n\tex.com/events => ../events\n\tex.com/lib => ../lib\n)\n"
    );
    let library = format!("module ex.com/lib\n\ngo 1.20\n{library_requires}");
    let sum = "h1:MHc5BpPuC30uJk597Ri8TV3CNZcTLu6B6z4lJy+g6Jw=";
    let sums = format!("ex.org/queue v1.0.0 {sum}\nex.org/queue v1.0.0/go.mod {sum}\n");
    let tree = tree_of([
        ("api/go.mod", go_mod.as_str()),
        ("api/go.sum", sums.as_str()),
        (
            "api/main.go",
            "package main\n\nimport (\n\t_ \"ex.com/lib\"\n\t_ \"ex.org/queue\"\n)\n\nfunc main() {}\n",
        ),
        ("lib/go.mod", library.as_str()),
        ("lib/lib.go", "package lib\n"),
        ("events/go.mod", "module ex.com/events\n\ngo 1.20\n"),
        ("events/events.go", "package events\n"),
        ("events/deep/deep.go", "package deep\n"),
        ("events/events_test.go", "package events\n"),
    ]);
    let planned = plan(&tree, &PlanOptions::new()).unwrap();
    assert_eq!(planned.images.len(), 1);
    assert!(
        planned.images[0].keys.is_some(),
        "{:#?}",
        planned.diagnostics
    );
    let files = planned.images[0].inputs.files.iter();
    files
        .filter(|file| file.kind == FileKind::BackEdge)
        .map(|file| file.path.to_string())
        .collect()
}

const INDIRECT: &str = "\tex.com/events v0.0.0 // indirect\n";
const WHOLE: [&str; 2] = ["events/deep/deep.go", "events/events.go"];

#[test]
fn a_module_that_only_third_party_code_can_require_counts_whole() {
    assert_eq!(back_edges(INDIRECT, ""), WHOLE);
}

#[test]
fn a_module_that_another_of_the_tree_requires_is_explained_by_that() {
    let directly = "\nrequire ex.com/events v0.0.0\n";
    assert!(back_edges(INDIRECT, directly).is_empty());
    // What is indirect there too explains nothing.
    let indirectly = "\nrequire ex.com/events v0.0.0 // indirect\n";
    assert_eq!(back_edges(INDIRECT, indirectly), WHOLE);
}

#[test]
fn a_module_that_is_required_directly_is_followed_by_its_imports() {
    assert!(back_edges("\tex.com/events v0.0.0\n", "").is_empty());
    assert!(back_edges("", "").is_empty());
}

/// Whether a service that links a module of its own organisation is told of possible back edges.
fn is_noted(config: &str) -> bool {
    let sum = "h1:MHc5BpPuC30uJk597Ri8TV3CNZcTLu6B6z4lJy+g6Jw=";
    let module = "github.com/acme/queue v1.0.0";
    let tree = tree_of([
        (
            "go.mod",
            format!("module github.com/acme/shop\n\ngo 1.24\n\nrequire {module}\n").as_str(),
        ),
        (
            "go.sum",
            format!("{module} {sum}\n{module}/go.mod {sum}\n").as_str(),
        ),
        (
            "cmd/api/main.go",
            "package main\n\nimport _ \"github.com/acme/queue\"\n\nfunc main() {}\n",
        ),
        ("rebake.toml", config),
    ]);
    let planned = plan(&tree, &PlanOptions::new()).unwrap();
    let diagnostics = planned.diagnostics.iter();
    let codes: Vec<Code> = diagnostics.map(|found| found.code).collect();
    assert!(
        codes.iter().all(|code| *code == Code::PossibleBackEdge),
        "{codes:?}"
    );
    !codes.is_empty()
}

#[test]
fn a_module_of_the_same_organisation_is_noted_until_it_is_settled() {
    assert!(is_noted(""));
    assert!(!is_noted("back-edges = []"));
    assert!(!is_noted("back-edges = [\"github.com/acme/shop/cmd/api\"]"));
    assert!(!is_noted("[[service]]\ndir = \"cmd/api\"\nback-edges = []"));
    assert!(is_noted("[[service]]\ndir = \"cmd/api\"\ntags = []"));
}

#[test]
fn each_build_list_is_noted_once_at_its_own_manifest() {
    let sum = "h1:MHc5BpPuC30uJk597Ri8TV3CNZcTLu6B6z4lJy+g6Jw=";
    let sums = |modules: &[&str]| -> String {
        let lines = modules.iter();
        lines
            .map(|module| format!("{module} v1.0.0 {sum}\n{module} v1.0.0/go.mod {sum}\n"))
            .collect()
    };
    let main =
        |imports: &str| format!("package main\n\nimport (\n{imports})\n\nfunc main() {{}}\n");
    let own = "github.com/acme/queue";
    // Its own modules are of another organisation than the library that replaces one.
    let librarys = "github.com/tools/retry";
    let replace = "replace github.com/tools/lib => ../lib\n";
    let [api_mod, cron_mod, web_mod] = [
        format!("module github.com/acme/api\n\ngo 1.24\n\nrequire {own} v1.0.0\n"),
        format!(
            "module ex.com/cron\n\ngo 1.24\n\nrequire (\n\t{librarys} v1.0.0\n\tgithub.com/tools/lib v0.0.0\n)\n\n{replace}"
        ),
        format!("module ex.com/web\n\ngo 1.24\n\nrequire {librarys} v1.0.0\n"),
    ];
    let [api_sum, cron_sum] = [sums(&[own]), sums(&[librarys])];
    let api = main(&format!("\t_ \"{own}\"\n"));
    let cron = main(&format!(
        "\t_ \"{librarys}\"\n\t_ \"github.com/tools/lib\"\n"
    ));
    let web = main(&format!("\t_ \"{librarys}\"\n"));
    let tree = tree_of([
        ("api/go.mod", api_mod.as_str()),
        ("api/go.sum", &api_sum),
        ("api/cmd/a/main.go", &api),
        ("api/cmd/b/main.go", &api),
        ("cron/go.mod", &cron_mod),
        ("cron/go.sum", &cron_sum),
        ("cron/main.go", &cron),
        ("lib/go.mod", "module github.com/tools/lib\n\ngo 1.20\n"),
        ("lib/lib.go", "package lib\n"),
        ("web/go.mod", &web_mod),
        ("web/go.sum", &cron_sum),
        ("web/main.go", &web),
    ]);
    let mut options = PlanOptions::new();
    options.platforms = vec![
        "linux/amd64".parse().unwrap(),
        "linux/arm64".parse().unwrap(),
    ];
    let planned = plan(&tree, &options).unwrap();
    let notes: Vec<String> = planned
        .diagnostics
        .iter()
        .map(|found| {
            let path = found.path.as_ref().unwrap();
            format!("{path} {}: {}", found.code, found.services.join(" "))
        })
        .collect();
    assert_eq!(
        notes,
        [
            "api/go.mod possible-back-edge: api-cmd-a api-cmd-b",
            "cron/go.mod possible-back-edge: cron",
        ]
    );
}
