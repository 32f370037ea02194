//! An image as runc runs it.
//!
//! In: a service of a checkout, and a target of its Dockerfile. Out: what the image's program says, run from the image's root
//! file system as the image's user, without a network but its own loopback; and whether that program began at all.

use super::checkout::Checkout;
use crate::builder::{Request, which};
use rebake_planner::emit::ServiceBuild;
use std::{
    error::Error,
    fs,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The place of an image, as runc wants it.
pub(super) struct Bundle {
    directory: tempfile::TempDir,
}

/// What became of a program that ran for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Go's runtime began in it, and it ended by itself.
    Ended,
    /// Go's runtime began in it, and it ran until it was ended.
    Stayed,
}

/// What has every Go program say on stderr what it initialises: nothing else tells a program that gives up at once from one
/// that the kernel could not start.
///
/// Source: package runtime, "Environment Variables", `inittrace`.
const TRACE: &str = "GODEBUG=inittrace=1";

/// What that says of the first package that any program initialises.
const BEGUN: &str = "init runtime @";

/// How long a program may run that does not end by itself, how long it may take to begin, and how often it is looked at.
const MOMENT: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// How much of what a program says is read: a service without its settings may say the same for ever.
const SAID: u64 = 1 << 20;

impl Bundle {
    pub(super) fn new() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            directory: tempfile::tempdir()?,
        })
    }

    /// Has a build write its image here.
    pub(super) fn request(
        &self,
        checkout: &Checkout,
        build: &ServiceBuild,
        target: &str,
    ) -> Request {
        checkout
            .request(build, target)
            .into_directory(&self.root())
            .argument(
                "--output",
                &format!("type=oci,tar=false,dest={}", self.image().display()),
            )
    }

    /// The image's root file system.
    pub(super) fn root(&self) -> PathBuf {
        self.directory.path().join("rootfs")
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    /// Runs the image's entry point, or another command, and tells what it said.
    pub(super) fn run(&self, command: Option<&[&str]>) -> Result<String, Box<dyn Error>> {
        let output = self.runc(command, &[])?.output()?;
        Ok(format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    }

    /// Runs the image's entry point for a moment. What it said is the error when no Go program began.
    pub(super) fn start(&self) -> Result<Start, Box<dyn Error>> {
        let path = self.directory.path().join("said");
        let said = fs::File::create(&path)?;
        let mut child = self
            .runc(None, &[TRACE])?
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        let began = || -> Result<bool, Box<dyn Error>> { Ok(read(&path)?.contains(BEGUN)) };
        let mut end = Instant::now() + PATIENCE;
        let mut has_begun = false;
        let mut start = Start::Ended;
        while child.try_wait()?.is_none() {
            if !has_begun && began()? {
                has_begun = true;
                end = Instant::now() + MOMENT;
            }
            if Instant::now() > end {
                start = Start::Stayed;
                // One that has just ended by itself needs no end.
                let name = self.name()?;
                let mut kill = self.runc_itself()?;
                kill.args(["kill", &name, "KILL"]).output()?;
            }
            thread::sleep(LOOK);
        }
        if has_begun || began()? {
            return Ok(start);
        }
        let said = read(&path)?;
        Err(format!("no Go program began in the image, but:\n{said}").into())
    }

    /// runc, with what it must know of the image.
    fn runc(
        &self,
        command: Option<&[&str]>,
        environment: &[&str],
    ) -> Result<Command, Box<dyn Error>> {
        // The image's user must get to its files: the exporter keeps the modes of the image but for its root.
        for directory in [self.directory.path(), &self.root()] {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
        }
        let config = self.config()?;
        let image = &config["config"];
        let user = image["User"].as_str().unwrap_or_default();
        let (user, group) = user.split_once(':').ok_or("the image names no user")?;
        let arguments = match command {
            None => image["Entrypoint"].clone(),
            Some(command) => serde_json::json!(command),
        };
        let variables = image["Env"].as_array().into_iter().flatten().cloned();
        let variables: Vec<serde_json::Value> = variables
            .chain(environment.iter().map(|one| serde_json::json!(one)))
            .collect();
        let directory = image["WorkingDir"].as_str().filter(|path| !path.is_empty());
        let namespaces =
            ["pid", "mount", "ipc", "uts", "network"].map(|name| serde_json::json!({"type": name}));
        let config = serde_json::json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": user.parse::<u32>()?, "gid": group.parse::<u32>()?},
                "args": arguments,
                "env": variables,
                "cwd": directory.unwrap_or("/"),
                "noNewPrivileges": true,
            },
            "root": {"path": "rootfs"},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {"namespaces": namespaces},
        });
        fs::write(
            self.directory.path().join("config.json"),
            config.to_string(),
        )?;
        let mut runc = self.runc_itself()?;
        runc.args(["run", "--bundle"])
            .arg(self.directory.path())
            .arg(self.name()?)
            .stdin(Stdio::null());
        Ok(runc)
    }

    /// The container's name, which is that of its control group too: another than all others at this time have.
    fn name(&self) -> Result<String, Box<dyn Error>> {
        let name = self.directory.path().file_name().ok_or("no name")?;
        Ok(name.to_string_lossy().replace('.', "c"))
    }

    /// runc with a place of its own for what it remembers.
    fn runc_itself(&self) -> Result<Command, Box<dyn Error>> {
        let mut runc = Command::new(which("runc")?);
        runc.arg("--root").arg(self.directory.path().join("state"));
        Ok(runc)
    }

    /// The image's configuration.
    fn config(&self) -> Result<serde_json::Value, Box<dyn Error>> {
        let image = self.image();
        let blob = |digest: &serde_json::Value| -> Result<serde_json::Value, Box<dyn Error>> {
            let digest = digest["digest"].as_str().ok_or("no digest")?;
            let path = image.join("blobs").join(digest.replace(':', "/"));
            Ok(serde_json::from_slice(&fs::read(path)?)?)
        };
        let index: serde_json::Value =
            serde_json::from_slice(&fs::read(image.join("index.json"))?)?;
        let manifest = blob(&index["manifests"][0])?;
        blob(&manifest["config"])
    }
}

/// The beginning of what a program said.
fn read(path: &Path) -> Result<String, Box<dyn Error>> {
    let mut said = Vec::new();
    fs::File::open(path)?.take(SAID).read_to_end(&mut said)?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}
