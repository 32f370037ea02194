//! A plan that follows edits answers as a fresh plan does, and follows where an edit changes bytes alone.

use crate::{
    purity::{in_memory, samples},
    rendering::{documents, documents_of, sound_but},
};
use rebake_planner::{
    path::RepoPath,
    plan::{Followed, FoundationsKept, Plan, PlanOptions, plan},
    tree::{ReadLimit, SourceTree as _, memory::MemoryTree},
};

fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

/// A tree with the plan that follows its edits.
struct Followers {
    tree: MemoryTree,
    options: PlanOptions,
    followed: Option<(Plan, rebake_planner::plan::Foundations)>,
}

impl Followers {
    fn new(tree: MemoryTree, options: &PlanOptions) -> Self {
        let mut options = options.clone();
        options.foundations = FoundationsKept::Yes;
        let mut followers = Self {
            tree,
            options,
            followed: None,
        };
        followers.plan_anew();
        followers
    }

    fn plan_anew(&mut self) {
        self.followed = plan(&self.tree, &self.options).ok().map(|mut plan| {
            let foundations = plan.take_foundations().unwrap();
            (plan, foundations)
        });
    }

    /// Tells of an edit what a watcher would: the path, and the directories that came or went with it.
    fn edit(&mut self, edited: &RepoPath, edit: impl FnOnce(&mut MemoryTree)) -> Followed {
        let ancestors: Vec<RepoPath> =
            std::iter::successors(edited.parent(), RepoPath::parent).collect();
        let are_there = |tree: &MemoryTree| -> Vec<bool> {
            ancestors.iter().map(|one| tree.list(one).is_ok()).collect()
        };
        let before = are_there(&self.tree);
        edit(&mut self.tree);
        let after = are_there(&self.tree);
        let mut changed = vec![edited.clone()];
        for (index, ancestor) in ancestors.iter().enumerate() {
            if before[index] != after[index] {
                changed.push(ancestor.clone());
            }
        }
        let followed = match &mut self.followed {
            Some((plan, foundations)) => foundations.follow(plan, &self.tree, &changed),
            None => Followed::Lost,
        };
        if followed == Followed::Lost {
            self.plan_anew();
        }
        followed
    }

    fn assert_fresh(&self, what: &str) {
        let fresh = documents(&self.tree, &self.options);
        if let Some((plan, _)) = &self.followed {
            assert_eq!(documents_of(plan), fresh, "{what}");
        }
    }
}

#[test]
fn edits_that_change_bytes_alone_are_followed_and_others_are_not() {
    let tree = sound_but([
        (
            "lib/lib.go",
            "package lib\n\nimport _ \"embed\"\n\n//go:embed text\nvar text string\n",
        ),
        ("lib/text", "text\n"),
        ("lib/lib_test.go", "package lib\n"),
        ("lib/README.md", "# Lib\n"),
        ("other/other.go", "package other\n"),
    ]);
    let main = "package main\n\nimport _ \"ex.com/shop/lib\"\n\nfunc main() {}\n";
    let cases = [
        (
            "services/api/main.go",
            format!("{main}\nfunc more() {{}}\n"),
            Followed::Whole,
        ),
        ("lib/text", "other text\n".to_owned(), Followed::Whole),
        (
            "lib/lib_test.go",
            "package lib\n\nfunc f() {}\n".to_owned(),
            Followed::Whole,
        ),
        ("lib/README.md", "# Library\n".to_owned(), Followed::Whole),
        (
            "other/other.go",
            "package other // edited\n".to_owned(),
            Followed::Whole,
        ),
        (
            "other/deep/new.txt",
            "in a directory that is new\n".to_owned(),
            Followed::Lost,
        ),
        (
            "services/api/main.go",
            format!("// Main.\n{main}"),
            Followed::Lost,
        ),
        (
            "lib/lib_test.go",
            "package broken\n".to_owned(),
            Followed::Lost,
        ),
        ("lib/more.go", "package lib\n".to_owned(), Followed::Lost),
        (
            "go.mod",
            "module ex.com/shop\n\ngo 1.22\n// edited\n".to_owned(),
            Followed::Lost,
        ),
        ("rebake.toml", "cgo = true\n".to_owned(), Followed::Lost),
    ];
    let mut followers = Followers::new(tree, &PlanOptions::new());
    for (edited, content, expected) in cases {
        let edited = path(edited);
        let followed = followers.edit(&edited, |tree| tree.set(&edited, content).unwrap());
        assert_eq!(followed, expected, "{edited}");
        followers.assert_fresh(edited.as_str());
    }
    let removed = path("lib/README.md");
    let followed = followers.edit(&removed, |tree| {
        tree.remove(&removed);
    });
    assert_eq!(followed, Followed::Lost);
    followers.assert_fresh("a removal");
}

