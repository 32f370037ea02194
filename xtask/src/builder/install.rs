//! What a builder is made of.
//!
//! In: nothing. Out: paths of programs. BuildKit and buildx are built from the module proxy, at the versions that the
//! modules below `xtask/builder` pin; runc, the registry and busybox come from the system's packages.

use super::run;
use crate::tools;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const SYSTEM_PACKAGES: [(&str, &str); 6] = [
    ("gcc", "gcc"),
    ("g++", "g++"),
    ("runc", "runc"),
    ("docker-registry", "docker-registry"),
    ("busybox", "busybox-static"),
    ("setpriv", "util-linux"),
];

/// Where Debian puts programs for the system, which not every search path names.
const SYSTEM_PROGRAMS: &str = "/usr/sbin";

/// Where a program is.
pub(crate) fn which(program: &str) -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from(SYSTEM_PROGRAMS)])
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("there is no {program}").into())
}

/// Installs what is missing of the system's packages.
pub(super) fn system_packages() -> Result<(), Box<dyn Error>> {
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

/// The directory of buildkitd and buildctl.
pub(super) fn buildkit() -> Result<PathBuf, Box<dyn Error>> {
    built(
        "buildkit",
        "buildkit",
        &[
            "github.com/moby/buildkit/cmd/buildkitd",
            "github.com/moby/buildkit/cmd/buildctl",
        ],
    )
}

/// The directory of buildx.
pub(super) fn buildx() -> Result<PathBuf, Box<dyn Error>> {
    built("buildx", "buildx", &["github.com/docker/buildx/cmd/buildx"])
}

/// The path of the program that lists what an ignore file lets through, as BuildKit's clients see it.
pub(crate) fn context_lister() -> Result<PathBuf, Box<dyn Error>> {
    let directory = built("buildkit", "context", &["./context"])?;
    Ok(directory.join("context"))
}

/// The directory with programs of one of the modules below `xtask/builder`, built once a version.
fn built(module: &str, name: &str, packages: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    let module = tools::workspace().join("xtask/builder").join(module);
    let mut version = blake3::Hasher::new();
    version.update(&fs::read(module.join("go.sum"))?);
    for package in packages {
        if let Some(own) = package.strip_prefix("./") {
            version.update(&fs::read(module.join(own).join("main.go"))?);
        }
    }
    let version = version.finalize().to_hex();
    let tools = tools::target_directory().join("tools");
    let finished = tools.join(format!("{name}-{}", &version[..12]));
    if finished.is_dir() {
        return Ok(finished);
    }
    eprintln!("building {name}");
    fs::create_dir_all(&tools)?;
    // Whoever builds the same at the same time must not see half of it.
    let unfinished = tempfile::tempdir_in(&tools)?;
    run(Command::new("go")
        .args(["build", "-mod=readonly", "-o"])
        .arg(with_slash(unfinished.path()))
        .args(packages)
        .current_dir(module)
        .env("GOWORK", "off")
        .env("GOFLAGS", "")
        .env("CGO_ENABLED", "0"))?;
    if fs::rename(unfinished.path(), &finished).is_ok() {
        // Nothing is left to remove.
        let _ = unfinished.keep();
    }
    Ok(finished)
}

/// `go build` takes a path that ends so for a directory.
fn with_slash(directory: &Path) -> String {
    format!("{}/", directory.display())
}

/// Copies a directory, with all that it holds as it is.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    run(Command::new("cp").args(["-a", "--"]).arg(from).arg(to))
}
