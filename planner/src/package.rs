//! The files of one directory that the Go toolchain would build, for one build context.
//!
//! In: a directory's listing, its parsed files and a [`BuildContext`]. Out: [`PackageFiles`]: the files by
//! kind, the imports, the embed patterns and the cgo directives, and everything that would make the
//! toolchain refuse the package. It must never look at another package or resolve an import.
//!
//! Source: go/build/build.go (`Context.Import`, `matchFile`), cmd/go/internal/load/pkg.go (`Package.load`).
//!
//! Known gaps: **gccgo is not modelled**; the gc toolchain's rules are assumed.

use crate::{
    diagnostic::{Code, Diagnostic, Fault, Position, Severity},
    file_kind::FileKind,
    parse::{
        c_file::Include,
        constraint_header::ConstraintHeader,
        file_name::{self, FileClass, FileName},
        go_file::{CgoDirective, CgoPreamble, GoFile, HeaderState},
    },
    path::RepoPath,
    sources::Sources,
    target::{BuildContext, Cgo},
    tree::{ContentDigest, Entry, EntryKind, TreeError, TreeErrorKind, view::Directory},
};
use std::{collections::BTreeMap, sync::Arc};

/// What the toolchain would build of one directory.
#[derive(Debug, Clone)]
pub(crate) struct PackageFiles {
    /// The package's name; empty when no file tells it.
    pub(crate) name: String,
    /// The selected files by name, each with its kind; sorted by name.
    pub(crate) files: Vec<SelectedFile>,
    /// Every import of the selected Go files, with the first place that imports it.
    pub(crate) imports: BTreeMap<String, Origin>,
    /// Every embed pattern of the selected Go files, with the first place that names it.
    pub(crate) embed_patterns: BTreeMap<String, Origin>,
    /// The `#cgo` lines that apply, in the order of the files.
    pub(crate) cgo: Vec<(Origin, CgoDirective)>,
    /// What the cgo preambles include.
    pub(crate) cgo_includes: Vec<Include>,
    /// The names of links to directories that could be names of files, which the toolchain passes over.
    pub(crate) directory_links: Vec<String>,
    /// Whether there is anything to build.
    pub(crate) presence: Presence,
    /// Whether the package stops before its imports are followed (a file-name collision).
    pub(crate) imports_followed: ImportsFollowed,
    /// What would make the toolchain refuse the package, or the planner doubt it.
    pub(crate) problems: Vec<Diagnostic>,
}

/// A file and the place in it that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) file: Box<str>,
    pub(crate) position: Position,
}

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SelectedFile {
    pub(crate) name: Box<str>,
    pub(crate) kind: FileKind,
    /// The digest of its content, where it is known already and no link leads to the file.
    pub(crate) digest: Option<ContentDigest>,
}

/// Whether a directory holds anything to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Go files are selected.
    Buildable,
    /// Only test files: importable, and empty.
    TestsOnly,
    /// Go files, but none for this build context.
    AllExcluded,
    /// As that, and some of them only because they import "C" and cgo is off.
    NeedsCgo,
}

/// Whether the toolchain follows the package's imports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImportsFollowed {
    Yes,
    No,
}

/// How a Go file takes part in its package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Source,
    CgoSource,
    Test,
    Ignored,
}

struct Selection<'a> {
    context: &'a BuildContext,
    directory: &'a Directory,
    package: PackageFiles,
    /// All names that take part in the check for case-insensitive collisions.
    checked_names: Vec<&'a str>,
    capital_assembler: Vec<(&'a Entry, Option<ContentDigest>)>,
    first_file: Option<&'a str>,
    tests: usize,
    /// The files that would be built if cgo were on.
    left_out_without_cgo: usize,
}

