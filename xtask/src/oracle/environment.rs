//! How the `go` command is run: with stated settings, and none of the caller's.
//!
//! In: where third-party modules may come from. Out: commands whose environment is complete.
//!
//! Source: cmd/go/internal/cfg (`cfg.go`), internal/buildcfg (`cfg.go`).

use super::{Attempt, Cgo, Context, Network, OracleError};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// The settings that all commands share.
pub(super) struct Environment {
    network: Network,
    /// Holds nothing, so that no third-party module is found by chance.
    empty_module_cache: TempDir,
    /// Where the toolchain itself lies: messages name it.
    toolchain: String,
    /// What the machine itself would use, `direct` left out: it would try version control.
    machine: Option<MachineProxy>,
}

struct MachineProxy {
    proxies: String,
    module_cache: PathBuf,
}

impl Environment {
    pub(super) fn new(network: &Network) -> Result<Self, OracleError> {
        let empty_module_cache =
            tempfile::tempdir().map_err(OracleError::io(Path::new("a temporary directory")))?;
        let machine = match network {
            Network::Proxy => Some(MachineProxy::new()?),
            Network::Off | Network::Directory(_) => None,
        };
        let [toolchain] = go_env(["GOROOT"])?;
        Ok(Self {
            network: network.clone(),
            empty_module_cache,
            toolchain,
            machine,
        })
    }

    /// Messages name paths; neither the checkout's place nor the toolchain's is part of an answer. A long message is
    /// cut to four lines, in one.
    pub(super) fn without_places(&self, text: &str, root: &Path) -> String {
        let root = root.display().to_string();
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("go: downloading "))
            .take(4)
            .collect();
        lines
            .join(" | ")
            .replace(&format!("{root}/"), "")
            .replace(&root, ".")
            .replace(&self.toolchain, "$GOROOT")
    }

    /// The module cache of an attempt: files below it are third-party.
    pub(super) fn module_cache(&self, attempt: Attempt) -> &Path {
        match (attempt, &self.machine) {
            (Attempt::Proxy | Attempt::ProxyUpdatingGoMod, Some(machine)) => &machine.module_cache,
            _ => self.empty_module_cache.path(),
        }
    }

    /// The attempts that are worth making, in order.
    pub(super) fn attempts(&self) -> &'static [Attempt] {
        match self.network {
            Network::Off => &[Attempt::Offline],
            Network::Directory(_) => &[Attempt::Proxy],
            Network::Proxy => &[
                Attempt::Offline,
                Attempt::Proxy,
                Attempt::ProxyUpdatingGoMod,
            ],
        }
    }

    /// A `go` command in a directory, with nothing of the caller's Go settings.
    pub(super) fn go(&self, directory: &Path, attempt: Attempt) -> Command {
        let mut command = clean_go();
        let proxies = match (attempt, &self.network, &self.machine) {
            (Attempt::Offline, _, _) | (_, Network::Off, _) => "off".to_owned(),
            (_, Network::Directory(proxy), _) => format!("file://{}", proxy.display()),
            (_, Network::Proxy, machine) => machine
                .as_ref()
                .map_or_else(|| "off".to_owned(), |machine| machine.proxies.clone()),
        };
        // A module cache that is thrown away must be writable.
        let flags = match self.network {
            Network::Directory(_) => "-modcacherw",
            Network::Off | Network::Proxy => "",
        };
        command
            .current_dir(directory)
            // The toolchain trusts PWD for the path it reports, so that it must be the same directory.
            .env("PWD", directory)
            .env("GOENV", "off")
            .env("GOFLAGS", flags)
            .env("GOPROXY", proxies)
            .env("GOSUMDB", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOTELEMETRY", "off")
            .env("GOMODCACHE", self.module_cache(attempt));
        command
    }
}

/// Adds what a context decides.
pub(super) fn set_context(command: &mut Command, context: &Context) {
    let mut parts = context.platform.split('/');
    let os = parts.next().unwrap_or_default();
    let architecture = parts.next().unwrap_or_default();
    let cgo = match context.cgo {
        Cgo::Off => "0",
        Cgo::On => "1",
    };
    command
        .env("GOOS", os)
        .env("GOARCH", architecture)
        .env("CGO_ENABLED", cgo);
    if let Some(level) = parts.next() {
        let (variable, value) = match architecture {
            "amd64" => ("GOAMD64", level),
            "arm" => ("GOARM", level.trim_start_matches('v')),
            "arm64" => ("GOARM64", level),
            "386" => ("GO386", level),
            "ppc64" | "ppc64le" => ("GOPPC64", level),
            "riscv64" => ("GORISCV64", level),
            "wasm" => ("GOWASM", level),
            _ => ("GOMIPS", level),
        };
        command.env(variable, value);
    }
}

impl MachineProxy {
    fn new() -> Result<Self, OracleError> {
        let [proxies, module_cache] = go_env(["GOPROXY", "GOMODCACHE"])?;
        let proxies: Vec<&str> = proxies
            .split([',', '|'])
            .filter(|proxy| *proxy != "direct")
            .collect();
        Ok(Self {
            proxies: if proxies.is_empty() {
                "off".to_owned()
            } else {
                proxies.join(",")
            },
            module_cache: PathBuf::from(module_cache),
        })
    }
}

/// The machine's own values, one a variable.
fn go_env<const COUNT: usize>(names: [&str; COUNT]) -> Result<[String; COUNT], OracleError> {
    let failure = |reason: String| OracleError::Go {
        arguments: format!("env {}", names.join(" ")),
        reason,
    };
    let output = clean_go()
        .arg("env")
        .args(names)
        .output()
        .map_err(|error| failure(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let values: Vec<String> = text.lines().map(str::to_owned).collect();
    values
        .try_into()
        .map_err(|_| failure("it did not print one line for each".to_owned()))
}

/// `go` without any variable that changes what it does.
fn clean_go() -> Command {
    let mut command = Command::new("go");
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let changes_go = text.starts_with("GO") || text.starts_with("CGO_");
        if changes_go || matches!(text, "CC" | "CXX" | "FC" | "AR" | "PKG_CONFIG") {
            command.env_remove(&name);
        }
    }
    command
}
