//! What a plan rests on, so that an edit need not be a reason to plan everything again.
//!
//! In: everything that a plan asked its tree, and the paths that may have changed since. Out: the plan as a fresh one
//! would be, or the answer that only a fresh one can tell. It must never guess: the same directories with the same
//! names, and files that say the same to the build and differ in their bytes alone, leave a plan that differs in
//! digests alone. Whatever else changed, the plan is lost.

use super::{Plan, images::tag_services};
use crate::{
    decide::{Baseline, decide},
    file_kind::FileKind,
    hash::{DependencyKeys, image_keys_with},
    parse::go_file::{parse_go_file, parse_header},
    path::RepoPath,
    sources::{KnownAnswers, SourcesParts, scan_other},
    tree::{
        ContentDigest, EntryKind, LARGEST_HELD, Listing, ReadLimit, SourceTree, TreeErrorKind,
        view::Directory,
    },
};
use foldhash::{HashMap, HashMapExt as _, HashSet};
use std::{collections::BTreeSet, sync::Arc};

/// What a plan asked its tree, and was answered.
///
/// ```
/// use rebake_planner::path::RepoPath;
/// use rebake_planner::plan::{Followed, FoundationsKept, PlanOptions, plan};
/// use rebake_planner::tree::memory::MemoryTree;
///
/// let shop = MemoryTree::new()
///     .with_file("go.mod", "module ex.com/shop\n\ngo 1.26\n")?
///     .with_file("cmd/api/main.go", "package main\n\nfunc main() {}\n")?;
/// let mut options = PlanOptions::new();
/// options.foundations = FoundationsKept::Yes;
/// let mut followed = plan(&shop, &options)?;
/// let before = followed.images[0].keys;
/// let mut foundations = followed.take_foundations().unwrap();
///
/// let edited = shop.with_file("cmd/api/main.go", "package main\n\nfunc main() { println() }\n")?;
/// let changed = [RepoPath::new("cmd/api/main.go")?];
/// assert_eq!(foundations.follow(&mut followed, &edited, &changed), Followed::Whole);
/// assert_ne!(followed.images[0].keys, before);
/// assert_eq!(followed.images[0].keys, plan(&edited, &options)?.images[0].keys);
///
/// // Another import makes another graph.
/// let edited = edited.with_file("cmd/api/main.go", "package main\n\nimport _ \"fmt\"\n\nfunc main() {}\n")?;
/// assert_eq!(foundations.follow(&mut followed, &edited, &changed), Followed::Lost);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Foundations {
    pub(super) answers: KnownAnswers,
    /// What was asked in any other way: manifests, modes, links, files behind links, directories that can't be listed.
    pub(super) others: HashSet<RepoPath>,
}

/// Whether a plan keeps what it rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FoundationsKept {
    /// It is planned once.
    #[default]
    No,
    /// It is to follow changes.
    Yes,
}

/// Whether a plan could follow a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// It is what a fresh plan would be.
    Whole,
    /// Only a fresh plan can tell. This one is not to be used any more.
    Lost,
}

/// The reason to plan anew.
struct Lost;

impl Foundations {
    pub(super) fn of(parts: SourcesParts) -> Self {
        let mut others = HashSet::default();
        let mut texts = HashMap::new();
        for (path, text) in parts.others {
            if let Some(text) = text {
                texts.insert(path.clone(), text);
            }
            others.insert(path);
        }
        others.extend(parts.behind.into_map().into_keys());
        let mut listings = HashMap::new();
        for (path, listed) in parts.listings.into_all() {
            match listed {
                Ok(directory) => {
                    listings.insert(path, directory);
                }
                Err(_) => {
                    others.insert(path);
                }
            }
        }
        let answers = KnownAnswers {
            listings,
            go_files: parts.go_files.into_map(),
            test_files: parts.test_files.into_map(),
            other_files: parts.other_files.into_map(),
            digests: parts.digests.into_map(),
            texts,
        };
        Self { answers, others }
    }

    /// The files that were read, and what else was asked for by its path.
    pub(super) fn files(&self) -> BTreeSet<RepoPath> {
        let scanned = self
            .answers
            .go_files
            .keys()
            .chain(self.answers.test_files.keys());
        let hashed = self
            .answers
            .other_files
            .keys()
            .chain(self.answers.digests.keys());
        let files = scanned.chain(hashed).chain(&self.others);
        files.cloned().collect()
    }

    /// A directory as it was listed, by its path without links.
    #[cfg(feature = "git")]
    pub(super) fn listing(&self, real: &RepoPath) -> Option<&Directory> {
        self.answers.listings.get(real).map(|listing| &**listing)
    }

    /// Brings a plan up to date. `changed` must hold every path in the tree that may have changed since the plan was made
    /// or last followed: of files, of links, and of directories that came or went empty, or may be read no more. A path
    /// above them is not enough. The plan is that with which these foundations were made, without a baseline.
    ///
    /// What others have found about the plan's inputs, such as git, is theirs to bring up to date.
    pub fn follow(
        &mut self,
        plan: &mut Plan,
        tree: &dyn SourceTree,
        changed: &[RepoPath],
    ) -> Followed {
        let mut digests = HashMap::new();
        let mut listed = HashSet::default();
        for path in changed {
            if self.look_at(tree, path, &mut listed, &mut digests).is_err() {
                return Followed::Lost;
            }
        }
        if !digests.is_empty() {
            replace_digests(plan, &digests);
        }
        Followed::Whole
    }

