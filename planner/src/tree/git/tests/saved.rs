//! What is saved of contents saves work, and never changes an answer.

use super::sandbox::{Sandbox, path};
use crate::path::RepoPath;
use crate::plan::{Plan, PlanOptions, plan};
use crate::sources::ContentMemory;
use crate::tree::{
    ContentDigest, ContentIdentity, FileMode, Listing, ReadLimit, SourceTree, TreeError,
    disk::DiskTree,
};
use rebake_fixtures::{Content, cases, entry::write_entries};
use std::{fs, sync::Mutex};

/// A tree that notes what is read.
struct Noting<'t> {
    tree: &'t dyn SourceTree,
    read: Mutex<Vec<String>>,
}

impl SourceTree for Noting<'_> {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        self.tree.list(directory)
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        self.read.lock().unwrap().push(file.to_string());
        self.tree.read(file, limit)
    }

    fn digest(&self, file: &RepoPath) -> Result<ContentDigest, TreeError> {
        self.read.lock().unwrap().push(file.to_string());
        self.tree.digest(file)
    }

    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError> {
        self.tree.read_link(link)
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        self.tree.mode(file)
    }

    fn content_identity(&self, file: &RepoPath) -> Option<ContentIdentity> {
        self.tree.content_identity(file)
    }

    fn lasting_identity(&self, file: &RepoPath) -> Option<ContentIdentity> {
        self.tree.lasting_identity(file)
    }
}

/// A plan of a checkout as the program makes it with a cache: the plan, what was read for it, and what is saved after it.
struct Run {
    plan: Plan,
    read: Vec<String>,
    saved: Option<Vec<u8>>,
}

fn run(sandbox: &Sandbox, root: &RepoPath, saved: Vec<u8>) -> Run {
    run_and(sandbox, root, saved, || {})
}

/// With something that happens between the reading and the saving.
fn run_and(sandbox: &Sandbox, root: &RepoPath, saved: Vec<u8>, meanwhile: impl FnOnce()) -> Run {
    let repository = sandbox.repository("repo");
    let directory = sandbox.path("repo").join(root.as_tree_str());
    let state = repository.work_tree_state(&directory).unwrap();
    let disk = DiskTree::open(&directory).unwrap();
    let mut options = PlanOptions::new();
    options.services = vec!["**".to_owned()];
    options.memory = ContentMemory::with_saved(saved);
    let (plan, read) = state
        .with_tracked_files(&disk, &|name| options.memory.saved_length(name), |files| {
            let noting = Noting {
                tree: files,
                read: Mutex::default(),
            };
            let planned = plan(&noting, &options).unwrap();
            meanwhile();
            options
                .memory
                .identify(|paths| files.settled_identities(paths));
            let mut read = noting.read.into_inner().unwrap();
            read.sort();
            (planned, read)
        })
        .unwrap();
    let saved = options
        .memory
        .to_save(&|name| repository.content_length(name));
    Run { plan, read, saved }
}

/// The plan of what stands on disk, by somebody who remembers nothing.
fn fresh(sandbox: &Sandbox, root: &RepoPath) -> Plan {
    let disk = DiskTree::open(&sandbox.path("repo").join(root.as_tree_str())).unwrap();
    let mut options = PlanOptions::new();
    options.services = vec!["**".to_owned()];
    plan(&disk, &options).unwrap()
}

fn assert_same(left: &Plan, right: &Plan, what: &str) {
    assert_eq!(left.diagnostics, right.diagnostics, "{what}");
    assert_eq!(left.images.len(), right.images.len(), "{what}");
    for (left, right) in left.images.iter().zip(&right.images) {
        assert_eq!(left.inputs, right.inputs, "{what}");
        assert_eq!(left.keys, right.keys, "{what}");
    }
}

fn shop() -> Sandbox {
    let sandbox = fresh_shop();
    sandbox.settle("repo");
    sandbox
}

/// Whose files are as old as its index. To settle twice within a second is no good, since git looks at whole seconds.
fn fresh_shop() -> Sandbox {
    let sandbox = Sandbox::with_repository();
    for (file, content) in [
        ("go.mod", "module ex.com/shop\n\ngo 1.24\n"),
        (
            "cmd/api/main.go",
            "package main\n\nimport _ \"ex.com/shop/lib\"\n\nfunc main() {}\n",
        ),
        ("cmd/tool/main.go", "package main\n\nfunc main() {}\n"),
        (
            "lib/lib.go",
            "package lib\n\nimport _ \"embed\"\n\n//go:embed text\nvar text string\n",
        ),
        ("lib/lib_test.go", "package lib_test\n"),
        ("lib/text", "text\n"),
    ] {
        sandbox.write(&format!("repo/{file}"), content);
    }
    sandbox.commit("repo");
    sandbox
}

