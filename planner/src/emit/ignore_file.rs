//! Ignore files: the list of what a build context holds.
//!
//! In: the scope of a service. Out: `Dockerfile.dockerignore`, which lets in nothing but that. Lines and the sources of
//! `COPY` are limited together, so directories are taken as wholes where there are too many.
//!
//! What is visible beyond the inputs is inert: other files of a package's directory, which Go would take only if they
//! were inputs, and, in directories that are taken as wholes, packages that nobody imports.
//!
//! Source: moby/patternmatcher (`patternmatcher.go`, `ignorefile.go`).

use super::{
    BUILD_FILES, EmitError,
    copy_sources::{SharedDirectories, manifest_sources},
    dockerfile::{Source, refuse},
    service_build::Scope,
};
use crate::{path::RepoPath, target::Cgo};
use std::collections::BTreeSet;

/// How many lines of patterns an ignore file may have. Builders refuse about 490 patterns in one build, and each path
/// that is copied counts too.
const MOST_PATTERNS: usize = 300;

/// How many of them may be for files and directories that are named one by one.
const MOST_NAMED: usize = 120;

/// How many lines there may be in the end.
const MOST_LINES: usize = 320;

/// What is let in beside packages.
struct Named {
    /// Directories, with all below.
    whole: BTreeSet<RepoPath>,
    /// Files and links.
    files: BTreeSet<RepoPath>,
}

/// What is let in beside packages: by name, or, where that is too much, by the directories that hold most of it.
fn named(scope: &Scope) -> Named {
    let mut named = Named {
        whole: scope.embedded.clone(),
        files: scope
            .files
            .iter()
            .chain(&scope.probed)
            .chain(&scope.assets)
            .cloned()
            .collect(),
    };
    let both = named.files.iter().chain(&named.whole);
    let mut shared = SharedDirectories::of(both.filter_map(RepoPath::parent));
    while named.whole.len() + named.files.len() > MOST_NAMED {
        let Some(directory) = shared.deepest().filter(|directory| !directory.is_root()) else {
            break;
        };
        // It counts where it stands, once.
        let place = directory.parent();
        shared.merge(
            &directory,
            place.filter(|_| !named.whole.contains(&directory)),
        );
        named.files.retain(|path| !path.starts_with(&directory));
        named.whole.retain(|path| !path.starts_with(&directory));
        named.whole.insert(directory);
    }
    named
}

/// Which directories are taken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directories {
    /// Their own files alone.
    pub(super) exact: BTreeSet<RepoPath>,
    /// With all below.
    pub(super) whole: BTreeSet<RepoPath>,
}

/// Takes directories as wholes, the deepest first, until the patterns are few enough.
pub(super) fn limit_directories(packages: &BTreeSet<RepoPath>, most: usize) -> Directories {
    let mut directories = Directories {
        exact: packages.clone(),
        whole: BTreeSet::new(),
    };
    let mut shared = SharedDirectories::of(packages.iter().cloned());
    while patterns(&directories) > most {
        // A package that has others below it is one of them. Where a single one is left, the root holds it.
        let root = || (!directories.whole.contains(&RepoPath::root())).then(RepoPath::root);
        let Some(directory) = shared.deepest().or_else(root) else {
            break;
        };
        shared.merge(&directory, Some(directory.clone()));
        directories
            .exact
            .retain(|path| !path.starts_with(&directory));
        directories
            .whole
            .retain(|path| !path.starts_with(&directory));
        directories.whole.insert(directory);
    }
    directories
}

/// A package takes two lines: one for its files, one against what lies below.
fn patterns(directories: &Directories) -> usize {
    directories.exact.len() * 2 + directories.whole.len()
}

/// The directories of packages, as the ignore file takes them.
fn directories(
    scope: &Scope,
    named: &Named,
    manifests: &[Source],
    own_files: usize,
) -> Directories {
    let named = named.whole.len() + named.files.len() + scope.directory_links.len();
    let others = 3 + manifests.len() + own_files + named;
    limit_directories(&scope.packages, MOST_PATTERNS.saturating_sub(others))
}

