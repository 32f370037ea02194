//! Paths inside a source tree.
//!
//! In: strings from git, the file system, `rebake.toml` and manifests. Out: [`RepoPath`], a validated
//! path relative to the tree's root. It must never hold an absolute path, a `..`, an empty element or
//! anything that is not UTF-8: what can't be such a path is an error at the door where it came in.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{borrow::Borrow, cell::RefCell, fmt, sync::Arc};

/// A path relative to the root of a source tree: UTF-8, separated by `/`, without `.`, `..` and empty
/// elements. The root itself is the empty path; it is shown as `.`.
///
/// Ordered by bytes, so that a sorted list is the same on every machine. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(Arc<str>);

thread_local! {
    static JOINED: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Why a string is not a [`RepoPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RepoPathError {
    /// The path is absolute.
    #[error("`{}` is absolute; write it relative to the root", .0.escape_debug())]
    Absolute(String),
    /// The path leaves the root.
    #[error("`{}` leads out of the root", .0.escape_debug())]
    OutsideRoot(String),
    /// The path has an empty element, a NUL byte, or a `.` element where none may stand.
    #[error("`{}` is not a clean relative path", .0.escape_debug())]
    NotClean(String),
}

impl RepoPath {
    /// The root of the tree.
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// Takes a path that is already clean: no `.`, `..` or empty elements. `.` alone is the root.
    ///
    /// # Errors
    /// When the path is absolute, leaves the root, or is not clean.
    pub fn new(path: &str) -> Result<Self, RepoPathError> {
        if path == "." || path.is_empty() {
            return Ok(Self::root());
        }
        if path.starts_with('/') {
            return Err(RepoPathError::Absolute(path.to_owned()));
        }
        for element in path.split('/') {
            match element {
                ".." => return Err(RepoPathError::OutsideRoot(path.to_owned())),
                "" | "." => return Err(RepoPathError::NotClean(path.to_owned())),
                _ if element.contains('\0') => {
                    return Err(RepoPathError::NotClean(path.to_owned()));
                }
                _ => {}
            }
        }
        Ok(Self(Arc::from(path)))
    }

    /// Joins a path as people and manifests write it (`../lib`, `./x//y`, `.`) to this directory.
    ///
    /// # Errors
    /// When the result leaves the root, or `relative` is absolute or holds a NUL byte.
    pub fn join_lexically(&self, relative: &str) -> Result<Self, RepoPathError> {
        if relative.starts_with('/') {
            return Err(RepoPathError::Absolute(relative.to_owned()));
        }
        if relative.contains('\0') {
            return Err(RepoPathError::NotClean(relative.to_owned()));
        }
        let mut elements: Vec<&str> = self.elements().collect();
        for element in relative.split('/') {
            match element {
                "" | "." => {}
                ".." => {
                    if elements.pop().is_none() {
                        return Err(RepoPathError::OutsideRoot(relative.to_owned()));
                    }
                }
                _ => elements.push(element),
            }
        }
        Ok(Self(Arc::from(elements.join("/"))))
    }

    /// This directory's child of that name. The name must be one clean element, as a
    /// [`Listing`](crate::tree::Listing) yields it.
    pub fn child(&self, name: &str) -> Self {
        debug_assert!(!name.is_empty() && !name.contains('/') && name != "." && name != "..");
        if self.is_root() {
            return Self(Arc::from(name));
        }
        // Made in a buffer that stays: paths are made by the thousand, and only the last copy is kept.
        JOINED.with_borrow_mut(|joined| {
            joined.clear();
            joined.push_str(&self.0);
            joined.push('/');
            joined.push_str(name);
            Self(Arc::from(joined.as_str()))
        })
    }

    /// The directory that holds this path; nothing for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(Arc::from(
            self.0.rsplit_once('/').map_or("", |(parent, _)| parent),
        )))
    }

    /// The last element; nothing for the root.
    pub fn file_name(&self) -> Option<&str> {
        self.elements().next_back()
    }

    /// The elements from the root down; none for the root.
    pub fn elements(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|element| !element.is_empty())
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this path is `directory` or lies below it.
    pub fn starts_with(&self, directory: &Self) -> bool {
        self.strip_prefix(directory).is_some()
    }

    /// What remains of this path below `directory`: empty for the directory itself, nothing when it
    /// lies elsewhere.
    pub fn strip_prefix(&self, directory: &Self) -> Option<&str> {
        if directory.is_root() {
            return Some(&self.0);
        }
        let rest = self.0.strip_prefix(&*directory.0)?;
        if rest.is_empty() {
            Some(rest)
        } else {
            rest.strip_prefix('/')
        }
    }

    /// Where the text stands in memory. Clones share it, so that equal addresses mean equal paths.
    #[cfg(feature = "git")]
    pub(crate) fn address(&self) -> *const u8 {
        self.0.as_ptr()
    }

    /// The path as written in output: `.` for the root.
    pub fn as_str(&self) -> &str {
        if self.is_root() { "." } else { &self.0 }
    }

    /// The path to hand to a file system or a git tree: empty for the root.
    pub fn as_tree_str(&self) -> &str {
        &self.0
    }
}

/// As [`as_tree_str`](RepoPath::as_tree_str), so that maps of paths answer to plain texts.
impl Borrow<str> for RepoPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}

impl Serialize for RepoPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RepoPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_as_manifests_write_paths() {
        let directory = RepoPath::new("services/api").unwrap();
        let cases = [
            ("../lib", "services/lib"),
            ("./x//y/", "services/api/x/y"),
            (".", "services/api"),
            ("../..", "."),
        ];
        for (relative, expected) in cases {
            assert_eq!(
                directory.join_lexically(relative).unwrap().as_str(),
                expected,
                "{relative}"
            );
        }
    }

    #[test]
    fn refuses_what_leaves_the_root() {
        let directory = RepoPath::new("a").unwrap();
        assert!(directory.join_lexically("../../b").is_err());
        assert!(directory.join_lexically("/b").is_err());
        for path in ["/a", "a//b", "a/", "../a", "a/../b", "./a", "a\0b"] {
            assert!(RepoPath::new(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn prefix_is_by_element() {
        let path = RepoPath::new("lib2/x").unwrap();
        assert!(!path.starts_with(&RepoPath::new("lib").unwrap()));
        assert_eq!(
            path.strip_prefix(&RepoPath::new("lib2").unwrap()),
            Some("x")
        );
        assert_eq!(path.strip_prefix(&RepoPath::root()), Some("lib2/x"));
    }

    #[test]
    fn deserialisation_validates() {
        assert!(serde_json::from_str::<RepoPath>("\"../x\"").is_err());
        assert_eq!(
            serde_json::from_str::<RepoPath>("\".\"").unwrap(),
            RepoPath::root()
        );
    }
}