#[test]
fn what_was_saved_is_not_read_again() {
    let sandbox = shop();
    let root = RepoPath::root();
    let first = run(&sandbox, &root, Vec::new());
    let everything = [
        "cmd/api/main.go",
        "cmd/tool/main.go",
        "go.mod",
        "lib/lib.go",
        "lib/lib_test.go",
        "lib/text",
    ];
    assert_eq!(first.read, everything);
    let saved = first.saved.unwrap();
    let second = run(&sandbox, &root, saved.clone());
    assert_eq!(second.read, Vec::<String>::new());
    assert!(second.saved.is_none(), "there is nothing new to save");
    assert_same(&first.plan, &second.plan, "the second run");
    assert_same(&fresh(&sandbox, &root), &second.plan, "a fresh plan");

    // An edit is read, and nothing else; the commit before it need not be read at all.
    sandbox.write("repo/lib/text", "edited\n");
    let edited = run(&sandbox, &root, saved.clone());
    assert_eq!(edited.read, ["lib/text"]);
    assert_same(&fresh(&sandbox, &root), &edited.plan, "an edit");
    let mut options = PlanOptions::new();
    options.services = vec!["**".to_owned()];
    options.memory = ContentMemory::with_saved(saved);
    let commit = sandbox.head_tree("repo");
    let noting = Noting {
        tree: &commit,
        read: Mutex::default(),
    };
    assert_same(&plan(&noting, &options).unwrap(), &first.plan, "the commit");
    assert_eq!(noting.read.into_inner().unwrap(), Vec::<String>::new());
}

#[test]
fn what_is_written_while_it_is_read_is_not_saved() {
    let sandbox = shop();
    let root = RepoPath::root();
    // As long as before.
    let first = run_and(&sandbox, &root, Vec::new(), || {
        sandbox.write("repo/lib/text", "tixt\n");
    });
    let second = run(&sandbox, &root, first.saved.unwrap());
    assert_eq!(second.read, ["lib/text"]);
    sandbox.git("repo", &["checkout", "--quiet", "--", "lib/text"]);
    sandbox.settle("repo");
    let third = run(&sandbox, &root, second.saved.unwrap_or_default());
    assert_same(&fresh(&sandbox, &root), &third.plan, "the file is back");
}

#[test]
fn an_edit_that_the_configuration_hides_from_git_is_read() {
    for (setting, value) in [("core.trustCtime", "false"), ("core.checkStat", "minimal")] {
        let sandbox = shop();
        sandbox.git("repo", &["config", setting, value]);
        let root = RepoPath::root();
        let saved = run(&sandbox, &root, Vec::new()).saved.unwrap();
        let file = sandbox.path("repo/lib/text");
        let written = fs::metadata(&file).unwrap().modified().unwrap();
        // As long as before, and as old.
        sandbox.write("repo/lib/text", "tixt\n");
        let opened = fs::File::open(&file).unwrap();
        opened.set_modified(written).unwrap();
        let second = run(&sandbox, &root, saved);
        assert_eq!(second.read, ["lib/text"], "{setting}");
        assert_same(&fresh(&sandbox, &root), &second.plan, setting);
    }
}

#[test]
fn a_file_that_may_be_racy_is_not_saved() {
    let sandbox = shop();
    // The index is written in the same moment as the file.
    sandbox.write("repo/lib/text", "text 2\n");
    sandbox.commit("repo");
    let file = fs::metadata(sandbox.path("repo/lib/text")).unwrap();
    let index = fs::File::open(sandbox.path("repo/.git/index")).unwrap();
    index.set_modified(file.modified().unwrap()).unwrap();
    let root = RepoPath::root();
    let saved = run(&sandbox, &root, Vec::new()).saved.unwrap();
    let second = run(&sandbox, &root, saved);
    assert_eq!(second.read, ["lib/text"]);
}

/// A shop with a file that a filter of that name converts on checkout, which keeps its length.
fn converted_shop(filter: &str) -> Sandbox {
    let sandbox = fresh_shop();
    for (part, program) in [("smudge", "tr a-z b-za"), ("clean", "tr b-za a-z")] {
        let name = format!("filter.{filter}.{part}");
        sandbox.git("repo", &["config", &name, program]);
    }
    sandbox.write("repo/.gitattributes", format!("text filter={filter}\n"));
    sandbox.commit("repo");
    fs::remove_file(sandbox.path("repo/lib/text")).unwrap();
    sandbox.git("repo", &["checkout", "--quiet", "--", "lib/text"]);
    sandbox.settle("repo");
    sandbox
}