#[test]
fn a_file_behind_a_link_is_not_followed() {
    let tree = sound_but([("real/text", "text\n"), ("real/lib.go", "package real\n")])
        .with_symlink("lib/linked.go", "../other/linked.go")
        .unwrap()
        .with_file("other/linked.go", "package lib\n")
        .unwrap();
    let mut followers = Followers::new(tree, &PlanOptions::new());
    for (edited, content) in [
        ("other/linked.go", "package lib // edited\n"),
        ("other/linked.go", "package lib // edited again\n"),
    ] {
        let edited = path(edited);
        let followed = followers.edit(&edited, |tree| tree.set(&edited, content).unwrap());
        assert_eq!(followed, Followed::Lost);
        followers.assert_fresh("behind a link");
    }
    let link = path("lib/linked.go");
    followers.edit(&link, |tree| {
        tree.remove(&link);
        *tree = std::mem::take(tree)
            .with_symlink("lib/linked.go", "../real/lib.go")
            .unwrap();
    });
    followers.assert_fresh("another link");
}

#[test]
fn an_edit_that_is_told_by_way_of_a_linked_directory_is_not_taken_for_nobody_s() {
    let library = path("lib/lib.go");
    let links = [
        ("linked", "lib", "linked/lib.go"),
        ("docs/deep/linked", "../../lib", "docs/deep/linked/lib.go"),
        ("up", ".", "up/lib/lib.go"),
    ];
    for (link, target, told) in links {
        let tree = sound_but([("lib/lib.go", "package lib\n")])
            .with_symlink(link, target)
            .unwrap();
        let mut followers = Followers::new(tree, &PlanOptions::new());
        let followed = followers.edit(&path(told), |tree| {
            tree.set(&library, "package lib // edited\n").unwrap();
        });
        assert_eq!(followed, Followed::Lost, "{told}");
        followers.assert_fresh(told);
    }
}

/// Random enough to choose edits, and the same on every machine.
struct Choices(u64);

impl Choices {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % count
    }
}

#[test]
fn every_sample_tree_is_followed_through_random_edits() {
    let mut choices = Choices(7);
    let (mut whole, mut lost) = (0, 0);
    for (name, entries, all_options) in samples() {
        let Some(options) = all_options.first() else {
            continue;
        };
        let paths: Vec<RepoPath> = entries.iter().map(|entry| path(&entry.path)).collect();
        let mut followers = Followers::new(in_memory(&entries), options);
        for round in 0..8 {
            let edited = &paths[choices.below(paths.len())];
            let content = followers.tree.read(edited, ReadLimit::Whole);
            let mut content = content.unwrap_or_else(|_| b"package p\n".to_vec());
            let kind = choices.below(8);
            let edit: Box<dyn FnOnce(&mut MemoryTree)> = match kind {
                0 => Box::new(|tree| {
                    tree.remove(edited);
                }),
                1 => {
                    content.splice(0..0, *b"// First.\n");
                    Box::new(|tree| tree.set(edited, content).unwrap())
                }
                2 => {
                    content.extend_from_slice(b"\nimport \"fmt\"\n");
                    Box::new(|tree| tree.set(edited, content).unwrap())
                }
                3 => Box::new(|tree| tree.set(edited, "package changed\n").unwrap()),
                _ => {
                    content.extend_from_slice(format!("// Last, {round}.\n").as_bytes());
                    Box::new(|tree| tree.set(edited, content).unwrap())
                }
            };
            match followers.edit(edited, edit) {
                Followed::Whole => whole += 1,
                Followed::Lost => lost += 1,
            }
            followers.assert_fresh(&format!("{name}, {edited}, edit {kind}"));
        }
    }
    assert!(whole > 500 && lost > 500, "{whole} followed, {lost} lost");
}
