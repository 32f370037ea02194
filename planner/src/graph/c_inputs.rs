//! What cgo and the assembler read beside the files that `go list` reports.
//!
//! In: a package's C-like files, cgo directives and preambles. Out: headers reached by `#include`,
//! libraries reached by `-L`, and files named in flags, as far as they lie in the tree. It must never
//! leave the tree: system headers and libraries belong to the toolchain image.
//!
//! Source: cmd/go/internal/work/exec.go (the `-I` order of cgo and of the assembler),
//! cmd/asm/internal/lex/input.go; go.dev/issue/28019 for what the Go cache itself leaves out.
//!
//! Known gaps: **conditional compilation is not evaluated** (every `#include` counts), and **the sources of
//! pkg-config packages are unknown**.

use crate::{
    diagnostic::{Code, Diagnostic, Severity},
    file_kind::FileKind,
    package::PackageFiles,
    parse::{
        c_file::{Include, IncludeForm},
        go_file::CgoVariable,
    },
    path::RepoPath,
    sources::Sources,
    tree::{EntryKind, TreeError},
};
use foldhash::{HashSet, HashSetExt as _};
use std::collections::BTreeSet;

/// What was found, and what could not be.
#[derive(Debug, Default)]
pub(crate) struct CInputs {
    pub(crate) files: BTreeSet<RepoPath>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// Finds the C inputs of a package.
pub(crate) fn c_inputs(
    sources: &Sources<'_>,
    directory: &RepoPath,
    package: &PackageFiles,
) -> Result<CInputs, TreeError> {
    let uses_cgo = package.files.iter().any(|file| file.kind == FileKind::Cgo);
    let preprocessed: Vec<RepoPath> = package
        .files
        .iter()
        .filter(|file| match file.kind {
            FileKind::Assembler | FileKind::Header => true,
            FileKind::C
            | FileKind::Cxx
            | FileKind::ObjectiveC
            | FileKind::Fortran
            | FileKind::Swig => uses_cgo,
            _ => false,
        })
        .map(|file| directory.child(&file.name))
        .collect();
    if !uses_cgo && preprocessed.is_empty() {
        return Ok(CInputs::default());
    }
    let mut search = Search {
        sources,
        package_directory: directory,
        include_directories: Vec::new(),
        found: CInputs::default(),
        scanned: HashSet::new(),
    };
    let mut libraries = Vec::new();
    let mut library_directories = Vec::new();
    for (origin, directive) in &package.cgo {
        match directive.name {
            CgoVariable::PkgConfig => search.found.problems.push(Diagnostic {
                code: Code::OpaqueCDependency,
                severity: Severity::Note,
                message: format!(
                    "pkg-config packages ({}) come from the build image; pin that image by digest",
                    directive.arguments.join(" ")
                ),
                path: Some(directory.child(&origin.file)),
                position: Some(origin.position),
                services: Vec::new(),
            }),
            CgoVariable::LdFlags => {
                search.linker_flags(
                    &directive.arguments,
                    &mut library_directories,
                    &mut libraries,
                )?;
            }
            CgoVariable::CFlags
            | CgoVariable::CppFlags
            | CgoVariable::CxxFlags
            | CgoVariable::FFlags => search.compiler_flags(&directive.arguments)?,
        }
    }
    for library_directory in &library_directories {
        search.take_libraries(library_directory, &libraries)?;
    }
    for include in &package.cgo_includes {
        search.follow(directory, include)?;
    }
    for file in preprocessed {
        search.scan(&file)?;
    }
    let own: HashSet<RepoPath> = package
        .files
        .iter()
        .map(|file| directory.child(&file.name))
        .collect();
    search.found.files.retain(|file| !own.contains(file));
    Ok(search.found)
}

struct Search<'a, 'tree> {
    sources: &'a Sources<'tree>,
    package_directory: &'a RepoPath,
    include_directories: Vec<RepoPath>,
    found: CInputs,
    scanned: HashSet<RepoPath>,
}

impl Search<'_, '_> {
    /// A path of a flag: `${SRCDIR}` and relative paths mean the package's directory. Nothing when it
    /// lies outside the tree, as system paths do.
    fn flag_path(&self, written: &str) -> Option<RepoPath> {
        let relative = match written.strip_prefix("${SRCDIR}") {
            Some(rest) => rest.trim_start_matches('/'),
            None => written,
        };
        if relative.contains("${") {
            return None;
        }
        self.package_directory.join_lexically(relative).ok()
    }

    fn is_file(&self, path: &RepoPath) -> Result<bool, TreeError> {
        Ok(self
            .sources
            .view()
            .locate(path)?
            .is_some_and(|resolved| resolved.kind == EntryKind::File))
    }

