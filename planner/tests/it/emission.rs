//! Emitted files hold what the build needs, and change only when a build does.

use crate::rendering::{sound_but, tree_of};
use rebake_planner::{
    emit::{Build, EmitError, EmittedFile, emit_service, emit_shared},
    plan::{PlanOptions, plan},
    tree::memory::MemoryTree,
};

fn emitted(tree: &MemoryTree) -> Vec<EmittedFile> {
    try_emitted(tree).unwrap()
}

/// What is emitted for a service that links third parties, under a configuration.
fn emitted_with(config: &str) -> Vec<EmittedFile> {
    emitted(&sound_but([
        ("go.mod", GO_MOD),
        ("go.sum", GO_SUM),
        ("services/api/main.go", API),
        ("rebake.toml", config),
    ]))
}

fn try_emitted(tree: &MemoryTree) -> Result<Vec<EmittedFile>, EmitError> {
    let plan = plan(tree, &PlanOptions::new()).unwrap();
    let builds = plan.builds();
    let mut files = emit_shared(&builds, plan.groups());
    for build in &builds {
        if let Build::Emitted(build) = build {
            files.extend(emit_service(build)?);
        }
    }
    // The script is the same for all.
    files.retain(|file| file.path.file_name() != Some("steps.sh"));
    files.sort();
    Ok(files)
}

fn shown(files: &[EmittedFile]) -> String {
    let texts = files
        .iter()
        .map(|file| format!("== {}\n{}", file.path, file.text));
    texts.collect::<Vec<_>>().join("\n")
}

fn file<'a>(files: &'a [EmittedFile], name: &str) -> &'a str {
    let found = files.iter().find(|file| file.path.as_str() == name);
    &found.unwrap_or_else(|| panic!("no {name}")).text
}

const API: &str = "package main\n\nimport (\n\t\"net/http\"\n\n\t_ \"ex.com/shop/lib\"\n\t_ \"github.com/acme/log\"\n)\n\nvar _ = http.StatusOK\n\nfunc main() {}\n";
const GO_MOD: &str = "module ex.com/shop\n\ngo 1.22\n\nrequire github.com/acme/log v1.0.0\n";
const GO_SUM: &str = "github.com/acme/log v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";

#[test]
fn a_module_is_built_from_pruned_manifests() {
    let files = emitted(&sound_but([
        ("go.mod", GO_MOD),
        ("go.sum", GO_SUM),
        ("services/api/main.go", API),
    ]));
    insta::assert_snapshot!("module", shown(&files));
}

/// The stages, and the steps of ours that they run.
fn steps(files: &[EmittedFile]) -> Vec<String> {
    let lines = file(files, ".rebake/api/Dockerfile").lines();
    let mut steps: Vec<String> = Vec::new();
    for line in lines {
        if let Some((_, stage)) = line
            .strip_prefix("FROM ")
            .and_then(|from| from.split_once(" AS "))
        {
            steps.push(stage.to_owned());
        } else if let Some(words) = line.trim().strip_prefix("[\"sh\", \"/rebake/steps.sh\", ")
            && let Some(stage) = steps.last_mut()
        {
            let word = words.split(['"', ',']).nth(1).unwrap_or_default();
            stage.push(' ');
            stage.push_str(word);
        }
    }
    let end = steps.iter().position(|step| step.starts_with("debug"));
    steps.truncate(end.unwrap_or(steps.len()));
    steps
}

#[test]
fn each_part_of_the_layers_can_be_switched_off() {
    let cases: [(&str, &[&str]); 5] = [
        (
            "",
            &[
                "go-image",
                "base",
                "manifests",
                "resolve resolve",
                "deps deps",
                "sources",
                "build build",
            ],
        ),
        (
            "cut-manifests = false",
            &[
                "go-image",
                "base",
                "manifests",
                "deps deps",
                "sources",
                "build build",
            ],
        ),
        (
            "cut-go-image = false",
            &[
                "base",
                "manifests",
                "resolve resolve",
                "deps deps",
                "sources",
                "build build",
            ],
        ),
        (
            "compile-ahead = false",
            &[
                "go-image",
                "base",
                "manifests",
                "resolve resolve",
                "deps sources-of-deps",
                "sources",
                "build build",
            ],
        ),
        ("profile = \"mounts\"", &["base", "build build"]),
    ];
    for (config, expected) in cases {
        let files = emitted_with(config);
        assert_eq!(steps(&files), expected, "{config}");
        let is_proved = files
            .iter()
            .any(|file| file.path.as_str() == ".rebake/api/inputs");
        assert!(is_proved, "{config}");
    }
}

