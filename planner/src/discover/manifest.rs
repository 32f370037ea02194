//! go.mod files with the directory that they stand in.
//!
//! In: a directory. Out: its [`Manifest`], parsed as a main module's and, where asked, as a dependency's.
//! It must never decide which module serves an import.

use crate::{
    diagnostic::{Code, Diagnostic, Fault, Parsed, Severity},
    parse::{
        go_mod::{GoMod, ModuleVersion, Strictness, parse_go_mod},
        go_sum::{ModuleSum, SumSubject, parse_go_sum},
    },
    path::RepoPath,
    sources::too_large,
    tree::{EntryKind, LARGEST_HELD, ReadLimit, TreeError, TreeErrorKind, view::TreeView},
};
use foldhash::HashMap;
use std::sync::OnceLock;

/// A module that the tree holds.
#[derive(Debug)]
pub struct Manifest {
    /// The module's directory.
    pub directory: RepoPath,
    /// Its go.mod, read as that of a main or workspace module.
    pub go_mod: GoMod,
    /// What is wrong with it as such.
    pub faults: Vec<Fault>,
    text: Vec<u8>,
    lax: OnceLock<Parsed<GoMod>>,
}

impl Manifest {
    /// Reads the go.mod of a directory, if it has one. A directory called go.mod does not count;
    /// a link to a file does.
    ///
    /// # Errors
    /// When the file is there but can't be read.
    pub(crate) fn read(
        view: &TreeView<'_>,
        directory: &RepoPath,
    ) -> Result<Option<Self>, TreeError> {
        let Some(text) = read_beside(view, directory, "go.mod")? else {
            return Ok(None);
        };
        let Parsed { value, faults } = parse_go_mod(&text, Strictness::Strict);
        Ok(Some(Self {
            directory: directory.clone(),
            go_mod: value,
            faults,
            text,
            lax: OnceLock::new(),
        }))
    }

    /// The same go.mod read as that of a dependency: `replace`, `exclude` and what is unknown count for nothing.
    pub(crate) fn as_dependency(&self) -> &Parsed<GoMod> {
        self.lax
            .get_or_init(|| parse_go_mod(&self.text, Strictness::Lax))
    }

    /// The path of the go.mod itself.
    pub fn path(&self) -> RepoPath {
        self.directory.child("go.mod")
    }

    /// The module path that it declares; empty when it declares none.
    pub fn module_path(&self) -> &str {
        self.go_mod
            .module
            .as_ref()
            .map_or("", |module| module.value.as_str())
    }

    /// The `go` line, or what Go takes where there is none: 1.16.
    ///
    /// Source: cmd/go/internal/gover (`DefaultGoModVersion`).
    pub fn go_line(&self) -> &str {
        self.go_mod
            .go
            .as_ref()
            .map_or("1.16", |go| go.value.as_str())
    }
}

/// Reads a file of a directory, when there is a regular file (or a link to one) of that name.
pub(crate) fn read_beside(
    view: &TreeView<'_>,
    directory: &RepoPath,
    name: &str,
) -> Result<Option<Vec<u8>>, TreeError> {
    let Some(listing) = view.directory(directory)? else {
        return Ok(None);
    };
    let Some(entry) = listing.entry(name) else {
        return Ok(None);
    };
    let path = directory.child(name);
    match entry.kind {
        EntryKind::Directory | EntryKind::Submodule => Ok(None),
        EntryKind::File => read_held(view, &path).map(Some),
        EntryKind::Special => Err(TreeError {
            path,
            kind: TreeErrorKind::NotAFile,
        }),
        EntryKind::Symlink => match view.locate(&path)? {
            Some(resolved) if resolved.kind == EntryKind::File => read_held(view, &path).map(Some),
            Some(_) | None => Ok(None),
        },
    }
}

fn read_held(view: &TreeView<'_>, path: &RepoPath) -> Result<Vec<u8>, TreeError> {
    let content = view.read(path, ReadLimit::Bytes(LARGEST_HELD + 1))?;
    if content.len() > LARGEST_HELD {
        return Err(too_large(path));
    }
    Ok(content)
}