    fn compiler_flags(&mut self, arguments: &[String]) -> Result<(), TreeError> {
        const DIRECTORIES: [&str; 5] = ["-I", "-isystem", "-iquote", "-idirafter", "-F"];
        const FILES: [&str; 2] = ["-include", "-imacros"];
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if let Some(flag) = DIRECTORIES.iter().find(|flag| argument.starts_with(**flag)) {
                let attached = &argument[flag.len()..];
                let value = if attached.is_empty() {
                    arguments.next().map(String::as_str)
                } else {
                    Some(attached)
                };
                if let Some(directory) = value.and_then(|value| self.flag_path(value)) {
                    self.include_directories.push(directory);
                }
            } else if FILES.contains(&argument.as_str())
                && let Some(value) = arguments.next()
            {
                let include = Include {
                    form: IncludeForm::Quoted,
                    target: value.clone(),
                };
                let directory = self.package_directory.clone();
                self.follow(&directory, &include)?;
            }
        }
        Ok(())
    }

    fn linker_flags(
        &mut self,
        arguments: &[String],
        directories: &mut Vec<RepoPath>,
        libraries: &mut Vec<String>,
    ) -> Result<(), TreeError> {
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if let Some(attached) = argument.strip_prefix("-L") {
                let value = if attached.is_empty() {
                    arguments.next().map(String::as_str)
                } else {
                    Some(attached)
                };
                directories.extend(value.and_then(|value| self.flag_path(value)));
            } else if let Some(name) = argument.strip_prefix("-l") {
                libraries.push(name.trim_start_matches(':').to_owned());
            } else {
                // A library or linker script by its path, alone or behind `-Wl,…,`.
                for part in argument.split([',', '=']) {
                    if part.starts_with('-') || part.is_empty() {
                        continue;
                    }
                    if let Some(path) = self.flag_path(part)
                        && self.is_file(&path)?
                    {
                        self.found.files.insert(path);
                    }
                }
            }
        }
        Ok(())
    }

    /// Every file of a library directory that could be one of the named libraries.
    fn take_libraries(
        &mut self,
        directory: &RepoPath,
        libraries: &[String],
    ) -> Result<(), TreeError> {
        let Some(listing) = self.sources.view().directory(directory)? else {
            return Ok(());
        };
        for entry in &listing.entries {
            let named = libraries.iter().any(|library| {
                *entry.name == **library
                    || entry
                        .name
                        .strip_prefix("lib")
                        .and_then(|rest| rest.strip_prefix(library.as_str()))
                        .is_some_and(|rest| rest.starts_with('.'))
                    || entry
                        .name
                        .strip_prefix(library.as_str())
                        .is_some_and(|rest| rest == ".lib")
            });
            let path = directory.child(&entry.name);
            if named && self.is_file(&path)? {
                self.found.files.insert(path);
            }
        }
        Ok(())
    }

    /// Looks for the target of an `#include` as the preprocessor does, and scans what it finds.
    fn follow(
        &mut self,
        includer_directory: &RepoPath,
        include: &Include,
    ) -> Result<(), TreeError> {
        match self.look_up(includer_directory, include)? {
            Some(path) => self.scan(&path),
            None => Ok(()),
        }
    }

    /// The file that an `#include` means, which thereby becomes an input.
    fn look_up(
        &mut self,
        includer_directory: &RepoPath,
        include: &Include,
    ) -> Result<Option<RepoPath>, TreeError> {
        let beside = match include.form {
            IncludeForm::Computed => return self.take_every_header().map(|()| None),
            IncludeForm::Quoted => Some(includer_directory),
            IncludeForm::Angled => None,
        };
        let directories = beside
            .into_iter()
            .chain([self.package_directory])
            .chain(&self.include_directories);
        for directory in directories {
            if let Ok(path) = directory.join_lexically(&include.target)
                && self.is_file(&path)?
            {
                self.found.files.insert(path.clone());
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// Reads a file for what it includes, and everything that this leads to.
    fn scan(&mut self, file: &RepoPath) -> Result<(), TreeError> {
        let mut pending = vec![file.clone()];
        while let Some(file) = pending.pop() {
            if !self.scanned.insert(file.clone()) {
                continue;
            }
            let source = self.sources.other_file(&file)?;
            let directory = file.parent().unwrap_or_else(RepoPath::root);
            for include in &source.includes {
                pending.extend(self.look_up(&directory, include)?);
            }
        }
        Ok(())
    }

    /// An `#include` whose target is a macro could mean any file of the include directories.
    fn take_every_header(&mut self) -> Result<(), TreeError> {
        let mut directories = self.include_directories.clone();
        directories.push(self.package_directory.clone());
        for directory in directories {
            let Some(listing) = self.sources.view().directory(&directory)? else {
                continue;
            };
            for entry in &listing.entries {
                if entry.name.ends_with(".go") {
                    continue;
                }
                let path = directory.child(&entry.name);
                if self.is_file(&path)? {
                    self.found.files.insert(path);
                }
            }
        }
        Ok(())
    }
}
