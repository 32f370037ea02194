use super::sandbox::{Sandbox, path};
use crate::path::RepoPath;
use crate::plan::{
    FoundationsKept, Plan, PlanError, PlanOptions, PlannedTree, Way, inspect_work_tree, plan,
    plan_in_a_way,
};
use crate::tree::{disk::DiskTree, git::GitTree};
use rebake_fixtures::{cases, entry::write_entries};
use std::{fs, os::unix::fs as unix_fs};

/// What a person reads of a plan, and what others are compared with.
fn told(plan: &Plan) -> String {
    let images: Vec<_> = plan
        .images
        .iter()
        .map(|image| {
            let decided = (image.verdict, &image.reasons);
            (&image.inputs, image.keys, &image.doubts, image.tag, decided)
        })
        .collect();
    format!(
        "{images:#?}\n{:#?}\n{:#?}",
        plan.diagnostics,
        (&plan.modules, &plan.excluded_mains)
    )
}

fn following() -> PlanOptions {
    let mut options = PlanOptions::new();
    options.services = vec!["**".to_owned()];
    options.foundations = FoundationsKept::Yes;
    options
}

/// How a commit is planned by what differs between it and the work tree. The plan is held to a fresh one.
fn way_to_commit(sandbox: &Sandbox, commit: &str, root: &RepoPath, name: &str) -> Option<Way> {
    let repository = sandbox.repository("repo");
    let directory = sandbox.path("repo").join(root.as_tree_str());
    let disk = DiskTree::open(&directory).unwrap();
    let options = following();
    let of_disk = plan(&disk, &options).ok()?;
    let state = repository.work_tree_state(&directory).unwrap();
    let tree = repository
        .tree(repository.resolve(commit).unwrap(), root)
        .unwrap();
    let changed = state.changed_paths_since(&tree).unwrap();
    let planned = PlannedTree::WorkTree {
        state: &state,
        known_length: &|_| None,
    };
    let (by_difference, way) = plan_in_a_way(of_disk, &planned, &tree, &changed, &options)?;
    let told = |plan: Result<Plan, PlanError>| match plan {
        Ok(plan) => told(&plan),
        Err(error) => error.to_string(),
    };
    assert_eq!(told(by_difference), told(plan(&tree, &options)), "{name}");
    Some(way)
}

fn shop() -> Sandbox {
    let sandbox = Sandbox::with_repository();
    for (file, content) in [
        ("go.mod", "module ex.com/shop\n\ngo 1.24\n"),
        ("README.md", "a shop\n"),
        (
            "cmd/api/main.go",
            "package main\n\nimport _ \"ex.com/shop/lib\"\n\nfunc main() {}\n",
        ),
        (
            "lib/lib.go",
            "package lib\n\nimport _ \"embed\"\n\n//go:embed words/*\nvar words string\n",
        ),
        ("lib/lib_test.go", "package lib\n"),
        ("lib/words/one.txt", "one\n"),
        ("notes/a/b.txt", "b\n"),
        (
            "rebake.toml",
            "[[service]]\ndir = \"cmd/api\"\nassets = [\"files/*.sh\"]\n",
        ),
        ("files/run.sh", "#!/bin/sh\n"),
    ] {
        sandbox.write(&format!("repo/{file}"), content);
    }
    unix_fs::symlink("../files", sandbox.path("repo/notes/files")).unwrap();
    sandbox.commit("repo");
    sandbox.settle("repo");
    sandbox
}

fn convert_on_checkout(shop: &Sandbox) {
    shop.write("repo/.git/info/attributes", "main.go text eol=crlf\n");
    fs::remove_file(shop.path("repo/cmd/api/main.go")).unwrap();
    shop.git("repo", &["checkout", "--quiet", "--", "cmd"]);
    shop.settle("repo");
}

/// What happens to the shop after its commit.
type Edit = fn(&Sandbox);

const FOLLOWED: Option<Way> = Some(Way::Followed);
const KNOWING: Option<Way> = Some(Way::Knowing);

