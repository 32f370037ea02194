//! The stages run one way, and what belongs to one stage stays there.
//!
//! The test reads the paths that the library's modules name, so a module that reaches back to a later stage fails
//! here, and so does a module without a place in the order. Unit tests may use everything.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The modules in the order of the stages. The longest entry that a path starts with is its place; what stands on one
/// line may know one another.
const ORDER: &[&[&str]] = &[
    // The words that all stages share.
    &[
        "path",
        "concurrent_map",
        "file_kind",
        "spelling",
        "standard_library",
    ],
    &["diagnostic"],
    &["go_version", "module_path", "module_version"],
    &[
        "discover::path_glob",
        "discover::context_pattern",
        "discover::service_name",
    ],
    // A build tag has the syntax of a constraint's.
    &["parse::constraint"],
    &["target"],
    // An image is named after the Go release.
    &["recipe"],
    &["tree"],
    // Objects, commits, what the index says, what differs from it; in the end whole checkouts.
    &[
        "tree::git::objects",
        "tree::git::attributes",
        "tree::git::discovery",
        "tree::git::lfs",
    ],
    &["tree::git::error"],
    &["tree::git::tree"],
    &["tree::git::repository"],
    &["tree::git::stamp", "tree::git::work_tree"],
    &["tree::git::status"],
    &["tree::git::staged"],
    &["tree::git"],
    &["digest"],
    &["parse"],
    &["config"],
    // Each file of a tree, read and parsed once for all of the next stages.
    &["sources"],
    &["package"],
    &["discover"],
    &["graph"],
    &["inputs"],
    &["hash"],
    &["decide"],
    &["emit"],
    &["plan"],
    &["wire"],
];

/// What only some modules may name, and which.
const PRIVATE: &[(&str, &[&str])] = &[
    ("nom::", &["parse"]),
    ("petgraph::", &["graph"]),
    ("gix::", &["tree::git"]),
    ("rustix::", &["tree::disk", "tree::git::status"]),
    ("std::fs", &["tree"]),
    ("toml::", &["config"]),
    (
        "globset::",
        &["discover::path_glob", "discover::context_pattern"],
    ),
    // Nothing may: the library neither reads the environment, nor starts processes, nor reaches out.
    ("std::env", &[]),
    ("std::process", &[]),
    ("std::net", &[]),
    ("std::time::SystemTime", &[]),
];

#[test]
fn no_stage_knows_a_later_one() {
    let mut backward = Vec::new();
    for module in modules() {
        backward.extend(
            backward_edges(&module.path, &module.code)
                .into_iter()
                .map(|edge| format!("{}: {edge}", module.path)),
        );
    }
    assert!(
        backward.is_empty(),
        "the stages run one way; these paths lead back:\n{}",
        backward.join("\n")
    );
}

#[test]
fn what_belongs_to_one_stage_is_named_there_only() {
    let modules = modules();
    for (name, owners) in PRIVATE {
        for module in &modules {
            let is_owner = owners.iter().any(|owner| starts_with(&module.path, owner));
            assert!(
                is_owner || !names(&module.code, name),
                "{} names {name}, which only {owners:?} may",
                module.path
            );
        }
        for owner in *owners {
            let is_used = modules
                .iter()
                .any(|module| starts_with(&module.path, owner) && names(&module.code, name));
            assert!(is_used, "{owner} may name {name}, and does not");
        }
    }
}

#[test]
fn every_place_in_the_order_is_a_module() {
    let modules = modules();
    for place in ORDER.concat() {
        assert!(
            modules
                .iter()
                .any(|module| starts_with(&module.path, place)),
            "there is no module {place}"
        );
    }
}

#[test]
fn a_path_that_leads_back_is_found() {
    let cases = [
        ("parse::go_mod", "use crate::graph::load;", 1),
        (
            "parse::go_mod",
            "use crate::{path::RepoPath, graph::load};",
            1,
        ),
        (
            "parse::go_mod",
            "use crate::{\n    diagnostic::{Code, Fault},\n    plan,\n    hash::Key,\n};",
            2,
        ),
        ("parse::go_mod", "fn f() { crate::inputs::f() }", 1),
        ("parse::go_mod", "use super::super::graph;", 1),
        (
            "discover",
            "use self::services::x; use crate::nowhere::x;",
            1,
        ),
        ("target", "use crate::parse::go_mod::GoMod;", 1),
        ("target", "crate::parse::constraint::is_tag(text)", 0),
        (
            "graph::load",
            "use crate::{parse::go_mod::GoMod, path::RepoPath};",
            0,
        ),
        ("graph::load", "use super::resolve::Resolution;", 0),
        (
            "graph::load",
            "// use crate::plan::Plan;\n/// [`crate::plan`]",
            0,
        ),
        (
            "graph::load",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::plan::plan;\n}",
            0,
        ),
    ];
    for (module, code, expected) in cases {
        let found = backward_edges(module, &without_comments_and_tests(code));
        assert_eq!(found.len(), expected, "{module}: {code}: {found:?}");
    }
}