#[test]
fn a_go_image_is_cut_only_where_all_that_it_holds_is_known() {
    let cases = [
        ("", true),
        ("go-image = \"golang:1.22-alpine\"", true),
        ("go-image = \"docker.io/library/golang:1.22\"", true),
        ("go-image = \"ghcr.io/acme/golang:1.22\"", false),
        ("go-image = \"golang/other:1.22\"", false),
        ("go-image = \"golangci:1.22\"", false),
        ("cgo = true", false),
        ("profile = \"mounts\"", false),
    ];
    for (config, is_cut) in cases {
        let files = emitted_with(config);
        let text = file(&files, ".rebake/api/Dockerfile");
        assert_eq!(text.contains(" scratch AS base\n"), is_cut, "{config}");
        assert_eq!(text.contains("COPY --from=go-image "), is_cut, "{config}");
    }
}

#[test]
fn a_go_image_keeps_its_c_linker_where_a_flag_may_ask_for_it() {
    for (config, has_linker) in [("", false), ("build-flags = [\"-ldflags=-w\"]", true)] {
        let files = emitted_with(config);
        let text = file(&files, ".rebake/api/Dockerfile");
        assert_ne!(
            text.contains("--exclude=usr/lib/gcc"),
            has_linker,
            "{config}"
        );
    }
}

#[test]
fn a_workspace_keeps_its_manifests_whole() {
    let files = emitted(&tree_of([
        ("go.work", "go 1.22\n\nuse (\n\t./a\n\t./b\n)\n"),
        (
            "a/go.mod",
            "module ex.com/a\n\ngo 1.22\n\nrequire github.com/acme/log v1.0.0\n",
        ),
        ("a/go.sum", GO_SUM),
        (
            "a/cmd/tool/main.go",
            "package main\n\nimport (\n\t_ \"ex.com/b\"\n\t_ \"github.com/acme/log\"\n)\n\nfunc main() {}\n",
        ),
        ("b/go.mod", "module ex.com/b\n\ngo 1.22\n"),
        ("b/b.go", "package b\n"),
    ]));
    insta::assert_snapshot!("workspace", file(&files, ".rebake/a-cmd-tool/Dockerfile"));
}

#[test]
fn vendored_sources_are_mounted_and_need_no_network() {
    let files = emitted(&sound_but([
        ("go.mod", GO_MOD),
        (
            "vendor/modules.txt",
            "# github.com/acme/log v1.0.0\n## explicit\ngithub.com/acme/log\n",
        ),
        ("vendor/github.com/acme/log/log.go", "package log\n"),
        ("services/api/main.go", API),
    ]));
    insta::assert_snapshot!("vendored", file(&files, ".rebake/api/Dockerfile"));
    let imports = file(&files, ".rebake/api/imports");
    assert_eq!(imports, "github.com/acme/log\nnet/http\nruntime\n");
}

#[test]
fn what_rebake_toml_chooses_is_in_the_dockerfile() {
    let files = emitted(&sound_but([
        (
            "rebake.toml",
            "go-image = \"golang:1.26-alpine\"\nruntime = \"scratch\"\nprofile = \"mounts\"\nprove = false\n\
             goproxy = \"https://proxy.example,direct\"\ngoprivate = \"ex.com\"\ncredentials = \"netrc\"\n\
             version-variable = \"main.version\"\ntags = [\"a\", \"b\"]\nbuild-flags = [\"-ldflags=-X 'a.b=$HOME'\"]\n\
             platforms = [\"linux/amd64\", \"linux/arm\"]\n\n[[service]]\ndir = \"services/api\"\n\
             assets = [\"services/api/templates/**\"]\n",
        ),
        ("go.mod", GO_MOD),
        ("go.sum", GO_SUM),
        ("services/api/main.go", API),
        ("services/api/templates/a.html", "a"),
        ("services/api/extra_arm.go", "package main\n"),
    ]));
    insta::assert_snapshot!("chosen", shown(&files));
}

