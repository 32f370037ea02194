//! A Go monorepo of any size, written to disk.
//!
//! In: a [`Shape`]. Out: a tree that `go list -deps` accepts and, without third-party modules, that
//! `go build` builds. The same shape gives the same bytes on every machine, with any number of
//! threads. It must never write into a directory that holds something.
//!
//! ```text
//! services/service0001/main.go           imports its parts and some shared packages
//! services/service0001/assets/           embedded by assets.go
//! services/service0001/internal/part01/  each part imports the one before
//! libs/lib0001/                          shared packages, in groups of 16
//! ```
//!
//! A shared package imports others of its group and of the first one. So what one service needs
//! doesn't grow with the number of services, as in real monorepos, and the whole tree's plan has work
//! in proportion to its files.
//!
//! **Known gap**: third-party modules have requirements and checksums, but no source anywhere, so
//! `go list` needs `-e` to get past them, and nothing that imports them builds.

mod manifest;
mod random;
mod source;

use random::Random;
use rayon::prelude::*;
use source::{GoFile, PackageImports};
use std::path::{Path, PathBuf};

/// The path that every import path in a generated monorepo starts with.
pub const MODULE: &str = "example.com/monorepo";

/// How the packages are divided into Go modules. Import paths are the same in all layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Layout {
    /// One go.mod at the root.
    SingleModule,
    /// A go.work at the root, one module per service, and one for the shared packages.
    Workspace,
    /// The same modules without go.work: each service replaces the shared module by its directory.
    Replace,
}

/// What is generated.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Shape {
    /// Another seed gives other imports and other contents
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How packages are divided into modules
    #[arg(long, value_enum, default_value_t = Layout::SingleModule)]
    pub layout: Layout,
    /// Packages of a service beside its main package
    #[arg(long, default_value_t = 11)]
    pub packages_per_service: u32,
    /// Shared packages for each service that there is
    #[arg(long, default_value_t = 4)]
    pub shared_packages_per_service: u32,
    /// Go files in a package, tests left out
    #[arg(long, default_value_t = 5)]
    pub sources_per_package: u32,
    /// Test files in a package
    #[arg(long, default_value_t = 1)]
    pub tests_per_package: u32,
    /// Files that a service embeds
    #[arg(long, default_value_t = 7)]
    pub embedded_per_service: u32,
    /// Third-party modules
    #[arg(long, default_value_t = 0)]
    pub third_party_modules: u32,
    /// The length of a Go file in bytes, roughly
    #[arg(long, default_value_t = 6000)]
    pub file_length: u32,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// All files.
    pub files: u64,
    /// Those whose name ends in `.go`.
    pub go_files: u64,
    /// The length of all files together.
    pub bytes: u64,
}

