//! Which directory an import path means.
//!
//! In: an import path and a [`BuildList`]. Out: a [`Resolution`]. It must never answer for a module whose
//! files the tree does not hold: that is third-party, and a question of the tier.
//!
//! Source: cmd/go/internal/modload/import.go (`importFromModules`, `dirInModule`).
//!
//! Where a third-party module could also provide a package that the tree holds, the tree's package is
//! taken: if the module had it too, the import would be ambiguous and the build would fail.

use super::build_list::{BuildList, Mode, Module, ModuleSource, Passes, Rank};
use crate::{
    diagnostic::{Code, Diagnostic, error_at},
    module_path,
    parse::go_mod::ModuleVersion,
    path::RepoPath,
    standard_library,
    tree::{EntryKind, TreeError, view::TreeView},
};

/// What an import path means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// A package of the standard library, or one that has no files (`C`, `unsafe`).
    Standard,
    /// A directory of the tree.
    Local(LocalPackage),
    /// A package whose files the tree does not hold.
    ThirdParty,
    /// The toolchain would refuse the import, or the planner can't know.
    Refused {
        code: Code,
        message: String,
        /// A finding about a manifest that explains the refusal.
        because: Option<Box<Diagnostic>>,
    },
}

/// A package in the tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LocalPackage {
    pub(crate) directory: RepoPath,
    /// The module path that provides it; a vendored package names the module that it was copied from.
    pub(crate) module: String,
}

/// What one module says about an import path.
enum Candidate {
    Local(LocalPackage),
    ThirdParty,
    Refused(Box<Resolution>),
    No,
}

/// Resolves an import path.
pub(crate) fn resolve(
    view: &TreeView<'_>,
    list: &BuildList,
    import_path: &str,
    go_minor: u32,
) -> Resolution {
    let refused = |code, message| Resolution::Refused {
        code,
        message,
        because: None,
    };
    if import_path == "C" || import_path == "unsafe" {
        return Resolution::Standard;
    }
    if import_path.contains('@') {
        return refused(
            Code::InvalidImport,
            format!("the import path `{import_path}` may not name a version"),
        );
    }
    if module_path::is_local_import(import_path) {
        return refused(
            Code::InvalidImport,
            format!("the import path `{import_path}` is relative, which modules do not support"),
        );
    }
    if let Err(error) = module_path::check_import_path(import_path) {
        return refused(
            Code::InvalidImport,
            format!("the import path `{import_path}` is not valid: {error}"),
        );
    }
    let mut found: Vec<LocalPackage> = Vec::new();
    let mut standard = false;
    if module_path::is_standard_import_path_form(import_path) {
        match standard_library::is_standard_package(import_path, go_minor) {
            Some(true) => standard = true,
            Some(false) => {}
            None => {
                return refused(
                    Code::GoVersionUnknown,
                    format!(
                        "whether `{import_path}` belongs to the standard library of go 1.{go_minor} is not known to this version; set an older Go version or upgrade"
                    ),
                );
            }
        }
    }
    if list.vendor.is_some() {
        return match resolve_vendored(view, list, import_path, standard) {
            Ok(resolution) => resolution,
            Err(error) => unreadable(&error),
        };
    }
    let passes: &[Option<Rank>] = match list.passes {
        Passes::RootsFirst => &[Some(Rank::Root), None],
        Passes::Everything => &[None],
    };
    let mut third_party = false;
    for rank in passes {
        found.clear();
        third_party = false;
        let mut prefix = Some(import_path);
        while let Some(module_path) = prefix {
            prefix = module_path.rsplit_once('/').map(|(parent, _)| parent);
            match candidate(view, list, module_path, import_path, *rank) {
                Ok(Candidate::Local(package)) => found.push(package),
                Ok(Candidate::ThirdParty) => third_party = true,
                Ok(Candidate::Refused(resolution)) => return *resolution,
                Ok(Candidate::No) => {}
                Err(error) => return unreadable(&error),
            }
        }
        if found.len() + usize::from(standard) > 1 {
            return ambiguous(import_path, &found, standard);
        }
        if standard {
            return Resolution::Standard;
        }
        if let Some(package) = found.pop() {
            return Resolution::Local(package);
        }
        if third_party {
            return Resolution::ThirdParty;
        }
    }
    if standard {
        return Resolution::Standard;
    }
    debug_assert!(!third_party);
    missing(list, import_path)
}

