//! The stages of an emitted Dockerfile.
//!
//! In: a [`ServiceBuild`]. Out: instructions, each stage with its reason. It must never write text of the repository
//! itself: `dockerfile.rs` escapes.
//!
//! The profile `layers` keeps what later builds use again in layers, which every cache exporter carries: `resolve` cuts
//! the manifests to what the service links, `deps` compiles the packages of others, `build` compiles the service's own
//! without a network. The profile `mounts` leaves it to cache mounts of a builder that stays.

mod flags;
mod go_image;

use super::{
    BUILD_FILES, EmitError, STEPS,
    cache::mount_ids,
    copy_sources::{copy_sources, manifest_sources},
    dockerfile::{Instruction, Link, Mount, Network, Source, Writes},
    service_build::{BackEdges, Completeness, Layout, ServiceBuild},
};
use crate::{
    path::RepoPath,
    recipe::{Credentials, ManifestScope, Profile, Proof, Runtime, ThirdPartyCompilation},
    target::Platform,
};

use flags::{go_flags, link_flags};
pub(super) use go_image::GO_IMAGE;

/// Where sources, module cache and build cache are in every stage. The toolchain's cache keys hold none of them, but
/// stages hand the caches to each other.
const SOURCES: &str = "/src";
const MODULE_CACHE: &str = "/go/pkg/mod";
const BUILD_CACHE: &str = "/go/cache";

/// Where the image's binary and its other files are.
const BINARIES: &str = "/usr/local/bin";
const WORKING_DIRECTORY: &str = "/app";

/// The user of the distroless `nonroot` images, by number, since an image need not know its name.
const USER: &str = "65532:65532";

/// The debugger of the `debug` target.
const DELVE: &str = "github.com/go-delve/delve/cmd/dlv@v1.26.1";

/// The instructions of a service's Dockerfile.
pub(super) fn instructions(build: &ServiceBuild) -> Result<Vec<Instruction>, EmitError> {
    let mut dockerfile = Dockerfile {
        build,
        instructions: Vec::new(),
    };
    dockerfile.comment(
        "Written by `rebake generate`; change rebake.toml and generate again. It needs BuildKit 0.26 or newer.",
    );
    dockerfile.base()?;
    match build.recipe.profile {
        Profile::Layers => {
            dockerfile.manifests();
            dockerfile.resolve();
            dockerfile.deps();
            dockerfile.sources();
            dockerfile.build_from_layers(Variant::Release)?;
        }
        Profile::Mounts => dockerfile.build_with_mounts(Variant::Release)?,
    }
    if !build.assets.is_empty() {
        dockerfile.assets();
    }
    dockerfile.debug()?;
    dockerfile.runtime();
    Ok(dockerfile.instructions)
}

/// What a binary is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Release,
    /// With symbols, without optimisation.
    Debug,
}

struct Dockerfile<'a> {
    build: &'a ServiceBuild,
    instructions: Vec<Instruction>,
}

