//! `rebake.toml`: everything that is not a default.
//!
//! In: the bytes of the file. Out: a [`Config`], and every fault with its place. Unknown keys are errors with a
//! suggestion, because a setting that is silently ignored ships a wrong image. It must never touch the tree: which
//! directories exist is the next stages' affair.

mod reader;
#[cfg(feature = "schema")]
pub mod schema;

use crate::{
    diagnostic::{Code, Fault, Located, Parsed, Position, Severity},
    discover::{
        path_glob::{PathGlob, ServiceGlob},
        service_name::ServiceName,
    },
    go_version::GoVersion,
    path::RepoPath,
    recipe::{
        Credentials, GoImageScope, ImageReference, ManifestScope, ModuleSources, Profile, Proof,
        Runtime, ThirdPartyCompilation, VersionVariable,
    },
    target::{BuildFlag, BuildTag, Cgo, Platform},
};
use reader::{Lines, Reader};
use std::{collections::BTreeMap, fmt, str::FromStr};
use toml::de::DeTable;

/// The name of the file, at the root of the tree and nowhere else.
pub const FILE_NAME: &str = "rebake.toml";

/// Sets of services by name.
pub type ServiceGroups = BTreeMap<ServiceName, Vec<Located<ServiceName>>>;

/// What `rebake.toml` says. What it does not say is empty.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Globs over directories that choose the services.
    pub services: Vec<Located<ServiceGlob>>,
    /// What holds for every service that does not say otherwise.
    pub defaults: BuildSettings,
    /// The services that are amended or added, in order.
    pub service: Vec<Located<ServiceConfig>>,
    /// Sets of services by name.
    pub groups: ServiceGroups,
    /// Which services paths affect beyond what Go knows, in order: the first rule that matches a path decides.
    pub rules: Vec<Located<Rule>>,
}

/// Which services some paths affect.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The paths; a directory stands for all that it holds.
    pub paths: Vec<Located<PathGlob>>,
    /// The services.
    pub affects: Affected,
}

/// The services that a rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Affected {
    /// Every service.
    All,
    /// None: the paths are no declared inputs or assets of any service. What Go builds stays an input.
    None,
    /// These services and groups.
    These(Vec<Located<ServiceTerm>>),
}

/// A service, or a group of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceTerm {
    /// A service by its name.
    Service(ServiceName),
    /// A group by its name, written `@name`.
    Group(ServiceName),
}

impl FromStr for ServiceTerm {
    type Err = <ServiceName as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix('@') {
            Some(group) => group.parse().map(Self::Group),
            None => text.parse().map(Self::Service),
        }
    }
}

/// How a service's image comes about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServiceKind {
    /// From a Go main package.
    #[default]
    Go,
    /// From a Dockerfile and the inputs that are declared; Go's rules say nothing about it.
    Dockerfile,
}

/// Why a text is no kind of service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no kind of service; there are `go` and `dockerfile`", .0.escape_debug())]
pub struct ServiceKindError(String);

impl FromStr for ServiceKind {
    type Err = ServiceKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "go" => Ok(Self::Go),
            "dockerfile" => Ok(Self::Dockerfile),
            _ => Err(ServiceKindError(text.to_owned())),
        }
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Go => "go",
            Self::Dockerfile => "dockerfile",
        })
    }
}

/// A service that rebake.toml declares or amends.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredService {
    pub(crate) directory: RepoPath,
    pub(crate) position: Position,
    pub(crate) name: Option<ServiceName>,
    pub(crate) kind: ServiceKind,
    pub(crate) files: DeclaredFiles,
}

/// The files that rebake.toml declares for a service.
#[derive(Debug, Clone, Default)]
pub struct DeclaredFiles {
    /// Files that the image needs beside the binary.
    pub assets: Vec<Located<PathGlob>>,
    /// Further files that change the image.
    pub inputs: Vec<Located<PathGlob>>,
    /// What is taken out of assets and inputs again.
    pub exclude: Vec<Located<PathGlob>>,
    /// The Dockerfile that the service keeps itself.
    pub dockerfile: Option<Located<RepoPath>>,
    /// The directory that is the Dockerfile's build context; the root where nothing is said.
    pub context: Option<RepoPath>,
}