#[test]
fn a_commit_is_planned_by_what_differs_from_the_work_tree_as_it_is_planned_anew() {
    let edits: &[(&str, Edit, Option<Way>)] = &[
        ("nothing", |_| {}, FOLLOWED),
        (
            "the body of a source file",
            |shop| {
                shop.write(
                    "repo/cmd/api/main.go",
                    "package main\n\nimport _ \"ex.com/shop/lib\"\n\nfunc main() { println() }\n",
                );
            },
            FOLLOWED,
        ),
        (
            "the body of a source file, with its length and time kept",
            |shop| {
                let file = shop.path("repo/cmd/api/main.go");
                let modified = fs::metadata(&file).unwrap().modified().unwrap();
                shop.write(
                    "repo/cmd/api/main.go",
                    "package main\n\nimport _ \"ex.com/shop/lib\"\n\nfunc main() {\n}",
                );
                let file = fs::File::open(file).unwrap();
                file.set_modified(modified).unwrap();
            },
            FOLLOWED,
        ),
        (
            "an embedded file",
            |shop| shop.write("repo/lib/words/one.txt", "two\n"),
            FOLLOWED,
        ),
        (
            "another embedded file",
            |shop| shop.write("repo/lib/words/two.txt", "two\n"),
            KNOWING,
        ),
        (
            "a test",
            |shop| shop.write("repo/lib/lib_test.go", "package lib\n\nfunc f() {}\n"),
            FOLLOWED,
        ),
        (
            "an import",
            |shop| shop.write("repo/lib/lib.go", "package lib\n\nimport _ \"fmt\"\n"),
            KNOWING,
        ),
        (
            "the manifest",
            |shop| shop.write("repo/go.mod", "module ex.com/shop\n\ngo 1.25\n"),
            KNOWING,
        ),
        (
            "the configuration",
            |shop| shop.write("repo/rebake.toml", ""),
            KNOWING,
        ),
        (
            "an asset",
            |shop| shop.write("repo/files/run.sh", "#!/bin/sh\necho\n"),
            KNOWING,
        ),
        (
            "an asset that may be executed",
            |shop| {
                let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
                fs::set_permissions(shop.path("repo/files/run.sh"), executable).unwrap();
            },
            KNOWING,
        ),
        (
            "a file that is no input",
            |shop| shop.write("repo/notes/a/b.txt", "c\n"),
            FOLLOWED,
        ),
        (
            "an untracked file beside the sources",
            |shop| shop.write("repo/lib/more.go", "package lib\n"),
            KNOWING,
        ),
        (
            "an untracked directory",
            |shop| shop.write("repo/new/notes.txt", "x\n"),
            KNOWING,
        ),
        (
            "an ignored file that is embedded",
            |shop| {
                shop.write("repo/.git/info/exclude", "*.tmp\n");
                shop.write("repo/lib/words/a.tmp", "x\n");
            },
            KNOWING,
        ),
        (
            "a file that is gone",
            |shop| fs::remove_file(shop.path("repo/README.md")).unwrap(),
            KNOWING,
        ),
        (
            "a directory that is gone, in a later commit",
            |shop| {
                shop.git("repo", &["rm", "-r", "--quiet", "notes/a"]);
                shop.commit("repo");
                shop.settle("repo");
            },
            KNOWING,
        ),
        (
            "a link to another place",
            |shop| {
                fs::remove_file(shop.path("repo/notes/files")).unwrap();
                unix_fs::symlink("../lib", shop.path("repo/notes/files")).unwrap();
            },
            KNOWING,
        ),
        (
            "a body in a later commit",
            |shop| {
                shop.write(
                    "repo/cmd/api/main.go",
                    "package main\n\nimport _ \"ex.com/shop/lib\"\n\nfunc main() { println() }\n",
                );
                shop.commit("repo");
                shop.settle("repo");
            },
            FOLLOWED,
        ),
        (
            "a body that is staged and taken back on disk",
            |shop| {
                let file = "repo/cmd/api/main.go";
                let before = fs::read(shop.path(file)).unwrap();
                shop.write(
                    file,
                    "package main\n\nimport _ \"ex.com/shop/lib\"\n\nfunc main() { println() }\n",
                );
                shop.git("repo", &["add", "--all"]);
                shop.write(file, before);
            },
            FOLLOWED,
        ),
        (
            "line ends that a checkout converts",
            convert_on_checkout,
            FOLLOWED,
        ),
        (
            "line ends that a filter of nobody's configuration converted",
            |shop| {
                shop.git(
                    "repo",
                    &[
                        "-c",
                        "core.autocrlf=true",
                        "rm",
                        "--quiet",
                        "--cached",
                        "lib/lib.go",
                    ],
                );
                fs::remove_file(shop.path("repo/lib/lib.go")).unwrap();
                shop.git(
                    "repo",
                    &[
                        "-c",
                        "core.autocrlf=true",
                        "checkout",
                        "--quiet",
                        "HEAD",
                        "--",
                        "lib/lib.go",
                    ],
                );
                let file = fs::File::open(shop.path("repo/lib/lib.go")).unwrap();
                file.set_modified(
                    std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000),
                )
                .unwrap();
                shop.git(
                    "repo",
                    &[
                        "-c",
                        "core.autocrlf=true",
                        "update-index",
                        "-q",
                        "--refresh",
                    ],
                );
            },
            FOLLOWED,
        ),
        (
            "a file that git is told to take for unchanged",
            |shop| {
                shop.git(
                    "repo",
                    &["update-index", "--assume-unchanged", "lib/words/one.txt"],
                );
                shop.write("repo/lib/words/one.txt", "two\n");
            },
            FOLLOWED,
        ),
        (
            "a file that is left out of the checkout",
            |shop| {
                shop.git("repo", &["update-index", "--skip-worktree", "README.md"]);
                fs::remove_file(shop.path("repo/README.md")).unwrap();
            },
            KNOWING,
        ),
        (
            "a file system that keeps no executable bit",
            |shop| {
                shop.git("repo", &["config", "core.fileMode", "false"]);
            },
            None,
        ),
    ];
    for (name, edit, expected) in edits {
        let sandbox = shop();
        let commit = sandbox.git("repo", &["rev-parse", "HEAD"]);
        edit(&sandbox);
        let way = way_to_commit(&sandbox, &commit, &RepoPath::root(), name);
        assert_eq!(way, *expected, "{name}");
    }
}

