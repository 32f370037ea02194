//! The services of a tree.
//!
//! In: a survey, the configuration and the caller's choices. Out: `Service`s, and the main packages that
//! were left out. It must never drop a main package silently.

use super::{
    manifest::Manifest,
    path_glob::ServiceGlob,
    service_name::{NameSource, ServiceName, name_services},
    survey::{Candidate, Survey, import_path_in},
};
use crate::{
    config::{DeclaredFiles, DeclaredService, FILE_NAME, ServiceKind},
    diagnostic::{Code, Diagnostic, Severity},
    file_kind::FileKind,
    package::{Presence, select_files},
    parse::{
        constraint_header::ConstraintHeader,
        file_name::{self, FileClass},
    },
    path::RepoPath,
    sources::Sources,
    target::BuildContext,
    tree::EntryKind,
};
use rayon::prelude::*;
use std::sync::Arc;

/// The globs that choose services where nobody chose.
pub const DEFAULT_GLOBS: [&str; 3] = ["services/**", "cmd/**", "apps/**"];

/// A service: a main package that becomes an image.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) name: ServiceName,
    pub(crate) directory: RepoPath,
    /// The import path of the main package.
    pub(crate) main: String,
    pub(crate) module: Arc<Manifest>,
    /// The files that rebake.toml declares for it.
    pub(crate) files: DeclaredFiles,
}

/// A service whose image comes from a Dockerfile, without Go.
#[derive(Debug, Clone)]
pub(crate) struct DockerfileService {
    pub(crate) name: ServiceName,
    pub(crate) directory: RepoPath,
    /// The files that rebake.toml declares for it.
    pub(crate) files: DeclaredFiles,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Discovered {
    pub(crate) services: Vec<Service>,
    pub(crate) dockerfile_services: Vec<DockerfileService>,
    /// The directories of main packages that nothing chose, sorted.
    pub(crate) excluded_mains: Vec<RepoPath>,
    pub(crate) problems: Vec<Diagnostic>,
}

/// Yields the build contexts of a directory of a module.
pub(crate) type ContextsOf<'a> =
    dyn Fn(&RepoPath, &Arc<Manifest>) -> Arc<[BuildContext]> + Sync + 'a;

/// Finds the services of a tree. `contexts_of` yields the build contexts for which a directory is asked:
/// it is a main package when it is one for any of them.
pub(crate) fn find_services(
    sources: &Sources<'_>,
    survey: &Survey,
    globs: &[ServiceGlob],
    declared: &[DeclaredService],
    contexts_of: &ContextsOf<'_>,
) -> Discovered {
    let mains: Vec<&Candidate> = survey
        .candidates
        .par_iter()
        .filter(|candidate| {
            let contexts = contexts_of(&candidate.directory.path, &candidate.module);
            contexts
                .iter()
                .any(|context| is_main_package(sources, candidate, context))
        })
        .collect();
    let parsed = |globs: &[&str]| -> Vec<ServiceGlob> {
        globs.iter().filter_map(|glob| glob.parse().ok()).collect()
    };
    let (defaults, everything) = (parsed(&DEFAULT_GLOBS), parsed(&["**"]));
    let chosen: &[ServiceGlob] = if !globs.is_empty() {
        globs
    } else if mains.iter().any(|main| {
        defaults
            .iter()
            .any(|glob| glob.matches(&main.directory.path))
    }) {
        &defaults
    } else {
        &everything
    };
    let mut discovered = Discovered::default();
    let mut found: Vec<Found<'_>> = Vec::new();
    for main in &mains {
        let directory = &main.directory.path;
        let declaration = declared.iter().find(|one| one.directory == *directory);
        let glob = chosen.iter().find(|glob| glob.matches(directory));
        if glob.is_none() && declaration.is_none() {
            discovered.excluded_mains.push(directory.clone());
            continue;
        }
        if declaration.is_some_and(|one| one.kind == ServiceKind::Dockerfile) {
            // It is added below, without its Go files.
            continue;
        }
        found.push(Found {
            directory: directory.clone(),
            module: Some(Arc::clone(&main.module)),
            fixed_prefix: glob.map_or_else(RepoPath::root, |glob| glob.fixed_prefix().clone()),
            declaration,
        });
    }
    for declaration in declared {
        let directory = &declaration.directory;
        if found.iter().any(|found| found.directory == *directory) {
            continue;
        }
        let module = match declaration.kind {
            ServiceKind::Dockerfile => Some(None),
            ServiceKind::Go => module_above(survey, directory).map(Some),
        };
        match module {
            Some(module) => found.push(Found {
                directory: directory.clone(),
                module,
                fixed_prefix: RepoPath::root(),
                declaration: Some(declaration),
            }),
            None => discovered.problems.push(Diagnostic {
                code: Code::MissingModule,
                severity: Severity::Error,
                message: format!(
                    "the service directory `{directory}` lies in no Go module of the tree"
                ),
                path: Some(RepoPath::root().child(FILE_NAME)),
                position: Some(declaration.position),
                services: Vec::new(),
            }),
        }
    }
    for glob in globs {
        if !mains.iter().any(|main| glob.matches(&main.directory.path)) {
            discovered.problems.push(Diagnostic {
                code: Code::UnmatchedGlob,
                severity: Severity::Warning,
                message: format!(
                    "the services glob `{}` matches no main package",
                    glob.as_str().escape_debug()
                ),
                path: None,
                position: None,
                services: Vec::new(),
            });
        }
    }
    found.sort_by(|left, right| left.directory.cmp(&right.directory));
    let name_sources: Vec<NameSource> = found
        .iter()
        .map(|found| NameSource {
            directory: found.directory.clone(),
            fixed_prefix: found.fixed_prefix.clone(),
            module_path: found
                .module
                .as_ref()
                .map(|module| module.module_path().to_owned())
                .unwrap_or_default(),
            declared: found
                .declaration
                .and_then(|declaration| declaration.name.clone()),
        })
        .collect();
    discovered.excluded_mains.sort_unstable();
    let names = name_services(&name_sources);
    for (name, found) in names.into_iter().zip(found) {
        let Found {
            directory,
            module,
            declaration,
            ..
        } = found;
        let files = declaration
            .map(|declaration| declaration.files.clone())
            .unwrap_or_default();
        match module {
            Some(module) => discovered.services.push(Service {
                name,
                main: import_path_in(&module, &directory),
                directory,
                module,
                files,
            }),
            None => discovered.dockerfile_services.push(DockerfileService {
                name,
                directory,
                files,
            }),
        }
    }
    discovered
        .services
        .sort_by(|left, right| left.name.cmp(&right.name));
    discovered
}

/// A directory that becomes a service.
struct Found<'a> {
    directory: RepoPath,
    /// Nothing for a service without Go.
    module: Option<Arc<Manifest>>,
    fixed_prefix: RepoPath,
    declaration: Option<&'a DeclaredService>,
}

