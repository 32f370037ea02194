//! What cgo and the assembler read beside the files that `go list` reports.
//!
//! In: a package's C-like files, cgo directives and preambles. Out: headers reached by `#include`,
//! libraries named in flags, and what the linker is told of others, as far as they lie in the tree. It must never
//! leave the tree: system headers and libraries belong to the toolchain image.
//!
//! Source: cmd/go/internal/work/exec.go (the `-I` order of cgo and of the assembler),
//! cmd/asm/internal/lex/input.go; go.dev/issue/28019 for what the Go cache itself leaves out.
//!
//! Where a compiler takes the first file of several directories, all of them count: which one is first depends on the
//! flags, the language and `#include_next`.
//!
//! Known gaps: **conditional compilation is not evaluated** (every `#include` counts), an `#include` of a macro counts
//! as one of every file below the include directories, and **the sources of pkg-config packages are unknown**.

use super::libraries::{LibraryFlags, libraries, tree_paths};
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
    tree::{EntryKind, TreeError, TreeErrorKind},
};
use foldhash::{HashSet, HashSetExt as _};
use std::collections::BTreeSet;

/// What was found, and what could not be.
#[derive(Debug, Default)]
pub(crate) struct CInputs {
    pub(crate) files: BTreeSet<RepoPath>,
    /// What the linker is told, which sees the flags of all packages together.
    pub(crate) libraries: LibraryFlags,
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
        forced: Vec::new(),
        found: CInputs::default(),
        scanned: HashSet::new(),
        took_every_file: false,
    };
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
            CgoVariable::LdFlags => search.linker_flags(&directive.arguments)?,
            CgoVariable::CFlags
            | CgoVariable::CppFlags
            | CgoVariable::CxxFlags
            | CgoVariable::FFlags => search.compiler_flags(&directive.arguments)?,
        }
    }
    let linked = libraries(sources, &search.found.libraries)?;
    search.found.files.extend(linked);
    for include in std::mem::take(&mut search.forced) {
        search.follow(directory, &include)?;
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
    /// What flags include before anything else.
    forced: Vec<Include>,
    found: CInputs,
    scanned: HashSet<RepoPath>,
    took_every_file: bool,
}

impl Search<'_, '_> {
    /// The places that a path of a flag may mean: `${SRCDIR}` and relative paths mean the package's directory. None when
    /// it lies outside the tree, as system paths do.
    fn flag_paths(&mut self, written: &str) -> Result<Vec<RepoPath>, TreeError> {
        let relative = match written.strip_prefix("${SRCDIR}") {
            Some(rest) => rest.trim_start_matches('/'),
            None => written,
        };
        if relative.contains("${") {
            return Ok(Vec::new());
        }
        let base = self.package_directory.clone();
        self.places(&base, relative)
    }

    /// The places that a path from a directory may mean.
    fn places(&mut self, base: &RepoPath, written: &str) -> Result<Vec<RepoPath>, TreeError> {
        if written.starts_with('/') {
            return Ok(tree_paths(self.sources, written));
        }
        let lexical = base.join_lexically(written).ok();
        if !written.split('/').any(|element| element == "..") {
            return Ok(lexical.into_iter().collect());
        }
        let physical = self.beyond_links(base, written)?;
        if physical != lexical {
            // The build would need the link, too, wherever the file is then.
            let message = format!(
                "`{}` goes up from behind a link, so what it names can't be told; write the path without the link",
                written.escape_debug()
            );
            if !self
                .found
                .problems
                .iter()
                .any(|known| known.message == message)
            {
                self.found.problems.push(Diagnostic {
                    code: Code::Unreadable,
                    severity: Severity::Error,
                    message,
                    path: Some(base.clone()),
                    position: None,
                    services: Vec::new(),
                });
            }
        }
        Ok(lexical.into_iter().chain(physical).collect())
    }