fn unreadable(error: &TreeError) -> Resolution {
    Resolution::Refused {
        code: error.kind.code(),
        message: format!("can't read {error}"),
        because: None,
    }
}

fn ambiguous(import_path: &str, found: &[LocalPackage], standard: bool) -> Resolution {
    let mut places: Vec<String> = found
        .iter()
        .map(|package| format!("`{}`", package.directory))
        .collect();
    if standard {
        places.push("the standard library".to_owned());
    }
    places.sort();
    Resolution::Refused {
        code: Code::AmbiguousImport,
        message: format!(
            "`{import_path}` is provided by {}; Go refuses to choose",
            places.join(" and by ")
        ),
        because: None,
    }
}

/// The paths of all modules that could provide a package, the longest first.
fn prefixes(import_path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(import_path), |path| {
        path.rsplit_once('/').map(|(parent, _)| parent)
    })
}

/// No module that the tree knows of could provide the package. Only where go.mod lists everything is
/// that final: elsewhere a third-party requirement may.
fn missing(list: &BuildList, import_path: &str) -> Resolution {
    let complete = list.mode == Mode::Module && list.passes == Passes::RootsFirst;
    let own = prefixes(import_path).any(|prefix| list.members.contains_key(prefix));
    let summed = || prefixes(import_path).any(|prefix| list.sums.has_module(prefix));
    if module_path::is_standard_import_path_form(import_path) && !summed() {
        return Resolution::Refused {
            code: Code::MissingPackage,
            message: format!(
                "`{import_path}` is neither in the standard library nor in a module of the build"
            ),
            because: None,
        };
    }
    if complete || (own && !summed()) {
        return Resolution::Refused {
            code: Code::MissingPackage,
            message: format!(
                "no directory and no required module provides `{import_path}`; add the package, or run `go get`"
            ),
            because: None,
        };
    }
    Resolution::ThirdParty
}