impl Dockerfile<'_> {
    fn push(&mut self, instruction: Instruction) {
        self.instructions.push(instruction);
    }

    fn comment(&mut self, text: &str) {
        self.push(Instruction::Comment(text.to_owned()));
    }

    fn stage(&mut self, reason: &str, base: &str, name: &'static str) {
        self.push(Instruction::Blank);
        self.comment(reason);
        self.push(Instruction::From {
            platform: None,
            base: base.to_owned(),
            stage: name,
        });
    }

    /// Whether what is linked can be told from the rest, and should be.
    fn is_cut(&self) -> bool {
        self.build.recipe.profile == Profile::Layers
            && self.build.recipe.manifests == ManifestScope::Linked
            && self.build.back_edges == BackEdges::None
    }

    /// Whether go.mod and go.sum are cut to what the service links.
    fn is_pruned(&self) -> bool {
        self.is_cut()
            && !self.build.embeds_a_manifest()
            && matches!(
                self.build.layout,
                Layout::Module {
                    completeness: Completeness::Complete,
                    ..
                }
            )
    }

    /// Whether the modules of a workspace are resolved before anything is compiled.
    fn is_resolved_workspace(&self) -> bool {
        self.is_cut() && matches!(self.build.layout, Layout::Workspace { .. })
    }

    fn reaches_out(&self) -> Network {
        if self.build.layout.vendor().is_some() || self.build.third_party.is_empty() {
            Network::None
        } else {
            Network::Default
        }
    }

    /// The script and lists of the build, and what is needed to reach private modules.
    fn tool_mounts(&self, files: &[&str], network: Network) -> Vec<Mount> {
        let directory = self.build.directory();
        let mut mounts = vec![Mount::Context {
            source: steps_path(),
            target: format!("/rebake/{STEPS}"),
        }];
        mounts.extend(files.iter().map(|file| Mount::Context {
            source: directory.child(file),
            target: format!("/rebake/{file}"),
        }));
        if network == Network::Default {
            mounts.extend(self.build.recipe.credentials.map(|one| match one {
                Credentials::Netrc => Mount::Netrc,
                Credentials::Ssh => Mount::Ssh,
            }));
        }
        mounts
    }

    fn run(&mut self, network: Network, mounts: Vec<Mount>, words: Vec<String>) {
        let mut command = vec!["sh".to_owned(), format!("/rebake/{STEPS}")];
        command.extend(words);
        self.push(Instruction::Run {
            network,
            mounts,
            command,
        });
    }

    /// The platforms, as the steps take them: one word.
    fn platforms(&self) -> String {
        let platforms: Vec<String> = self.build.listed.keys().map(Platform::to_string).collect();
        platforms.join(" ")
    }

    /// All manifests as they are, where several stages need them so.
    fn manifests(&mut self) {
        self.stage(
            "manifests: all of them, as Go needs them to load any package.",
            "base",
            "manifests",
        );
        self.push(Instruction::CopyContext {
            sources: manifest_sources(self.build.layout.manifests()),
            exclude: Vec::new(),
            destination: in_sources(&RepoPath::root()),
        });
    }

    fn resolve(&mut self) {
        let network = self.reaches_out();
        let (reason, words) = if self.is_pruned() {
            let mut words = vec![
                "resolve".to_owned(),
                self.build.module_directory.to_string(),
                self.platforms(),
            ];
            if let Layout::Module { linked, .. } = &self.build.layout {
                for (module_path, directory) in linked {
                    words.extend([module_path.clone(), directory.to_string()]);
                }
            }
            (
                "resolve: go.mod and go.sum, cut to what this service links. What follows sees no edit for others.",
                words,
            )
        } else if self.is_resolved_workspace() {
            (
                "resolve: the modules that this service links, at the versions that the workspace selects.",
                vec!["resolve-workspace".to_owned(), self.platforms()],
            )
        } else {
            return;
        };
        self.stage(reason, "manifests", "resolve");
        self.run(network, self.tool_mounts(&["imports"], network), words);
    }

    fn target_arguments(&mut self) {
        self.push(Instruction::Arg(vec![
            "TARGETOS",
            "TARGETARCH",
            "TARGETVARIANT",
        ]));
    }

    fn deps(&mut self) {
        let network = self.reaches_out();
        let compiled = self.build.recipe.third_party;
        let from_resolved = self.is_pruned() || self.is_resolved_workspace();
        self.stage(
            match compiled {
                ThirdPartyCompilation::Ahead => {
                    "deps: the packages of others, compiled. This layer stays as long as they do."
                }
                ThirdPartyCompilation::WithTheService => {
                    "deps: the sources of others. This layer stays as long as they do."
                }
            },
            if from_resolved { "base" } else { "manifests" },
            "deps",
        );
        let mut mounts = self.tool_mounts(&["imports"], network);
        if self.is_pruned() {
            self.copy_resolved(in_sources(&RepoPath::root()));
        } else if self.is_resolved_workspace() {
            self.push(Instruction::Env(vec![("GOWORK", "off".to_owned())]));
            self.push(Instruction::Workdir("/deps".to_owned()));
            self.copy_resolved("/deps/".to_owned());
        }
        mounts.extend(self.vendor_mount());
        self.target_arguments();
        let step = match (compiled, self.build.back_edges) {
            (ThirdPartyCompilation::Ahead, BackEdges::None) => "deps",
            (ThirdPartyCompilation::WithTheService, BackEdges::None) => "sources-of-deps",
            (_, BackEdges::Possible) => "deps-that-stand-alone",
        };
        self.run(network, mounts, vec![step.to_owned()]);
    }

    fn copy_resolved(&mut self, destination: String) {
        self.push(Instruction::CopyStage {
            stage: "resolve",
            link: Link::Stacked,
            exclude: Vec::new(),
            source: "/resolved/".to_owned(),
            destination,
        });
    }

    /// Vendored sources are seen where they are, and not copied.
    fn vendor_mount(&self) -> Option<Mount> {
        self.build.layout.vendor().map(|vendor| Mount::Context {
            source: vendor.clone(),
            target: in_sources(vendor),
        })
    }

    fn sources(&mut self) {
        let pruned = self.is_pruned();
        self.stage(
            "sources: what this service is made of; the ignore file says it to the file.",
            if pruned { "base" } else { "manifests" },
            "sources",
        );
        if pruned {
            self.copy_resolved(in_sources(&RepoPath::root()));
        }
        let vendor = self.build.layout.vendor();
        let sources = copy_sources(&self.build.scope, vendor);
        let mut exclude: Vec<Source> = Vec::new();
        if pruned {
            exclude.extend(manifest_sources(self.build.layout.manifests()));
        }
        // The compiler does not read them, so their edits re-run nothing of its.
        exclude.extend(self.build.scope.assets.iter().cloned().map(Source::Path));
        if sources.contains(&RepoPath::root()) {
            exclude.push(Source::Path(RepoPath::root().child(BUILD_FILES)));
            exclude.extend(vendor.cloned().map(Source::Path));
        }
        self.push(Instruction::CopyContext {
            sources: sources.into_iter().map(Source::Path).collect(),
            exclude,
            destination: in_sources(&RepoPath::root()),
        });
    }

    fn list_files(&self) -> Vec<&'static str> {
        match self.build.recipe.proof {
            Proof::Required => vec!["inputs"],
            Proof::Omitted => Vec::new(),
        }
    }

    fn build_from_layers(&mut self, variant: Variant) -> Result<(), EmitError> {
        self.build_stage(
            "build: the service's own packages. Nothing comes in from outside, and writes to the caches are dropped.",
            "sources",
            variant,
        )?;
        let mut mounts = self.tool_mounts(&self.list_files(), Network::None);
        mounts.extend(self.vendor_mount());
        mounts.push(Mount::Stage {
            stage: "deps",
            source: MODULE_CACHE.to_owned(),
            target: MODULE_CACHE.to_owned(),
            // Go notes there which go.mod files of a workspace it has read.
            writes: if matches!(self.build.layout, Layout::Workspace { .. }) {
                Writes::Discarded
            } else {
                Writes::Refused
            },
        });
        mounts.push(Mount::Stage {
            stage: "deps",
            source: BUILD_CACHE.to_owned(),
            target: BUILD_CACHE.to_owned(),
            writes: Writes::Discarded,
        });
        if self.is_resolved_workspace() {
            mounts.push(Mount::Stage {
                stage: "resolve",
                source: MODULE_CACHE.to_owned(),
                target: "/rebake/modules".to_owned(),
                writes: Writes::Refused,
            });
        }
        if self.build.recipe.version_variable.is_some() && variant == Variant::Release {
            self.comment("What can be done before the version is known is done before.");
            let words = vec!["compile".to_owned(), self.package()];
            self.run(Network::None, mounts.clone(), words);
        }
        self.finish_build(Network::None, mounts, variant);
        Ok(())
    }

    /// Links the binary, stamped with the version where that is wanted. Nothing before sees the version.
    fn finish_build(&mut self, network: Network, mounts: Vec<Mount>, variant: Variant) {
        let mut words = vec!["build".to_owned(), self.binary(), self.package()];
        if let Some(variable) = &self.build.recipe.version_variable {
            words.push(variable.as_str().to_owned());
            words.push(link_flags(self.build, variant));
            self.push(Instruction::ArgOr("VERSION", "dev"));
        }
        self.run(network, mounts, words);
    }

    fn build_stage(&mut self, reason: &str, base: &str, variant: Variant) -> Result<(), EmitError> {
        match variant {
            Variant::Release => self.stage(reason, base, "build"),
            Variant::Debug => {
                self.stage(
                    "debug-build: the same with symbols and without optimisation. Only the target `debug` needs it.",
                    base,
                    "debug-build",
                );
                let flags = go_flags(self.build, Variant::Debug)?;
                self.push(Instruction::Env(vec![("GOFLAGS", flags)]));
            }
        }
        self.target_arguments();
        Ok(())
    }

    fn package(&self) -> String {
        relative_package(&self.build.module_directory, &self.build.main_directory)
    }

    fn binary(&self) -> String {
        format!("{BINARIES}/{}", self.build.service)
    }

    fn build_with_mounts(&mut self, variant: Variant) -> Result<(), EmitError> {
        self.build_stage(
            "build: everything in one step, with the caches of a builder that stays. Go decides what is still good.",
            "base",
            variant,
        )?;
        let network = self.reaches_out();
        let files = self.list_files();
        let mut mounts = self.tool_mounts(&files, network);
        mounts.push(Mount::Context {
            source: RepoPath::root(),
            target: SOURCES.to_owned(),
        });
        let [modules, build] = mount_ids(&self.build.repository);
        mounts.push(Mount::Cache {
            id: modules,
            target: MODULE_CACHE,
        });
        mounts.push(Mount::Cache {
            id: build,
            target: BUILD_CACHE,
        });
        self.finish_build(network, mounts, variant);
        Ok(())
    }

    fn assets(&mut self) {
        self.stage(
            "assets: the files that the image needs beside the binary, each where it belongs.",
            "base",
            "assets",
        );
        let mut mounts = self.tool_mounts(&["assets"], Network::None);
        mounts.push(Mount::Context {
            source: RepoPath::root(),
            target: SOURCES.to_owned(),
        });
        self.run(
            Network::None,
            mounts,
            vec!["assets".to_owned(), WORKING_DIRECTORY.to_owned()],
        );
    }

    /// What a bare image lacks: certificates, time zones, users.
    fn furnish(&mut self, runtime: &Runtime) {
        match runtime {
            Runtime::Scratch => {
                self.copy_linked("furniture", "/out/", "/");
                self.push(Instruction::Env(vec![(
                    "ZONEINFO",
                    "/usr/share/zoneinfo.zip".to_owned(),
                )]));
            }
            Runtime::Alpine => {
                self.copy_linked("furniture", "/out/usr/share/", "/usr/share/");
                self.push(Instruction::Env(vec![
                    ("ZONEINFO", "/usr/share/zoneinfo.zip".to_owned()),
                    // Its list of users stays its own, and has none of this number.
                    ("USER", "nonroot".to_owned()),
                ]));
            }
            Runtime::DistrolessStatic | Runtime::DistrolessBase | Runtime::Own(_) => {}
        }
    }

    fn copy_linked(&mut self, stage: &'static str, source: &str, destination: &str) {
        self.push(Instruction::CopyStage {
            stage,
            link: Link::Linked,
            exclude: Vec::new(),
            source: source.to_owned(),
            destination: destination.to_owned(),
        });
    }

    /// The image for a person who looks into it: a shell, a debugger, and a binary with symbols.
    fn debug(&mut self) -> Result<(), EmitError> {
        let runtime = self.build.recipe.runtime.clone();
        match self.build.recipe.profile {
            Profile::Layers => self.build_from_layers(Variant::Debug)?,
            Profile::Mounts => self.build_with_mounts(Variant::Debug)?,
        }
        if matches!(runtime, Runtime::Scratch | Runtime::Alpine) {
            self.stage(
                "furniture: what the runtime image lacks: certificates, time zones, a user.",
                "base",
                "furniture",
            );
            let mounts = self.tool_mounts(&[], Network::None);
            self.run(Network::None, mounts, vec!["furniture".to_owned()]);
        }
        self.stage("delve: the debugger.", "base", "delve");
        self.target_arguments();
        let mounts = self.tool_mounts(&[], Network::Default);
        self.run(
            Network::Default,
            mounts,
            vec!["delve".to_owned(), DELVE.to_owned()],
        );
        self.stage(
            "debug: the image with a shell, the debugger and symbols.",
            runtime.debug_image(),
            "debug",
        );
        if runtime == Runtime::Alpine || runtime == Runtime::Scratch {
            self.furnish(&Runtime::Alpine);
        }
        self.copy_linked("delve", "/out/", "/");
        self.finish("debug-build");
        Ok(())
    }

    fn runtime(&mut self) {
        let runtime = self.build.recipe.runtime.clone();
        self.stage(
            "final: the image.",
            runtime.image().unwrap_or("scratch"),
            "final",
        );
        self.furnish(&runtime);
        self.finish("build");
    }

    fn finish(&mut self, stage: &'static str) {
        if !self.build.assets.is_empty() {
            self.copy_linked("assets", "/out/", "/");
            self.push(Instruction::Workdir(WORKING_DIRECTORY.to_owned()));
        }
        // With its directories: made here, they would carry the time of the build.
        self.copy_linked(stage, "/out/", "/");
        let binary = self.binary();
        self.push(Instruction::User(USER));
        self.push(Instruction::Entrypoint(vec![binary]));
    }
}

fn steps_path() -> RepoPath {
    RepoPath::root().child(BUILD_FILES).child(STEPS)
}

fn in_sources(path: &RepoPath) -> String {
    if path.is_root() {
        format!("{SOURCES}/")
    } else {
        format!("{SOURCES}/{path}")
    }
}

/// A package directory as a pattern of the toolchain, from the directory where it runs.
fn relative_package(module_directory: &RepoPath, main_directory: &RepoPath) -> String {
    match main_directory.strip_prefix(module_directory) {
        Some("") | None => ".".to_owned(),
        Some(rest) => format!("./{rest}"),
    }
}
