//! The packages that main packages reach.
//!
//! In: a [`BuildList`], a [`BuildContext`] and import paths to start from. Out: a [`PackageGraph`]: every
//! first-party or vendored package that they reach, with its files, edges and problems. Loading is driven
//! by demand: a directory that nobody imports is never read.
//!
//! Source: cmd/go/internal/load/pkg.go (`Package.load`, `loadImport`, `disallowInternal`).

use super::{
    build_list::BuildList,
    c_inputs::c_inputs,
    embed::embedded_files,
    libraries::LibraryFlags,
    resolve::{LocalPackage, Resolution, has_path_prefix, resolve},
};
use crate::{
    concurrent_map::ConcurrentMap,
    diagnostic::{Code, Diagnostic, Severity, limit_alike},
    discover::manifest::diagnose_unreadable,
    file_kind::FileKind,
    package::{ImportsFollowed, Origin, PackageFiles, Presence, select_files},
    path::RepoPath,
    sources::Sources,
    target::BuildContext,
    tree::ContentDigest,
};
use foldhash::{HashMap, HashMapExt as _};
use petgraph::graph::{DiGraph, NodeIndex};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// A package of the graph.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) import_path: String,
    pub(crate) local: LocalPackage,
    pub(crate) name: String,
    pub(crate) presence: Presence,
    /// Its input files, the embedded ones and the C inputs included, sorted.
    pub(crate) files: Vec<PackageFile>,
    /// Links to directories that could be files of it by their names.
    pub(crate) directory_links: Vec<RepoPath>,
    /// The packages of the tree that it imports.
    pub(crate) dependencies: BTreeSet<String>,
    /// What it imports that the tree does not hold.
    pub(crate) third_party: BTreeSet<String>,
    /// What it imports of the standard library, sorted.
    pub(crate) standard: Vec<String>,
    /// What its flags tell the linker of libraries in the tree.
    pub(crate) libraries: LibraryFlags,
    /// What would make the toolchain refuse it, or the planner doubt it.
    pub(crate) problems: Vec<Diagnostic>,
}

/// A file of a package. Ordered by path, then kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PackageFile {
    pub(crate) path: RepoPath,
    pub(crate) kind: FileKind,
    /// The digest under which it is an input, where it is known already.
    pub(crate) digest: Option<ContentDigest>,
}

/// The packages of one build list under one build context.
#[derive(Debug, Default)]
pub(crate) struct PackageGraph {
    graph: DiGraph<Arc<Package>, ()>,
    nodes: HashMap<String, NodeIndex>,
    /// The packages that hold each file, sorted; made when it is asked for.
    holders: OnceLock<HashMap<RepoPath, Vec<NodeIndex>>>,
}

/// Everything that stays the same while packages are loaded.
pub(crate) struct Loader<'a, 'tree> {
    pub(crate) sources: &'a Sources<'tree>,
    pub(crate) list: &'a BuildList,
    pub(crate) context: &'a BuildContext,
    resolutions: ConcurrentMap<String, Arc<Resolution>>,
}

impl PackageFile {
    fn unread(path: RepoPath, kind: FileKind) -> Self {
        Self {
            path,
            kind,
            digest: None,
        }
    }
}

impl<'a, 'tree> Loader<'a, 'tree> {
    pub(crate) fn new(
        sources: &'a Sources<'tree>,
        list: &'a BuildList,
        context: &'a BuildContext,
    ) -> Self {
        Self {
            sources,
            list,
            context,
            resolutions: ConcurrentMap::new(),
        }
    }

    /// What an import path means here; worked out once.
    pub(crate) fn resolution(&self, import_path: &str) -> Arc<Resolution> {
        if let Some(known) = self.resolutions.get(import_path) {
            return known;
        }
        let view = self.sources.view();
        let minor = self.context.go_version().release_minor();
        let resolution = Arc::new(resolve(view, self.list, import_path, minor));
        self.resolutions
            .insert_first(import_path.to_owned(), resolution)
    }