#[test]
fn no_edit_of_a_source_file_changes_an_emitted_file() {
    let before = sound_but([
        ("go.mod", GO_MOD),
        ("go.sum", GO_SUM),
        ("services/api/main.go", API),
    ]);
    assert_eq!(emitted(&before).len(), 5);
    let edited = API.replace("func main() {}", "func main() { println(1) }");
    let small_import = API.replace("net/http\"\n", "net/http\"\n\t_ \"strings\"\n");
    for source in [edited, small_import] {
        let after = before
            .clone()
            .with_file("services/api/main.go", &source)
            .unwrap();
        assert_eq!(emitted(&before), emitted(&after), "{source}");
    }
}

#[test]
fn a_new_file_of_a_package_changes_the_list_alone() {
    let before = emitted(&sound_but([]));
    let after = emitted(&sound_but([("lib/new.go", "package lib\n")]));
    let changed: Vec<&str> = after
        .iter()
        .filter(|file| !before.contains(file))
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(changed, [".rebake/api/inputs"]);
}

#[test]
fn embedded_directories_and_embedded_tests_are_let_in() {
    let files = emitted(&sound_but([
        (
            "lib/lib.go",
            "package lib\n\nimport \"embed\"\n\n//go:embed all:static *_test.go\nvar files embed.FS\n",
        ),
        ("lib/static/a/b.txt", "b"),
        ("lib/x_test.go", "package lib\n"),
    ]));
    let text = file(&files, ".rebake/api/Dockerfile.dockerignore");
    let order: Vec<usize> = ["**/*_test.go", "!lib/static/**", "!lib/x_test.go"]
        .iter()
        .map(|line| text.find(line).unwrap_or_else(|| panic!("{line}\n{text}")))
        .collect();
    assert!(order.is_sorted(), "{text}");
}

#[test]
fn a_manifest_that_is_embedded_is_not_cut() {
    let embedding = "package main\n\nimport _ \"embed\"\n\n//go:embed go.mod\nvar text string\n\nfunc main() {}\n";
    let files = emitted(&tree_of([
        ("go.mod", "module ex.com/shop\n\ngo 1.22\n"),
        ("main.go", embedding),
    ]));
    let dockerfile = file(&files, ".rebake/shop/Dockerfile");
    assert!(!dockerfile.contains("AS resolve"), "{dockerfile}");
    assert!(!dockerfile.contains("exclude=go.mod"), "{dockerfile}");
}

