//! What would make the toolchain refuse a whole image, and what is worth knowing of it.
//!
//! In: build lists, graphs, services. Out: diagnostics. It must never change an input.

use crate::{
    config::FILE_NAME,
    diagnostic::{Code, Diagnostic, Position, Severity},
    discover::services::Service,
    graph::{
        build_list::{BuildList, ModuleSource},
        load::PackageGraph,
        resolve::has_path_prefix,
    },
    module_path::check_import_path,
    path::RepoPath,
    standard_library,
    target::BuildContext,
};
use foldhash::{HashMap, HashMapExt as _};
use std::collections::{BTreeMap, BTreeSet};

/// A declared service whose directory holds no program.
pub(super) fn not_a_program(graph: &PackageGraph, service: &Service) -> Option<Diagnostic> {
    let package = graph.package(&service.main)?;
    if package.name == "main"
        || package
            .problems
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    {
        return None;
    }
    Some(Diagnostic {
        code: Code::NotAProgram,
        severity: Severity::Error,
        message: format!(
            "`{}` is package `{}`, not a main package",
            service.directory, package.name
        ),
        path: Some(service.directory.clone()),
        position: None,
        services: Vec::new(),
    })
}

/// A main package whose directory no import path can name.
pub(super) fn unusable_main_path(service: &Service) -> Option<Diagnostic> {
    let error = check_import_path(&service.main).err()?;
    // A module without a usable path is a finding about its go.mod.
    check_import_path(service.module.module_path()).ok()?;
    Some(Diagnostic {
        code: Code::InvalidImport,
        severity: Severity::Error,
        message: format!("Go refuses the directory's name in an import path: {error}; rename it"),
        path: Some(service.directory.clone()),
        position: None,
        services: Vec::new(),
    })
}

/// A package that rebake.toml says third-party code imports, and that is not there.
pub(super) fn unknown_back_edge(import_path: &str) -> Diagnostic {
    Diagnostic {
        code: Code::MissingPackage,
        severity: Severity::Error,
        message: format!(
            "`back-edges` names `{import_path}`, which is no package of this tree; correct it"
        ),
        path: Some(RepoPath::root().child(FILE_NAME)),
        position: None,
        services: Vec::new(),
    }
}

/// Hosts on which the element behind the host names an organisation.
const FORGES: [&str; 6] = [
    "github.com",
    "gitlab.com",
    "bitbucket.org",
    "codeberg.org",
    "gitea.com",
    "git.sr.ht",
];

/// The part of a module path that names who publishes it.
fn organisation(module_path: &str) -> &str {
    let elements = if FORGES
        .iter()
        .any(|forge| has_path_prefix(module_path, forge))
    {
        2
    } else {
        1
    };
    let end = module_path
        .match_indices('/')
        .nth(elements - 1)
        .map_or(module_path.len(), |(end, _)| end);
    &module_path[..end]
}

/// A third-party requirement of an organisation whose modules are in the tree is where third-party code most often
/// leads back into it. It is a sign and no more, so a note, at the go.mod or go.work of the build list.
pub(super) fn possible_back_edges(list: &BuildList) -> Option<Diagnostic> {
    let replaced = list.modules.iter().filter_map(|(path, module)| {
        matches!(module.source, ModuleSource::Directory(_)).then_some(path)
    });
    let own: BTreeSet<&str> = list
        .members
        .keys()
        .chain(replaced)
        .map(|path| organisation(path))
        .collect();
    let related: BTreeSet<&str> = list
        .modules
        .iter()
        .filter(|(path, module)| {
            matches!(module.source, ModuleSource::ThirdParty { .. })
                && own.contains(organisation(path))
        })
        .map(|(path, _)| path.as_str())
        .collect();
    let (first, count) = (related.first()?, related.len());
    let subject = match count {
        1 => format!("`{first}`"),
        _ => format!("`{first}` and {} more", count - 1),
    };
    Some(Diagnostic {
        code: Code::PossibleBackEdge,
        severity: Severity::Note,
        message: format!(
            "{subject} of the same organisation may import packages of this tree: name those packages under `back-edges` in rebake.toml, or say `back-edges = []`"
        ),
        path: Some(list.governing_path()),
        position: None,
        services: Vec::new(),
    })
}