    /// Loads the packages at these places and all that they reach, in parallel.
    pub(crate) fn load(&self, starts: &BTreeMap<String, LocalPackage>) -> PackageGraph {
        let claimed = ConcurrentMap::new();
        let loaded = Mutex::new(Vec::new());
        rayon::scope(|scope| {
            for (import_path, local) in starts {
                self.visit(scope, import_path.clone(), local.clone(), &claimed, &loaded);
            }
        });
        let mut packages = loaded.into_inner().unwrap_or_else(PoisonError::into_inner);
        packages
            .sort_by(|left: &Package, right: &Package| left.import_path.cmp(&right.import_path));
        PackageGraph::of(packages)
    }

    fn visit<'scope>(
        &'scope self,
        scope: &rayon::Scope<'scope>,
        import_path: String,
        local: LocalPackage,
        claimed: &'scope ConcurrentMap<String, ()>,
        loaded: &'scope Mutex<Vec<Package>>,
    ) {
        if !claimed.claim(import_path.clone()) {
            return;
        }
        scope.spawn(move |scope| {
            let (package, next) = self.load_package(import_path, local);
            loaded
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(package);
            for (import_path, local) in next {
                self.visit(scope, import_path, local, claimed, loaded);
            }
        });
    }

    fn load_package(
        &self,
        import_path: String,
        local: LocalPackage,
    ) -> (Package, Vec<(String, LocalPackage)>) {
        let mut package = Package {
            import_path,
            name: String::new(),
            presence: Presence::AllExcluded,
            files: Vec::new(),
            directory_links: Vec::new(),
            dependencies: BTreeSet::new(),
            third_party: BTreeSet::new(),
            standard: Vec::new(),
            libraries: LibraryFlags::default(),
            problems: Vec::new(),
            local,
        };
        let listing = match self.sources.view().directory(&package.local.directory) {
            Ok(Some(listing)) => listing,
            Ok(None) => {
                package.problems.push(package_problem(
                    &package,
                    Code::MissingPackage,
                    "the package's directory is gone".to_owned(),
                ));
                return (package, Vec::new());
            }
            Err(error) => {
                package.problems.push(diagnose_unreadable(&error));
                return (package, Vec::new());
            }
        };
        let selected = select_files(self.sources, &listing, self.context);
        package.name.clone_from(&selected.name);
        package.presence = selected.presence;
        package.problems.extend(selected.problems.iter().cloned());
        package.files = selected
            .files
            .iter()
            .map(|file| PackageFile {
                path: package.local.directory.child(&file.name),
                kind: file.kind,
                digest: file.digest,
            })
            .collect();
        let links = selected.directory_links.iter();
        package.directory_links = links
            .map(|name| package.local.directory.child(name))
            .collect();
        let mut problems = selected.problems.iter();
        let is_unread = problems.any(|problem| problem.code.is_about_reading());
        // A file that can't be read may have been one to build.
        let without = match selected.presence {
            Presence::Buildable | Presence::TestsOnly => None,
            Presence::AllExcluded => Some(""),
            Presence::NeedsCgo => Some(
                " without cgo; set `cgo = true`, or give the package a file that imports no \"C\"",
            ),
        };
        if let Some(without) = without
            && !is_unread
        {
            package.problems.push(package_problem(
                &package,
                Code::NoGoFiles,
                format!(
                    "build constraints exclude all Go files of `{}` for {}{without}",
                    package.import_path,
                    self.context.platform()
                ),
            ));
        }
        self.embed(&mut package, &selected);
        match c_inputs(self.sources, &package.local.directory, &selected) {
            Ok(found) => {
                package.files.extend(
                    found
                        .files
                        .into_iter()
                        .map(|path| PackageFile::unread(path, FileKind::CgoInclude)),
                );
                package.libraries = found.libraries;
                package.problems.extend(found.problems);
            }
            Err(error) => package.problems.push(diagnose_unreadable(&error)),
        }
        package.files.sort();
        let next = match selected.imports_followed {
            ImportsFollowed::Yes => self.follow_imports(&mut package, &selected),
            ImportsFollowed::No => Vec::new(),
        };
        package.problems = limit_alike(package.problems);
        (package, next)
    }

    /// One bad pattern makes the toolchain embed nothing at all.
    fn embed(&self, package: &mut Package, selected: &PackageFiles) {
        let mut embedded = BTreeSet::new();
        for (pattern, origin) in &selected.embed_patterns {
            match embedded_files(self.sources.view(), &package.local.directory, pattern) {
                Ok(files) => embedded.extend(files),
                Err(error) => {
                    let message = format!("go:embed: {error}");
                    package
                        .problems
                        .push(import_problem(package, origin, Code::Embed, message));
                    return;
                }
            }
        }
        package.files.extend(
            embedded
                .into_iter()
                .map(|path| PackageFile::unread(path, FileKind::Embed)),
        );
    }

    fn follow_imports(
        &self,
        package: &mut Package,
        selected: &PackageFiles,
    ) -> Vec<(String, LocalPackage)> {
        let mut next = Vec::new();
        for (imported, origin) in &selected.imports {
            match &*self.resolution(imported) {
                Resolution::Standard => {
                    if !may_import_internal(&package.import_path, imported) {
                        let problem = internal_problem(package, origin, imported);
                        package.problems.push(problem);
                    }
                    package.standard.push(imported.clone());
                }
                Resolution::Local(local) => {
                    if !may_import_internal(&package.import_path, imported) {
                        let problem = internal_problem(package, origin, imported);
                        package.problems.push(problem);
                    }
                    package.dependencies.insert(imported.clone());
                    next.push((imported.clone(), local.clone()));
                }
                Resolution::ThirdParty => {
                    package.third_party.insert(imported.clone());
                }
                Resolution::Refused {
                    code,
                    message,
                    because,
                } => {
                    let problem = import_problem(package, origin, *code, message.clone());
                    package.problems.push(problem);
                    package.problems.extend(because.as_deref().cloned());
                }
            }
        }
        next
    }
}

