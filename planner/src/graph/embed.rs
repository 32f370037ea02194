//! The files that `//go:embed` patterns match.
//!
//! In: a package directory and its patterns. Out: the matched files, or why the toolchain refuses a
//! pattern. It must never follow a link: an embedded link is an error, or skipped.
//!
//! Source: cmd/go/internal/load/pkg.go (`resolveEmbed`).
//!
//! Known gaps: **GODEBUG=embedfollowsymlinks=1 in the environment of the build is not modelled**.

use crate::{
    module_path::check_file_path,
    parse::embed_pattern::{self, EmbedPattern, Hidden},
    path::RepoPath,
    tree::{Entry, EntryKind, TreeError, view::TreeView},
};
use std::collections::BTreeSet;

/// Why a pattern embeds nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmbedError {
    #[error("the pattern `{0}` is not valid")]
    InvalidPattern(String),
    #[error("the pattern `{0}` matches no file")]
    NoMatch(String),
    #[error("`{0}` lies in another module")]
    OtherModule(RepoPath),
    #[error("`{0}` is no regular file")]
    Irregular(RepoPath),
    #[error("`{0}` has a name that can't be embedded")]
    BadName(RepoPath),
    #[error("the directory `{0}` holds nothing to embed")]
    EmptyDirectory(RepoPath),
    #[error("`{0}` lies below something that is no directory")]
    NotADirectory(RepoPath),
    #[error("the directory `{0}` holds a name that is not UTF-8")]
    NotUtf8(RepoPath),
    #[error("can't read {0}")]
    Tree(#[from] TreeError),
}

/// The files that one pattern embeds.
pub(crate) fn embedded_files(
    view: &TreeView<'_>,
    package_directory: &RepoPath,
    pattern_text: &str,
) -> Result<BTreeSet<RepoPath>, EmbedError> {
    let pattern = embed_pattern::parse_embed_pattern(pattern_text)
        .map_err(|_| EmbedError::InvalidPattern(pattern_text.to_owned()))?;
    let mut files = BTreeSet::new();
    for (path, kind) in glob(view, package_directory, &pattern)? {
        check_way(view, package_directory, &path)?;
        match kind {
            EntryKind::File => {
                files.insert(path);
            }
            EntryKind::Directory | EntryKind::Submodule => {
                let before = files.len();
                let mut count = 0;
                collect(view, &path, pattern.hidden(), &mut files, &mut count)?;
                if count == 0 {
                    return Err(EmbedError::EmptyDirectory(path));
                }
                debug_assert!(files.len() >= before);
            }
            EntryKind::Symlink | EntryKind::Special => return Err(EmbedError::Irregular(path)),
        }
    }
    if files.is_empty() {
        return Err(EmbedError::NoMatch(pattern_text.to_owned()));
    }
    Ok(files)
}

/// Expands a pattern element by element, as path/filepath `Glob` does: elements without wildcards are
/// looked up, the others matched against the listing. Links to directories are followed on the way,
/// so that the check of the way can refuse them.
fn glob(
    view: &TreeView<'_>,
    package_directory: &RepoPath,
    pattern: &EmbedPattern,
) -> Result<Vec<(RepoPath, EntryKind)>, EmbedError> {
    let mut matches = vec![(package_directory.clone(), EntryKind::Directory)];
    for element in pattern.elements() {
        let mut next = Vec::new();
        for (directory, _) in &matches {
            let Some(listing) = view.directory(directory)? else {
                continue;
            };
            if !listing.not_utf8.is_empty() && element.has_wildcard() {
                return Err(EmbedError::NotUtf8(directory.clone()));
            }
            for Entry { name, kind } in &listing.entries {
                if element.matches(name) {
                    next.push((directory.child(name), *kind));
                }
            }
        }
        matches = next;
    }
    Ok(matches)
}

/// No module may begin on the way to a match, every directory of the way must be a real one, and every
/// name must be one that a module could hold.
fn check_way(
    view: &TreeView<'_>,
    package_directory: &RepoPath,
    matched: &RepoPath,
) -> Result<(), EmbedError> {
    let mut step = Some(matched.clone());
    while let Some(path) = step {
        if path == *package_directory {
            break;
        }
        // Here any `go.mod` counts, a directory of that name too.
        if let Ok(Some(listing)) = view.directory(&path)
            && listing.entry("go.mod").is_some()
        {
            return Err(EmbedError::OtherModule(matched.clone()));
        }
        let parent = path.parent();
        if path != *matched
            && let Some(parent) = &parent
            && let Some(listing) = view.directory(parent)?
            && let Some(name) = path.file_name()
            && listing
                .entry(name)
                .is_some_and(|entry| entry.kind == EntryKind::Symlink)
        {
            return Err(EmbedError::NotADirectory(matched.clone()));
        }
        if path.file_name().is_some_and(is_bad_name) {
            return Err(EmbedError::BadName(matched.clone()));
        }
        step = parent;
    }
    Ok(())
}

/// Everything below a directory that a module would hold, less hidden names.
fn collect(
    view: &TreeView<'_>,
    directory: &RepoPath,
    hidden: Hidden,
    files: &mut BTreeSet<RepoPath>,
    count: &mut usize,
) -> Result<(), EmbedError> {
    let Some(listing) = view.directory(directory)? else {
        return Ok(());
    };
    if !listing.not_utf8.is_empty() {
        return Err(EmbedError::NotUtf8(directory.clone()));
    }
    for Entry { name, kind } in &listing.entries {
        let path = directory.child(name);
        let starts_hidden = name.starts_with(['.', '_']);
        let is_directory = matches!(kind, EntryKind::Directory | EntryKind::Submodule);
        if is_bad_name(name) || (starts_hidden && hidden == Hidden::Skipped) {
            if is_directory || starts_hidden {
                continue;
            }
            return Err(EmbedError::BadName(path));
        }
        if is_directory {
            let begins_module = view
                .directory(&path)?
                .is_some_and(|listing| listing.entry("go.mod").is_some());
            if !begins_module {
                collect(view, &path, hidden, files, count)?;
            }
        } else if *kind == EntryKind::File {
            *count += 1;
            files.insert(path);
        }
    }
    Ok(())
}

/// Source: cmd/go/internal/load/pkg.go (`isBadEmbedName`).
fn is_bad_name(name: &str) -> bool {
    check_file_path(name).is_err() || matches!(name, ".bzr" | ".hg" | ".git" | ".svn")
}
