//! The libraries of the tree that a linker may take.
//!
//! In: what the flags of packages say: directories, names and files. Out: the files, with all that linker scripts and
//! thin archives among them name. It must never take a library that nothing names, but where third-party code may name
//! any.

use crate::{
    path::RepoPath,
    sources::Sources,
    tree::{EntryKind, ReadLimit, TreeError, TreeErrorKind},
};
use std::collections::BTreeSet;

/// As much of a file as tells a text from a library.
const BEGINNING: usize = 4096;

/// Longer ones are doubted: nobody writes them.
const LONGEST_SCRIPT: usize = 1024 * 1024;

/// Where systems keep what belongs to the build image. Checkouts lie there seldom, and then below a name of their own.
const SYSTEM_PLACES: [&str; 6] = ["/usr/", "/opt/", "/lib", "/System/", "/Library/", "/nix/"];

/// What the flags of packages say of libraries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LibraryFlags {
    /// Where libraries are looked for.
    pub(crate) directories: BTreeSet<RepoPath>,
    /// The libraries that are looked for.
    pub(crate) names: BTreeSet<String>,
    /// What is named by its path.
    pub(crate) files: BTreeSet<RepoPath>,
    /// Whether flags that are not known may look for more.
    pub(crate) any_name: bool,
}

impl LibraryFlags {
    /// Adds the flags of another package to the same command line.
    pub(crate) fn add(&mut self, other: &Self) {
        self.directories.extend(other.directories.iter().cloned());
        self.names.extend(other.names.iter().cloned());
        self.files.extend(other.files.iter().cloned());
    }
}

/// The files that the linker may read for these flags.
pub(crate) fn libraries(
    sources: &Sources<'_>,
    flags: &LibraryFlags,
) -> Result<BTreeSet<RepoPath>, TreeError> {
    let mut found = BTreeSet::new();
    let mut pending: Vec<RepoPath> = flags.files.iter().cloned().collect();
    pending.extend(named(sources, flags, &|name| {
        flags.any_name && is_like_a_library(name)
            || flags.names.iter().any(|library| is_library(name, library))
    })?);
    while let Some(path) = pending.pop() {
        if !found.insert(path.clone()) {
            continue;
        }
        let Some(text) = linker_script(sources, &path)? else {
            continue;
        };
        let own_directory = path.parent().unwrap_or_else(RepoPath::root);
        let separators = |character: char| {
            character.is_whitespace() || character.is_control() || "(),;=\"{}".contains(character)
        };
        for word in text.split(separators) {
            // The members of a thin archive end in a slash.
            let word = word.trim_end_matches('/');
            if word.is_empty() {
                continue;
            }
            if let Some(library) = word.strip_prefix("-l") {
                let library = library.trim_start_matches(':');
                pending.extend(named(sources, flags, &|name| is_library(name, library))?);
                continue;
            }
            let mut paths = tree_paths(sources, word);
            paths.extend(own_directory.join_lexically(word).ok());
            for directory in &flags.directories {
                paths.extend(directory.join_lexically(word).ok());
            }
            let files = paths.into_iter().filter(|path| is_file(sources, path));
            pending.extend(files);
        }
    }
    Ok(found)
}

/// The places of the tree that an absolute path may mean, as it is not known where the tree stands.
pub(crate) fn tree_paths(sources: &Sources<'_>, absolute: &str) -> Vec<RepoPath> {
    let Some(below) = absolute.strip_prefix('/') else {
        return Vec::new();
    };
    let Ok(clean) = RepoPath::root().join_lexically(below) else {
        return Vec::new();
    };
    let mut paths = Vec::new();
    let mut rest = Some(clean.as_tree_str());
    while let Some(text) = rest.filter(|text| !text.is_empty()) {
        if let Ok(path) = RepoPath::new(text)
            && matches!(sources.view().locate(&path), Ok(Some(_)))
        {
            paths.push(path);
        }
        rest = text.split_once('/').map(|(_, rest)| rest);
    }
    if !SYSTEM_PLACES
        .iter()
        .any(|place| absolute.starts_with(place))
    {
        paths.push(RepoPath::root());
    }
    paths
}

/// The files of the library directories whose name is wanted.
fn named(
    sources: &Sources<'_>,
    flags: &LibraryFlags,
    is_wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<RepoPath>, TreeError> {
    let mut found = Vec::new();
    for directory in &flags.directories {
        let Some(listing) = sources.view().directory(directory)? else {
            continue;
        };
        let wanted = listing
            .entries
            .iter()
            .filter(|entry| is_wanted(&entry.name));
        for entry in wanted {
            let path = directory.child(&entry.name);
            let located = sources.view().locate(&path)?;
            if located.is_some_and(|located| located.kind == EntryKind::File) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn is_file(sources: &Sources<'_>, path: &RepoPath) -> bool {
    matches!(
        sources.view().locate(path),
        Ok(Some(located)) if located.kind == EntryKind::File
    )
}

/// Whether a file could be the library of this name.
fn is_library(name: &str, library: &str) -> bool {
    let is_of_unix = name
        .strip_prefix("lib")
        .and_then(|rest| rest.strip_prefix(library))
        .is_some_and(|rest| rest.starts_with('.'));
    name == library || is_of_unix || name.strip_suffix(".lib") == Some(library)
}

fn is_like_a_library(name: &str) -> bool {
    const ENDINGS: [&str; 6] = [".a", ".so", ".dylib", ".tbd", ".lib", ".dll"];
    name.starts_with("lib") || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The text of a linker script or a thin archive; nothing for a library that names no others.
fn linker_script(sources: &Sources<'_>, path: &RepoPath) -> Result<Option<String>, TreeError> {
    let beginning = sources.view().read(path, ReadLimit::Bytes(BEGINNING))?;
    if !beginning.starts_with(b"!<thin>\n") && beginning.contains(&0) {
        return Ok(None);
    }
    if beginning.starts_with(b"!<arch>\n") {
        return Ok(None);
    }
    let limit = LONGEST_SCRIPT;
    let text = sources.view().read(path, ReadLimit::Bytes(limit + 1))?;
    if text.len() > limit {
        return Err(TreeError::new(path, TreeErrorKind::TooLarge { limit }));
    }
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}