fn package_problem(package: &Package, code: Code, message: String) -> Diagnostic {
    Diagnostic {
        code,
        severity: Severity::Error,
        message,
        path: Some(package.local.directory.clone()),
        position: None,
        services: Vec::new(),
    }
}

fn import_problem(package: &Package, origin: &Origin, code: Code, message: String) -> Diagnostic {
    Diagnostic {
        code,
        severity: Severity::Error,
        message,
        path: Some(package.local.directory.child(&origin.file)),
        position: Some(origin.position),
        services: Vec::new(),
    }
}

fn internal_problem(package: &Package, origin: &Origin, imported: &str) -> Diagnostic {
    import_problem(
        package,
        origin,
        Code::InternalImport,
        format!(
            "`{imported}` is internal, and `{}` lies outside its parent",
            package.import_path
        ),
    )
}

/// Source: cmd/go/internal/load/pkg.go (`disallowInternal`, `findInternal`).
fn may_import_internal(importer: &str, imported: &str) -> bool {
    let parent = if let Some(parent) = imported.strip_suffix("/internal") {
        parent
    } else if let Some(index) = imported.rfind("/internal/") {
        &imported[..index]
    } else if imported == "internal" || imported.starts_with("internal/") {
        ""
    } else {
        return true;
    };
    // A package of the standard library's own `internal` has no parent that others could lie in.
    if parent.is_empty() {
        false
    } else {
        has_path_prefix(importer, parent)
    }
}

impl PackageGraph {
    fn of(packages: Vec<Package>) -> Self {
        let mut graph = DiGraph::with_capacity(packages.len(), packages.len() * 4);
        let mut nodes = HashMap::with_capacity(packages.len());
        for package in packages {
            let import_path = package.import_path.clone();
            nodes.insert(import_path, graph.add_node(Arc::new(package)));
        }
        let indices: Vec<NodeIndex> = graph.node_indices().collect();
        for index in indices {
            let package = Arc::clone(&graph[index]);
            for dependency in &package.dependencies {
                if let Some(&to) = nodes.get(dependency) {
                    graph.add_edge(index, to, ());
                }
            }
        }
        Self {
            graph,
            nodes,
            holders: OnceLock::new(),
        }
    }