impl Written {
    fn and(self, other: Self) -> Self {
        Self {
            files: self.files + other.files,
            go_files: self.go_files + other.go_files,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// Why nothing, or not all, was written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The directory holds something already.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

/// Shared packages of one group import one another.
const GROUP: u32 = 16;
/// Every shared package imports one of these, the first of the first group.
const FOUNDATION: u32 = 8;

/// Writes a monorepo with this many services into `root`, which is made if it is missing.
///
/// # Errors
/// When `root` is not empty, or can't be written.
pub fn generate(root: &Path, services: u32, shape: &Shape) -> Result<Written, GenerateError> {
    let io = |source| GenerateError::Io {
        path: root.to_owned(),
        source,
    };
    std::fs::create_dir_all(root).map_err(io)?;
    if std::fs::read_dir(root).map_err(io)?.next().is_some() {
        return Err(GenerateError::NotEmpty(root.to_owned()));
    }
    let monorepo = Monorepo {
        root,
        services,
        shared: services.saturating_mul(shape.shared_packages_per_service),
        shape,
    };
    let manifests = monorepo.write_all(&manifest::all(&monorepo))?;
    let services = (1..=services)
        .into_par_iter()
        .map(|service| monorepo.write_service(service))
        .try_reduce(Written::default, |a, b| Ok(a.and(b)))?;
    let shared = (0..monorepo.shared)
        .into_par_iter()
        .map(|shared| monorepo.write_shared(shared))
        .try_reduce(Written::default, |a, b| Ok(a.and(b)))?;
    Ok(manifests.and(services).and(shared))
}

struct Monorepo<'s> {
    root: &'s Path,
    services: u32,
    shared: u32,
    shape: &'s Shape,
}

/// A file to write: the path below the root, and the content.
type NewFile = (String, String);

impl Monorepo<'_> {
    fn write_service(&self, service: u32) -> Result<Written, GenerateError> {
        let directory = service_directory(service);
        let mut random = Random::new(self.shape.seed, &directory);
        let groups = [
            self.random_group(&mut random),
            self.random_group(&mut random),
        ];
        let parts = self.shape.packages_per_service;

        let mut main = PackageImports::default();
        // The last part reaches all others.
        main.add_first_party((parts > 0).then(|| part_directory(service, parts)));
        for group in groups {
            main.add_first_party(self.random_shared(&mut random, group));
        }
        main.add_third_party(self.random_third_party(&mut random));
        let mut files = source::main_package(&directory, service, &main, self.shape);
        files.push((
            format!("{directory}/README.md"),
            format!("# Service {service}\n\nA generated service.\n"),
        ));
        let mut written = self.write_all(&files)?;

        for part in 1..=parts {
            let directory = part_directory(service, part);
            let mut random = Random::new(self.shape.seed, &directory);
            let mut imports = PackageImports::default();
            imports.add_first_party((part > 1).then(|| part_directory(service, part - 1)));
            if random.below(2) == 0 {
                imports.add_first_party(self.random_shared(&mut random, groups[0]));
            }
            if random.below(4) == 0 {
                imports.add_third_party(self.random_third_party(&mut random));
            }
            written = written.and(self.write_package(&directory, &imports, &mut random)?);
        }
        Ok(written)
    }

    fn write_shared(&self, shared: u32) -> Result<Written, GenerateError> {
        let directory = shared_directory(shared);
        let mut random = Random::new(self.shape.seed, &directory);
        let mut imports = PackageImports::default();
        // Only packages with a lower number, so that there are no cycles.
        let group_start = shared - shared % GROUP;
        for _ in 0..3 {
            if shared > group_start {
                let other = group_start + random.below(shared - group_start);
                imports.add_first_party(Some(shared_directory(other)));
            }
        }
        if shared > 0 {
            let other = random.below(shared.min(FOUNDATION));
            imports.add_first_party(Some(shared_directory(other)));
        }
        if random.below(4) == 0 {
            imports.add_third_party(self.random_third_party(&mut random));
        }
        self.write_package(&directory, &imports, &mut random)
    }

    fn write_package(
        &self,
        directory: &str,
        imports: &PackageImports,
        random: &mut Random,
    ) -> Result<Written, GenerateError> {
        let sources = self.shape.sources_per_package.max(1);
        let mut files = Vec::new();
        for number in 0..sources {
            let file = GoFile {
                directory,
                number,
                of: sources,
                imports,
                length: self.shape.file_length,
            };
            files.push(file.source(random));
        }
        for number in 0..self.shape.tests_per_package {
            files.push(source::test(
                directory,
                number,
                self.shape.file_length,
                random,
            ));
        }
        self.write_all(&files)
    }

    fn write_all(&self, files: &[NewFile]) -> Result<Written, GenerateError> {
        let mut written = Written::default();
        let mut made = PathBuf::new();
        for (path, content) in files {
            let path = self.root.join(path);
            let failed = |source| GenerateError::Io {
                path: path.clone(),
                source,
            };
            if let Some(parent) = path.parent()
                && parent != made
            {
                std::fs::create_dir_all(parent).map_err(failed)?;
                made = parent.to_owned();
            }
            std::fs::write(&path, content).map_err(failed)?;
            let is_go = path.extension().is_some_and(|extension| extension == "go");
            written = written.and(Written {
                files: 1,
                go_files: u64::from(is_go),
                bytes: content.len() as u64,
            });
        }
        Ok(written)
    }

    fn random_group(&self, random: &mut Random) -> u32 {
        random.below(self.shared.div_ceil(GROUP).max(1))
    }

    fn random_shared(&self, random: &mut Random, group: u32) -> Option<String> {
        let start = group * GROUP;
        let end = self.shared.min(start + GROUP);
        (start < end).then(|| shared_directory(start + random.below(end - start)))
    }

    fn random_third_party(&self, random: &mut Random) -> Option<String> {
        let modules = self.shape.third_party_modules;
        (modules > 0).then(|| manifest::third_party_module(random.below(modules)))
    }
}

fn service_directory(service: u32) -> String {
    format!("services/service{service:04}")
}

fn part_directory(service: u32, part: u32) -> String {
    format!("{}/internal/part{part:02}", service_directory(service))
}

fn shared_directory(shared: u32) -> String {
    format!("libs/lib{shared:04}")
}

#[cfg(test)]
mod tests;
