//! A registry on a port of its own.
//!
//! In: nothing. Out: a [`Registry`] that serves until it is dropped, from a copy of a folder.

use super::{Daemon, install::copy};
use std::{
    error::Error,
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

/// A running registry.
pub(crate) struct Registry {
    // Dropped in this order: the daemon before its folder.
    _daemon: Daemon,
    directory: tempfile::TempDir,
    address: String,
}

/// The name of the storage in the registry's folder.
const STORAGE: &str = "registry";

/// How often another port is tried when somebody else took the first.
const MOST_ATTEMPTS: usize = 5;

impl Registry {
    /// Starts with what another registry left behind.
    pub(super) fn start(storage: &Path) -> Result<Self, Box<dyn Error>> {
        let mut attempt = 1;
        loop {
            match Self::start_once(storage) {
                Err(_) if attempt < MOST_ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    fn start_once(storage: &Path) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        copy(storage, &directory.path().join(STORAGE))?;
        let at = |name: &str| directory.path().join(name);
        let address = free_address()?;
        fs::write(
            at("registry.yml"),
            format!(
                "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
                 http: {{addr: {address}}}\nlog: {{level: error}}\n",
                at(STORAGE).display()
            ),
        )?;
        let mut daemon = Daemon::spawn(
            Command::new("docker-registry")
                .arg("serve")
                .arg(at("registry.yml")),
            &at("registry.log"),
        )?;
        for _ in 0..200 {
            if daemon.has_ended() {
                break;
            }
            if TcpStream::connect(&address).is_ok() {
                return Ok(Self {
                    _daemon: daemon,
                    directory,
                    address,
                });
            }
            thread::sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(at("registry.log"))?;
        Err(format!("the registry does not answer:\n{log}").into())
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The digest that a tag stands for.
    pub(crate) fn digest(&self, name: &str, tag: &str) -> Result<String, Box<dyn Error>> {
        let link = format!("repositories/{name}/_manifests/tags/{tag}/current/link");
        let digest = fs::read_to_string(self.files().join(link))?;
        Ok(digest.trim().to_owned())
    }

    /// A manifest, an index or a configuration by its digest.
    pub(crate) fn document(&self, digest: &str) -> Result<serde_json::Value, Box<dyn Error>> {
        let hex = digest.trim_start_matches("sha256:");
        let prefix = hex.get(..2).ok_or("no digest")?;
        let blob = format!("blobs/sha256/{prefix}/{hex}/data");
        Ok(serde_json::from_slice(&fs::read(self.files().join(blob))?)?)
    }

    /// Where the registry keeps what was pushed.
    fn files(&self) -> PathBuf {
        self.storage().join("docker/registry/v2")
    }

    /// The folder with everything that was pushed.
    pub(crate) fn storage(&self) -> PathBuf {
        self.directory.path().join(STORAGE)
    }
}

/// An address on loopback that nobody listens on.
pub(crate) fn free_address() -> std::io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.to_string())
}
