//! Closed under doubt: whatever can't be known leaves no key and no tag, is rebuilt, and equals nothing, itself included.

use crate::rendering::{SOUND, render_plan, sound_but, tree_of};
use rebake_planner::{
    decide::{Reason, Verdict},
    diagnostic::Code,
    plan::{BaselineImage, Plan, PlanOptions, plan},
    tree::{TreeErrorKind, memory::MemoryTree},
    wire::{PlanDocument, Root},
};

struct Doubt {
    what: &'static str,
    tree: MemoryTree,
    options: PlanOptions,
    code: Code,
}

fn failing(path: &str, kind: TreeErrorKind) -> MemoryTree {
    sound_but([])
        .with_failure(path, kind)
        .expect("a clean path")
}

fn doubts() -> Vec<Doubt> {
    let row = |what, tree, code| Doubt {
        what,
        tree,
        options: PlanOptions::new(),
        code,
    };
    let import = |path: &str| {
        let text = format!("package lib\n\nimport _ \"{path}\"\n");
        sound_but([("lib/lib.go", text.as_str())])
    };
    let future = || {
        let mut options = PlanOptions::new();
        options.go = Some("1.99".parse().expect("a version"));
        options
    };
    let denied = || TreeErrorKind::PermissionDenied;
    let missing_object = || TreeErrorKind::MissingObject("0123abcd".to_owned());
    let link = |path: &str, target: &str| {
        sound_but([])
            .with_symlink(path, target)
            .expect("a clean path")
    };
    vec![
        row(
            "two modules provide an import",
            sound_but([
                (
                    "go.mod",
                    "module ex.com/shop\n\ngo 1.22\n\nrequire ex.com/shop/lib v0.0.0\n\nreplace ex.com/shop/lib => ./other\n",
                ),
                ("other/go.mod", "module ex.com/shop/lib\n"),
                ("other/other.go", "package lib\n"),
            ]),
            Code::AmbiguousImport,
        ),
        row(
            "a library file can't be read",
            failing("lib/lib.go", denied()),
            Code::Unreadable,
        ),
        row(
            "the main file can't be read",
            failing("services/api/main.go", denied()),
            Code::Unreadable,
        ),
        row(
            "the main file is not in this clone",
            failing("services/api/main.go", missing_object()),
            Code::Unreadable,
        ),
        row(
            "a library's directory can't be listed",
            failing("lib", denied()),
            Code::Unreadable,
        ),
        row(
            "a library file is not in this clone",
            failing("lib/lib.go", missing_object()),
            Code::Unreadable,
        ),
        row(
            "go.sum can't be read",
            sound_but([("go.sum", "")])
                .with_failure("go.sum", denied())
                .expect("a clean path"),
            Code::Unreadable,
        ),
        row(
            "a Go file is a device",
            sound_but([])
                .with_special("lib/x.go")
                .expect("a clean path"),
            Code::Unreadable,
        ),
        row(
            "a Go file is a link to nowhere",
            link("lib/x.go", "nowhere.go"),
            Code::Unreadable,
        ),
        row(
            "a Go file is a link to itself",
            link("lib/x.go", "x.go"),
            Code::Unreadable,
        ),
        row(
            "a Go file is a link out of the root",
            link("lib/x.go", "../../x.go"),
            Code::Unreadable,
        ),
        row(
            "a Go file is an absolute link",
            link("lib/x.go", "/etc/passwd"),
            Code::Unreadable,
        ),
        row(
            "a library is a submodule that is not there",
            tree_of(
                SOUND
                    .into_iter()
                    .filter(|(path, _)| !path.starts_with("lib")),
            )
            .with_submodule("lib")
            .expect("a clean path"),
            Code::Submodule,
        ),
        row(
            "go.work can't be read",
            sound_but([("go.work", "go 1.22\n\nuse .\n")])
                .with_failure("go.work", denied())
                .expect("a clean path"),
            Code::Unreadable,
        ),
        row(
            "go.work is a device",
            sound_but([]).with_special("go.work").expect("a clean path"),
            Code::Unreadable,
        ),
        row(
            "go.work leads out of the root",
            link("go.work", "../go.work"),
            Code::Unreadable,
        ),
        row(
            "go.work does not parse where it may use the module",
            sound_but([("go.work", "go 1.22\n\nuse \".\n")]),
            Code::Syntax,
        ),
        row(
            "the profile leads out of the root",
            link("services/api/default.pgo", "../../../default.pgo"),
            Code::Unreadable,
        ),
        row(
            "the profile is a device",
            sound_but([])
                .with_special("services/api/default.pgo")
                .expect("a clean path"),
            Code::Unreadable,
        ),
        row(
            "an asset is a submodule that is not there",
            sound_but([(
                "rebake.toml",
                "[[service]]\ndir = \"services/api\"\nassets = [\"static\"]\n",
            )])
            .with_submodule("static/theme")
            .expect("a clean path"),
            Code::Submodule,
        ),
        row(
            "an asset can't be read",
            sound_but([
                (
                    "rebake.toml",
                    "[[service]]\ndir = \"services/api\"\nassets = [\"static\"]\n",
                ),
                ("static/x", "x"),
            ])
            .with_failure("static/x", denied())
            .expect("a clean path"),
            Code::Unreadable,
        ),
        row(
            "an unknown directive",
            sound_but([("go.mod", "module ex.com/shop\n\ngo 1.22\n\nfrobnicate x\n")]),
            Code::UnknownDirective,
        ),
        row(
            "an unknown directive of the workspace",
            sound_but([("go.work", "go 1.22\n\nuse .\n\nfrobnicate x\n")]),
            Code::UnknownDirective,
        ),
        row(
            "a go.mod that does not parse",
            sound_but([("go.mod", "module ex.com/shop\n\ngo 1.22\n\nrequire (\n")]),
            Code::Syntax,
        ),
        row(
            "a Go file that does not parse",
            sound_but([("lib/lib.go", "package lib\n\nimport (\n")]),
            Code::Syntax,
        ),
        row(
            "a Go file with a NUL byte",
            sound_but([("lib/lib.go", "package lib\0\n")]),
            Code::Syntax,
        ),
        row(
            "the main file does not parse",
            sound_but([("services/api/main.go", "pakcage main\n")]),
            Code::Syntax,
        ),
        row(
            "the main file is empty",
            sound_but([("services/api/main.go", "")]),
            Code::Syntax,
        ),
        row(
            "a broken test file",
            sound_but([("lib/x_test.go", "package\n")]),
            Code::Syntax,
        ),
        row(
            "a missing package",
            import("ex.com/shop/nowhere"),
            Code::MissingPackage,
        ),
        row(
            "a missing module",
            import("ex.com/nowhere"),
            Code::MissingPackage,
        ),
        row(
            "a missing standard package",
            import("nowhere"),
            Code::MissingPackage,
        ),
        row("a relative import", import("./x"), Code::InvalidImport),
        row(
            "an import cycle",
            import("ex.com/shop/lib"),
            Code::ImportCycle,
        ),
        row(
            "an import of a program",
            import("ex.com/shop/services/api"),
            Code::ImportOfProgram,
        ),
        row(
            "two packages in a directory",
            sound_but([("lib/x.go", "package other\n")]),
            Code::PackageConflict,
        ),
        row(
            "another package before the main file",
            sound_but([("services/api/a.go", "package other\n")]),
            Code::PackageConflict,
        ),
        row(
            "a test of another package before the main file",
            sound_but([("services/api/a_test.go", "package other\n")]),
            Code::PackageConflict,
        ),
        row(
            "a test's package in a file that is no test, before the main file",
            sound_but([("services/api/a.go", "package main_test\n")]),
            Code::PackageConflict,
        ),
        row(
            "names that differ in case",
            sound_but([("lib/LIB.go", "package lib\n")]),
            Code::NameCollision,
        ),
        row(
            "no file for the platform",
            sound_but([("lib/lib.go", "//go:build windows\n\npackage lib\n")]),
            Code::NoGoFiles,
        ),
        row(
            "an embed pattern that matches nothing",
            sound_but([(
                "lib/lib.go",
                "package lib\n\nimport _ \"embed\"\n\n//go:embed x\nvar x string\n",
            )]),
            Code::Embed,
        ),
        row(
            "an embedded file that can't be read",
            sound_but([
                (
                    "lib/lib.go",
                    "package lib\n\nimport _ \"embed\"\n\n//go:embed x\nvar x string\n",
                ),
                ("lib/x", "x"),
            ])
            .with_failure("lib/x", denied())
            .expect("a clean path"),
            Code::Unreadable,
        ),
        row(
            "the workspace needs a newer Go",
            sound_but([("go.work", "go 1.21\n\nuse .\n")]),
            Code::GoVersionConflict,
        ),
        row(
            "the workspace names a directory that is not there",
            sound_but([("go.work", "go 1.22\n\nuse (\n\t.\n\t./gone\n)\n")]),
            Code::MissingModule,
        ),
        row(
            "the workspace leads out of the root",
            sound_but([("go.work", "go 1.22\n\nuse (\n\t.\n\t../gone\n)\n")]),
            Code::OutsideRoot,
        ),
        Doubt {
            what: "a Go release newer than the tables",
            tree: sound_but([]),
            options: future(),
            code: Code::GoVersionUnknown,
        },
        row(
            "a go line newer than the tables",
            sound_but([("go.mod", "module ex.com/shop\n\ngo 1.99\n")]),
            Code::GoVersionUnknown,
        ),
        Doubt {
            what: "a Go release older than the manifests demand",
            tree: sound_but([]),
            options: {
                let mut options = PlanOptions::new();
                options.go = Some("1.21".parse().expect("a version"));
                options
            },
            code: Code::GoTooOld,
        },
    ]
}

