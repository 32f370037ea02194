//! The paths that are copied into the build.
//!
//! In: the scope of a service. Out: few directories that hold all of it. The ignore file says what of them is there, so
//! few and large ones cost nothing but a wider look where no ignore file counts: in contexts from git.

use super::{dockerfile::Source, service_build::Scope};
use crate::path::RepoPath;
use std::collections::{BTreeMap, BTreeSet};

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
    while sources.len() > MOST_SOURCES {
        let parents = sources.iter().filter_map(RepoPath::parent);
        let Some(parent) = deepest_shared_directory(parents) else {
            break;
        };
        sources.insert(parent);
        sources = without_covered(&sources);
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

/// Of the directories at or above these paths, the deepest that holds at least two of them; of several, the one that
/// holds the most, then the first.
pub(super) fn deepest_shared_directory(
    paths: impl IntoIterator<Item = RepoPath>,
) -> Option<RepoPath> {
    let mut held: BTreeMap<RepoPath, usize> = BTreeMap::new();
    for path in paths {
        let mut above = Some(path);
        while let Some(directory) = above {
            above = directory.parent();
            *held.entry(directory).or_default() += 1;
        }
    }
    held.into_iter()
        .filter(|(_, count)| *count > 1)
        .max_by_key(|(directory, count)| {
            (
                directory.elements().count(),
                *count,
                std::cmp::Reverse(directory.clone()),
            )
        })
        .map(|(directory, _)| directory)
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
}
