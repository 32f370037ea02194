//! The clients, pinned and installed below `target/tools`.
//!
//! In: nothing but the machine. Out: commands. Python, Node and Go are the machine's own; what is installed comes from
//! their registries by name: `xtask/clients` holds the versions.

use crate::tools;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const ACTIONLINT: &str = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";

/// Programs that come from the system's packages, with the package of each.
const SYSTEM_PACKAGES: [(&str, &str); 3] = [
    // The action fetches with it.
    ("curl", "curl"),
    // gitlab-ci-local copies with it.
    ("rsync", "rsync"),
    ("shellcheck", "shellcheck"),
];

/// The clients that come as wheels.
pub(super) struct Wheels(PathBuf);

impl Wheels {
    pub(super) fn install() -> Result<Self, Box<dyn Error>> {
        let requirements = pinned("requirements.txt");
        let directory = once("clients", &fs::read(&requirements)?, |directory| {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--no-deps"])
                .args([
                    "--disable-pip-version-check",
                    "--root-user-action",
                    "ignore",
                ])
                .arg("--target")
                .arg(directory)
                .arg("--requirement")
                .arg(&requirements);
            must(&mut pip)
        })?;
        Ok(Self(directory))
    }

    /// The client that plays GitHub Actions.
    pub(super) fn act(&self) -> Command {
        Command::new(self.0.join("bin/act"))
    }

    /// The linter for what an attacker could use.
    pub(super) fn zizmor(&self) -> Command {
        Command::new(self.0.join("bin/zizmor"))
    }

    /// The linter for shapes.
    pub(super) fn check_jsonschema(&self) -> Command {
        let mut command = Command::new("python3");
        command
            .args(["-m", "check_jsonschema"])
            .env("PYTHONPATH", &self.0);
        command
    }
}

/// The linter for workflows.
pub(super) fn actionlint() -> Result<Command, Box<dyn Error>> {
    let directory = once("actionlint", ACTIONLINT.as_bytes(), |directory| {
        must(
            Command::new("go")
                .args(["install", ACTIONLINT])
                .env("GOBIN", directory)
                .env("GOFLAGS", "")
                .env("GOWORK", "off")
                .env("CGO_ENABLED", "0"),
        )
    })?;
    Ok(Command::new(directory.join("actionlint")))
}

/// The client that plays GitLab.
pub(super) fn gitlab_ci_local() -> Result<Command, Box<dyn Error>> {
    let module = pinned("gitlab-ci-local");
    let lock = fs::read(module.join("package-lock.json"))?;
    let directory = once("gitlab-ci-local", &lock, |directory| {
        must(
            Command::new("cp")
                .arg("--recursive")
                .arg(module.join("."))
                .arg(directory),
        )?;
        must(
            Command::new("npm")
                .args([
                    "ci",
                    "--silent",
                    "--no-fund",
                    "--no-audit",
                    "--ignore-scripts",
                ])
                .current_dir(directory),
        )
    })?;
    let mut command = Command::new("node");
    command.arg(directory.join("node_modules/.bin/gitlab-ci-local"));
    Ok(command)
}

/// Installs what is missing of the system's packages.
pub(super) fn system_packages() -> Result<(), Box<dyn Error>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing: Vec<&str> = SYSTEM_PACKAGES
        .iter()
        .filter(|(program, _)| !std::env::split_paths(&path).any(|at| at.join(program).is_file()))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("installing {}", missing.join(", "));
    must(Command::new("apt-get").args(["update", "-qq"]))?;
    must(
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(missing)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// A file that says what is installed.
fn pinned(name: &str) -> PathBuf {
    tools::workspace().join("xtask/clients").join(name)
}

/// A directory that is filled once for what is pinned.
fn once(
    name: &str,
    pinned: &[u8],
    fill: impl FnOnce(&Path) -> Result<(), Box<dyn Error>>,
) -> Result<PathBuf, Box<dyn Error>> {
    let version = blake3::hash(pinned).to_hex();
    let tools = tools::target_directory().join("tools");
    let finished = tools.join(format!("{name}-{}", &version[..12]));
    if finished.is_dir() {
        return Ok(finished);
    }
    eprintln!("installing {name}");
    fs::create_dir_all(&tools)?;
    // Whoever installs the same at the same time must not see half of it.
    let unfinished = tempfile::tempdir_in(&tools)?;
    fill(unfinished.path())?;
    if fs::rename(unfinished.path(), &finished).is_ok() {
        // Nothing is left to remove.
        let _ = unfinished.keep();
    }
    Ok(finished)
}

/// Runs a command, and says what it said when it fails.
pub(super) fn must(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{program} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
    .into())
}
