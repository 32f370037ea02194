//! What an edit makes a builder run again is known before it runs.

use crate::rendering::tree_of;
use rebake_planner::{
    emit::{Build, Forecast, ServiceBuild, ServiceState, predict},
    inputs::ImageInputs,
    path::RepoPath,
    plan::{Plan, PlanOptions, plan},
};
use std::collections::{BTreeMap, BTreeSet};

const CONFIG: &str = "[[service]]\ndir = \"services/api\"\nassets = [\"services/api/motd\"]\n";
const GO_MOD: &str = "module ex.com/shop\n\ngo 1.22\n\nrequire github.com/acme/log v1.0.0\n";
const GO_SUM: &str = "github.com/acme/log v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
const FILES: [(&str, &str); 9] = [
    ("rebake.toml", CONFIG),
    ("go.mod", GO_MOD),
    ("go.sum", GO_SUM),
    (
        "services/api/main.go",
        "package main\n\nimport (\n\t_ \"ex.com/shop/lib\"\n\t_ \"github.com/acme/log\"\n)\n\nfunc main() {}\n",
    ),
    ("services/api/main_windows.go", "package main\n"),
    ("services/api/motd", "hello\n"),
    ("lib/lib.go", "package lib\n"),
    ("lib/lib_test.go", "package lib\n"),
    ("other/other.go", "package other\n"),
];

fn state(plan: &Plan) -> (Box<ServiceBuild>, Vec<&ImageInputs>) {
    let mut builds = plan.builds();
    let Some(Build::Emitted(build)) = builds.pop() else {
        panic!("there is one service: {:?}", plan.diagnostics);
    };
    let inputs = plan.images.iter().map(|image| &image.inputs);
    (build, inputs.collect())
}

/// What becomes of each stage after an edit, stages that stay cached left out.
fn after(edits: &[(&str, &str)]) -> Vec<String> {
    let old: BTreeMap<&str, &str> = FILES.into();
    let mut new = old.clone();
    new.extend(edits.iter().copied());
    let plan_of = |files: &BTreeMap<&str, &str>| {
        let tree = tree_of(files.iter().map(|(path, text)| (*path, *text)));
        plan(&tree, &PlanOptions::new()).unwrap()
    };
    let (old, new) = (plan_of(&old), plan_of(&new));
    let ((old_build, old_inputs), (new_build, new_inputs)) = (state(&old), state(&new));
    let before = ServiceState {
        build: &old_build,
        inputs: old_inputs,
    };
    let after = ServiceState {
        build: &new_build,
        inputs: new_inputs,
    };
    let changed: BTreeSet<RepoPath> = edits
        .iter()
        .map(|(path, _)| RepoPath::new(path).unwrap())
        .collect();
    let prediction = predict(&before, &after, &changed).unwrap();
    let stages = prediction.stages().into_iter();
    stages
        .filter(|(_, forecast)| *forecast != Forecast::Cached)
        .map(|(stage, forecast)| format!("{stage} {forecast}"))
        .collect()
}

/// A name, files that are written anew, and what becomes of stages.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn an_edit_runs_what_sees_it() {
    let follows_build = "final cached, unless build yields something else";
    let cases: [Row<'_>; 8] = [
        ("nothing", &[], &[]),
        (
            "what no build sees",
            &[
                ("README.md", "# Shop\n"),
                ("lib/lib_test.go", "package lib_test\n"),
                ("other/other.go", "package other\n\nvar X = 1\n"),
            ],
            &[],
        ),
        (
            "a source file",
            &[("lib/lib.go", "package lib\n\nvar X = 1\n")],
            &["sources runs", "build runs", "assets runs", follows_build],
        ),
        (
            "a file that is seen and not compiled",
            &[(
                "services/api/main_windows.go",
                "package main\n\nvar x = 1\n",
            )],
            &["sources runs", "build runs", "assets runs"],
        ),
        (
            "an asset",
            &[("services/api/motd", "good morning\n")],
            &["assets runs", "final runs"],
        ),
        (
            "a comment in go.mod",
            &[("go.mod", &format!("{GO_MOD}// The end.\n"))],
            &["manifests runs", "resolve runs", "assets runs"],
        ),
        (
            "another version",
            &[
                ("go.mod", &GO_MOD.replace("1.0.0", "1.0.1")),
                ("go.sum", &GO_SUM.replace("1.0.0", "1.0.1")),
            ],
            &[
                "manifests runs",
                "resolve runs",
                "deps cached, unless resolve yields something else",
                "sources cached, unless resolve yields something else",
                "build cached, unless resolve yields something else",
                "assets runs",
                follows_build,
            ],
        ),
        (
            "another Go image",
            &[(
                "rebake.toml",
                &format!("go-image = \"golang:1.26-alpine\"\n{CONFIG}"),
            )],
            &[
                "base runs",
                "manifests runs",
                "resolve runs",
                "deps runs",
                "sources runs",
                "build runs",
                "assets runs",
                follows_build,
            ],
        ),
    ];
    for (name, edits, expected) in cases {
        assert_eq!(after(edits), expected, "{name}");
    }
}