#[test]
fn inputs_with_any_name_are_let_in_one_by_one() {
    let files = emitted(&sound_but([
        ("services/api/default.pgo", "profile"),
        ("lib/lib.go", "package lib\n\nfunc f()\n"),
        ("lib/f.s", "#include \"table.inc\"\n"),
        ("lib/table.inc", "\n"),
    ]));
    let text = file(&files, ".rebake/api/Dockerfile.dockerignore");
    for line in ["!services/api/default.pgo\n", "!lib/table.inc\n"] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn no_service_has_more_patterns_than_a_builder_takes() {
    /// What stands in the directory of a package, and what the service has beside its packages.
    type Layout = (&'static str, fn(usize) -> String, &'static str);
    let layouts: [Layout; 6] = [
        (
            "all in one directory",
            |number| format!("pkg/p{number}"),
            "",
        ),
        (
            "in thirty groups",
            |number| format!("pkg/group{}/p{number}", number % 30),
            "",
        ),
        ("each at the top", |number| format!("p{number}"), ""),
        (
            "each in the one before",
            |number| format!("pkg{}/a{}", number % 40, "/a".repeat(number / 40)),
            "",
        ),
        (
            "embedded files",
            |number| format!("pkg/p{number}"),
            "package p\n\nimport _ \"embed\"\n\n//go:embed static/text\nvar Text string\n",
        ),
        (
            "assets",
            |number| format!("pkg/group{}/p{number}", number % 300),
            "package p\n",
        ),
    ];
    for (name, directory, package) in layouts {
        let mut tree = sound_but([]);
        let mut imports = String::new();
        for number in 0..2_000 {
            let directory = directory(number);
            imports.push_str(&format!("\t_ \"ex.com/shop/{directory}\"\n"));
            let source = if package.is_empty() {
                "package p\n"
            } else {
                package
            };
            tree = tree
                .with_file(&format!("{directory}/p.go"), source)
                .unwrap();
            if !package.is_empty() {
                tree = tree
                    .with_file(&format!("{directory}/static/text"), "text\n")
                    .unwrap();
            }
        }
        let main = format!("package main\n\nimport (\n{imports})\n\nfunc main() {{}}\n");
        let tree = tree.with_file("services/api/main.go", &main).unwrap();
        let config = "[[service]]\ndir = \"services/api\"\nassets = [\"pkg/**/text\"]\n";
        let config = if name == "assets" { config } else { "" };
        let files = emitted(&tree.with_file("rebake.toml", config).unwrap());
        let ignored = file(&files, ".rebake/api/Dockerfile.dockerignore");
        let dockerfile = file(&files, ".rebake/api/Dockerfile");
        let lines = ignored
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count();
        let sources = dockerfile.matches("    \"").count() + dockerfile.matches("source=").count();
        assert!(lines + sources < 400, "{name}: {lines} and {sources}");
    }
}

#[test]
fn files_in_too_many_places_are_refused() {
    let mut tree = sound_but([(
        "rebake.toml",
        "[[service]]\ndir = \"services/api\"\nassets = [\"*/motd\"]\n",
    )]);
    for number in 0..500 {
        tree = tree
            .with_file(&format!("d{number}/motd"), "hello\n")
            .unwrap();
    }
    let refused = try_emitted(&tree);
    assert!(
        matches!(refused, Err(EmitError::TooManyPatterns(_))),
        "{refused:?}"
    );
}

#[test]
fn many_manifests_are_taken_by_their_names() {
    let mut tree = tree_of([("cmd/api/main.go", "package main\n\nfunc main() {}\n")]);
    let mut uses = String::from("go 1.22\n\nuse .\n");
    for number in 0..60 {
        let go_mod = format!("module ex.com/m{number}\n\ngo 1.22\n");
        tree = tree
            .with_file(&format!("m{number}/go.mod"), go_mod)
            .unwrap();
        uses.push_str(&format!("use ./m{number}\n"));
    }
    let tree = tree.with_file("go.work", uses).unwrap();
    let tree = tree
        .with_file("go.mod", "module ex.com/shop\n\ngo 1.22\n")
        .unwrap();
    let files = emitted(&tree);
    let dockerfile = file(&files, ".rebake/api/Dockerfile");
    assert!(
        dockerfile.contains("COPY --parents [\"**/go.mod\", \"**/go.work\", \"/src/\"]\n"),
        "{dockerfile}"
    );
    let ignored = file(&files, ".rebake/api/Dockerfile.dockerignore");
    assert!(ignored.contains("!**/go.mod\n!**/go.work\n"), "{ignored}");
}

#[test]
fn names_that_no_dockerfile_can_express_are_refused() {
    for directory in [
        "services/a\"b",
        "services/a\\b",
        "services/a*",
        "services/a\nRUN evil",
    ] {
        let tree = tree_of([("go.mod", "module ex.com/shop\n\ngo 1.22\n")])
            .with_file(
                &format!("{directory}/main.go"),
                "package main\n\nfunc main() {}\n",
            )
            .unwrap();
        // Go itself refuses some of them, and then there is nothing to build.
        match try_emitted(&tree) {
            Err(error) => assert!(matches!(error, EmitError::Unwritable { .. }), "{error}"),
            Ok(files) => assert_eq!(files.len(), 1, "{directory:?} {files:?}"),
        }
    }
}

#[test]
fn a_service_with_its_own_dockerfile_keeps_it() {
    let files = emitted(&sound_but([
        (
            "rebake.toml",
            "[[service]]\ndir = \"services/api\"\ndockerfile = \"services/api/Dockerfile\"\ncontext = \"services/api\"\n",
        ),
        ("services/api/Dockerfile", "FROM scratch\nCOPY main.go /\n"),
    ]));
    assert_eq!(files.len(), 1, "{files:?}");
    let bake: serde_json::Value = serde_json::from_str(&files[0].text).unwrap();
    assert_eq!(bake["target"]["api"]["context"], "services/api");
    assert_eq!(bake["target"]["api"]["dockerfile"], "Dockerfile");
}

#[test]
fn a_service_in_doubt_has_no_build() {
    let files = emitted(&sound_but([(
        "lib/lib.go",
        "package lib\n\nimport \"fmt\n",
    )]));
    assert_eq!(files.len(), 1, "{files:?}");
}
