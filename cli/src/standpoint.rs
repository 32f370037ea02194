//! Where the reader stands.
//!
//! In: paths from the root. Out: the same paths from the current directory, so that a person can open what is shown.
//! Machines and pull requests get paths from the root.

use rebake_planner::path::RepoPath;

/// The directory from which paths are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standpoint(RepoPath);

impl Standpoint {
    /// Paths as they are from the root.
    pub(crate) fn root() -> Self {
        Self(RepoPath::root())
    }

    /// A directory below the root.
    pub(crate) fn at(directory: RepoPath) -> Self {
        Self(directory)
    }

    /// A path of the tree as it is called from here.
    pub(crate) fn show(&self, path: &str) -> String {
        let here: Vec<&str> = self.0.elements().collect();
        let there: Vec<&str> = path.split('/').filter(|element| *element != ".").collect();
        let shared = here
            .iter()
            .zip(&there)
            .take_while(|(here, there)| here == there)
            .count();
        let up = here.len() - shared;
        let elements: Vec<&str> = std::iter::repeat_n("..", up)
            .chain(there.into_iter().skip(shared))
            .collect();
        if elements.is_empty() {
            ".".to_owned()
        } else {
            elements.join("/")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_from_where_one_stands() {
        let cases = [
            (".", "a/b.go", "a/b.go"),
            (".", ".", "."),
            ("a", "a/b.go", "b.go"),
            ("a", "a", "."),
            ("a", ".", ".."),
            ("a/c", "a/b.go", "../b.go"),
            ("a/c", "d/e.go", "../../d/e.go"),
            ("a", "ab/c.go", "../ab/c.go"),
        ];
        for (here, path, expected) in cases {
            let here = Standpoint::at(RepoPath::new(here).unwrap());
            assert_eq!(here.show(path), expected, "{path} from {here:?}");
        }
    }
}
