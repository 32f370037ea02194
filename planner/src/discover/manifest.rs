//! go.mod files with the directory that they stand in.
//!
//! In: a directory. Out: its [`Manifest`], parsed as a main module's and, where asked, as a dependency's.
//! It must never decide which module serves an import.

use crate::{
    diagnostic::{Diagnostic, Fault, Located, Parsed, Severity},
    parse::{
        go_mod::{GoMod, Strictness, parse_go_mod},
        go_sum::{ModuleSum, parse_go_sum},
    },
    path::RepoPath,
    sources::{LARGEST_HELD, too_large},
    tree::{EntryKind, ReadLimit, TreeError, TreeErrorKind, view::TreeView},
};
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

/// Reads a go.sum or go.work.sum; none is an empty one.
pub(crate) fn read_sums(
    view: &TreeView<'_>,
    directory: &RepoPath,
    name: &str,
) -> (Vec<Located<ModuleSum>>, Vec<Diagnostic>) {
    match read_beside(view, directory, name) {
        Ok(None) => (Vec::new(), Vec::new()),
        Ok(Some(text)) => {
            let parsed = parse_go_sum(&text);
            (
                parsed.value,
                diagnose(&directory.child(name), &parsed.faults),
            )
        }
        Err(error) => (Vec::new(), vec![diagnose_unreadable(&error)]),
    }
}