/// The module that a directory belongs to: the nearest one above it.
pub(crate) fn module_above(survey: &Survey, directory: &RepoPath) -> Option<Arc<Manifest>> {
    let mut candidate = Some(directory.clone());
    while let Some(directory) = candidate {
        if let Some(module) = survey.modules.get(&directory) {
            return Some(Arc::clone(module));
        }
        candidate = directory.parent();
    }
    None
}

/// Whether `go list` would call this directory a main package with something to build. The first file
/// that the build context takes names the package, so most directories cost one file.
///
/// Where no file tells the package's name, and one that could can't be read or has no package clause, it may be one: a
/// service must not vanish from a plan because its main file is out of reach. It is planned, in doubt.
fn is_main_package(sources: &Sources<'_>, candidate: &Candidate, context: &BuildContext) -> bool {
    let directory = &candidate.directory;
    let mut first_name = None;
    let mut may_be_main = false;
    for entry in &directory.entries {
        if matches!(entry.kind, EntryKind::Directory | EntryKind::Submodule) {
            continue;
        }
        let Some(name) = file_name::classify(&entry.name) else {
            continue;
        };
        if name.class() != FileClass::Go || !name.matches(context) {
            continue;
        }
        let path = directory.path.child(&entry.name);
        let file = if name.is_test() {
            sources.test_file(directory, entry, &path)
        } else {
            sources
                .go_file(directory, entry, &path)
                .map(|source| source.file)
        };
        let Ok(file) = file else {
            may_be_main |= !name.is_test() && !leads_to_directory(sources, &path);
            continue;
        };
        let holds = match &file.constraint {
            ConstraintHeader::Absent => true,
            ConstraintHeader::Present(constraint) => {
                constraint.holds(&|tag| context.satisfies(tag))
            }
            ConstraintHeader::Broken => false,
        };
        let Some(package) = file.package.as_ref().filter(|_| holds) else {
            may_be_main |= !name.is_test() && file.package.is_none() && !file.faults.is_empty();
            continue;
        };
        let package = package.value.as_str();
        if package == "documentation" {
            continue;
        }
        let package = if name.is_test() {
            package.strip_suffix("_test").unwrap_or(package)
        } else {
            package
        };
        first_name = Some(package.to_owned());
        break;
    }
    match first_name.as_deref() {
        Some("main") => {}
        Some(_) => return false,
        None => return may_be_main,
    }
    let selected = select_files(sources, directory, context);
    selected.name == "main"
        && selected.presence == Presence::Buildable
        && selected
            .files
            .iter()
            .any(|file| matches!(file.kind, FileKind::Go | FileKind::Cgo))
}

/// Whether a name is a link to a directory, which is no file of the package.
fn leads_to_directory(sources: &Sources<'_>, path: &RepoPath) -> bool {
    matches!(
        sources.view().locate(path),
        Ok(Some(resolved)) if matches!(resolved.kind, EntryKind::Directory | EntryKind::Submodule)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_anchored_and_stay_within_elements() {
        let cases = [
            ("services/**", "services", true),
            ("services/**", "services/a/b", true),
            ("services/**", "x/services/a", false),
            ("services/*", "services/a", true),
            ("services/*", "services/a/b", false),
            ("**", ".", true),
            ("**", "a/b", true),
            (".", ".", true),
            ("*/cmd/**", "a/cmd", true),
            ("*/cmd/**", "a/cmd/x", true),
            ("*/cmd/**", "a/b/cmd/x", false),
            ("./cmd/", "cmd", true),
        ];
        for (glob, directory, expected) in cases {
            let directory = RepoPath::new(directory).unwrap();
            assert_eq!(
                glob.parse::<ServiceGlob>().unwrap().matches(&directory),
                expected,
                "{glob} {directory}"
            );
        }
    }
}