/// A module of the library, without its comments and unit tests.
struct Module {
    path: String,
    code: String,
}

fn modules() -> Vec<Module> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let modules: Vec<Module> = files
        .iter()
        .map(|file| {
            let relative = file.strip_prefix(&root).unwrap().with_extension("");
            let elements: Vec<&str> = relative.iter().map(|name| name.to_str().unwrap()).collect();
            Module {
                path: elements.join("::"),
                code: without_comments_and_tests(&fs::read_to_string(file).unwrap()),
            }
        })
        .filter(|module| {
            module.path != "lib" && !module.path.split("::").any(|name| name == "tests")
        })
        .collect();
    assert!(modules.len() > 20, "the library has moved");
    modules
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn without_comments_and_tests(source: &str) -> String {
    let code = source
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n");
    match code.find("#[cfg(test)]\nmod tests") {
        Some(end) => code[..end].to_owned(),
        None => code,
    }
}

/// The paths of a module that lead to a later stage, or to a module without a place.
fn backward_edges(module: &str, code: &str) -> BTreeSet<String> {
    let Some(own) = place(module) else {
        return BTreeSet::from(["has no place in the order of the stages".to_owned()]);
    };
    paths(module, code)
        .into_iter()
        .filter(|path| !starts_with(path, module) && place(path).is_none_or(|place| place > own))
        .collect()
}

/// Where a path stands in the order.
fn place(path: &str) -> Option<usize> {
    ORDER
        .iter()
        .enumerate()
        .flat_map(|(place, modules)| modules.iter().map(move |module| (place, module)))
        .filter(|(_, module)| starts_with(path, module))
        .max_by_key(|(_, module)| module.len())
        .map(|(place, _)| place)
}

fn starts_with(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether code names a path of another crate, and not one that merely ends like it.
fn names(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        before.is_none_or(|character| !is_part_of_name(character) && character != ':')
    })
}

/// The paths that a module names by `crate` or `super`, from the root of the crate.
fn paths(module: &str, code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for keyword in ["crate::", "super::"] {
        for (start, _) in code.match_indices(keyword) {
            let before = code[..start].chars().next_back();
            if before.is_some_and(|character| is_part_of_name(character) || character == ':') {
                continue;
            }
            let mut base: Vec<&str> = if keyword == "super::" {
                module.split("::").collect()
            } else {
                Vec::new()
            };
            let mut rest = &code[start..];
            while let Some(after) = rest.strip_prefix("super::") {
                base.pop();
                rest = after;
            }
            rest = rest.strip_prefix("crate::").unwrap_or(rest);
            add_paths(&base.join("::"), rest, &mut found);
        }
    }
    found
}

/// Adds the paths of a `use` tree below `base`, and returns what follows the tree.
fn add_paths<'code>(base: &str, code: &'code str, found: &mut BTreeSet<String>) -> &'code str {
    let code = code.trim_start();
    if let Some(mut rest) = code.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches(|character: char| {
                character.is_whitespace() || character == ','
            });
            match rest.strip_prefix('}') {
                Some(rest) => return rest,
                None if rest.is_empty() => return rest,
                None => {
                    let after = add_paths(base, rest, found);
                    // `x as y` and `*`: what follows a name says nothing about where it leads.
                    rest = after.trim_start_matches(|character| !matches!(character, ',' | '}'));
                }
            }
        }
    }
    let end = code
        .find(|character| !is_part_of_name(character))
        .unwrap_or(code.len());
    let (name, rest) = code.split_at(end);
    let path = match (base, name) {
        (_, "self" | "") => base.to_owned(),
        ("", _) => name.to_owned(),
        _ => format!("{base}::{name}"),
    };
    match rest.strip_prefix("::") {
        Some(rest) => add_paths(&path, rest, found),
        None => {
            if !path.is_empty() {
                found.insert(path);
            }
            rest
        }
    }
}

fn is_part_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
