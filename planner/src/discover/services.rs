//! The services of a tree.
//!
//! In: a survey, the configuration and the caller's choices. Out: `Service`s, and the main packages that
//! were left out. It must never drop a main package silently.

use super::{
    manifest::Manifest,
    path_glob::{GlobEffect, ServiceGlob},
    service_name::{NameSource, ServiceName, displaced_services, name_services},
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
    spelling::nearest,
    target::BuildContext,
    tree::{EntryKind, view::Directory},
};
use foldhash::HashSet;
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
    /// The directories of main packages all of whose files need cgo, where it is off. They are no services, and none
    /// that was removed.
    pub(crate) mains_without_cgo: Vec<RepoPath>,
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
    let mut mains: Vec<&Candidate> = survey
        .candidates
        .par_iter()
        .filter(|candidate| {
            let contexts = contexts_of(&candidate.directory.path, &candidate.module);
            contexts
                .iter()
                .any(|context| is_main_package(sources, candidate, context))
        })
        .collect();
    let mut discovered = Discovered::default();
    let refused_in = |choice: &ServiceChoice| {
        refused_mains(sources, survey, &mains, choice, declared, contexts_of)
    };
    let choice = service_choice(globs, &mains, &refused_in);
    for (candidate, refusal) in refused_in(&choice) {
        match refusal {
            Refusal::OtherPackage => mains.push(candidate),
            Refusal::NeedsCgo => {
                let directory = &candidate.directory.path;
                if declared.iter().any(|one| one.directory == *directory) {
                    // It is a service because it is declared, in doubt.
                    continue;
                }
                discovered.problems.push(needs_cgo(directory));
                discovered.mains_without_cgo.push(directory.clone());
            }
        }
    }
    mains.sort_by(|left, right| left.directory.path.cmp(&right.directory.path));
    let mut found = chosen_mains(&mains, &choice, declared, &mut discovered.excluded_mains);
    for declaration in declared {
        let directory = &declaration.directory;
        if found.iter().any(|found| found.directory == *directory) {
            continue;
        }
        match declared_only(sources, survey, declaration, &mains) {
            Ok(declared) => found.push(declared),
            Err(problem) => discovered.problems.push(problem),
        }
    }
    let unmatched = globs
        .iter()
        .filter(|glob| !mains.iter().any(|main| glob.matches(&main.directory.path)));
    discovered.problems.extend(unmatched.map(unmatched_glob));
    found.sort_by(|left, right| left.directory.cmp(&right.directory));
    let name_sources: Vec<NameSource> = found.iter().map(Found::name_source).collect();
    let names = name_services(&name_sources);
    for displaced in displaced_services(&name_sources) {
        let (by, service) = (&found[displaced.by], &found[displaced.service]);
        let name = &names[displaced.service];
        discovered.problems.push(name_taken(by, service, name));
    }
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

/// Which directories become services.
struct ServiceChoice {
    choosing: Vec<ServiceGlob>,
    leaving_out: Vec<ServiceGlob>,
}

impl ServiceChoice {
    /// The glob that chooses a directory.
    fn glob_of(&self, directory: &RepoPath) -> Option<&ServiceGlob> {
        let is_left_out = self.leaving_out.iter().any(|glob| glob.matches(directory));
        let mut choosing = self.choosing.iter();
        choosing.find(|glob| !is_left_out && glob.matches(directory))
    }
}

/// The choice of the given globs; where none chooses, of the default ones where they choose anything, else of all.
fn service_choice<'a>(
    globs: &[ServiceGlob],
    mains: &[&Candidate],
    refused_in: &dyn Fn(&ServiceChoice) -> Vec<(&'a Candidate, Refusal)>,
) -> ServiceChoice {
    let parsed = |globs: &[&str]| -> Vec<ServiceGlob> {
        globs.iter().filter_map(|glob| glob.parse().ok()).collect()
    };
    let (choosing, leaving_out): (Vec<ServiceGlob>, Vec<ServiceGlob>) = globs
        .iter()
        .cloned()
        .partition(|glob| glob.effect() == GlobEffect::Chooses);
    let is_given = !choosing.is_empty();
    let mut choice = ServiceChoice {
        choosing: if is_given {
            choosing
        } else {
            parsed(&DEFAULT_GLOBS)
        },
        leaving_out,
    };
    let chooses_one = || {
        let mut directories = mains.iter().map(|main| &main.directory.path);
        directories.any(|directory| choice.glob_of(directory).is_some())
            || refused_in(&choice)
                .iter()
                .any(|(candidate, _)| choice.glob_of(&candidate.directory.path).is_some())
    };
    if !is_given && !chooses_one() {
        choice.choosing = parsed(&["**"]);
    }
    choice
}