    fn look_at(
        &mut self,
        tree: &dyn SourceTree,
        path: &RepoPath,
        listed: &mut HashSet<RepoPath>,
        digests: &mut HashMap<RepoPath, ContentDigest>,
    ) -> Result<(), Lost> {
        let Some(parent) = path.parent() else {
            return Err(Lost);
        };
        if self.others.contains(path) || self.others.contains(&parent) {
            return Err(Lost);
        }
        // A directory that nobody asked for holds nothing that matters, but it may have come or gone with this path. By way
        // of a link it may be one that was asked for by its own path.
        let is_asked_for = self.answers.listings.contains_key(&parent);
        if !is_asked_for && may_be_behind_a_link(tree, &parent) {
            return Err(Lost);
        }
        let nearest = std::iter::successors(Some(parent), RepoPath::parent)
            .find_map(|above| Some((self.answers.listings.get(&above)?, above)));
        let (directory, above) = nearest.ok_or(Lost)?;
        if listed.insert(above) {
            has_same_names(tree, directory)?;
        }
        if !is_asked_for {
            return Ok(());
        }
        let Some(entry) = path.file_name().and_then(|name| directory.entry(name)) else {
            // It came and went meanwhile.
            return Ok(());
        };
        match entry.kind {
            EntryKind::File => self.look_into(tree, path, digests),
            // It is another directory now, or what may be read in it changed.
            EntryKind::Directory if !self.answers.listings.contains_key(path) => Ok(()),
            EntryKind::Directory
            | EntryKind::Symlink
            | EntryKind::Submodule
            | EntryKind::Special => Err(Lost),
        }
    }

    /// Reads a file again, in every way in which it was read.
    fn look_into(
        &mut self,
        tree: &dyn SourceTree,
        path: &RepoPath,
        digests: &mut HashMap<RepoPath, ContentDigest>,
    ) -> Result<(), Lost> {
        let go_file = self.answers.go_files.get_mut(path);
        let test_file = self.answers.test_files.get(path);
        let other_file = self.answers.other_files.get_mut(path);
        if go_file.is_some() || test_file.is_some() || other_file.is_some() {
            let content = tree
                .read(path, ReadLimit::Bytes(LARGEST_HELD + 1))
                .map_err(|_| Lost)?;
            if content.len() > LARGEST_HELD {
                return Err(Lost);
            }
            let digest = ContentDigest::of(&content);
            if let Some(known) = go_file {
                let known = known.as_mut().map_err(|_| Lost)?;
                if known.digest != digest {
                    if parse_go_file(&content) != *known.file {
                        return Err(Lost);
                    }
                    known.digest = digest;
                    digests.insert(path.clone(), digest);
                }
            }
            if let Some(known) = test_file {
                let known = known.as_ref().map_err(|_| Lost)?;
                if parse_header(&content) != **known {
                    return Err(Lost);
                }
            }
            if let Some(known) = other_file {
                let known = known.as_mut().map_err(|_| Lost)?;
                if known.digest != digest {
                    let read = scan_other(digest, &content);
                    if read.constraint != known.constraint || read.includes != known.includes {
                        return Err(Lost);
                    }
                    *known = Arc::new(read);
                    digests.insert(path.clone(), digest);
                }
            }
        }
        if let Some(known) = self.answers.digests.get_mut(path) {
            let known = known.as_mut().map_err(|_| Lost)?;
            let digest = tree.digest(path).map_err(|_| Lost)?;
            if *known != digest {
                *known = digest;
                digests.insert(path.clone(), digest);
            }
        }
        Ok(())
    }
}

/// Whether any element of the path is a link, or can't be asked.
fn may_be_behind_a_link(tree: &dyn SourceTree, path: &RepoPath) -> bool {
    std::iter::successors(Some(path.clone()), RepoPath::parent)
        .filter(|path| !path.is_root())
        .any(|path| match tree.read_link(&path) {
            Ok(_) => true,
            Err(error) => !matches!(
                error.kind,
                TreeErrorKind::NotALink | TreeErrorKind::NotFound | TreeErrorKind::NotADirectory
            ),
        })
}

fn has_same_names(tree: &dyn SourceTree, known: &Directory) -> Result<(), Lost> {
    let Listing { entries, not_utf8 } = tree.list(&known.real).map_err(|_| Lost)?;
    if entries == known.entries && not_utf8 == known.not_utf8 {
        Ok(())
    } else {
        Err(Lost)
    }
}

fn replace_digests(plan: &mut Plan, digests: &HashMap<RepoPath, ContentDigest>) {
    let dependency_keys = DependencyKeys::default();
    let mut is_changed = false;
    for image in &mut plan.images {
        let mut has_changed = false;
        for file in &mut image.inputs.files {
            // A manifest counts by its meaning, and one that changed was no reason to follow.
            if file.kind != FileKind::Manifest
                && let Some(digest) = digests.get(&file.path)
            {
                has_changed |= file.digest != *digest;
                file.digest = *digest;
            }
        }
        if has_changed && image.keys.is_some() {
            image.keys = Some(image_keys_with(&image.inputs, &dependency_keys));
        }
        is_changed |= has_changed;
    }
    if is_changed {
        tag_services(&mut plan.images);
        for image in &mut plan.images {
            (image.verdict, image.reasons) =
                decide(image.state(), Baseline::None, &|_, _| Vec::new());
        }
    }
}
