//! A copy of a checkout with its emitted build files.
//!
//! In: a directory or a sample monorepo. Out: a [`Checkout`] whose services can be built, by BuildKit or by `go build`.

use crate::builder::{Builder, Daemon, Request, copy, free_address};
use crate::tools;
use camino::{Utf8Path, Utf8PathBuf};
use rebake_fixtures::{Case, case, module_proxy::write_module_proxy};
use rebake_planner::{
    emit::{Build, EmitError, ServiceBuild, emit_service, emit_shared},
    plan::{Plan, PlanOptions, plan},
    target::Cgo,
    tree::disk::DiskTree,
};
use std::{error::Error, fs, path::Path, process::Command};

/// Which checkouts, and which of their services.
#[derive(clap::Args)]
pub(super) struct Selection {
    /// Checkouts.
    directories: Vec<std::path::PathBuf>,
    /// Sample monorepos: topics, `topic/name`, or `all`.
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    fixtures: Vec<String>,
    /// Globs that choose the services.
    #[arg(long, default_value = "**")]
    services: Vec<String>,
    /// Only services whose name holds this text.
    #[arg(long)]
    only: Option<String>,
    /// Turn cgo on.
    #[arg(long)]
    cgo: bool,
    /// Lines to put before the rebake.toml of every checkout.
    #[arg(long, default_value = "")]
    config: String,
}

/// A checkout to prepare.
pub(super) enum Source {
    Directory(std::path::PathBuf),
    Case(Box<Case>),
}

impl Source {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Directory(directory) => directory.display().to_string(),
            Self::Case(case) => format!("{}/{}", case.topic, case.name),
        }
    }
}

impl Selection {
    /// Sample monorepos alone, by topic or `topic/name`.
    pub(super) fn of_fixtures(names: &[&str]) -> Self {
        Self {
            directories: Vec::new(),
            fixtures: names.iter().map(|name| (*name).to_owned()).collect(),
            services: vec!["**".to_owned()],
            only: None,
            cgo: false,
            config: String::new(),
        }
    }

    /// Sample monorepos with cgo.
    pub(super) fn of_fixtures_with_cgo(names: &[&str]) -> Self {
        Self {
            cgo: true,
            ..Self::of_fixtures(names)
        }
    }

    /// One service, with lines before its rebake.toml.
    pub(super) fn of_service(name: &str, config: &str) -> Self {
        Self {
            only: Some(name.to_owned()),
            config: config.to_owned(),
            ..Self::of_fixtures(&[])
        }
    }

    /// Whether cgo is turned on.
    pub(super) fn has_cgo(&self) -> bool {
        self.cgo
    }

    /// The checkouts.
    pub(super) fn sources(&self) -> Result<Vec<Source>, Box<dyn Error>> {
        let directories = self.directories.iter().cloned().map(Source::Directory);
        let mut sources: Vec<Source> = directories.collect();
        if !self.fixtures.is_empty() {
            for case in rebake_fixtures::cases()? {
                let name = format!("{}/{}", case.topic, case.name);
                let is_chosen =
                    |chosen: &String| chosen == "all" || *chosen == case.topic || *chosen == name;
                if self.fixtures.iter().any(is_chosen) {
                    sources.push(Source::Case(Box::new(case)));
                }
            }
        }
        if sources.is_empty() {
            return Err("name checkouts, or sample monorepos with --fixtures".into());
        }
        Ok(sources)
    }

    /// Copies a checkout and plans it.
    pub(super) fn prepare(&self, source: &Source) -> Result<Checkout, Box<dyn Error>> {
        let scratch = tempfile::tempdir()?;
        let root = Utf8PathBuf::from_path_buf(scratch.path().join("checkout"))
            .map_err(|_| "a path that is not UTF-8")?;
        let mut options = PlanOptions::new();
        options.services.clone_from(&self.services);
        options.go = Some(tools::GO_RELEASE.parse()?);
        let mut config = self.config.clone();
        let mut proxy = None;
        match source {
            Source::Directory(directory) => {
                copy(directory, root.as_std_path())?;
                if self.cgo {
                    options.cgo = Some(Cgo::Enabled);
                }
            }
            Source::Case(case) => {
                case.write_to(root.as_std_path())?;
                let linux = case
                    .platforms
                    .iter()
                    .find(|name| name.starts_with("linux/"));
                if let Some(platform) = linux {
                    options.platforms = vec![platform.parse()?];
                }
                for tag in &case.tags {
                    options.tags.push(tag.parse()?);
                }
                if self.cgo || !case.cgo.contains(&case::Cgo::Off) {
                    options.cgo = Some(Cgo::Enabled);
                }
                if !case.module_proxy.is_empty() {
                    let files = scratch.path().join("proxy");
                    write_module_proxy(&case.module_proxy, &files)?;
                    let (daemon, address) = serve(&files, &scratch.path().join("proxy.log"))?;
                    config.push_str(&format!(
                        "goproxy = \"http://{address}\"\ngonosumdb = \"*\"\n"
                    ));
                    proxy = Some((daemon, format!("file://{}", files.display())));
                }
            }
        }
        if !config.is_empty() {
            let path = root.join("rebake.toml");
            let rest = fs::read_to_string(&path).unwrap_or_default();
            fs::write(path, format!("{config}\n{rest}"))?;
        }
        Checkout::new(scratch, root, options, self.only.clone(), proxy)
    }
}

