//! A BuildKit of our own, with a registry that stands in for the public ones.
//!
//! In: nothing but the machine. Out: a [`Builder`] that runs until it is dropped. The base images that emitted Dockerfiles
//! name are made here, so that these build as they are. Ports, sockets and folders are its own, so that any number of
//! builders run beside each other; those made by [`Builder::fresh`] share the registry, and nothing else.

mod base_images;
mod build;
mod c_toolchain;
mod install;
mod registry;

pub(crate) use build::{Outcome, Record, Request};
pub(crate) use install::{context_lister, copy, which};
pub(crate) use registry::{Registry, free_address};

use std::{
    cell::OnceCell,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    rc::Rc,
    thread,
    time::Duration,
};

/// A process that ends when this is dropped.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts a daemon that writes to a log. It ends with the thread that started it too, however that ends.
    pub(crate) fn spawn(command: &Command, log: &Path) -> Result<Self, Box<dyn Error>> {
        let log = fs::File::create(log)?;
        let mut bound = Command::new("setpriv");
        bound
            .args(["--pdeathsig", "TERM", "--"])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => bound.env(name, value),
                None => bound.env_remove(name),
            };
        }
        let child = bound
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self(child))
    }

    /// Sends it a signal.
    fn signal(&self, name: &str) -> Result<(), Box<dyn Error>> {
        let mut kill = Command::new("kill");
        run(kill.arg(format!("-{name}")).arg(self.0.id().to_string()))
    }

    fn has_ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A daemon that has ended by itself needs no end.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// Which Go image stands in for the official one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// One like it.
    Fresh,
    /// One with what every program needs compiled already, for checks that build many programs.
    Warm,
    /// One with the machine's C toolchain.
    Cgo,
}

/// What a builder spends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuTime {
    /// By itself: it fetches, unpacks, packs and pushes.
    pub(crate) own: Duration,
    /// For what it runs.
    pub(crate) steps: Duration,
}

impl CpuTime {
    /// What was spent since then.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            own: self.own.saturating_sub(before.own),
            steps: self.steps.saturating_sub(before.steps),
        }
    }

    pub(crate) fn total(self) -> Duration {
        self.own + self.steps
    }
}

/// A running builder with its registry.
pub(crate) struct Builder {
    // Dropped in this order: the daemon before its folder.
    daemon: Daemon,
    directory: tempfile::TempDir,
    binaries: PathBuf,
    registry: Rc<Registry>,
    toolchain: Toolchain,
    buildx: OnceCell<PathBuf>,
}