    pub(super) fn node_count(&self) -> usize {
        self.graph.node_count()
    }

    pub(super) fn node(&self, import_path: &str) -> Option<NodeIndex> {
        self.nodes.get(import_path).copied()
    }

    pub(super) fn import_path(&self, index: NodeIndex) -> &str {
        &self.graph[index].import_path
    }

    /// What a package imports. Nodes were added in the order of their import paths.
    pub(super) fn sorted_neighbours(&self, index: NodeIndex) -> Vec<NodeIndex> {
        let mut neighbours: Vec<NodeIndex> = self.graph.neighbors(index).collect();
        neighbours.sort_unstable();
        neighbours
    }

    /// The packages whose files stand in a directory.
    pub(super) fn nodes_in<'a>(
        &'a self,
        directory: &'a RepoPath,
    ) -> impl Iterator<Item = NodeIndex> + 'a {
        self.graph
            .node_indices()
            .filter(move |index| self.graph[*index].local.directory == *directory)
    }

    /// The packages that hold a file, sorted.
    pub(super) fn holders(&self, file: &RepoPath) -> &[NodeIndex] {
        let holders = self.holders.get_or_init(|| {
            let mut holders: HashMap<RepoPath, Vec<NodeIndex>> = HashMap::new();
            for index in self.graph.node_indices() {
                for file in &self.graph[index].files {
                    holders.entry(file.path.clone()).or_default().push(index);
                }
            }
            holders
        });
        holders.get(file).map_or(&[], Vec::as_slice)
    }

    /// A package by its import path.
    pub(crate) fn package(&self, import_path: &str) -> Option<&Arc<Package>> {
        self.nodes.get(import_path).map(|index| &self.graph[*index])
    }

    /// All packages, sorted by import path.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Arc<Package>> {
        self.graph.node_weights()
    }

    /// Everything that a package reaches, itself included, sorted by import path.
    pub(crate) fn closure(&self, import_path: &str) -> Vec<&Arc<Package>> {
        let Some(&start) = self.nodes.get(import_path) else {
            return Vec::new();
        };
        let mut seen = vec![false; self.graph.node_count()];
        let mut pending = vec![start];
        let mut reached = Vec::new();
        seen[start.index()] = true;
        while let Some(index) = pending.pop() {
            reached.push(index);
            for neighbour in self.graph.neighbors(index) {
                if !std::mem::replace(&mut seen[neighbour.index()], true) {
                    pending.push(neighbour);
                }
            }
        }
        // Nodes were added in the order of their import paths.
        reached.sort_unstable();
        reached
            .into_iter()
            .map(|index| &self.graph[index])
            .collect()
    }

    /// The import cycles, each as its packages in order. Go refuses every build that reaches one.
    pub(crate) fn cycles(&self) -> Vec<Vec<&Arc<Package>>> {
        let mut cycles: Vec<Vec<&Arc<Package>>> = petgraph::algo::kosaraju_scc(&self.graph)
            .into_iter()
            .filter(|component| {
                component.len() > 1
                    || component
                        .iter()
                        .any(|index| self.graph.contains_edge(*index, *index))
            })
            .map(|mut component| {
                component.sort_unstable();
                component
                    .into_iter()
                    .map(|index| &self.graph[index])
                    .collect()
            })
            .collect();
        cycles.sort_by(|left: &Vec<&Arc<Package>>, right| {
            left[0].import_path.cmp(&right[0].import_path)
        });
        cycles
    }

    /// Imports of a main package, which Go refuses: importer and imported.
    pub(crate) fn imports_of_programs(&self) -> Vec<(&Arc<Package>, &Arc<Package>)> {
        let mut found = Vec::new();
        for package in self.graph.node_weights() {
            for dependency in &package.dependencies {
                if let Some(imported) = self.package(dependency)
                    && imported.name == "main"
                {
                    found.push((package, imported));
                }
            }
        }
        found
    }
}
