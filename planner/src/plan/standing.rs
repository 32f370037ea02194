//! What a path is to an image.
//!
//! In: a plan and a path. Out: whether and how the path is an input of each image, and if not, why. It goes by the same
//! inputs as the keys, and must never answer from the path's looks where the inputs say otherwise.

use super::{Plan, PlannedImage};
use crate::{
    file_kind::FileKind,
    parse::file_name::{self, FileClass},
    path::RepoPath,
};

/// What a path is to an image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It is an input.
    Input {
        /// Why it counts.
        kind: FileKind,
        /// The shortest chain of packages from one that holds the file to the main package; empty where no package
        /// holds it.
        via: Vec<String>,
    },
    /// It is a directory, or a link, that holds inputs or leads to them.
    Holds {
        /// How many inputs.
        inputs: usize,
        /// The nearest of them.
        nearest: RepoPath,
        /// The shortest chain of packages from the one that holds it to the main package.
        via: Vec<String>,
    },
    /// Its content can't change the image.
    Outside(Outside),
}

/// Why a path is no input of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outside {
    /// A test file: `go build` does not compile it.
    Test,
    /// A file of a package that the image holds, left out by its name or its build constraint.
    Excluded,
    /// A source file of a directory whose package the main package does not reach.
    NotReached {
        /// The import path of that directory, where it lies in a module.
        import_path: Option<String>,
    },
    /// A manifest that this image's build does not take anything from.
    OtherManifest,
    /// No kind of file that Go builds, and no package embeds it.
    NotBuilt,
}

const MANIFESTS: [&str; 6] = [
    "go.mod",
    "go.sum",
    "go.work",
    "go.work.sum",
    "modules.txt",
    "rebake.toml",
];

impl Plan {
    /// What a path is to an image of this plan. A file that is both compiled and embedded has two answers.
    pub fn standing(&self, image: &PlannedImage, path: &RepoPath) -> Vec<Standing> {
        let chains = image.graph.chains_from(&image.inputs.main);
        let via = |file: &RepoPath| chains.to_file(file).unwrap_or_default();
        let rows = image.inputs.files.iter();
        let own: Vec<Standing> = rows
            .clone()
            .filter(|file| file.path == *path)
            .map(|file| Standing::Input {
                kind: file.kind,
                via: via(path),
            })
            .collect();
        if !own.is_empty() {
            return own;
        }
        let leads_to = |file: &RepoPath| {
            file.starts_with(path)
                || self
                    .behind_links
                    .get(file)
                    .is_some_and(|ways| ways.iter().any(|way| way.starts_with(path)))
        };
        let held: Vec<&RepoPath> = rows
            .map(|file| &file.path)
            .filter(|file| leads_to(file))
            .collect();
        let nearest = held.iter().min_by_key(|file| {
            let via = via(file);
            (via.is_empty(), via.len(), (**file).clone())
        });
        match nearest {
            Some(nearest) => vec![Standing::Holds {
                inputs: held.len(),
                nearest: (*nearest).clone(),
                via: via(nearest),
            }],
            None => vec![Standing::Outside(self.outside(image, path))],
        }
    }

    fn outside(&self, image: &PlannedImage, path: &RepoPath) -> Outside {
        let name = path.file_name().unwrap_or_default();
        if MANIFESTS.contains(&name) {
            return Outside::OtherManifest;
        }
        let Some(class) = file_name::classify(name) else {
            return Outside::NotBuilt;
        };
        let directory = path.parent().unwrap_or_else(RepoPath::root);
        let is_reached = image
            .graph
            .chains_from(&image.inputs.main)
            .to_directory(&directory)
            .is_some();
        match (class.class(), is_reached) {
            (FileClass::Go, _) if class.is_test() => Outside::Test,
            (_, true) => Outside::Excluded,
            (_, false) => Outside::NotReached {
                import_path: self.import_path_of(&directory),
            },
        }
    }

    /// The import path of a directory, by the nearest module at or above it.
    fn import_path_of(&self, directory: &RepoPath) -> Option<String> {
        let module = self
            .modules
            .iter()
            .filter(|module| directory.starts_with(&module.directory))
            .max_by_key(|module| module.directory.as_tree_str().len())?;
        Some(match directory.strip_prefix(&module.directory)? {
            "" => module.path.clone(),
            rest => format!("{}/{rest}", module.path),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::{PlanOptions, plan},
        tree::memory::MemoryTree,
    };

    fn files() -> MemoryTree {
        let files = [
            ("go.mod", "module ex.com/a\n\ngo 1.24\n"),
            ("go.sum", ""),
            (
                "cmd/a/main.go",
                "package main\n\nimport _ \"ex.com/a/lib\"\n\nfunc main() {}\n",
            ),
            (
                "lib/lib.go",
                "package lib\n\nimport _ \"embed\"\n\n//go:embed t.txt\nvar T string\n",
            ),
            ("lib/t.txt", "hello"),
            ("lib/lib_test.go", "package lib\n"),
            ("lib/lib_windows.go", "package lib\n"),
            ("lib/README.md", "read me"),
            ("other/other.go", "package other\n"),
        ];
        files
            .into_iter()
            .try_fold(MemoryTree::new(), |tree, (path, content)| {
                tree.with_file(path, content)
            })
            .unwrap()
    }

    #[test]
    fn a_path_is_an_input_or_there_is_a_reason_why_not() {
        let plan = plan(&files(), &PlanOptions::new()).unwrap();
        let via = || vec!["ex.com/a/lib".to_owned(), "ex.com/a/cmd/a".to_owned()];
        let input = |kind, via| Standing::Input { kind, via };
        let cases = [
            ("lib/lib.go", input(FileKind::Go, via())),
            ("lib/t.txt", input(FileKind::Embed, via())),
            ("go.mod", input(FileKind::Manifest, Vec::new())),
            (
                "lib",
                Standing::Holds {
                    inputs: 2,
                    nearest: RepoPath::new("lib/lib.go").unwrap(),
                    via: via(),
                },
            ),
            ("lib/lib_test.go", Standing::Outside(Outside::Test)),
            ("lib/lib_windows.go", Standing::Outside(Outside::Excluded)),
            ("lib/README.md", Standing::Outside(Outside::NotBuilt)),
            ("go.sum", Standing::Outside(Outside::OtherManifest)),
            (
                "other/other.go",
                Standing::Outside(Outside::NotReached {
                    import_path: Some("ex.com/a/other".to_owned()),
                }),
            ),
        ];
        for (path, expected) in cases {
            let path = RepoPath::new(path).unwrap();
            assert_eq!(plan.standing(&plan.images[0], &path), [expected], "{path}");
        }
    }
}
