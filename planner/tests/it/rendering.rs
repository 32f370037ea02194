//! Trees from rows, and plans as text that a test can compare.

use rebake_planner::{
    path::RepoPath,
    plan::{Plan, PlanError, PlanOptions, plan},
    tree::{SourceTree, memory::MemoryTree},
    wire::{GraphDocument, InputsDocument, PlanDocument, Root},
};
use std::fmt::Write as _;

/// A tree in memory of these files.
pub(crate) fn tree_of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> MemoryTree {
    let mut tree = MemoryTree::new();
    for (path, content) in files {
        tree.set(&RepoPath::new(path).expect("a clean path"), content)
            .expect("a path below the root");
    }
    tree
}

/// A service `api` that imports a package `lib` of its own module.
pub(crate) const SOUND: [(&str, &str); 3] = [
    ("go.mod", "module ex.com/shop\n\ngo 1.22\n"),
    (
        "services/api/main.go",
        "package main\n\nimport _ \"ex.com/shop/lib\"\n\nfunc main() {}\n",
    ),
    ("lib/lib.go", "package lib\n"),
];

/// The sound tree with these files added or replaced.
pub(crate) fn sound_but<'a>(changes: impl IntoIterator<Item = (&'a str, &'a str)>) -> MemoryTree {
    tree_of(SOUND.into_iter().chain(changes))
}

/// Everything that programs can read of a plan, as one text.
pub(crate) fn documents(tree: &dyn SourceTree, options: &PlanOptions) -> String {
    match plan(tree, options) {
        Ok(plan) => documents_of(&plan),
        Err(error) => format!("{error:?}"),
    }
}

/// Everything that programs can read of a plan that is there, as one text.
pub(crate) fn documents_of(plan: &Plan) -> String {
    let root = Root::without_version_control;
    [
        serde_json::to_string_pretty(&PlanDocument::new(plan, root(), None)),
        serde_json::to_string_pretty(&InputsDocument::new(plan, root())),
        serde_json::to_string_pretty(&GraphDocument::new(plan, root(), None)),
    ]
    .map(|document| document.expect("documents serialise"))
    .join("\n")
}

/// One line for each image, then one for each diagnostic.
pub(crate) fn render(tree: &dyn SourceTree) -> String {
    match plan(tree, &PlanOptions::new()) {
        Ok(plan) => render_plan(&plan),
        Err(PlanError::Config(diagnostics)) => {
            let mut text = "no plan\n".to_owned();
            for diagnostic in &diagnostics {
                render_diagnostic(&mut text, diagnostic);
            }
            text
        }
        Err(error) => format!("no plan: {error}\n"),
    }
}

pub(crate) fn render_plan(plan: &Plan) -> String {
    let mut text = String::new();
    for image in &plan.images {
        let key = match image.keys {
            Some(_) => "has a key",
            None => "has no key",
        };
        let _ = writeln!(text, "{} {key}", image.inputs.service);
    }
    for diagnostic in &plan.diagnostics {
        render_diagnostic(&mut text, diagnostic);
    }
    text
}

fn render_diagnostic(text: &mut String, diagnostic: &rebake_planner::diagnostic::Diagnostic) {
    let severity = format!("{:?}", diagnostic.severity).to_lowercase();
    let _ = write!(text, "{severity}[{}]", diagnostic.code);
    if let Some(path) = &diagnostic.path {
        let _ = write!(text, " {path}");
    }
    if let Some(position) = diagnostic.position {
        let _ = write!(text, ":{position}");
    }
    let _ = write!(text, ": {}", diagnostic.message);
    if !diagnostic.services.is_empty() {
        let _ = write!(text, " ({})", diagnostic.services.join(", "));
    }
    text.push('\n');
}
