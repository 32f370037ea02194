//! Bad input is told with a code, a place and what to do; nothing panics, hangs, or takes more than its length.

use crate::rendering::{render, sound_but, tree_of};
use rebake_planner::{
    plan::{PlanOptions, plan},
    tree::{TreeErrorKind, memory::MemoryTree},
};
use std::fmt::Write as _;

#[test]
fn a_broken_manifest_is_told_with_every_fault() {
    insta::assert_snapshot!(render(&sound_but([("go.mod", "module ex.com/shop\n\ngo 1.22\nrequire (\n\tex.com/a\n\tex.com/b v1.x\n\tex.com/c v1.0.0 \"\n)\nfrobnicate now\n")])), @"
    api has no key
    error[invalid-value] go.mod:5:2: write it as `require module/path v1.2.3` (api)
    error[invalid-value] go.mod:6:2: `v1.x` is no version; write it as v1.2.3 (api)
    error[syntax] go.mod:7:18: the string is not closed on its line (api)
    error[unknown-directive] go.mod:9:1: unknown directive `frobnicate` (api)
    ");
    insta::assert_snapshot!(render(&sound_but([("go.work", "go 1.22\nuse (\n\t.\n\t./gone\n\t../outside\n)\nuse (\n")])), @"
    api has no key
    error[missing-module] go.work:4:2: `gone` has no readable go.mod, which Go refuses; remove the line or add the module (api)
    error[outside-root] go.work:5:2: `../outside` leads out of the root: files outside the root can't be planned (api)
    error[syntax] go.work:7:1: the block is never closed; add a line with `)` (api)
    ");
    insta::assert_snapshot!(render(&sound_but([("go.sum", "ex.com/a v1.0.0 h1:x=\nex.com/b v1.0.0\n")])), @"
    api has no key
    error[syntax] go.sum:2:1: a line has three fields, and this one 2; restore the file or run `go mod tidy` (api)
    ");
    insta::assert_snapshot!(render(&sound_but([("vendor/modules.txt", "# ex.com/a v1.0.0\n## explicit\nex.com/a\n# ex.com/b\n")])), @"
    api has no key
    error[inconsistent-vendoring] vendor/modules.txt:1:1: `ex.com/a v1.0.0` is marked as explicit, but required in no go.mod; run `go mod vendor` (`go work vendor` in a workspace) (api)
    ");
}

#[test]
fn a_broken_go_file_is_told_with_its_place() {
    insta::assert_snapshot!(render(&sound_but([("lib/lib.go", "package lib\n\nimport (\n\t\"fmt\n)\n")])), @"
    api has no key
    error[syntax] lib/lib.go:4:2: a literal in quotes is not closed on its line (api)
    ");
    insta::assert_snapshot!(render(&sound_but([("lib/lib.go", "pakcage lib\n")])), @"
    api has no key
    error[syntax] lib/lib.go:1:1: expected `package`, found `pakcage` (api)
    ");
    insta::assert_snapshot!(render(&sound_but([("lib/lib.go", "//go:build linux &&\n\npackage lib\n")])), @"
    api has no key
    error[no-go-files] lib: build constraints exclude all Go files of `ex.com/shop/lib` for linux/amd64 (api)
    error[syntax] lib/lib.go:1:1: parsing the //go:build line: unexpected end of expression (api)
    ");
    insta::assert_snapshot!(render(&sound_but([("lib/lib.go", "package lib\n\nimport \"C\"\n"), ("lib/lib_windows.go", "package lib\n")])), @r#"
    api has no key
    error[no-go-files] lib: build constraints exclude all Go files of `ex.com/shop/lib` for linux/amd64 without cgo; set `cgo = true`, or give the package a file that imports no "C" (api)
    "#);
    insta::assert_snapshot!(render(&sound_but([("services/api/main.go", "pakcage main\n")])), @"
    api has no key
    error[syntax] services/api/main.go:1:1: expected `package`, found `pakcage` (api)
    ");
}

#[test]
fn a_broken_configuration_is_no_plan() {
    insta::assert_snapshot!(render(&sound_but([("rebake.toml", "sevices = [\"services/**\"]\ncgo = \"yes\"\n\n[[service]]\nname = \"API\"\n")])), @"
    no plan
    error[unknown-key] rebake.toml:1:1: unknown key `sevices`; did you mean `services`?
    error[invalid-value] rebake.toml:2:7: `cgo` is true or false, not a value of type string
    error[invalid-value] rebake.toml:4:1: a [[service]] needs `dir`, the directory of its main package
    error[invalid-value] rebake.toml:5:8: `API` is no service name: use 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends
    ");
    insta::assert_snapshot!(render(&sound_but([("rebake.toml", "services = [\n")])), @"
    no plan
    error[syntax] rebake.toml:1:13: unclosed array, expected `]`
    ");
    insta::assert_snapshot!(render(&tree_of([("rebake.toml", "")]).with_failure("rebake.toml", TreeErrorKind::PermissionDenied).expect("a clean path")), @"
    no plan
    error[unreadable] rebake.toml: can't read it: permission denied
    ");
}

#[test]
fn a_configuration_that_is_no_file_is_not_overlooked() {
    let not_a_file = "no plan\nerror[unreadable] rebake.toml: can't read it: not a regular file\n";
    let directory = sound_but([("rebake.toml/x", "")]);
    assert_eq!(render(&directory), not_a_file);
    let link = sound_but([("conf/x", "")]).with_symlink("rebake.toml", "conf");
    assert_eq!(render(&link.expect("a clean path")), not_a_file);
    let submodule = sound_but([]).with_submodule("rebake.toml");
    assert_eq!(render(&submodule.expect("a clean path")), not_a_file);
    // That of a directory below the root never counts.
    let below = sound_but([("services/rebake.toml/x", "")]);
    assert_eq!(render(&below), render(&sound_but([])));
}

#[test]
fn a_replacement_or_link_out_of_the_root_is_told_and_not_followed() {
    let go_mod = "module ex.com/shop\n\ngo 1.22\n\nrequire ex.com/out v0.0.0\n\nreplace ex.com/out => ../out\n";
    let lib = "package lib\n\nimport _ \"ex.com/out\"\n";
    insta::assert_snapshot!(render(&sound_but([("go.mod", go_mod), ("lib/lib.go", lib)])), @"
    api has no key
    error[outside-root] go.mod:7:1: the replacement directory `../out` lies outside the root, where nothing can be planned; move it in, or plan from a higher root (api)
    error[outside-root] lib/lib.go:3:10: the module that may provide `ex.com/out` can't be used (api)
    ");
    let link = |target: &str| {
        let tree = sound_but([]).with_symlink("lib/x.go", target);
        render(&tree.expect("a clean path"))
    };
    insta::assert_snapshot!(link("../../x.go"), @"
    api has no key
    error[unreadable] lib/x.go: can't read this file of the package: the link leads out of the root, to `../../x.go` (api)
    ");
    insta::assert_snapshot!(link("/etc/passwd"), @"
    api has no key
    error[unreadable] lib/x.go: can't read this file of the package: the link leads out of the root, to `/etc/passwd` (api)
    ");
    insta::assert_snapshot!(link("x.go"), @"
    api has no key
    error[unreadable] lib/x.go: can't read this file of the package: too many levels of symbolic links (api)
    ");
    insta::assert_snapshot!(link("nowhere.go"), @"
    api has no key
    error[unreadable] lib/x.go: can't read this file of the package: the link leads to `nowhere.go`, where nothing is (api)
    ");
}

#[test]
fn an_import_cycle_is_told_with_its_packages() {
    insta::assert_snapshot!(render(&sound_but([
        ("lib/lib.go", "package lib\n\nimport _ \"ex.com/shop/other\"\n"),
        ("other/other.go", "package other\n\nimport _ \"ex.com/shop/lib\"\n"),
    ])), @"
    api has no key
    error[import-cycle] lib: import cycle not allowed: ex.com/shop/lib, ex.com/shop/other (api)
    ");
}

#[test]
fn what_is_unreadable_is_told_with_its_path() {
    let failing = |path: &str| {
        let tree = sound_but([("go.sum", "")]).with_failure(path, TreeErrorKind::PermissionDenied);
        render(&tree.expect("a clean path"))
    };
    insta::assert_snapshot!(failing("lib/lib.go"), @"
    api has no key
    error[unreadable] lib/lib.go: can't read this file of the package: permission denied (api)
    ");
    insta::assert_snapshot!(failing("lib"), @"
    api has no key
    error[unreadable] lib: can't read it: permission denied
    error[unreadable] services/api/main.go:3:10: can't read lib: permission denied (api)
    ");
    insta::assert_snapshot!(failing("go.sum"), @"
    api has no key
    error[unreadable] go.sum: can't read it: permission denied (api)
    ");
    insta::assert_snapshot!(failing("services/api/main.go"), @"
    api has no key
    error[unreadable] services/api/main.go: can't read this file of the package: permission denied (api)
    ");
    insta::assert_snapshot!(failing("go.mod"), @"error[unreadable] go.mod: can't read it: permission denied");
    insta::assert_snapshot!(failing("services"), @"error[unreadable] services: can't read it: permission denied");
    insta::assert_snapshot!(failing("."), @"no plan: can't read the root: .: permission denied");
}

#[test]
fn special_files_and_submodules_are_told() {
    insta::assert_snapshot!(render(&sound_but([]).with_special("lib/x.go").expect("a clean path")), @"
    api has no key
    error[unreadable] lib/x.go: can't read this file of the package: not a regular file (api)
    ");
    insta::assert_snapshot!(render(&sound_but([]).with_special("go.work").expect("a clean path")), @"
    api has no key
    error[unreadable] go.work: can't read it: not a regular file (api)
    ");
    insta::assert_snapshot!(render(&sound_but([]).with_submodule("lib").expect("a clean path")), @"
    api has no key
    error[submodule] services/api/main.go:3:10: can't read lib: the content belongs to a submodule and is not in this tree; plan from a checkout with `git submodule update --init` (api)
    warning[submodule] lib: the content of the submodule is not in this tree, so main packages in it are not planned; plan from a checkout with `git submodule update --init`
    ");
    insta::assert_snapshot!(render(&sound_but([]).with_submodule("services/other").expect("a clean path")), @"
    api has a key
    warning[submodule] services/other: the content of the submodule is not in this tree, so main packages in it are not planned; plan from a checkout with `git submodule update --init`
    ");
}

#[test]
fn an_empty_tree_has_an_empty_plan() {
    insta::assert_snapshot!(render(&MemoryTree::new()), @"");
    insta::assert_snapshot!(render(&tree_of([("README.md", "")])), @"");
}

#[test]
fn a_directory_called_go_mod_is_none() {
    insta::assert_snapshot!(render(&sound_but([("services/go.mod/x", "")])), @"api has a key");
    insta::assert_snapshot!(render(&tree_of([("go.mod/x", ""), ("main.go", "package main\n")])), @"");
}

#[test]
fn a_tree_of_five_thousand_levels_is_no_trouble() {
    let deep = "d/".repeat(5_000);
    let text = render(&sound_but([(
        format!("{deep}main.go").as_str(),
        "package main\n",
    )]));
    assert!(text.starts_with("api has a key\n"), "{text:.500}");
    assert!(text.contains("error[unreadable] d/d/"), "{text:.500}");
    // An embed pattern leads down as well.
    let embedding = "package lib\n\nimport _ \"embed\"\n\n//go:embed d\nvar x string\n";
    let text = render(&sound_but([
        ("lib/lib.go", embedding),
        (format!("lib/{deep}x").as_str(), ""),
    ]));
    assert!(text.starts_with("api has no key\n"), "{text:.500}");
    assert!(text.contains("error[embed] lib/lib.go:5:1"), "{text:.500}");
}

/// The services of a tree with as many mains, each in a package that a shared library serves.
fn many_mains(count: usize) -> MemoryTree {
    let mut tree = sound_but([]);
    for number in 0..count {
        tree = tree
            .with_file(
                &format!("services/group{}/s{number}/main.go", number % 100),
                "package main\n\nimport _ \"ex.com/shop/lib\"\n\nfunc main() {}\n",
            )
            .expect("a clean path");
    }
    tree
}

#[test]
fn ten_thousand_mains_are_planned() {
    let tree = many_mains(10_000);
    let options = PlanOptions::new();
    let mut planned = plan(&tree, &options).expect("a plan");
    assert_eq!(planned.images.len(), 10_001);
    assert!(planned.images.iter().all(|image| image.keys.is_some()));
    let baseline: Vec<_> = planned.images.iter().map(Into::into).collect();
    planned.compare_with(&baseline);
}

#[test]
fn a_million_lines_of_a_manifest_are_read() {
    let lines = |verb: &str, version: &str| {
        let mut text = format!("{verb} (\n");
        for number in 0..500_000 {
            let _ = writeln!(text, "\tex.com/m{number} {version}");
        }
        text.push_str(")\n");
        text
    };
    let text = format!(
        "module ex.com/shop\n\ngo 1.22\n\n{}{}",
        lines("require", "v1.0.0"),
        lines("exclude", "v1.0.1"),
    );
    assert_eq!(
        render(&sound_but([("go.mod", text.as_str())])),
        "api has a key\n"
    );
}

/// Every package of a large cycle is told of it once, not once for each of its packages.
#[test]
fn a_cycle_of_ten_thousand_packages_is_told_once() {
    let count = 10_000;
    let mut tree = sound_but([("lib/lib.go", "package lib\n\nimport _ \"ex.com/shop/c0\"\n")]);
    for number in 0..count {
        let next = (number + 1) % count;
        tree = tree
            .with_file(
                &format!("c{number}/c.go"),
                format!("package c\n\nimport _ \"ex.com/shop/c{next}\"\n"),
            )
            .expect("a clean path");
    }
    let text = render(&tree);
    assert_eq!(text.lines().count(), 2);
    assert!(
        text.starts_with("api has no key\nerror[import-cycle] c0: import cycle not allowed: "),
        "{text:.200}"
    );
}

/// What is wrong with a shared manifest concerns every service; the first findings of a kind are enough.
#[test]
fn of_many_faults_of_a_manifest_the_first_are_told() {
    let faults = "frobnicate\n".repeat(10_000);
    let go_mod = format!("module ex.com/shop\n\ngo 1.22\n\n{faults}");
    let tree = many_mains(2_000)
        .with_file("go.mod", go_mod)
        .expect("a clean path");
    let planned = plan(&tree, &PlanOptions::new()).expect("a plan");
    assert_eq!(planned.images.len(), 2_001);
    assert!(planned.images.iter().all(|image| image.keys.is_none()));
    assert_eq!(planned.diagnostics.len(), 101);
}

#[test]
fn of_many_missing_imports_the_first_are_told() {
    let mut sums = String::new();
    let mut lib = "package lib\n\nimport (\n".to_owned();
    for number in 0..20_000 {
        let _ = writeln!(sums, "ex.com/m{number} v1.0.0 h1:x=");
        let _ = writeln!(lib, "\t_ \"ex.com/gone{number}\"");
    }
    lib.push_str(")\n");
    let planned = plan(
        &sound_but([("go.sum", sums.as_str()), ("lib/lib.go", lib.as_str())]),
        &PlanOptions::new(),
    );
    assert_eq!(planned.expect("a plan").diagnostics.len(), 101);
}