/// Whether the ignore file lets in a path of the tree. Its lines are tried in their order, and the last that fits counts.
pub(super) fn lets_in(
    scope: &Scope,
    cgo: Cgo,
    manifests: &BTreeSet<RepoPath>,
    own_files: &[RepoPath],
    path: &RepoPath,
) -> bool {
    let manifests = manifest_sources(manifests);
    let named = named(scope);
    let directories = directories(scope, &named, &manifests, own_files.len());
    let mut is_in = false;
    let both = directories.exact.iter().chain(&directories.whole);
    let mut sorted: Vec<&RepoPath> = both.collect();
    sorted.sort_unstable();
    for directory in sorted {
        let Some(below) = path
            .strip_prefix(directory)
            .filter(|below| !below.is_empty())
        else {
            continue;
        };
        if directories.whole.contains(directory) {
            is_in = true;
            continue;
        }
        let (name, rest) = match below.split_once('/') {
            Some((name, rest)) => (name, Some(rest)),
            None => (below, None),
        };
        if scope.embedding.contains(directory) || go_may_take(name, cgo) {
            is_in = rest.is_none();
        }
    }
    if scope
        .directory_links
        .iter()
        .any(|link| path.starts_with(link))
    {
        is_in = false;
    }
    let is_inert = |name: &str| {
        name.ends_with("_test.go") || !directories.whole.is_empty() && name == "testdata"
    };
    if path.elements().any(is_inert) {
        is_in = false;
    }
    if directories.whole.contains(&RepoPath::root())
        && matches!(path.elements().next(), Some(".git" | BUILD_FILES))
    {
        is_in = false;
    }
    let is_manifest = |source: &Source| match source {
        Source::Path(manifest) => path.starts_with(manifest),
        Source::Everywhere(name) => path.elements().any(|element| element == *name),
    };
    is_in
        || named
            .whole
            .iter()
            .any(|directory| path != directory && path.starts_with(directory))
        || named.files.iter().any(|file| path.starts_with(file))
        || own_files.iter().any(|file| path.starts_with(file))
        || manifests.iter().any(is_manifest)
}

/// Whether [`names_that_go_may_take`] matches a name.
pub(super) fn go_may_take(name: &str, cgo: Cgo) -> bool {
    let letters = match cgo {
        Cgo::Disabled => "ghs",
        Cgo::Enabled => "cfghmsFS",
    };
    let mut characters = name.chars();
    characters.next();
    let mut rest = characters.as_str();
    while let Some((_, behind)) = rest.split_once('.') {
        if behind.starts_with(|letter| letters.contains(letter)) {
            return true;
        }
        rest = behind;
    }
    false
}

/// The lines of the ignore file.
pub(super) fn render(
    scope: &Scope,
    cgo: Cgo,
    manifests: &BTreeSet<RepoPath>,
    own_files: &[RepoPath],
) -> Result<String, EmitError> {
    let manifests = manifest_sources(manifests);
    let named = named(scope);
    let directories = directories(scope, &named, &manifests, own_files.len());
    let mut lines = vec![
        "# Written by `rebake generate`: all that this service's build may see.".to_owned(),
        "**".to_owned(),
    ];
    let both = directories.exact.iter().chain(&directories.whole);
    let mut sorted: Vec<&RepoPath> = both.collect();
    sorted.sort_unstable();
    for directory in sorted {
        if directories.whole.contains(directory) {
            if directory.is_root() {
                lines.push("!**".to_owned());
            } else {
                lines.push(format!("!{}/**", escaped(directory)?));
            }
            continue;
        }
        let names = if scope.embedding.contains(directory) {
            "*"
        } else {
            names_that_go_may_take(cgo)
        };
        let prefix = if directory.is_root() {
            String::new()
        } else {
            format!("{}/", escaped(directory)?)
        };
        lines.push(format!("!{prefix}{names}"));
        lines.push(format!("{prefix}{names}/*"));
    }
    for link in &scope.directory_links {
        lines.push(escaped(link)?);
    }
    lines.push("**/*_test.go".to_owned());
    if !directories.whole.is_empty() {
        lines.push("**/testdata".to_owned());
    }
    // What a whole directory must not bring along: the build files themselves, and git's.
    if directories.whole.contains(&RepoPath::root()) {
        lines.extend([".git".to_owned(), BUILD_FILES.to_owned()]);
    }
    // A directory by its name would not let in what lies in it where a line above let in the directory alone: a pattern
    // that changes nothing for a directory is not tried for it, and then not remembered for what it holds.
    for path in &named.whole {
        lines.push(format!("!{}/**", escaped(path)?));
    }
    for path in &named.files {
        lines.push(format!("!{}", escaped(path)?));
    }
    for source in &manifests {
        lines.push(match source {
            Source::Path(path) => format!("!{}", escaped(path)?),
            Source::Everywhere(name) => format!("!**/{name}"),
        });
    }
    for path in own_files {
        lines.push(format!("!{}", escaped(path)?));
    }
    if lines.len() > MOST_LINES {
        return Err(EmitError::TooManyPatterns(lines.len()));
    }
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// All names in a package's directory that Go may take without embedding: so what the plan missed would be seen, and make
/// the build fail. None starts with a dot.
///
/// Source: go/build/build.go (`matchFile`, `fileListForExt`).
fn names_that_go_may_take(cgo: Cgo) -> &'static str {
    match cgo {
        // .go, .h, .s, .syso
        Cgo::Disabled => "?*.[ghs]*",
        // Also .c, .cc, .cpp, .cxx, .f, .F, .for, .f90, .hh, .hpp, .hxx, .m, .S, .sx, .swig, .swigcxx
        Cgo::Enabled => "?*.[cfghmsFS]*",
    }
}