fn baseline(plan: &Plan) -> Vec<BaselineImage> {
    plan.images.iter().map(BaselineImage::from).collect()
}

#[test]
fn what_is_in_doubt_has_no_key_and_is_rebuilt() {
    for doubt in doubts() {
        let Doubt {
            what,
            tree,
            options,
            code,
        } = doubt;
        let mut planned = plan(&tree, &options).expect("a plan");
        let text = render_plan(&planned);
        let own = baseline(&planned);
        for _ in ["against nothing", "against itself"] {
            let [image] = planned.images.as_slice() else {
                panic!("{what}: one service is planned\n{text}");
            };
            assert_eq!(image.keys, None, "{what}\n{text}");
            assert_eq!(image.tag, None, "{what}");
            assert_eq!(image.verdict, Verdict::Rebuild, "{what}");
            let [Reason::Uncertain { codes }] = image.reasons.as_slice() else {
                panic!("{what}: {:?}", image.reasons);
            };
            assert!(codes.contains(&code), "{what}: {codes:?}\n{text}");
            let row =
                &PlanDocument::new(&planned, Root::without_version_control(), None).services[0];
            assert_eq!(
                (&row.image.key, &row.image.dependency_key, &row.image.tag),
                (&None, &None, &None),
                "{what}"
            );
            assert!(
                planned
                    .diagnostics
                    .iter()
                    .any(|diagnostic| diagnostic.code == code && diagnostic.services == ["api"]),
                "{what}: a diagnostic names the service\n{text}"
            );
            planned.compare_with(&own);
        }
    }
}