/// Selects the files of a directory.
pub(crate) fn select_files(
    sources: &Sources<'_>,
    directory: &Directory,
    context: &BuildContext,
) -> PackageFiles {
    let mut selection = Selection {
        context,
        directory,
        package: PackageFiles {
            name: String::new(),
            files: Vec::new(),
            imports: BTreeMap::new(),
            embed_patterns: BTreeMap::new(),
            cgo: Vec::new(),
            cgo_includes: Vec::new(),
            directory_links: Vec::new(),
            presence: Presence::AllExcluded,
            imports_followed: ImportsFollowed::Yes,
            problems: Vec::new(),
        },
        checked_names: Vec::new(),
        capital_assembler: Vec::new(),
        first_file: None,
        tests: 0,
        left_out_without_cgo: 0,
    };
    for entry in &directory.entries {
        let Some(name) = file_name::classify(&entry.name) else {
            continue;
        };
        let path = directory.path.child(&entry.name);
        match entry.kind {
            EntryKind::Directory | EntryKind::Submodule => continue,
            EntryKind::File => {}
            EntryKind::Special => {
                selection.unreadable(&path, &TreeErrorKind::NotAFile, &name);
                continue;
            }
            EntryKind::Symlink => match sources.view().locate(&path) {
                Ok(Some(resolved)) if resolved.kind == EntryKind::File => {}
                Ok(Some(resolved)) if resolved.kind != EntryKind::Special => {
                    selection
                        .package
                        .directory_links
                        .push(entry.name.to_string());
                    continue;
                }
                Ok(Some(_)) => {
                    selection.unreadable(&path, &TreeErrorKind::NotAFile, &name);
                    continue;
                }
                Ok(None) => {
                    selection.unreadable(&path, &TreeErrorKind::NotFound, &name);
                    continue;
                }
                Err(error) => {
                    selection.unreadable(&path, &error.kind, &name);
                    continue;
                }
            },
        }
        if name.class() == FileClass::Go {
            selection.go_file(sources, entry, &name, &path);
        } else {
            selection.other_file(sources, entry, &name, &path);
        }
    }
    for bytes in &directory.not_utf8 {
        selection.not_utf8(bytes);
    }
    selection.finish()
}

impl<'a> Selection<'a> {
    fn problem(
        &mut self,
        code: Code,
        message: String,
        file: Option<&str>,
        position: Option<Position>,
    ) {
        let path = match file {
            Some(file) => self.directory.path.child(file),
            None => self.directory.path.clone(),
        };
        self.package.problems.push(Diagnostic {
            code,
            severity: Severity::Error,
            message,
            path: Some(path),
            position,
            services: Vec::new(),
        });
    }

    fn faults(&mut self, file: &str, faults: &[Fault]) {
        for fault in faults {
            self.package.problems.push(Diagnostic {
                code: fault.code,
                severity: fault.severity,
                message: fault.message.clone(),
                path: Some(self.directory.path.child(file)),
                position: Some(fault.position),
                services: Vec::new(),
            });
        }
    }

    /// A file whose name counts, but whose content can't be had. Go refuses a broken `.go` link, and
    /// ignores other files that it can't open; where the planner alone can't read, it must doubt.
    fn unreadable(&mut self, path: &RepoPath, kind: &TreeErrorKind, name: &FileName) {
        if !name.matches(self.context) {
            return;
        }
        let missing = matches!(
            kind,
            TreeErrorKind::NotFound | TreeErrorKind::DanglingLink { .. }
        );
        if missing && name.class() != FileClass::Go {
            return;
        }
        self.package.problems.push(Diagnostic {
            code: kind.code(),
            severity: Severity::Error,
            message: format!("can't read this file of the package: {kind}"),
            path: Some(path.clone()),
            position: None,
            services: Vec::new(),
        });
    }

    fn not_utf8(&mut self, bytes: &[u8]) {
        let lossy = String::from_utf8_lossy(bytes);
        if file_name::classify(&lossy).is_some_and(|name| name.matches(self.context)) {
            self.problem(
                Code::NotUtf8,
                format!(
                    "the name of the file `{}` is not UTF-8; rename it",
                    bytes.escape_ascii()
                ),
                None,
                None,
            );
        }
    }

    fn go_file(
        &mut self,
        sources: &Sources<'_>,
        entry: &'a Entry,
        name: &FileName,
        path: &RepoPath,
    ) {
        let entry_name: &'a str = &entry.name;
        if !name.matches(self.context) {
            self.checked_names.push(entry_name);
            return;
        }
        let read: Result<(Arc<GoFile>, Option<ContentDigest>), TreeError> = if name.is_test() {
            let file = sources.test_file(self.directory, entry, path);
            file.map(|file| (file, None))
        } else {
            let source = sources.go_file(self.directory, entry, path);
            source.map(|source| (source.file, Some(source.digest)))
        };
        let (file, digest) = match read {
            Ok(read) => read,
            Err(error) => return self.unreadable(path, &error.kind, name),
        };
        // go/build decides about the constraint first: a file that is not for this context may be
        // as broken as it likes after its header.
        if file.state == HeaderState::Invalid {
            return self.faults(entry_name, &file.faults);
        }
        match &file.constraint {
            ConstraintHeader::Broken => return self.faults(entry_name, &file.faults),
            ConstraintHeader::Present(constraint)
                if !constraint.holds(&|tag| self.context.satisfies(tag)) =>
            {
                self.checked_names.push(entry_name);
                return;
            }
            ConstraintHeader::Present(_) | ConstraintHeader::Absent => {}
        }
        self.faults(entry_name, &file.faults);
        let role = self.admit(entry_name, name, &file);
        self.checked_names.push(entry_name);
        match role {
            Role::Ignored => {}
            Role::Test => self.tests += 1,
            Role::Source => self.compile(entry, &file, FileKind::Go, digest),
            Role::CgoSource => self.compile(entry, &file, FileKind::Cgo, digest),
        }
    }