/// How images are built: for all services, or for one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildSettings {
    /// The platforms of the image.
    pub platforms: Option<Vec<Platform>>,
    /// Whether cgo is on.
    pub cgo: Option<Cgo>,
    /// Build tags.
    pub tags: Option<Vec<BuildTag>>,
    /// Further flags of `go build`.
    pub build_flags: Option<Vec<BuildFlag>>,
    /// The Go release that builds the image.
    pub go: Option<GoVersion>,
    /// Packages of the tree that third-party code imports; an empty list says that there are none.
    pub back_edges: Option<Vec<String>>,
    /// The recipe of the image.
    pub recipe: RecipeSettings,
}

/// What the emitted Dockerfiles are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecipeSettings {
    /// The image that holds the Go toolchain.
    pub go_image: Option<ImageReference>,
    /// What the image runs on.
    pub runtime: Option<Runtime>,
    /// Where builds keep what later builds use again.
    pub profile: Option<Profile>,
    /// Whether the build compares the files that Go takes with the plan's.
    pub proof: Option<Proof>,
    /// How much of the Go image the stages start from.
    pub go_image_scope: Option<GoImageScope>,
    /// What the layers of others' packages are made from.
    pub manifests: Option<ManifestScope>,
    /// When the packages of others are compiled.
    pub third_party: Option<ThirdPartyCompilation>,
    /// `GOPROXY`.
    pub module_proxy: Option<ModuleSources>,
    /// `GOPRIVATE`.
    pub private_modules: Option<ModuleSources>,
    /// `GONOSUMDB`.
    pub unsummed_modules: Option<ModuleSources>,
    /// How the build reaches private modules.
    pub credentials: Option<Credentials>,
    /// The variable that is stamped with the version.
    pub version_variable: Option<VersionVariable>,
}

/// What a `[[service]]` says.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// The directory of its main package.
    pub dir: RepoPath,
    /// Its name.
    pub name: Option<ServiceName>,
    /// How its image comes about.
    pub kind: ServiceKind,
    /// How it is built.
    pub settings: BuildSettings,
    /// The files that it declares.
    pub files: DeclaredFiles,
}

const TOP_KEYS: [&str; 4] = ["services", "service", "groups", "rule"];
const SERVICE_KEYS: [&str; 8] = [
    "dir",
    "name",
    "kind",
    "assets",
    "inputs",
    "exclude",
    "dockerfile",
    "context",
];
const RULE_KEYS: [&str; 2] = ["paths", "affects"];
const SETTING_KEYS: [&str; 18] = [
    "platforms",
    "cgo",
    "tags",
    "build-flags",
    "go",
    "back-edges",
    "go-image",
    "runtime",
    "profile",
    "prove",
    "cut-go-image",
    "cut-manifests",
    "compile-ahead",
    "goproxy",
    "goprivate",
    "gonosumdb",
    "credentials",
    "version-variable",
];

/// Reads a `rebake.toml`.
pub fn parse_config(source: &[u8]) -> Parsed<Config> {
    let text = match std::str::from_utf8(source) {
        Ok(text) => text,
        Err(error) => {
            let lines = Lines::of(source);
            let fault = Fault {
                code: Code::Syntax,
                severity: Severity::Error,
                message: "the file is not UTF-8".to_owned(),
                position: lines.position(error.valid_up_to()),
            };
            return Parsed {
                value: Config::default(),
                faults: vec![fault],
            };
        }
    };
    let mut reader = Reader {
        lines: Lines::of(source),
        faults: Vec::new(),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let place = error.span().map_or(0, |span| span.start);
        reader.fault(Code::Syntax, place, error.message().to_owned());
    }
    let value = reader.config(table.get_ref());
    reader.faults.sort_by_key(|fault| fault.position);
    Parsed {
        value,
        faults: reader.faults,
    }
}

impl Config {
    /// The services that the file declares or amends, as discovery takes them.
    pub(crate) fn declared_services(&self) -> Vec<DeclaredService> {
        self.service
            .iter()
            .map(|service| DeclaredService {
                directory: service.value.dir.clone(),
                position: service.position,
                name: service.value.name.clone(),
                kind: service.value.kind,
                files: service.value.files.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