#[test]
fn nothing_equals_a_baseline_in_doubt() {
    for doubt in doubts() {
        let doubtful = plan(&doubt.tree, &doubt.options).expect("a plan");
        let mut sound = plan(&sound_but([]), &PlanOptions::new()).expect("a plan");
        assert!(sound.images[0].keys.is_some());
        sound.compare_with(&baseline(&doubtful));
        assert_eq!(sound.images[0].verdict, Verdict::Rebuild, "{}", doubt.what);
        assert_eq!(
            sound.images[0].reasons,
            [Reason::BaselineUncertain {
                codes: doubtful.images[0].doubts.clone()
            }],
            "{}",
            doubt.what
        );
    }
}

#[test]
fn a_sound_tree_equals_itself() {
    let mut sound = plan(&sound_but([]), &PlanOptions::new()).expect("a plan");
    let own = baseline(&sound);
    sound.compare_with(&own);
    assert_eq!(sound.images[0].verdict, Verdict::Reuse);
    assert_eq!(sound.images[0].reasons, [Reason::Unchanged]);
}

#[test]
fn a_service_that_can_not_be_looked_for_is_not_removed() {
    let sound = plan(&sound_but([]), &PlanOptions::new()).expect("a plan");
    for path in ["go.mod", "services", "services/api"] {
        let tree = failing(path, TreeErrorKind::PermissionDenied);
        let mut planned = plan(&tree, &PlanOptions::new()).expect("a plan");
        assert!(planned.images.is_empty(), "{path}");
        planned.compare_with(&baseline(&sound));
        assert!(planned.removed.is_empty(), "{path}");
        let [image] = planned.images.as_slice() else {
            panic!("{path}: the service of the baseline is kept");
        };
        assert_eq!(
            (image.keys, image.verdict),
            (None, Verdict::Rebuild),
            "{path}"
        );
        let codes = vec![Code::Unreadable];
        assert_eq!(image.reasons, [Reason::Uncertain { codes }], "{path}");
    }
    let without_services = || {
        SOUND
            .into_iter()
            .filter(|(path, _)| !path.starts_with("services"))
    };
    let submodule = tree_of(without_services()).with_submodule("services/api");
    let mut planned = plan(&submodule.expect("a clean path"), &PlanOptions::new()).expect("a plan");
    planned.compare_with(&baseline(&sound));
    assert!(planned.removed.is_empty());
    assert_eq!(planned.images[0].keys, None);
    let mut gone = plan(&tree_of([SOUND[0]]), &PlanOptions::new()).expect("a plan");
    gone.compare_with(&baseline(&sound));
    assert_eq!(gone.removed, ["api"]);
}