/// Why Go refuses to build a main package that `go list` does not call one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// A file that is sorted before its own belongs to another package.
    OtherPackage,
    /// All its files import "C", and cgo is off.
    NeedsCgo,
}

/// The directories that are no main packages only because Go refuses them. Only where a glob or a declaration would
/// choose one, since all files of a directory are read for it.
fn refused_mains<'a>(
    sources: &Sources<'_>,
    survey: &'a Survey,
    mains: &[&Candidate],
    choice: &ServiceChoice,
    declared: &[DeclaredService],
    contexts_of: &ContextsOf<'_>,
) -> Vec<(&'a Candidate, Refusal)> {
    let known: HashSet<&RepoPath> = mains.iter().map(|main| &main.directory.path).collect();
    survey
        .candidates
        .par_iter()
        .filter_map(|candidate| {
            let directory = &candidate.directory.path;
            let is_chosen = choice.glob_of(directory).is_some()
                || declared.iter().any(|one| one.directory == *directory);
            if !is_chosen || known.contains(directory) {
                return None;
            }
            let contexts = contexts_of(directory, &candidate.module);
            let refusals = contexts
                .iter()
                .filter_map(|context| refusal(sources, &candidate.directory, context));
            let worst = refusals.min_by_key(|refusal| *refusal == Refusal::NeedsCgo)?;
            Some((candidate, worst))
        })
        .collect()
}

/// Whether a directory that is no main package would be one but for what Go refuses.
fn refusal(
    sources: &Sources<'_>,
    directory: &Directory,
    context: &BuildContext,
) -> Option<Refusal> {
    let holds_main_file = directory.entries.iter().any(|entry| {
        let is_go = file_name::classify(&entry.name).is_some_and(|name| {
            name.class() == FileClass::Go && !name.is_test() && name.matches(context)
        });
        if !is_go || matches!(entry.kind, EntryKind::Directory | EntryKind::Submodule) {
            return false;
        }
        let path = directory.path.child(&entry.name);
        let Ok(source) = sources.go_file(directory, entry, &path) else {
            return false;
        };
        let package = source.file.package.as_ref();
        package.is_some_and(|package| package.value == "main")
            && holds(&source.file.constraint, context)
    });
    if !holds_main_file {
        return None;
    }
    let selected = select_files(sources, directory, context);
    let conflicts = |problem: &Diagnostic| problem.code == Code::PackageConflict;
    if selected.problems.iter().any(conflicts) {
        Some(Refusal::OtherPackage)
    } else if selected.presence == Presence::Buildable {
        None
    } else {
        Some(Refusal::NeedsCgo)
    }
}

fn needs_cgo(directory: &RepoPath) -> Diagnostic {
    Diagnostic {
        code: Code::NoGoFiles,
        severity: Severity::Warning,
        message: "this main package is no service: all its Go files import \"C\", and cgo is off; set `cgo = true` to build it"
            .to_owned(),
        path: Some(directory.clone()),
        position: None,
        services: Vec::new(),
    }
}

/// The main packages that a glob or a declaration chooses. The directories of all others go to `excluded`, sorted.
fn chosen_mains<'a>(
    mains: &[&Candidate],
    choice: &ServiceChoice,
    declared: &'a [DeclaredService],
    excluded: &mut Vec<RepoPath>,
) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    for main in mains {
        let directory = &main.directory.path;
        let declaration = declared.iter().find(|one| one.directory == *directory);
        let glob = choice.glob_of(directory);
        if glob.is_none() && declaration.is_none() {
            excluded.push(directory.clone());
            continue;
        }
        if declaration.is_some_and(|one| one.kind == ServiceKind::Dockerfile) {
            // It is added with what is declared, without its Go files.
            continue;
        }
        found.push(Found {
            directory: directory.clone(),
            module: Some(Arc::clone(&main.module)),
            fixed_prefix: glob.map_or_else(RepoPath::root, |glob| glob.fixed_prefix().clone()),
            declaration,
        });
    }
    excluded.sort_unstable();
    found
}