    /// Checks the package clause against the package's name and says what the file is for.
    fn admit(&mut self, entry_name: &'a str, name: &FileName, file: &GoFile) -> Role {
        let clause = file.package.as_ref();
        let mut package_name = clause.map_or("", |clause| clause.value.as_str());
        if package_name == "documentation" {
            return Role::Ignored;
        }
        if name.is_test()
            && self.package.name != package_name
            && let Some(tested) = package_name.strip_suffix("_test")
        {
            package_name = tested;
        }
        if self.package.name.is_empty() {
            package_name.clone_into(&mut self.package.name);
            self.first_file = Some(entry_name);
        } else if self.package.name != package_name {
            let message = format!(
                "package `{package_name}` beside package `{}` of {}: a directory holds one package",
                self.package.name,
                self.first_file.unwrap_or_default(),
            );
            let position = clause.map(|clause| clause.position);
            self.problem(Code::PackageConflict, message, Some(entry_name), position);
        }
        if file.cgo.is_some() {
            if name.is_test() {
                self.problem(
                    Code::CgoInTest,
                    "a test file imports \"C\", which Go refuses; move the cgo code out of the test".to_owned(),
                    Some(entry_name),
                    None,
                );
                return Role::Test;
            }
            return match self.context.cgo() {
                Cgo::Enabled => Role::CgoSource,
                Cgo::Disabled => {
                    self.left_out_without_cgo += 1;
                    Role::Ignored
                }
            };
        }
        if name.is_test() {
            Role::Test
        } else {
            Role::Source
        }
    }

    fn compile(
        &mut self,
        entry: &Entry,
        file: &GoFile,
        kind: FileKind,
        digest: Option<ContentDigest>,
    ) {
        let entry_name = &*entry.name;
        self.select(entry, kind, digest);
        if file.state == HeaderState::ImportsLost {
            return;
        }
        let origin = |position| Origin {
            file: entry_name.into(),
            position,
        };
        for import in &file.imports {
            self.package
                .imports
                .entry(import.value.clone())
                .or_insert_with(|| origin(import.position));
        }
        for pattern in &file.embed_patterns {
            self.package
                .embed_patterns
                .entry(pattern.value.clone())
                .or_insert_with(|| origin(pattern.position));
        }
        if let Some(CgoPreamble {
            directives,
            includes,
        }) = &file.cgo
        {
            for directive in directives {
                let applies = directive.value.applies(&|tag| self.context.satisfies(tag));
                if let Some(fault) = &directive.value.fault
                    && applies
                {
                    self.problem(
                        Code::Syntax,
                        fault.clone(),
                        Some(entry_name),
                        Some(directive.position),
                    );
                } else if applies {
                    self.package
                        .cgo
                        .push((origin(directive.position), directive.value.clone()));
                }
            }
            self.package
                .cgo_includes
                .extend(includes.iter().map(|include| include.value.clone()));
        }
    }

    fn select(&mut self, entry: &Entry, kind: FileKind, digest: Option<ContentDigest>) {
        let is_behind_links = entry.kind == EntryKind::Symlink || !self.directory.links.is_empty();
        self.package.files.push(SelectedFile {
            name: entry.name.clone(),
            kind,
            digest: digest.filter(|_| !is_behind_links),
        });
    }

    fn other_file(
        &mut self,
        sources: &Sources<'_>,
        entry: &'a Entry,
        name: &FileName,
        path: &RepoPath,
    ) {
        let entry_name: &'a str = &entry.name;
        self.checked_names.push(entry_name);
        if !name.matches(self.context) {
            return;
        }
        let mut digest = None;
        if name.class() != FileClass::Syso {
            match sources.other_file(path) {
                Ok(other) => {
                    digest = Some(other.digest);
                    let holds = match &other.constraint {
                        ConstraintHeader::Absent => true,
                        ConstraintHeader::Present(constraint) => {
                            constraint.holds(&|tag| self.context.satisfies(tag))
                        }
                        ConstraintHeader::Broken => false,
                    };
                    if !holds {
                        return;
                    }
                }
                Err(error) => return self.unreadable(path, &error.kind, name),
            }
        }
        let kind = match name.class() {
            FileClass::C => FileKind::C,
            FileClass::Cxx => FileKind::Cxx,
            FileClass::ObjectiveC => FileKind::ObjectiveC,
            FileClass::Fortran => FileKind::Fortran,
            FileClass::Header => FileKind::Header,
            FileClass::Assembler => FileKind::Assembler,
            FileClass::Swig | FileClass::SwigCxx => FileKind::Swig,
            FileClass::Syso => FileKind::Syso,
            FileClass::PreprocessedAssembler => {
                self.capital_assembler.push((entry, digest));
                return;
            }
            FileClass::Go => return,
        };
        self.select(entry, kind, digest);
    }

