//! The files that build the images.
//!
//! In: [`ServiceBuild`]s and [`KeptBuild`]s. Out: [`EmittedFile`]s below `.rebake`: a Dockerfile, an ignore file and lists
//! for each service, one script for all, one bake file. Text from typed values alone: sorted, newline-ended, escaped by
//! construction. It must never read a file, or hold anything that changes with the content of a source file: who keeps
//! these files under version control sees them change when a build changes, and not when a program does.
//!
//! **Known gaps:** names with quotes, backslashes, stars or control characters are refused, because no Dockerfile can
//! express them; with cgo every platform is built on itself.

mod bake;
mod cache;
mod copy_sources;
mod dockerfile;
mod ignore_file;
mod prediction;
mod service_build;
mod stages;

use crate::{
    config::ServiceGroups,
    discover::service_name::ServiceName,
    path::RepoPath,
    recipe::{Profile, Proof},
    target::Platform,
    tree::FileMode,
};
pub use bake::{CACHE_FROM, CACHE_TO, key_variable};
pub use cache::{CachePlan, CacheScope, CacheUse, Trust};
pub use prediction::{Forecast, PredictedStep, Prediction, ServiceState, predict};
pub use service_build::{Asset, BackEdges, Completeness, Layout, Scope, ServiceBuild};
use std::collections::{BTreeMap, BTreeSet};

/// The directory of everything that is emitted.
pub const BUILD_FILES: &str = ".rebake";

/// The bake file, below that directory.
pub const BAKE_FILE: &str = "docker-bake.json";

/// The script with the long steps.
const STEPS: &str = "steps.sh";
const STEPS_TEXT: &str = include_str!("emit/steps.sh");

/// Standard packages that take long to compile. Those that a service imports itself are compiled with the packages of
/// others; the rest is compiled with the service, so that one more import of a small package changes no layer.
const SLOW_STANDARD_PACKAGES: [&str; 16] = [
    "archive/zip",
    "crypto/tls",
    "crypto/x509",
    "database/sql",
    "encoding/gob",
    "encoding/json",
    "encoding/xml",
    "fmt",
    "go/types",
    "html/template",
    "image/png",
    "log/slog",
    "net",
    "net/http",
    "net/http/httputil",
    "text/template",
];

/// A file to write, relative to the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EmittedFile {
    /// Where.
    pub path: RepoPath,
    /// The whole content.
    pub text: String,
}

/// Why a build can't be written down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// A path or a name holds a character that Dockerfiles or ignore files can't express.
    #[error(
        "`{}` holds the character {character:?}, which a Dockerfile can't express here; rename it",
        text.escape_debug()
    )]
    Unwritable {
        /// The path or name.
        text: String,
        /// The character.
        character: char,
    },
    /// A manifest that is reached through a link, which `COPY` does not follow.
    #[error(
        "`{manifest}` stands behind a link, which `COPY` does not follow; name the directory itself in go.mod or go.work, \
         or set `profile = \"mounts\"`"
    )]
    ManifestBehindLink {
        /// The manifest, as go.mod or go.work names it.
        manifest: RepoPath,
    },
    /// Files in so many places that builders do not take a pattern for each.
    #[error(
        "its files take {0} patterns of an ignore file, and builders refuse so many; bring those that it embeds or has as \
         assets together in fewer directories"
    )]
    TooManyPatterns(usize),
    /// A build flag that GOFLAGS can't hold.
    #[error("the build flag `{}` holds both kinds of quotes, which GOFLAGS can't express", .0.escape_debug())]
    Flag(String),
}

/// A service that keeps its own Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBuild {
    /// The service.
    pub service: ServiceName,
    /// Its Dockerfile.
    pub dockerfile: RepoPath,
    /// The directory that is its context.
    pub context: RepoPath,
    /// Its platforms, sorted.
    pub platforms: Vec<Platform>,
}

/// How a service is built.
#[derive(Debug, Clone)]
pub enum Build {
    /// From a Dockerfile of ours.
    Emitted(Box<ServiceBuild>),
    /// From its own.
    Kept(KeptBuild),
}

impl Build {
    /// The service.
    pub fn service(&self) -> &ServiceName {
        match self {
            Self::Emitted(build) => &build.service,
            Self::Kept(build) => &build.service,
        }
    }
}

impl ServiceBuild {
    /// Whether a program embeds a manifest, so that it must be there as it is.
    fn embeds_a_manifest(&self) -> bool {
        let mut manifests = self.layout.manifests().iter();
        manifests.any(|manifest| self.listed.values().any(|listed| listed.contains(manifest)))
    }

    /// Whether the build can see a path of the tree, if it is there: what the ignore file lets in.
    pub fn lets_in(&self, path: &RepoPath) -> bool {
        ignore_file::lets_in(
            &self.scope,
            self.cgo,
            self.layout.manifests(),
            &self.visible_build_files(),
            path,
        )
    }