    /// A path as the system takes it: what is above a linked directory is above the directory that the link leads to.
    fn beyond_links(&self, base: &RepoPath, written: &str) -> Result<Option<RepoPath>, TreeError> {
        if written.contains('\0') {
            return Ok(None);
        }
        let mut at = base.clone();
        for element in written.split('/') {
            match element {
                "" | "." => {}
                ".." => {
                    let located = self.sources.view().locate(&at)?;
                    let Some(parent) = located.map_or(at, |found| found.real).parent() else {
                        return Ok(None);
                    };
                    at = parent;
                }
                _ => at = at.child(element),
            }
        }
        Ok(Some(at))
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
        const ROOTS: [&str; 2] = ["--sysroot", "-isysroot"];
        const FILES: [&str; 2] = ["-include", "-imacros"];
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value_of = |flag: &&str| -> Option<String> {
                let attached = argument.strip_prefix(*flag)?;
                let value = attached.strip_prefix('=').unwrap_or(attached);
                if value.is_empty() {
                    arguments.next().cloned()
                } else {
                    Some(value.to_owned())
                }
            };
            if let Some(value) = FILES.iter().find_map(&mut value_of) {
                self.forced.push(Include {
                    form: IncludeForm::Quoted,
                    target: value,
                });
            } else if let Some(value) = ROOTS.iter().find_map(&mut value_of) {
                for root in self.flag_paths(&value)? {
                    let below = ["usr/include", "usr/local/include", "include"];
                    let directories = below
                        .iter()
                        .filter_map(|path| root.join_lexically(path).ok());
                    self.include_directories.extend(directories);
                }
            } else if let Some(value) = DIRECTORIES.iter().find_map(&mut value_of) {
                let directories = self.flag_paths(&value)?;
                self.include_directories.extend(directories);
            }
        }
        Ok(())
    }

    fn linker_flags(&mut self, arguments: &[String]) -> Result<(), TreeError> {
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if matches!(argument.as_str(), "-L" | "-l") {
                if let Some(value) = arguments.next() {
                    self.linker_flag(&format!("{argument}{value}"))?;
                }
                continue;
            }
            // A library or linker script by its path, alone or behind `-Wl,…,`.
            for part in argument.split([',', '=']) {
                self.linker_flag(part)?;
            }
        }
        Ok(())
    }

    fn linker_flag(&mut self, part: &str) -> Result<(), TreeError> {
        if let Some(directory) = part.strip_prefix("-L") {
            let directories = self.flag_paths(directory)?;
            self.found.libraries.directories.extend(directories);
        } else if let Some(name) = part.strip_prefix("-l") {
            let name = name.trim_start_matches(':').to_owned();
            self.found.libraries.names.insert(name);
        } else if !part.is_empty() && !part.starts_with('-') {
            let mut paths = self.flag_paths(part)?;
            // The program is linked in the directory where `go` runs, which may be any above.
            let mut above = self.package_directory.parent();
            while let Some(directory) = above {
                paths.extend(directory.join_lexically(part).ok());
                above = directory.parent();
            }
            for path in paths {
                if self.is_file(&path)? {
                    self.found.libraries.files.insert(path);
                }
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
        let found = self.look_up(includer_directory, include)?;
        self.scan_all(found)
    }

    /// The files that an `#include` may mean, which thereby become inputs.
    fn look_up(
        &mut self,
        includer_directory: &RepoPath,
        include: &Include,
    ) -> Result<Vec<RepoPath>, TreeError> {
        let beside = match include.form {
            IncludeForm::Computed => return self.take_every_file(),
            IncludeForm::Quoted => Some(includer_directory),
            IncludeForm::Angled => None,
        };
        let directories: BTreeSet<RepoPath> = beside
            .into_iter()
            .chain([self.package_directory])
            .chain(&self.include_directories)
            .cloned()
            .collect();
        let mut found = Vec::new();
        for directory in directories {
            for path in self.places(&directory, &include.target)? {
                if self.is_file(&path)? {
                    self.found.files.insert(path.clone());
                    found.push(path);
                }
            }
        }
        Ok(found)
    }

    fn scan(&mut self, file: &RepoPath) -> Result<(), TreeError> {
        self.scan_all(vec![file.clone()])
    }

    /// Reads files for what they include, and everything that this leads to.
    fn scan_all(&mut self, mut pending: Vec<RepoPath>) -> Result<(), TreeError> {
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

    /// An `#include` whose target only the preprocessor knows could mean any file below the include directories.
    fn take_every_file(&mut self) -> Result<Vec<RepoPath>, TreeError> {
        if std::mem::replace(&mut self.took_every_file, true) {
            return Ok(Vec::new());
        }
        let mut directories = self.include_directories.clone();
        directories.push(self.package_directory.clone());
        let mut visited = HashSet::new();
        let mut taken = Vec::new();
        while let Some(directory) = directories.pop() {
            let Some(listing) = self.sources.view().directory(&directory)? else {
                continue;
            };
            if !visited.insert(listing.real.clone()) {
                continue;
            }
            for entry in &listing.entries {
                let is_ours = listing.real.is_root() && matches!(&*entry.name, ".git" | ".rebake");
                if is_ours || entry.name.ends_with(".go") {
                    continue;
                }
                let path = directory.child(&entry.name);
                let kind = match self.sources.view().locate_in(&listing, &entry.name) {
                    Ok(found) => found.map(|found| found.kind),
                    // A compiler can't open it either.
                    Err(TreeError {
                        kind:
                            TreeErrorKind::NotFound
                            | TreeErrorKind::DanglingLink { .. }
                            | TreeErrorKind::LinkLoop,
                        ..
                    }) => None,
                    Err(error) => return Err(error),
                };
                match kind {
                    Some(EntryKind::Directory | EntryKind::Submodule) => directories.push(path),
                    Some(EntryKind::File) => {
                        self.found.files.insert(path.clone());
                        taken.push(path);
                    }
                    _ => {}
                }
            }
        }
        Ok(taken)
    }
}