/// A copy of a checkout, with the files that `rebake generate` writes.
pub(super) struct Checkout {
    /// What serves its third-party modules, and where `go` finds them without it.
    proxy: Option<(Daemon, String)>,
    /// Where it is.
    pub(super) root: Utf8PathBuf,
    /// Its plan.
    pub(super) plan: Plan,
    /// How it was planned.
    options: PlanOptions,
    /// Which services are built: those whose name holds this text.
    only: Option<String>,
    /// How its services are built.
    pub(super) builds: Vec<ServiceBuild>,
    /// Services that can't be written down.
    pub(super) refused: Vec<(String, EmitError)>,
    /// A place for outputs.
    pub(super) scratch: tempfile::TempDir,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Emit(#[from] EmitError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Checkout {
    fn new(
        scratch: tempfile::TempDir,
        root: Utf8PathBuf,
        options: PlanOptions,
        only: Option<String>,
        proxy: Option<(Daemon, String)>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut checkout = Self {
            plan: plan(&DiskTree::open(&root)?, &options)?,
            proxy,
            root,
            options,
            only,
            builds: Vec::new(),
            refused: Vec::new(),
            scratch,
        };
        checkout.generate()?;
        Ok(checkout)
    }

    /// Plans what stands there now, and writes its build files.
    pub(super) fn plan_again(&mut self) -> Result<(), Box<dyn Error>> {
        self.plan = plan(&DiskTree::open(&self.root)?, &self.options)?;
        self.generate()
    }

    fn generate(&mut self) -> Result<(), Box<dyn Error>> {
        self.builds.clear();
        self.refused.clear();
        let builds = self.plan.builds();
        for file in emit_shared(&builds, self.plan.groups()) {
            write(&self.root.join(file.path.as_str()), &file.text)?;
        }
        for build in builds {
            let Build::Emitted(build) = build else {
                continue;
            };
            let name = build.service.to_string();
            let only = self.only.as_deref().unwrap_or_default();
            if !name.contains(only) {
                continue;
            }
            match write_files(&self.root, &build) {
                Ok(()) => self.builds.push(*build),
                Err(WriteError::Emit(error)) => self.refused.push((name, error)),
                Err(WriteError::Io(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Writes the files of a build, which may be another than the plan's.
    pub(super) fn write_files(&self, build: &ServiceBuild) -> Result<(), WriteError> {
        write_files(&self.root, build)
    }

    /// A target of a service's Dockerfile.
    pub(super) fn request(&self, build: &ServiceBuild, target: &str) -> Request {
        let directory = self.root.join(build.directory().as_str());
        let platform = build.listed.keys().next();
        let platform = platform.map_or_else(|| "linux/amd64".to_owned(), ToString::to_string);
        Request::new(self.root.as_std_path(), directory.as_std_path(), target)
            .option("platform", &platform)
    }

    /// How many images are in doubt, and so have no build.
    pub(super) fn in_doubt(&self) -> usize {
        let images = self.plan.images.iter();
        images.filter(|image| image.keys.is_none()).count()
    }

    /// The binary of a service, built where the whole checkout is.
    pub(super) fn go_build(&self, build: &ServiceBuild) -> Result<Vec<u8>, Box<dyn Error>> {
        let output = self.scratch.path().join("binary");
        let mut command = self.go(build);
        command.args(go_build_arguments(build, &output.display().to_string()));
        let result = command.output()?;
        if !result.status.success() {
            return Err(String::from_utf8_lossy(&result.stderr).into());
        }
        let binary = fs::read(&output)?;
        fs::remove_file(&output)?;
        Ok(binary)
    }

    /// The same in a container, where the checkout is at the place at which emitted builds have it. With cgo that counts:
    /// Go names binaries after the flags for the C compiler, and with `${SRCDIR}` these hold the place.
    pub(super) fn go_build_in_place(
        &self,
        builder: &Builder,
        build: &ServiceBuild,
    ) -> Result<Vec<u8>, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let place = |path: &str| Utf8Path::new("/src").join(path);
        let workspace = match build.layout.workspace() {
            Some(directory) => place(directory.as_str()).join("go.work"),
            None => "off".into(),
        };
        let mut words = vec!["go".to_owned()];
        words.extend(go_build_arguments(build, "/out/binary"));
        fs::write(
            directory.path().join("Dockerfile"),
            format!(
                "FROM golang:{release} AS build\nENV CGO_ENABLED=1 GOWORK={workspace}\nCOPY . /src\n\
                 WORKDIR {module}\nRUN {words}\nFROM scratch AS binary\nCOPY --from=build /out/ /\n",
                release = tools::GO_RELEASE,
                module = place(build.module_directory.as_str()),
                words = serde_json::Value::from(words),
            ),
        )?;
        let output = directory.path().join("image");
        let request = Request::new(self.root.as_std_path(), directory.path(), "binary");
        builder
            .build(&request.into_directory(&output))?
            .or_failure()?;
        Ok(fs::read(output.join("binary"))?)
    }

    /// `go`, set up as the build of a service sets it up, in the directory of its module.
    pub(super) fn go(&self, build: &ServiceBuild) -> Command {
        let workspace = match build.layout.workspace() {
            Some(directory) => self
                .root
                .join(directory.as_str())
                .join("go.work")
                .to_string(),
            None => "off".to_owned(),
        };
        let mut command = self.go_in(&self.root.join(build.module_directory.as_str()));
        command.env("GOWORK", workspace).env(
            "CGO_ENABLED",
            match build.cgo {
                Cgo::Enabled => "1",
                Cgo::Disabled => "0",
            },
        );
        if let Some(platform) = build.listed.keys().next() {
            command
                .env("GOOS", platform.os())
                .env("GOARCH", platform.architecture());
            let setting = platform.level_setting();
            command.envs(setting.split_once('='));
        }
        command
    }

    /// `go` in a directory, with the checkout's module proxy.
    pub(super) fn go_in(&self, directory: &Utf8Path) -> Command {
        let mut command = Command::new("go");
        command
            .current_dir(directory)
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-modcacherw");
        if let Some((_, proxy)) = &self.proxy {
            command
                .env("GOPROXY", proxy)
                .env("GONOSUMDB", "*")
                .env("GOMODCACHE", self.scratch.path().join("modules"));
        }
        command
    }
}

/// `go build` with the flags of emitted builds.
fn go_build_arguments(build: &ServiceBuild, output: &str) -> Vec<String> {
    let fixed = [
        "build",
        "-trimpath",
        "-buildvcs=false",
        "-ldflags=-s -w",
        "-o",
        output,
    ];
    let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
    if !build.tags.is_empty() {
        let tags: Vec<String> = build.tags.iter().map(ToString::to_string).collect();
        arguments.push(format!("-tags={}", tags.join(",")));
    }
    let package = build.main_directory.strip_prefix(&build.module_directory);
    arguments.push(format!("./{}", package.unwrap_or_default()));
    arguments
}

fn write_files(root: &Utf8Path, build: &ServiceBuild) -> Result<(), WriteError> {
    let files = emit_service(build)?;
    let directory = root.join(build.directory().as_str());
    if directory.is_dir() {
        fs::remove_dir_all(&directory)?;
    }
    for file in files {
        write(&root.join(file.path.as_str()), &file.text)?;
    }
    Ok(())
}

fn write(path: &Utf8Path, text: &str) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text)
}

/// Serves a directory.
fn serve(directory: &Path, log: &Path) -> Result<(Daemon, String), Box<dyn Error>> {
    let address = free_address()?;
    let daemon = Daemon::spawn(
        Command::new("busybox")
            .args(["httpd", "-f", "-p", &address, "-h"])
            .arg(directory),
        log,
    )?;
    for _ in 0..100 {
        if std::net::TcpStream::connect(&address).is_ok() {
            return Ok((daemon, address));
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Err(fs::read_to_string(log)?.into())
}