    /// The emitted files that the build itself reads, sorted; a directory stands for all that it holds.
    fn visible_build_files(&self) -> Vec<RepoPath> {
        let directory = self.directory();
        let mut files = vec![directory.child("imports")];
        if self.recipe.proof == Proof::Required {
            files.push(directory.child("inputs"));
        }
        if !self.assets.is_empty() {
            files.push(directory.child("assets"));
        }
        files.push(RepoPath::root().child(BUILD_FILES).child(STEPS));
        files.sort_unstable();
        files
    }

    /// The directory of the service's files.
    pub fn directory(&self) -> RepoPath {
        RepoPath::root()
            .child(BUILD_FILES)
            .child(self.service.as_str())
    }
}

/// The files of one service: Dockerfile, ignore file, and the lists that the steps read.
///
/// # Errors
/// When a name of the repository can't be written there.
pub fn emit_service(build: &ServiceBuild) -> Result<Vec<EmittedFile>, EmitError> {
    let directory = build.directory();
    if let (Profile::Layers, Some(manifest)) =
        (build.recipe.profile, build.manifests_behind_links.first())
    {
        return Err(EmitError::ManifestBehindLink {
            manifest: manifest.clone(),
        });
    }
    let mut files = vec![EmittedFile {
        path: directory.child("Dockerfile"),
        text: dockerfile::render(&stages::instructions(build)?)?,
    }];
    files.push(EmittedFile {
        path: directory.child("imports"),
        text: lines(imports_compiled_ahead(build))?,
    });
    if build.recipe.proof == Proof::Required {
        files.extend(inputs_lists(build)?);
    }
    if !build.assets.is_empty() {
        files.push(EmittedFile {
            path: directory.child("assets"),
            text: assets_list(&build.assets)?,
        });
    }
    files.push(EmittedFile {
        path: directory.child("Dockerfile.dockerignore"),
        text: ignore_file::render(
            &build.scope,
            build.cgo,
            build.layout.manifests(),
            &build.visible_build_files(),
        )?,
    });
    files.sort();
    Ok(files)
}

/// What all services share: the script and the bake file.
pub fn emit_shared(builds: &[Build], groups: &ServiceGroups) -> Vec<EmittedFile> {
    let root = RepoPath::root().child(BUILD_FILES);
    vec![
        EmittedFile {
            path: root.child(BAKE_FILE),
            text: bake::render(builds, groups),
        },
        steps_file(),
    ]
}

/// The script with the long steps of all Dockerfiles.
pub fn steps_file() -> EmittedFile {
    EmittedFile {
        path: RepoPath::root().child(BUILD_FILES).child(STEPS),
        text: STEPS_TEXT.to_owned(),
    }
}

/// The packages that are compiled before the service's own.
fn imports_compiled_ahead(build: &ServiceBuild) -> BTreeSet<&str> {
    let slow = build.standard.iter().map(String::as_str);
    let slow = slow.filter(|path| SLOW_STANDARD_PACKAGES.contains(path));
    let third_party = build.third_party.iter().map(String::as_str);
    // Every program has the runtime, and there must be something to compile.
    slow.chain(third_party).chain(["runtime"]).collect()
}

/// One list where all platforms take the same files, else a directory with one for each.
fn inputs_lists(build: &ServiceBuild) -> Result<Vec<EmittedFile>, EmitError> {
    let path = build.directory().child("inputs");
    let mut lists: BTreeMap<String, String> = BTreeMap::new();
    for (platform, listed) in &build.listed {
        let text = lines(listed.iter().map(RepoPath::as_str))?;
        lists.insert(inputs_name(platform), text);
    }
    let different: BTreeSet<&String> = lists.values().collect();
    if different.len() <= 1 {
        let text = different.into_iter().next().cloned().unwrap_or_default();
        return Ok(vec![EmittedFile { path, text }]);
    }
    let files = lists.into_iter().map(|(name, text)| EmittedFile {
        path: path.child(&name),
        text,
    });
    Ok(files.collect())
}

/// The name that the step makes of BuildKit's `TARGETOS`, `TARGETARCH` and `TARGETVARIANT`.
fn inputs_name(platform: &Platform) -> String {
    let name = platform.to_string().replace('/', "-");
    if platform.architecture() == "arm" && platform.level() == "7" {
        // BuildKit names the variant that Go takes by default.
        format!("{name}-v7")
    } else {
        name
    }
}

/// Where an asset comes from and goes to, and its mode: a line each, separated by tabs.
fn assets_list(assets: &[Asset]) -> Result<String, EmitError> {
    let mut text = String::new();
    for asset in assets {
        let mode = match asset.mode {
            FileMode::Regular => "644",
            FileMode::Executable => "755",
        };
        for path in [&asset.path, &asset.destination] {
            dockerfile::refuse(path.as_str(), |character| {
                character.is_control() || character == '\\'
            })?;
        }
        text.push_str(&format!("{mode}\t{}\t{}\n", asset.path, asset.destination));
    }
    Ok(text)
}

fn lines<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<String, EmitError> {
    let mut text = String::new();
    for item in items {
        dockerfile::refuse(item, char::is_control)?;
        text.push_str(item);
        text.push('\n');
    }
    Ok(text)
}