impl Builder {
    /// Installs what is missing, and starts a registry with the base images and a builder.
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        Self::start_with(Toolchain::Fresh)
    }

    /// The same with this Go image.
    pub(crate) fn start_with(toolchain: Toolchain) -> Result<Self, Box<dyn Error>> {
        install::system_packages()?;
        let registry = Registry::start(&base_images::storage()?)?;
        Self::with_registry(Rc::new(registry), toolchain)
    }

    /// Another builder with an empty cache, and the same registry and Go image.
    pub(crate) fn fresh(&self) -> Result<Self, Box<dyn Error>> {
        Self::with_registry(Rc::clone(&self.registry), self.toolchain)
    }

    /// Another builder with an empty cache and another Go image, and the same registry.
    pub(crate) fn fresh_with(&self, toolchain: Toolchain) -> Result<Self, Box<dyn Error>> {
        Self::with_registry(Rc::clone(&self.registry), toolchain)
    }

    fn with_registry(registry: Rc<Registry>, toolchain: Toolchain) -> Result<Self, Box<dyn Error>> {
        let binaries = install::buildkit()?;
        let directory = tempfile::tempdir()?;
        let at = |name: &str| directory.path().join(name);
        let mirror = registry.address();
        let docker_hub = match toolchain {
            Toolchain::Fresh => format!("{mirror:?}"),
            Toolchain::Warm => format!("\"{mirror}/warm\", {mirror:?}"),
            Toolchain::Cgo => format!("\"{mirror}/cgo\", {mirror:?}"),
        };
        fs::write(
            at("buildkitd.toml"),
            format!(
                "root = {root:?}\n[grpc]\n  address = [{address:?}]\n[worker.containerd]\n  enabled = false\n\
                 [worker.oci]\n  enabled = true\n  snapshotter = \"overlayfs\"\n  binary = \"runc\"\n  gc = false\n\
                 [registry.\"docker.io\"]\n  mirrors = [{docker_hub}]\n[registry.\"gcr.io\"]\n  mirrors = [\"{mirror}\"]\n\
                 [registry.\"{mirror}\"]\n  http = true\n  insecure = true\n",
                root = at("root").display().to_string(),
                address = address(&at(SOCKET)),
            ),
        )?;
        // It leaves the places of its mounts behind when it is ended.
        fs::create_dir(at("tmp"))?;
        let daemon = Daemon::spawn(
            Command::new(binaries.join("buildkitd"))
                .arg("--config")
                .arg(at("buildkitd.toml"))
                .env("TMPDIR", at("tmp")),
            &at("buildkitd.log"),
        )?;
        let mut builder = Self {
            daemon,
            directory,
            binaries,
            registry,
            toolchain,
            buildx: OnceCell::new(),
        };
        builder.wait()?;
        Ok(builder)
    }

    fn wait(&mut self) -> Result<(), Box<dyn Error>> {
        for _ in 0..200 {
            let answer = self.buildctl().args(["debug", "workers"]).output()?;
            if answer.status.success() {
                return Ok(());
            }
            if self.daemon.has_ended() {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let log = fs::read_to_string(self.directory.path().join("buildkitd.log"))?;
        Err(format!("buildkitd does not answer:\n{log}").into())
    }

    /// The CPU time that the builder has taken, and all that it has run: of steps too, once they have ended.
    ///
    /// Source: proc_pid_stat(5), fields 14 to 17, in hundredths of a second as every Linux counts them.
    pub(crate) fn cpu_time(&self) -> Result<CpuTime, Box<dyn Error>> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.daemon.0.id()))?;
        let (_, fields) = stat.rsplit_once(')').ok_or("no process")?;
        let ticks = fields
            .split_ascii_whitespace()
            .skip(11)
            .take(4)
            .map(str::parse::<u64>)
            .collect::<Result<Vec<_>, _>>()?;
        let sum = |ticks: &[u64]| Duration::from_millis(10 * ticks.iter().sum::<u64>());
        let (own, steps) = ticks.split_at_checked(2).ok_or("no times")?;
        Ok(CpuTime {
            own: sum(own),
            steps: sum(steps),
        })
    }

    /// What the registry holds.
    pub(crate) fn pushed(&self) -> &Registry {
        &self.registry
    }

    /// The registry, as `HOST:PORT`. It takes pushes without TLS, and serves as mirror for docker.io and gcr.io.
    pub(crate) fn registry(&self) -> &str {
        self.registry.address()
    }

    /// Builds nothing until it is told to go on.
    pub(crate) fn pause(&self) -> Result<(), Box<dyn Error>> {
        self.daemon.signal("STOP")
    }

    /// Goes on.
    pub(crate) fn resume(&self) -> Result<(), Box<dyn Error>> {
        self.daemon.signal("CONT")
    }

    /// Where buildkitd listens, as a URL.
    pub(crate) fn address(&self) -> String {
        address(&self.directory.path().join(SOCKET))
    }

    /// The path of buildctl.
    pub(crate) fn buildctl_path(&self) -> PathBuf {
        self.binaries.join("buildctl")
    }

    /// buildctl, pointed at this builder.
    pub(crate) fn buildctl(&self) -> Command {
        let mut command = Command::new(self.buildctl_path());
        command.arg("--addr").arg(self.address());
        command
    }

    /// The path of buildx; it is built when it is first asked for.
    pub(crate) fn buildx_path(&self) -> Result<PathBuf, Box<dyn Error>> {
        Ok(install::buildx()?.join("buildx"))
    }

    /// The settings that make any buildx, `docker buildx` included, use this builder: variables of its environment.
    pub(crate) fn buildx_environment(&self) -> Result<Vec<(&'static str, String)>, Box<dyn Error>> {
        if self.buildx.get().is_none() {
            let config = self.directory.path().join("buildx");
            let mut create = Command::new(self.buildx_path()?);
            create
                .args(["create", "--name", BUILDX_BUILDER, "--driver", "remote"])
                .arg(self.address())
                .env("BUILDX_CONFIG", &config);
            run(&mut create)?;
            let _ = self.buildx.set(config);
        }
        let config = self.buildx.get().ok_or("buildx has no configuration")?;
        Ok(vec![
            ("BUILDX_CONFIG", config.display().to_string()),
            ("BUILDX_BUILDER", BUILDX_BUILDER.to_owned()),
            // Asked for nothing by nobody, bake reads what its file names, wherever that is.
            ("BUILDX_BAKE_ENTITLEMENTS_FS", "0".to_owned()),
        ])
    }
}

/// `cargo xtask builder`: what a person does by hand with the builder that tests use.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The command to run, with buildctl and buildx on its search path, and both pointed at the builder.
    #[arg(trailing_var_arg = true, default_value = "bash")]
    command: Vec<std::ffi::OsString>,
}

/// Starts a builder, and ends it when the command ends. The command finds the registry in `REGISTRY`.
pub(crate) fn run_with(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let (program, words) = arguments.command.split_first().ok_or("no command")?;
    let builder = Builder::start()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let programs = [builder.buildctl_path(), builder.buildx_path()?];
    let directories = programs
        .iter()
        .filter_map(|program| program.parent().map(Path::to_owned));
    let path = std::env::join_paths(directories.chain(std::env::split_paths(&path)))?;
    let status = Command::new(program)
        .args(words)
        .env("PATH", path)
        .env("REGISTRY", builder.registry())
        .env("BUILDKIT_HOST", builder.address())
        .envs(builder.buildx_environment()?)
        .status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The name of buildkitd's socket in the builder's folder.
const SOCKET: &str = "buildkitd.sock";

/// The name under which buildx knows the builder.
const BUILDX_BUILDER: &str = "rebake";

fn address(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}

/// Runs a command, and says what it said when it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
    if output.status.success() {
        return Ok(());
    }
    let talk = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = talk.lines().collect();
    let end = &lines[lines.len().saturating_sub(30)..];
    Err(end.join("\n").into())
}