    fn finish(mut self) -> PackageFiles {
        let has = |package: &PackageFiles, kind| package.files.iter().any(|file| file.kind == kind);
        let uses_cgo = has(&self.package, FileKind::Cgo);
        let buildable = uses_cgo || has(&self.package, FileKind::Go);
        self.package.presence = if buildable {
            Presence::Buildable
        } else if self.tests > 0 {
            Presence::TestsOnly
        } else if self.left_out_without_cgo > 0 {
            Presence::NeedsCgo
        } else {
            Presence::AllExcluded
        };
        if uses_cgo {
            for (entry, digest) in std::mem::take(&mut self.capital_assembler) {
                self.select(entry, FileKind::Assembler, digest);
            }
        }
        self.check_names();
        if self.package.imports_followed == ImportsFollowed::Yes {
            self.drop_or_refuse_c_files(uses_cgo);
        }
        self.package
            .files
            .sort_by(|left, right| left.name.cmp(&right.name));
        self.package
    }

    /// Go refuses two files whose names differ in case alone, and names that could turn into flags.
    fn check_names(&mut self) {
        let mut folded: BTreeMap<String, &str> = BTreeMap::new();
        let mut collision = None;
        // Names are unique, so they can only collide where folding changes one of them.
        let folds = |name: &&str| {
            name.bytes()
                .any(|byte| !byte.is_ascii() || byte.is_ascii_uppercase())
        };
        let checked: &[&str] = if self.checked_names.iter().any(folds) {
            &self.checked_names
        } else {
            &[]
        };
        for name in checked {
            if let Some(other) = folded.insert(fold_case(name), name) {
                collision = Some((other.to_owned(), (*name).to_owned()));
                break;
            }
        }
        if let Some((left, right)) = collision {
            self.package.imports_followed = ImportsFollowed::No;
            self.problem(
                Code::NameCollision,
                format!(
                    "`{left}` and `{right}` differ in case alone, which Go refuses; rename one"
                ),
                Some(&right),
                None,
            );
            return;
        }
        let unsafe_name = self
            .checked_names
            .iter()
            .find(|name| !is_safe_argument(name))
            .map(|name| (*name).to_owned());
        if let Some(name) = unsafe_name {
            self.package.imports_followed = ImportsFollowed::No;
            self.problem(
                Code::InvalidName,
                format!(
                    "Go refuses the file name `{}`; rename it",
                    name.escape_debug()
                ),
                None,
                None,
            );
        }
    }

    /// Without cgo the toolchain drops C sources; with cgo switched on it refuses them in a package
    /// that does not use cgo.
    fn drop_or_refuse_c_files(&mut self, uses_cgo: bool) {
        if self.context.cgo() == Cgo::Disabled {
            self.package.files.retain(|file| {
                !matches!(
                    file.kind,
                    FileKind::C | FileKind::Cxx | FileKind::ObjectiveC | FileKind::Swig
                )
            });
        }
        let uses_swig = self
            .package
            .files
            .iter()
            .any(|file| file.kind == FileKind::Swig);
        if uses_cgo || uses_swig {
            return;
        }
        let refused = [
            (FileKind::C, "C"),
            (FileKind::Cxx, "C++"),
            (FileKind::ObjectiveC, "Objective-C"),
            (FileKind::Fortran, "Fortran"),
        ];
        for (kind, language) in refused {
            let first = self
                .package
                .files
                .iter()
                .find(|file| file.kind == kind)
                .map(|file| file.name.clone());
            if let Some(name) = first {
                self.problem(
                    Code::CFilesWithoutCgo,
                    format!(
                        "{language} source files are not allowed in a package that does not use cgo"
                    ),
                    Some(&name),
                    None,
                );
                return;
            }
        }
    }
}

/// Folds a name as cmd/go/internal/str `ToFold` does for the names that occur in practice.
fn fold_case(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// Source: cmd/go/internal/load/pkg.go (`SafeArg`), and the ban on `_cgo_` names.
fn is_safe_argument(name: &str) -> bool {
    name.starts_with(|first: char| {
        first.is_ascii_alphanumeric() || matches!(first, '.' | '_' | '/') || !first.is_ascii()
    }) && !name.starts_with("_cgo_")
}