/// Turns the faults of one file into diagnostics.
pub(crate) fn diagnose(path: &RepoPath, faults: &[Fault]) -> Vec<Diagnostic> {
    faults
        .iter()
        .map(|fault| Diagnostic {
            code: fault.code,
            severity: fault.severity,
            message: fault.message.clone(),
            path: Some(path.clone()),
            position: Some(fault.position),
            services: Vec::new(),
        })
        .collect()
}

/// A diagnostic for what can't be read.
pub(crate) fn diagnose_unreadable(error: &TreeError) -> Diagnostic {
    Diagnostic {
        code: error.kind.code(),
        severity: Severity::Error,
        message: format!("can't read it: {}", error.kind),
        path: Some(error.path.clone()),
        position: None,
        services: Vec::new(),
    }
}

/// A diagnostic for a file whose name is not UTF-8, in the directory that holds it.
pub(crate) fn diagnose_not_utf8(directory: &RepoPath, name: &[u8]) -> Diagnostic {
    Diagnostic {
        code: Code::NotUtf8,
        severity: Severity::Error,
        message: format!(
            "the name of the file `{}` is not UTF-8; rename it",
            name.escape_ascii()
        ),
        path: Some(directory.clone()),
        position: None,
        services: Vec::new(),
    }
}

/// A go.sum or go.work.sum, where there is one.
pub(crate) struct SumFile {
    path: RepoPath,
    text: Result<Option<Vec<u8>>, TreeError>,
}

impl SumFile {
    /// Reads the file of that name in a directory.
    pub(crate) fn read(view: &TreeView<'_>, directory: &RepoPath, name: &str) -> Self {
        Self {
            path: directory.child(name),
            text: read_beside(view, directory, name),
        }
    }
}

/// The checksums of module contents in a go.sum or go.work.sum, in order.
pub(crate) struct SumLines<'file> {
    sums: Vec<ModuleSum<'file>>,
    problems: Vec<Diagnostic>,
}

impl SumFile {
    /// Parses the file; none is an empty one.
    pub(crate) fn parse(&self) -> SumLines<'_> {
        let (sums, problems) = match &self.text {
            Ok(None) => (Vec::new(), Vec::new()),
            Err(error) => (Vec::new(), vec![diagnose_unreadable(error)]),
            Ok(Some(text)) => {
                let Parsed { value, faults } = parse_go_sum(text);
                let sums = value.into_iter().map(|sum| sum.value);
                let of_contents = |sum: &ModuleSum<'_>| {
                    sum.subject == SumSubject::Zip && sum.hash.starts_with("h1:")
                };
                (
                    sums.filter(of_contents).collect(),
                    diagnose(&self.path, &faults),
                )
            }
        };
        SumLines { sums, problems }
    }
}

/// The checksums of module contents, by module and version.
#[derive(Debug, Default)]
pub(crate) struct ModuleSums(HashMap<String, HashMap<String, String>>);

impl ModuleSums {
    /// Adds what a go.sum or go.work.sum says. The first line of a module counts: Go never
    /// reaches a later one that differs.
    pub(crate) fn add(&mut self, file: SumLines<'_>) -> Vec<Diagnostic> {
        for sum in &file.sums {
            self.insert_first(sum);
        }
        file.problems
    }

    fn insert_first(&mut self, sum: &ModuleSum<'_>) {
        let versions = match self.0.get_mut(sum.path) {
            Some(versions) => versions,
            None => self.0.entry(sum.path.to_owned()).or_default(),
        };
        if !versions.contains_key(sum.version) {
            versions.insert(sum.version.to_owned(), sum.hash.to_owned());
        }
    }

    /// The checksum of a module's content.
    pub(crate) fn get(&self, module: &ModuleVersion) -> Option<&str> {
        let versions = self.0.get(&module.path)?;
        versions.get(&module.version).map(String::as_str)
    }

    /// Whether there is a checksum of any version of a module.
    pub(crate) fn has_module(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ModuleVersion, &str)> {
        self.0.iter().flat_map(|(path, versions)| {
            versions.iter().map(|(version, sum)| {
                let module = ModuleVersion {
                    path: path.clone(),
                    version: version.clone(),
                };
                (module, sum.as_str())
            })
        })
    }
}
