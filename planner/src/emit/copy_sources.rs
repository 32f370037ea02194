//! The paths that are copied into the build.
//!
//! In: the scope of a service. Out: few directories that hold all of it. The ignore file says what of them is there, so
//! few and large ones cost nothing but a wider look where no ignore file counts: in contexts from git.

use super::{dockerfile::Source, service_build::Scope};
use crate::path::RepoPath;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// Each path costs the builder time of its own.
const MOST_SOURCES: usize = 40;

/// The directories and files to copy, sorted; none below another. What is vendored is mounted, and not copied.
pub(super) fn copy_sources(scope: &Scope, vendor: Option<&RepoPath>) -> BTreeSet<RepoPath> {
    let all = scope
        .packages
        .iter()
        .chain(&scope.embedded)
        .chain(&scope.files);
    let own = all.filter(|path| vendor.is_none_or(|vendor| !path.starts_with(vendor)));
    let mut sources = without_covered(&own.cloned().collect());
    let mut shared = SharedDirectories::of(sources.iter().filter_map(RepoPath::parent));
    while sources.len() > MOST_SOURCES {
        let Some(parent) = shared.deepest() else {
            break;
        };
        sources.retain(|path| !path.starts_with(&parent));
        shared.merge(&parent, parent.parent());
        sources.insert(parent);
    }
    sources
}

/// The names of the files that say how modules are found.
const MANIFEST_NAMES: [&str; 5] = ["go.mod", "go.sum", "go.work", "go.work.sum", "modules.txt"];

/// The manifests: each by its path, or where there are many all files of their names, wherever they are.
pub(super) fn manifest_sources(manifests: &BTreeSet<RepoPath>) -> Vec<Source> {
    if manifests.len() <= MOST_SOURCES {
        return manifests.iter().cloned().map(Source::Path).collect();
    }
    let is_there = |name: &&str| manifests.iter().any(|path| path.file_name() == Some(*name));
    MANIFEST_NAMES
        .into_iter()
        .filter(is_there)
        .map(Source::Everywhere)
        .collect()
}

/// Drops what lies below another path.
fn without_covered(sources: &BTreeSet<RepoPath>) -> BTreeSet<RepoPath> {
    let covered = |path: &RepoPath| {
        let mut above = path.parent();
        while let Some(directory) = above {
            if sources.contains(&directory) {
                return true;
            }
            above = directory.parent();
        }
        false
    };
    sources
        .iter()
        .filter(|path| !covered(path))
        .cloned()
        .collect()
}

/// How directories hold paths, for taking some of them as wholes. Paths may be many, so nothing is counted twice.
#[derive(Default)]
pub(super) struct SharedDirectories {
    /// How many of the paths are at or below a directory.
    held: BTreeMap<RepoPath, usize>,
    /// Those that hold several: by depth, then by how many, then the first last.
    ranked: BTreeSet<(usize, usize, Reverse<RepoPath>)>,
}

impl SharedDirectories {
    pub(super) fn of(paths: impl IntoIterator<Item = RepoPath>) -> Self {
        let mut shared = Self::default();
        for path in paths {
            shared.add(Some(path));
        }
        shared
    }

    /// Of the directories at or above the paths, the deepest that holds at least two of them; of several, the one that
    /// holds the most, then the first.
    pub(super) fn deepest(&self) -> Option<RepoPath> {
        let (_, _, Reverse(directory)) = self.ranked.last()?;
        Some(directory.clone())
    }

    /// Has one path stand for all at or below a directory.
    pub(super) fn merge(&mut self, directory: &RepoPath, path: Option<RepoPath>) {
        let merged = self.held.get(directory).copied().unwrap_or_default();
        let below: Vec<RepoPath> = if directory.is_root() {
            self.held.keys().cloned().collect()
        } else {
            let from = self.held.range(directory.clone()..);
            from.map(|(path, _)| path)
                .take_while(|path| path.as_str().starts_with(directory.as_str()))
                .filter(|path| path.starts_with(directory))
                .cloned()
                .collect()
        };
        for path in below {
            self.set(path, 0);
        }
        let mut above = directory.parent();
        while let Some(directory) = above {
            above = directory.parent();
            let held = self.held.get(&directory).copied().unwrap_or_default();
            self.set(directory, held.saturating_sub(merged));
        }
        self.add(path);
    }

