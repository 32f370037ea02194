//! What `rebake graph` prints.
//!
//! In: a [`Plan`]. Out: a document of the contract. It must never compute an answer.

use super::{DiagnosticRow, Root, VERSION};
use crate::{
    discover::service_name::ServiceName,
    path::RepoPath,
    plan::{Plan, PlannedModule, PlannedPackage},
    target::Platform,
};
use serde::{Deserialize, Serialize};

/// What `rebake graph --format json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GraphDocument {
    /// The version of the contract: 1.
    pub version: u32,
    /// What was planned.
    pub root: Root,
    /// The services, sorted by name, then platform.
    pub services: Vec<GraphService>,
    /// The modules of the tree, sorted by directory.
    pub modules: Vec<ModuleNode>,
    /// The packages that the services are made of, sorted by import path.
    pub packages: Vec<PackageNode>,
    /// What was noticed.
    pub diagnostics: Vec<DiagnosticRow>,
}

/// A service of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GraphService {
    /// The service's name.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: ServiceName,
    /// The platform.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub platform: Platform,
    /// The import path of its main package.
    pub main: String,
}

/// A module of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModuleNode {
    /// The module path.
    pub path: String,
    /// Its directory.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub dir: RepoPath,
    /// Its `go` line, where it has one.
    pub go: Option<String>,
}

/// A package of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PackageNode {
    /// The import path.
    pub import_path: String,
    /// Its directory.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub dir: RepoPath,
    /// The module path that provides it.
    pub module: String,
    /// The package's name.
    pub name: String,
    /// The packages of the tree that it imports, sorted.
    pub imports: Vec<String>,
    /// What it imports of third parties, sorted.
    pub third_party: Vec<String>,
    /// Whether it holds a file that changed since the baseline; without a baseline nothing has.
    #[serde(default)]
    pub changed: bool,
}

impl GraphDocument {
    /// The modules and packages behind a plan, or behind one of its services.
    pub fn new(plan: &Plan, root: Root, service: Option<&ServiceName>) -> Self {
        let is_chosen = |name: &ServiceName| service.is_none_or(|service| service == name);
        Self {
            version: VERSION,
            root,
            services: plan
                .images
                .iter()
                .filter(|image| is_chosen(&image.inputs.service))
                .map(|image| GraphService {
                    name: image.inputs.service.clone(),
                    platform: image.inputs.platform.clone(),
                    main: image.inputs.main.clone(),
                })
                .collect(),
            modules: plan.modules.iter().map(ModuleNode::from).collect(),
            packages: plan
                .packages(service)
                .into_iter()
                .map(PackageNode::from)
                .collect(),
            diagnostics: plan.diagnostics.iter().map(DiagnosticRow::from).collect(),
        }
    }
}

impl From<&PlannedModule> for ModuleNode {
    fn from(module: &PlannedModule) -> Self {
        Self {
            path: module.path.clone(),
            dir: module.directory.clone(),
            go: module.go.clone(),
        }
    }
}

impl From<PlannedPackage> for PackageNode {
    fn from(package: PlannedPackage) -> Self {
        Self {
            import_path: package.import_path,
            dir: package.directory,
            module: package.module,
            name: package.name,
            imports: package.imports,
            third_party: package.third_party,
            changed: false,
        }
    }
}
