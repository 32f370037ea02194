//! A registry on a port of its own.
//!
//! In: nothing. Out: a [`Registry`] that serves until it is dropped, from an empty folder.

use super::Daemon;
use std::{
    error::Error,
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

/// A running registry.
pub(crate) struct Registry {
    // Dropped in this order: the daemon before its folder.
    _daemon: Daemon,
    _directory: tempfile::TempDir,
    address: String,
}

/// How often another port is tried when somebody else took the first.
const MOST_ATTEMPTS: usize = 5;

impl Registry {
    pub(super) fn start() -> Result<Self, Box<dyn Error>> {
        let mut attempt = 1;
        loop {
            match Self::start_once() {
                Err(_) if attempt < MOST_ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    fn start_once() -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let at = |name: &str| directory.path().join(name);
        let address = free_address()?;
        fs::write(
            at("registry.yml"),
            format!(
                "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
                 http: {{addr: {address}}}\nlog: {{level: error}}\n",
                at("registry").display()
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
                    _directory: directory,
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
}

/// An address on loopback that nobody listens on.
pub(crate) fn free_address() -> std::io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.to_string())
}