#[test]
fn files_that_a_checkout_converts_are_read_even_where_their_length_stays() {
    let sandbox = converted_shop("lfs");
    let root = RepoPath::root();
    let first = run(&sandbox, &root, Vec::new());
    let second = run(&sandbox, &root, first.saved.unwrap());
    assert_eq!(second.read, ["lib/text"]);
    assert_same(&fresh(&sandbox, &root), &second.plan, "converted");
}

#[test]
fn a_file_whose_attribute_went_without_a_new_checkout_is_not_taken_for_the_commit_s() {
    let sandbox = converted_shop("turn");
    sandbox.git("repo", &["rm", "--quiet", ".gitattributes"]);
    sandbox.git("repo", &["commit", "--quiet", "--message=x"]);
    assert_eq!(sandbox.git("repo", &["status", "--short"]), "");
    let root = RepoPath::root();
    let first = run(&sandbox, &root, Vec::new());
    let mut options = PlanOptions::new();
    options.services = vec!["**".to_owned()];
    let commit = sandbox.head_tree("repo");
    let alone = plan(&commit, &options).unwrap();
    options.memory = ContentMemory::with_saved(first.saved.unwrap_or_default());
    let with_saved = plan(&commit, &options).unwrap();
    assert_same(&with_saved, &alone, "the commit");

    // What is known of the commit says nothing of the file.
    let repository = sandbox.repository("repo");
    let saved = options
        .memory
        .to_save(&|name| repository.content_length(name));
    let second = run(&sandbox, &root, saved.unwrap());
    assert_same(&fresh(&sandbox, &root), &second.plan, "the checkout");
}

#[test]
fn every_sample_tree_plans_from_what_was_saved_as_without() {
    let sandbox = Sandbox::with_repository();
    let mut roots = Vec::new();
    for case in cases().unwrap() {
        let is_committable = case
            .entries
            .iter()
            .all(|entry| entry.content != Content::Directory);
        if is_committable {
            let place = format!("{}/{}", case.topic, case.name);
            let directory = sandbox.path("repo").join(&place);
            fs::create_dir_all(&directory).unwrap();
            write_entries(&case.entries, directory.as_std_path()).unwrap();
            roots.push(path(&place));
        }
    }
    sandbox.git("repo", &["add", "--all", "--force"]);
    sandbox.git("repo", &["commit", "--quiet", "--message=x"]);
    sandbox.settle("repo");
    let mut unread = 0;
    for root in roots {
        let first = run(&sandbox, &root, Vec::new());
        let second = run(&sandbox, &root, first.saved.unwrap_or_default());
        assert_same(&fresh(&sandbox, &root), &first.plan, root.as_str());
        assert_same(&first.plan, &second.plan, root.as_str());
        unread += first.read.len() - second.read.len();
    }
    assert!(unread > 200, "{unread} files were not read again");
}

#[test]
fn a_walk_through_random_edits_answers_as_without_a_cache() {
    let sandbox = shop();
    let root = RepoPath::root();
    let mut saved = Vec::new();
    // A linear congruential generator is random enough to choose edits.
    let mut state = 42_u64;
    let mut choose = |count: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % count
    };
    let files = ["lib/lib.go", "lib/more.go", "lib/lib_test.go", "lib/text"];
    let contents = [
        "package lib\n",
        "package lib // 2\n",
        "package lib\n\nimport _ \"fmt\"\n",
        "package other\n",
        "package lib\n\nimport _ \"ex.com/none\"\n",
    ];
    for round in 0..24 {
        match choose(5) {
            0 => {
                sandbox.commit("repo");
            }
            1 => sandbox.settle("repo"),
            2 => {
                sandbox.git("repo", &["stash", "--quiet", "--include-untracked"]);
            }
            _ => sandbox.write(
                &format!("repo/{}", files[choose(files.len())]),
                contents[choose(contents.len())],
            ),
        }
        let with_cache = run(&sandbox, &root, saved.clone());
        assert_same(
            &fresh(&sandbox, &root),
            &with_cache.plan,
            &format!("round {round}"),
        );
        saved = with_cache.saved.unwrap_or(saved);
    }
}
