//! A BuildKit of our own, with a registry that stands in for the public ones.
//!
//! In: nothing but the machine. Out: a [`Builder`] that runs until it is dropped. BuildKit is built from the module proxy
//! at the version that `builder/buildkit/go.mod` pins; runc, the registry and busybox come from the system's packages. The
//! base images that emitted Dockerfiles name are made here, so that these build as they are.

use crate::tools;
use rebake_planner::path::RepoPath;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const SYSTEM_PACKAGES: [(&str, &str); 3] = [
    ("runc", "runc"),
    ("docker-registry", "docker-registry"),
    ("busybox", "busybox-static"),
];
const REGISTRY: &str = "127.0.0.1:5599";

/// A running builder and registry.
pub(crate) struct Builder {
    directory: tempfile::TempDir,
    binaries: PathBuf,
    daemons: Vec<Child>,
}

impl Drop for Builder {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            // A daemon that has ended by itself needs no end.
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            let _ = daemon.wait();
        }
    }
}

impl Builder {
    /// Installs what is missing, starts the daemons and makes the base images.
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        install_system_packages()?;
        let binaries = buildkit()?;
        let directory = tempfile::tempdir()?;
        let at = |name: &str| directory.path().join(name).display().to_string();
        fs::write(
            directory.path().join("registry.yml"),
            format!(
                "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: {REGISTRY}}}\nlog: {{level: error}}\n",
                at("registry")
            ),
        )?;
        fs::write(
            directory.path().join("buildkitd.toml"),
            format!(
                "root = {root:?}\n[grpc]\n  address = [{address:?}]\n[worker.containerd]\n  enabled = false\n\
                 [worker.oci]\n  enabled = true\n  snapshotter = \"overlayfs\"\n  binary = \"runc\"\n  gc = false\n\
                 [registry.\"docker.io\"]\n  mirrors = [\"{REGISTRY}\"]\n[registry.\"gcr.io\"]\n  mirrors = [\"{REGISTRY}\"]\n\
                 [registry.\"{REGISTRY}\"]\n  http = true\n  insecure = true\n",
                root = at("buildkit"),
                address = format!("unix://{}", at("buildkitd.sock")),
            ),
        )?;
        let mut builder = Self {
            binaries,
            daemons: Vec::new(),
            directory,
        };
        let registry = at_path(&builder, "registry.yml");
        builder.spawn(
            Command::new("docker-registry").arg("serve").arg(registry),
            "registry.log",
        )?;
        let config = at_path(&builder, "buildkitd.toml");
        let buildkitd = builder.binaries.join("buildkitd");
        builder.spawn(
            Command::new(buildkitd).arg("--config").arg(config),
            "buildkitd.log",
        )?;
        builder.wait()?;
        builder.make_base_images()?;
        Ok(builder)
    }

    fn spawn(&mut self, command: &mut Command, log: &str) -> Result<(), Box<dyn Error>> {
        let log = fs::File::create(at_path(self, log))?;
        let daemon = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.daemons.push(daemon);
        Ok(())
    }

    fn buildctl(&self) -> Command {
        let mut command = Command::new(self.binaries.join("buildctl"));
        let socket = at_path(self, "buildkitd.sock");
        command
            .arg("--addr")
            .arg(format!("unix://{}", socket.display()));
        command
    }

    fn build_command(&self) -> Command {
        let mut command = self.buildctl();
        command.args([
            "build",
            "--progress",
            "plain",
            "--frontend",
            "dockerfile.v0",
        ]);
        command
    }

    fn wait(&self) -> Result<(), Box<dyn Error>> {
        for _ in 0..100 {
            let answer = self.buildctl().args(["debug", "workers"]).output()?;
            if answer.status.success() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        let log = fs::read_to_string(at_path(self, "buildkitd.log"))?;
        Err(format!("buildkitd does not answer:\n{log}").into())
    }

    /// Builds a target of an emitted Dockerfile into a directory.
    pub(crate) fn build(
        &self,
        root: &camino::Utf8Path,
        directory: &RepoPath,
        target: &str,
        output: &Path,
    ) -> Result<(), Box<dyn Error>> {
        let mut command = self.build_command();
        command
            .arg("--local")
            .arg(format!("context={root}"))
            .arg("--local")
            .arg(format!("dockerfile={}", root.join(directory.as_str())))
            .args(["--opt", "platform=linux/amd64", "--opt"])
            .arg(format!("target={target}"))
            .arg("--output")
            .arg(format!("type=local,dest={}", output.display()));
        run(&mut command)
    }

    fn make_base_images(&self) -> Result<(), Box<dyn Error>> {
        let context = at_path(self, "base");
        fs::create_dir_all(context.join("tmp"))?;
        fs::write(
            context.join("passwd"),
            "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
        )?;
        fs::write(
            context.join("Dockerfile"),
            include_str!("builder/base.Dockerfile"),
        )?;
        let go_root = {
            let mut go = Command::new("go");
            let answer = go
                .args(["env", "GOROOT"])
                .env("GOTOOLCHAIN", "local")
                .output()?;
            String::from_utf8(answer.stdout)?.trim().to_owned()
        };
        let busybox = which("busybox")?;
        let busybox = busybox
            .parent()
            .unwrap_or(Path::new("/bin"))
            .display()
            .to_string();
        let go = format!("library/golang:{}", tools::GO_RELEASE);
        for (target, name) in [
            ("golang", go.as_str()),
            ("static", "distroless/static-debian13:nonroot"),
            ("debug", "distroless/static-debian13:debug-nonroot"),
            ("alpine", "library/alpine:3.22"),
        ] {
            let mut command = self.build_command();
            for (local, path) in [
                ("context", context.display().to_string()),
                ("dockerfile", context.display().to_string()),
                ("busybox", busybox.clone()),
                ("goroot", go_root.clone()),
                ("certificates", "/etc/ssl/certs".to_owned()),
                ("zones", "/usr/share/zoneinfo".to_owned()),
            ] {
                command.arg("--local").arg(format!("{local}={path}"));
                if !matches!(local, "context" | "dockerfile") {
                    command
                        .arg("--opt")
                        .arg(format!("context:{local}=local:{local}"));
                }
            }
            command
                .arg("--opt")
                .arg(format!("target={target}"))
                .arg("--output")
                .arg(format!("type=image,name={REGISTRY}/{name},push=true"));
            run(&mut command)?;
        }
        Ok(())
    }
}