/// A path as a pattern that matches nothing else.
fn escaped(path: &RepoPath) -> Result<String, EmitError> {
    refuse(path.as_str(), char::is_control)?;
    let text = path.as_str();
    if text != text.trim() {
        // Lines are trimmed.
        refuse(text, char::is_whitespace)?;
    }
    let mut pattern = String::with_capacity(text.len() + 1);
    // A comment and an exception start with these; a slash in front means nothing.
    if text.starts_with(['#', '!']) {
        pattern.push('/');
    }
    for character in text.chars() {
        // Patterns become regular expressions, in which more characters count than in patterns.
        if "[]*?\\|+(){}^".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    Ok(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(texts: &[&str]) -> BTreeSet<RepoPath> {
        texts
            .iter()
            .map(|text| RepoPath::new(text).unwrap())
            .collect()
    }

    #[test]
    fn few_directories_are_taken_exactly() {
        let directories = limit_directories(&paths(&["a", "a/b", "c"]), 6);
        assert_eq!(directories.exact, paths(&["a", "a/b", "c"]));
        assert!(directories.whole.is_empty());
    }

    #[test]
    fn the_deepest_directories_are_taken_as_wholes_first() {
        let packages = paths(&["a/b/c/d", "a/b/c/e", "a/f", "g"]);
        let directories = limit_directories(&packages, 7);
        assert_eq!(directories.whole, paths(&["a/b/c"]));
        assert_eq!(directories.exact, paths(&["a/f", "g"]));
        let directories = limit_directories(&packages, 3);
        assert_eq!(directories.whole, paths(&["a"]));
        assert_eq!(directories.exact, paths(&["g"]));
        let directories = limit_directories(&packages, 1);
        assert_eq!(directories.whole, paths(&["."]));
        assert!(directories.exact.is_empty());
    }

    #[test]
    fn embedded_directories_are_let_in_with_all_that_they_hold() {
        let scope = Scope {
            packages: paths(&["a"]),
            embedding: paths(&["a"]),
            embedded: paths(&["a/static"]),
            ..Scope::default()
        };
        let text = render(&scope, Cgo::Disabled, &BTreeSet::new(), &[]).unwrap();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines, ["!a/*", "a/*/*", "**/*_test.go", "!a/static/**"]);
    }

    #[test]
    fn paths_are_no_patterns() {
        let scope = Scope {
            packages: paths(&["a[b]", "#c", "c++"]),
            files: paths(&["!d/x*", "$e"]),
            ..Scope::default()
        };
        let text = render(&scope, Cgo::Disabled, &paths(&["go.mod"]), &[]).unwrap();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "**",
                "!/#c/?*.[ghs]*",
                "/#c/?*.[ghs]*/*",
                "!a\\[b\\]/?*.[ghs]*",
                "a\\[b\\]/?*.[ghs]*/*",
                "!c\\+\\+/?*.[ghs]*",
                "c\\+\\+/?*.[ghs]*/*",
                "**/*_test.go",
                "!/!d/x\\*",
                "!$e",
                "!go.mod",
            ]
        );
        let scope = Scope {
            files: paths(&["a\nb"]),
            ..Scope::default()
        };
        assert!(render(&scope, Cgo::Disabled, &BTreeSet::new(), &[]).is_err());
    }
}