#[test]
fn a_file_that_is_edited_after_git_looked_is_read_from_the_commit() {
    let sandbox = shop();
    let repository = sandbox.repository("repo");
    let state = repository.work_tree_state(&sandbox.path("repo")).unwrap();
    // The plan sees an edit that git's knowledge is too old for, and that is taken back later.
    let file = "repo/lib/words/one.txt";
    sandbox.write(file, "two\n");
    let disk = DiskTree::open(&sandbox.path("repo")).unwrap();
    let options = following();
    let of_disk = plan(&disk, &options).unwrap();
    sandbox.write(file, "one\n");
    let tree = sandbox.head_tree("repo");
    let planned = PlannedTree::WorkTree {
        state: &state,
        known_length: &|_| None,
    };
    let (by_difference, way) =
        plan_in_a_way(of_disk.clone(), &planned, &tree, &[], &options).unwrap();
    assert_eq!(way, Way::Followed);
    let by_difference = by_difference.unwrap();
    assert_eq!(told(&by_difference), told(&plan(&tree, &options).unwrap()));
    assert_ne!(by_difference.images[0].keys, of_disk.images[0].keys);
}

#[test]
fn a_commit_is_planned_by_what_differs_from_another_commit() {
    let sandbox = shop();
    let before = sandbox.head_tree("repo");
    sandbox.write("repo/lib/words/one.txt", "two\n");
    sandbox.commit("repo");
    let after = sandbox.head_tree("repo");
    sandbox.write("repo/lib/words/three.txt", "three\n");
    sandbox.commit("repo");
    let last = sandbox.head_tree("repo");
    let between = |from: &GitTree, to: &GitTree| {
        let options = following();
        let of_from = plan(from, &options).unwrap();
        let changed = to.changed_paths(from).unwrap();
        let planned = PlannedTree::Commit;
        let (by_difference, way) =
            plan_in_a_way(of_from, &planned, to, &changed, &options).unwrap();
        assert_eq!(
            told(&by_difference.unwrap()),
            told(&plan(to, &options).unwrap())
        );
        way
    };
    assert_eq!(between(&after, &before), Way::Followed);
    assert_eq!(between(&before, &after), Way::Followed);
    assert_eq!(between(&last, &after), Way::Knowing, "a name is new");
    assert_eq!(between(&after, &last), Way::Knowing, "a name is gone");
}

#[test]
fn every_sample_is_planned_by_what_differs_as_it_is_planned_anew() {
    let sandbox = Sandbox::with_repository();
    let samples: Vec<_> = cases().unwrap();
    for case in &samples {
        let directory = sandbox.path("repo").join(&case.topic).join(&case.name);
        fs::create_dir_all(&directory).unwrap();
        write_entries(&case.entries, directory.as_std_path()).unwrap();
    }
    sandbox.git("repo", &["add", "--all", "--force"]);
    sandbox.git("repo", &["commit", "--quiet", "--message=x"]);
    sandbox.settle("repo");
    let commit = sandbox.git("repo", &["rev-parse", "HEAD"]);
    let mut followed = 0;
    for case in &samples {
        let root = path(&format!("{}/{}", case.topic, case.name));
        let way = |edit: &str| {
            let name = format!("{root} with {edit}");
            way_to_commit(&sandbox, &commit, &root, &name)
        };
        followed += usize::from(way("no edit") == FOLLOWED);
        let directory = sandbox.path("repo").join(root.as_tree_str());
        let new = directory.join("new.go");
        fs::write(&new, "package main\n\nfunc main() {}\n").unwrap();
        way("an untracked source file");
        fs::remove_file(&new).unwrap();
        for entry in case.entries.iter().take(6) {
            let file = directory.join(&entry.path);
            let aside = sandbox.path("aside");
            if fs::rename(&file, &aside).is_ok() {
                way(&format!("{} gone", entry.path));
                fs::rename(&aside, &file).unwrap();
            }
        }
    }
    assert!(followed > samples.len() / 2, "{followed}");
}

#[test]
fn what_git_says_of_the_inputs_of_a_work_tree_is_not_said_of_the_commit() {
    let sandbox = shop();
    convert_on_checkout(&sandbox);
    let commit = sandbox.git("repo", &["rev-parse", "HEAD"]);
    let way = way_to_commit(&sandbox, &commit, &RepoPath::root(), "converted");
    assert_eq!(way, FOLLOWED);
    let disk = DiskTree::open(&sandbox.path("repo")).unwrap();
    let repository = sandbox.repository("repo");
    let mut of_disk = plan(&disk, &following()).unwrap();
    let state = repository.work_tree_state(&sandbox.path("repo")).unwrap();
    inspect_work_tree(&state, &mut of_disk);
    assert_eq!(of_disk.diagnostics.len(), 1);
}