fn at_path(builder: &Builder, name: &str) -> PathBuf {
    builder.directory.path().join(name)
}

/// Runs a command, and says what it said when it fails.
fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let talk = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = talk.lines().collect();
    let end = &lines[lines.len().saturating_sub(30)..];
    Err(end.join("\n").into())
}

fn which(program: &str) -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("there is no {program}").into())
}

fn install_system_packages() -> Result<(), Box<dyn Error>> {
    let missing: Vec<&str> = SYSTEM_PACKAGES
        .iter()
        .filter(|(program, _)| which(program).is_err())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("installing {}", missing.join(", "));
    run(Command::new("apt-get").args(["update", "-qq"]))?;
    run(Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(missing)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

/// The directory of buildkitd and buildctl, built once a version.
fn buildkit() -> Result<PathBuf, Box<dyn Error>> {
    let module = tools::workspace().join("xtask/builder/buildkit");
    let pinned = fs::read(module.join("go.sum"))?;
    let version = blake3::hash(&pinned).to_hex();
    let binaries = tools::target_directory()
        .join("tools")
        .join(format!("buildkit-{}", &version[..12]));
    if binaries.join("buildctl").is_file() && binaries.join("buildkitd").is_file() {
        return Ok(binaries);
    }
    eprintln!("building buildkitd and buildctl");
    run(Command::new("go")
        .args(["build", "-mod=readonly", "-o"])
        .arg(format!("{}/", binaries.display()))
        .args([
            "github.com/moby/buildkit/cmd/buildkitd",
            "github.com/moby/buildkit/cmd/buildctl",
        ])
        .current_dir(module)
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0"))?;
    Ok(binaries)
}