/// A Go release that is newer than the tables, or older than a line of the manifests demands.
pub(super) fn go_version_problems(list: &BuildList, context: &BuildContext) -> Vec<Diagnostic> {
    let version = context.go_version();
    let mut problems = Vec::new();
    if version.release_minor() > standard_library::NEWEST_MINOR {
        problems.push(Diagnostic {
            code: Code::GoVersionUnknown,
            severity: Severity::Error,
            message: format!(
                "go {version} is newer than the tables of this version, which end at go 1.{}; set an older Go version or upgrade",
                standard_library::NEWEST_MINOR
            ),
            path: Some(list.governing_path()),
            position: None,
            services: Vec::new(),
        });
    }
    for (line, path, position) in list.go_version_lines() {
        if version.is_older_than(&line) {
            problems.push(Diagnostic {
                code: Code::GoTooOld,
                severity: Severity::Error,
                message: format!("go {line} is required here, but go {version} builds the image; raise the Go version"),
                path: Some(path),
                position: Some(position),
                services: Vec::new(),
            });
        }
    }
    problems
}

/// As many packages of a cycle as are named.
const CYCLE_NAMES: usize = 20;

/// Import cycles and imports of programs, which Go refuses wherever they are reached.
pub(super) struct CycleProblems {
    problems: Vec<Diagnostic>,
    /// Which of them concern a package.
    by_package: HashMap<String, Vec<usize>>,
}

impl CycleProblems {
    pub(super) fn of(graph: &PackageGraph) -> Self {
        let mut found = Self {
            problems: Vec::new(),
            by_package: HashMap::new(),
        };
        for cycle in graph.cycles() {
            let names: Vec<&str> = cycle
                .iter()
                .map(|package| package.import_path.as_str())
                .collect();
            let Some(first) = cycle.first() else { continue };
            let more = match names.len().saturating_sub(CYCLE_NAMES) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let shown = names[..names.len().min(CYCLE_NAMES)].join(", ");
            let message = format!("import cycle not allowed: {shown}{more}");
            found.add(
                Code::ImportCycle,
                message,
                &first.local.directory,
                names.iter().copied(),
            );
        }
        for (importer, imported) in graph.imports_of_programs() {
            if importer.local.directory == imported.local.directory {
                continue;
            }
            let message = format!(
                "`{}` is a program, not an importable package",
                imported.import_path
            );
            let concerned = [importer.import_path.as_str()];
            found.add(
                Code::ImportOfProgram,
                message,
                &importer.local.directory,
                concerned.into_iter(),
            );
        }
        found
    }

    fn add<'a>(
        &mut self,
        code: Code,
        message: String,
        directory: &RepoPath,
        concerned: impl Iterator<Item = &'a str>,
    ) {
        for import_path in concerned {
            self.by_package
                .entry(import_path.to_owned())
                .or_default()
                .push(self.problems.len());
        }
        self.problems.push(Diagnostic {
            code,
            severity: Severity::Error,
            message,
            path: Some(directory.clone()),
            position: None,
            services: Vec::new(),
        });
    }

    pub(super) fn reached_from(&self, graph: &PackageGraph, main: &str) -> Vec<Diagnostic> {
        if self.by_package.is_empty() {
            return Vec::new();
        }
        let reached: BTreeSet<usize> = graph
            .closure(main)
            .into_iter()
            .filter_map(|package| self.by_package.get(&package.import_path))
            .flatten()
            .copied()
            .collect();
        reached
            .into_iter()
            .filter_map(|index| self.problems.get(index).cloned())
            .collect()
    }
}

/// Diagnostics with the services that each concerns; the same finding is kept once.
#[derive(Default)]
pub(super) struct Findings(BTreeMap<FindingKey, (Diagnostic, BTreeSet<String>)>);

type FindingKey = (Severity, Option<RepoPath>, Option<Position>, Code, String);

impl Findings {
    pub(super) fn add_all(&mut self, diagnostics: Vec<Diagnostic>, services: &[&str]) {
        for diagnostic in diagnostics {
            let key = (
                diagnostic.severity,
                diagnostic.path.clone(),
                diagnostic.position,
                diagnostic.code,
                diagnostic.message.clone(),
            );
            let (_, named) = self
                .0
                .entry(key)
                .or_insert_with(|| (diagnostic, BTreeSet::new()));
            named.extend(services.iter().map(|service| (*service).to_owned()));
        }
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.0
            .into_values()
            .map(|(diagnostic, services)| Diagnostic {
                services: services.into_iter().collect(),
                ..diagnostic
            })
            .collect()
    }
}