/// A service that is declared and was not found.
fn declared_only<'a>(
    sources: &Sources<'_>,
    survey: &Survey,
    declaration: &'a DeclaredService,
    mains: &[&Candidate],
) -> Result<Found<'a>, Diagnostic> {
    let directory = &declaration.directory;
    let problem = |code, message| Diagnostic {
        code,
        severity: Severity::Error,
        message,
        path: Some(RepoPath::root().child(FILE_NAME)),
        position: Some(declaration.position),
        services: Vec::new(),
    };
    let module = match declaration.kind {
        ServiceKind::Dockerfile => None,
        ServiceKind::Go if matches!(sources.view().directory(directory), Ok(None)) => {
            let known = mains.iter().map(|main| main.directory.path.as_str());
            let advice = match nearest(directory.as_str(), known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "correct it, or take the table out".to_owned(),
            };
            let message = format!("there is no service directory `{directory}`; {advice}");
            return Err(problem(Code::MissingPackage, message));
        }
        ServiceKind::Go => Some(module_above(survey, directory).ok_or_else(|| {
            let message =
                format!("the service directory `{directory}` lies in no Go module of the tree");
            problem(Code::MissingModule, message)
        })?),
    };
    Ok(Found {
        directory: directory.clone(),
        module,
        fixed_prefix: RepoPath::root(),
        declaration: Some(declaration),
    })
}

fn unmatched_glob(glob: &ServiceGlob) -> Diagnostic {
    Diagnostic {
        code: Code::UnmatchedGlob,
        severity: Severity::Warning,
        message: format!(
            "the services glob `{}` matches no main package",
            glob.as_str().escape_debug()
        ),
        path: None,
        position: None,
        services: Vec::new(),
    }
}

/// A name that rebake.toml gives, and that another service has by default.
fn name_taken(by: &Found<'_>, displaced: &Found<'_>, name: &ServiceName) -> Diagnostic {
    let declaration = by.declaration;
    let given = declaration.and_then(|declaration| declaration.name.as_ref());
    Diagnostic {
        code: Code::NameTaken,
        severity: Severity::Warning,
        message: format!(
            "`{}` is given the name `{}`, which `{}` has by default; that one is called `{name}` now: choose another name, or give it one too",
            by.directory,
            given.map_or("", ServiceName::as_str),
            displaced.directory
        ),
        path: Some(RepoPath::root().child(FILE_NAME)),
        position: declaration.map(|declaration| declaration.position),
        services: Vec::new(),
    }
}

/// A directory that becomes a service.
struct Found<'a> {
    directory: RepoPath,
    /// Nothing for a service without Go.
    module: Option<Arc<Manifest>>,
    fixed_prefix: RepoPath,
    declaration: Option<&'a DeclaredService>,
}

impl Found<'_> {
    /// What its name is made of.
    fn name_source(&self) -> NameSource {
        let module = self.module.as_ref();
        NameSource {
            directory: self.directory.clone(),
            fixed_prefix: self.fixed_prefix.clone(),
            module_path: module.map_or_else(String::new, |module| module.module_path().to_owned()),
            declared: self
                .declaration
                .and_then(|declaration| declaration.name.clone()),
        }
    }
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
        let is_taken = holds(&file.constraint, context);
        let Some(package) = file.package.as_ref().filter(|_| is_taken) else {
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

fn holds(constraint: &ConstraintHeader, context: &BuildContext) -> bool {
    match constraint {
        ConstraintHeader::Absent => true,
        ConstraintHeader::Present(constraint) => constraint.holds(&|tag| context.satisfies(tag)),
        ConstraintHeader::Broken => false,
    }
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

    #[test]
    fn a_glob_with_an_exclamation_mark_leaves_out_what_others_choose() {
        use crate::{
            plan::{PlanOptions, plan},
            tree::memory::MemoryTree,
        };
        let program = "package main\n\nfunc main() {}\n";
        let mut tree = MemoryTree::new();
        for (path, content) in [
            ("go.mod", "module ex.com/a\n\ngo 1.24\n"),
            ("cmd/server/main.go", program),
            ("cmd/tools/sql/main.go", program),
            ("cmd/tools/cli/main.go", program),
            ("hack/main.go", program),
        ] {
            tree = tree.with_file(path, content).unwrap();
        }
        let cases: [(&[&str], &[&str], usize); 6] = [
            (&["cmd/**", "!cmd/tools/**"], &["server"], 3),
            (&["!cmd/tools/**"], &["server"], 3),
            (&["!cmd/tools/**", "cmd/tools/sql"], &[], 4),
            (&["!cmd/**"], &["hack"], 3),
            (
                &["!**/cli", "**"],
                &["cmd-server", "cmd-tools-sql", "hack"],
                1,
            ),
            (&["!**"], &[], 4),
        ];
        for (globs, services, left_out) in cases {
            let mut options = PlanOptions::new();
            options.services = globs.iter().map(ToString::to_string).collect();
            let plan = plan(&tree, &options).unwrap();
            let images = plan.images.iter();
            let found: Vec<&str> = images.map(|image| image.inputs.service.as_str()).collect();
            assert_eq!(found, services, "{globs:?}");
            assert_eq!(plan.excluded_mains.len(), left_out, "{globs:?}");
            assert_eq!(plan.diagnostics, [], "{globs:?}");
        }
    }
}