/// Whether a path is another or lies below it, by elements.
pub(crate) fn has_path_prefix(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn candidate(
    view: &TreeView<'_>,
    list: &BuildList,
    module_path: &str,
    import_path: &str,
    rank: Option<Rank>,
) -> Result<Candidate, TreeError> {
    if let Some(member) = list.members.get(module_path) {
        return local_candidate(view, module_path, &member.directory, import_path);
    }
    let Some(module) = list.modules.get(module_path) else {
        return Ok(Candidate::No);
    };
    if rank.is_some_and(|rank| rank != module.rank) {
        return Ok(Candidate::No);
    }
    match &module.source {
        ModuleSource::Directory(manifest) => {
            let candidate = local_candidate(view, module_path, &manifest.directory, import_path)?;
            if matches!(candidate, Candidate::Local(_)) && manifest.as_dependency().has_errors() {
                return Ok(Candidate::Refused(Box::new(Resolution::Refused {
                    code: Code::Syntax,
                    message: format!(
                        "the go.mod of the module that provides `{import_path}` is broken"
                    ),
                    because: crate::discover::manifest::diagnose(
                        &manifest.path(),
                        &manifest.as_dependency().faults,
                    )
                    .into_iter()
                    .next()
                    .map(Box::new),
                })));
            }
            Ok(candidate)
        }
        ModuleSource::Broken(problem) => Ok(Candidate::Refused(Box::new(Resolution::Refused {
            code: problem.code,
            message: format!("the module that may provide `{import_path}` can't be used"),
            because: Some(problem.clone()),
        }))),
        ModuleSource::ThirdParty { replacement } => Ok(third_party_candidate(
            list,
            module_path,
            module,
            replacement.as_ref(),
            import_path,
        )),
    }
}

/// In a single module the toolchain refuses a module without a checksum, even when another provides the
/// package: it can't prove that the import is unambiguous.
fn third_party_candidate(
    list: &BuildList,
    module_path: &str,
    module: &Module,
    replacement: Option<&ModuleVersion>,
    import_path: &str,
) -> Candidate {
    let required = ModuleVersion {
        path: module_path.to_owned(),
        version: module.version.clone(),
    };
    let needed = replacement.unwrap_or(&required);
    if list.mode == Mode::Module && list.sums.get(needed).is_none() {
        let (path, position) = &module.required_at;
        return Candidate::Refused(Box::new(Resolution::Refused {
            code: Code::MissingSum,
            message: format!(
                "`{import_path}` may come from `{} {}`, which go.sum does not hold; run `go mod tidy`",
                needed.path, needed.version
            ),
            because: Some(Box::new(error_at(
                Code::MissingSum,
                format!(
                    "go.sum has no checksum of `{} {}`; run `go mod tidy`",
                    needed.path, needed.version
                ),
                path,
                *position,
            ))),
        }));
    }
    Candidate::ThirdParty
}

fn local_candidate(
    view: &TreeView<'_>,
    module_path: &str,
    module_directory: &RepoPath,
    import_path: &str,
) -> Result<Candidate, TreeError> {
    match directory_in_module(view, module_path, module_directory, import_path)? {
        Some(directory) => Ok(Candidate::Local(LocalPackage {
            directory,
            module: module_path.to_owned(),
        })),
        None => Ok(Candidate::No),
    }
}

/// The package directory of an import path in a module of the tree, if it has Go files and no other
/// module begins on the way.
fn directory_in_module(
    view: &TreeView<'_>,
    module_path: &str,
    module_directory: &RepoPath,
    import_path: &str,
) -> Result<Option<RepoPath>, TreeError> {
    let Some(rest) = import_path.strip_prefix(module_path) else {
        return Ok(None);
    };
    let mut directory = module_directory.clone();
    let mut crossed = Vec::new();
    for element in rest.split('/').filter(|element| !element.is_empty()) {
        directory = directory.child(element);
        crossed.push(directory.clone());
    }
    if !has_go_files(view, &directory)? {
        return Ok(None);
    }
    if crossed
        .iter()
        .any(|directory| view.holds_file(directory, "go.mod"))
    {
        return Ok(None);
    }
    Ok(Some(directory))
}

/// Whether a directory has a regular `.go` file, or a link to one, whatever its constraints.
///
/// Source: cmd/go/internal/fsys (`IsGoDir`).
pub(crate) fn has_go_files(view: &TreeView<'_>, directory: &RepoPath) -> Result<bool, TreeError> {
    let Some(listing) = view.directory(directory)? else {
        return Ok(false);
    };
    let mut failure = None;
    for entry in &listing.entries {
        if !entry.name.ends_with(".go") {
            continue;
        }
        match entry.kind {
            EntryKind::File => return Ok(true),
            EntryKind::Symlink => match view.locate(&directory.child(&entry.name)) {
                Ok(Some(resolved)) if resolved.kind == EntryKind::File => return Ok(true),
                Ok(_) => {}
                Err(error) => failure = Some(error),
            },
            EntryKind::Directory | EntryKind::Submodule | EntryKind::Special => {}
        }
    }
    if listing.not_utf8.iter().any(|name| name.ends_with(b".go")) {
        return Ok(true);
    }
    failure.map_or(Ok(false), Err)
}

fn resolve_vendored(
    view: &TreeView<'_>,
    list: &BuildList,
    import_path: &str,
    standard: bool,
) -> Result<Resolution, TreeError> {
    let mut found = Vec::new();
    for (module_path, member) in &list.members {
        if has_path_prefix(import_path, module_path)
            && let Some(directory) =
                directory_in_module(view, module_path, &member.directory, import_path)?
        {
            found.push(LocalPackage {
                directory,
                module: module_path.clone(),
            });
        }
    }
    if let Some(vendor) = &list.vendor {
        // The path was checked, so it is a clean relative path below vendor.
        let directory = vendor.directory.join_lexically(import_path).ok();
        if let Some(directory) = directory
            && has_go_files(view, &directory)?
        {
            let module = vendor
                .module_of(import_path)
                .map(|module| module.module.path.clone());
            if module.is_some() || list.takes_unlisted_packages() {
                found.push(LocalPackage {
                    directory,
                    module: module.unwrap_or_default(),
                });
            }
        }
    }
    if found.len() + usize::from(standard) > 1 {
        return Ok(ambiguous(import_path, &found, standard));
    }
    if standard {
        return Ok(Resolution::Standard);
    }
    Ok(match found.pop() {
        Some(package) => Resolution::Local(package),
        None => Resolution::Refused {
            code: Code::MissingPackage,
            message: format!(
                "neither a main module nor the vendor directory provides `{import_path}`; run `go mod vendor`"
            ),
            because: None,
        },
    })
}