    fn add(&mut self, path: Option<RepoPath>) {
        let mut above = path;
        while let Some(directory) = above {
            above = directory.parent();
            let held = self.held.get(&directory).copied().unwrap_or_default();
            self.set(directory, held + 1);
        }
    }

    fn set(&mut self, directory: RepoPath, held: usize) {
        let depth = directory.elements().count();
        let before = self.held.get(&directory).copied().unwrap_or_default();
        let rank = |held| (depth, held, Reverse(directory.clone()));
        if before > 1 {
            self.ranked.remove(&rank(before));
        }
        if held > 1 {
            self.ranked.insert(rank(held));
        }
        if held > 0 {
            self.held.insert(directory, held);
        } else {
            self.held.remove(&directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<RepoPath> {
        texts
            .into_iter()
            .map(|text| RepoPath::new(text).unwrap())
            .collect()
    }

    fn sources_of(packages: BTreeSet<RepoPath>, vendor: Option<&str>) -> BTreeSet<RepoPath> {
        let scope = Scope {
            packages,
            ..Scope::default()
        };
        let vendor = vendor.map(|text| RepoPath::new(text).unwrap());
        copy_sources(&scope, vendor.as_ref())
    }

    #[test]
    fn what_lies_below_another_source_is_left_out() {
        let packages = paths(["a", "a/b", "ab", "c/d"]);
        assert_eq!(sources_of(packages, None), paths(["a", "ab", "c/d"]));
    }

    #[test]
    fn a_package_at_the_root_takes_the_context_as_it_is() {
        assert_eq!(sources_of(paths([".", "a"]), None), paths(["."]));
    }

    #[test]
    fn vendored_packages_are_not_copied() {
        let packages = paths(["a", "vendor/ex.com/x"]);
        assert_eq!(sources_of(packages, Some("vendor")), paths(["a"]));
    }

    #[test]
    fn many_directories_become_few() {
        let names: Vec<String> = (0..60)
            .map(|number| format!("pkg/deep/p{number}"))
            .collect();
        let mut packages = paths(names.iter().map(String::as_str));
        packages.extend(paths(["cmd/api", "lib"]));
        assert_eq!(
            sources_of(packages, None),
            paths(["cmd/api", "lib", "pkg/deep"])
        );
    }

    /// What [`SharedDirectories`] keeps count of, counted anew.
    fn deepest_shared_directory(paths: &BTreeSet<RepoPath>) -> Option<RepoPath> {
        let mut held: BTreeMap<RepoPath, usize> = BTreeMap::new();
        for path in paths {
            let mut above = Some(path.clone());
            while let Some(directory) = above {
                above = directory.parent();
                *held.entry(directory).or_default() += 1;
            }
        }
        let several = held.into_iter().filter(|(_, count)| *count > 1);
        let deepest = several.max_by_key(|(directory, count)| {
            (
                directory.elements().count(),
                *count,
                Reverse(directory.clone()),
            )
        });
        deepest.map(|(directory, _)| directory)
    }

    #[test]
    fn counts_stay_right_when_directories_become_wholes() {
        let mut state = 1_u32;
        let mut next = |most: u32| {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            (state >> 16) % most
        };
        for _ in 0..60 {
            let mut all = BTreeSet::new();
            for _ in 0..next(30) {
                let depth = next(4);
                let names: Vec<String> = (0..depth)
                    .map(|_| ["a", "b", "a-b", "a.b"][next(4) as usize].to_owned())
                    .collect();
                let text = if names.is_empty() {
                    ".".to_owned()
                } else {
                    names.join("/")
                };
                all.insert(RepoPath::new(&text).unwrap());
            }
            let mut shared = SharedDirectories::of(all.iter().cloned());
            loop {
                let deepest = deepest_shared_directory(&all);
                assert_eq!(shared.deepest(), deepest, "{all:?}");
                let Some(directory) = deepest else {
                    break;
                };
                all.retain(|path| !path.starts_with(&directory));
                all.insert(directory.clone());
                shared.merge(&directory, Some(directory.clone()));
            }
        }
    }
}