#[test]
fn a_service_that_needs_cgo_is_not_removed_where_cgo_is_off() {
    let sound = plan(&sound_but([]), &PlanOptions::new()).expect("a plan");
    let needs_cgo = "package main\n\nimport \"C\"\n\nfunc main() {}\n";
    let tree = sound_but([("services/api/main.go", needs_cgo)]);
    let mut planned = plan(&tree, &PlanOptions::new()).expect("a plan");
    // It is no service, as `go list` says.
    assert!(planned.images.is_empty());
    let told = |code| planned.diagnostics.iter().any(|found| found.code == code);
    assert!(told(Code::NoGoFiles));
    planned.compare_with(&baseline(&sound));
    assert!(planned.removed.is_empty());
    let [image] = planned.images.as_slice() else {
        panic!("the service of the baseline is kept");
    };
    let codes = vec![Code::NoGoFiles];
    assert_eq!(image.keys, None);
    assert_eq!(image.reasons, [Reason::Uncertain { codes }]);
}

#[test]
fn what_build_constraints_leave_out_is_no_service() {
    let program = |constraint: &str| format!("{constraint}package main\n\nfunc main() {{}}\n");
    let ignored = program("//go:build ignore\n\n");
    let windows = program("//go:build windows\n\n");
    let tree = sound_but([
        ("services/lib/lib.go", "package lib\n"),
        ("services/lib/tool.go", ignored.as_str()),
        ("services/service/main.go", windows.as_str()),
        ("services/lib/main_windows.go", "package main\n"),
    ]);
    let planned = plan(&tree, &PlanOptions::new()).expect("a plan");
    let names: Vec<&str> = planned
        .images
        .iter()
        .map(|image| image.inputs.service.as_str())
        .collect();
    assert_eq!(names, ["api"], "{}", render_plan(&planned));
    assert!(planned.diagnostics.is_empty(), "{}", render_plan(&planned));
}
