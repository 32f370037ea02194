//! What stands in the registry, and whether it runs.
//!
//! In: a builder with its registry. Out: repositories with their tags, and what an image says when runc runs it. Images are
//! read as any client would: through the registry's own protocol, from index to configuration.

use crate::builder::{Builder, Request};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

/// Repositories with their tags.
pub(super) type Tags = BTreeMap<String, BTreeSet<String>>;

#[derive(Deserialize)]
struct Catalog {
    repositories: Vec<String>,
}

#[derive(Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}

/// The repositories below a prefix, with their tags.
pub(super) fn tags(registry: &str, prefix: &str) -> Result<Tags, Box<dyn Error>> {
    let catalog: Catalog = serde_json::from_slice(&get(registry, "/v2/_catalog?n=1000")?)?;
    let mut found = Tags::new();
    for repository in catalog.repositories {
        if repository.starts_with(prefix) {
            let list = get(registry, &format!("/v2/{repository}/tags/list"))?;
            let list: TagList = serde_json::from_slice(&list)?;
            found.insert(
                repository,
                list.tags.unwrap_or_default().into_iter().collect(),
            );
        }
    }
    Ok(found)
}

fn get(registry: &str, path: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(exchange(registry, "GET", path, "", b"")?.1)
}

/// One question to the registry, and what it answers, head and body. By HTTP/1.0, so that the body has no parts.
fn exchange(
    registry: &str,
    method: &str,
    path: &str,
    kind: &str,
    body: &[u8],
) -> Result<(String, Vec<u8>), Box<dyn Error>> {
    let mut connection = TcpStream::connect(registry)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    let accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                  application/vnd.docker.distribution.manifest.list.v2+json, \
                  application/vnd.docker.distribution.manifest.v2+json, */*";
    write!(
        connection,
        "{method} {path} HTTP/1.0\r\nHost: {registry}\r\nAccept: {accept}\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )?;
    connection.write_all(body)?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or("the registry gave no answer")?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer).into_owned();
    let is_good = head
        .split(' ')
        .nth(1)
        .is_some_and(|status| status.starts_with('2'));
    if is_good {
        Ok((head, body))
    } else {
        Err(format!("the registry answers to {method} {path}: {head}").into())
    }
}

/// Puts an image with nothing in it under a tag, as if it had been built and pushed.
pub(super) fn put_empty_image(
    registry: &str,
    repository: &str,
    tag: &str,
) -> Result<(), Box<dyn Error>> {
    // The SHA-256 of `{}`.
    const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let uploads = format!("/v2/{repository}/blobs/uploads/");
    let (head, _) = exchange(registry, "POST", &uploads, "", b"")?;
    let location = head
        .lines()
        .find_map(|line| line.strip_prefix("Location: "))
        .ok_or("the registry names no place for an upload")?;
    let start = location.find("/v2/").ok_or("a strange place")?;
    let place = format!("{}&digest={EMPTY}", location[start..].trim());
    exchange(registry, "PUT", &place, "application/octet-stream", b"{}")?;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": EMPTY, "size": 2},
        "layers": [],
    });
    let place = format!("/v2/{repository}/manifests/{tag}");
    exchange(
        registry,
        "PUT",
        &place,
        kind,
        manifest.to_string().as_bytes(),
    )?;
    Ok(())
}

/// The configuration of an image for linux/amd64.
fn configuration(registry: &str, repository: &str, tag: &str) -> Result<Value, Box<dyn Error>> {
    let manifest = |reference: &str| -> Result<Value, Box<dyn Error>> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        Ok(serde_json::from_slice(&get(registry, &path)?)?)
    };
    let mut found = manifest(tag)?;
    if let Some(manifests) = found["manifests"].as_array() {
        let own = manifests
            .iter()
            .find(|entry| entry["platform"]["architecture"] == "amd64")
            .and_then(|entry| entry["digest"].as_str())
            .ok_or("the index has no image for linux/amd64")?
            .to_owned();
        found = manifest(&own)?;
    }
    let digest = found["config"]["digest"]
        .as_str()
        .ok_or("the manifest names no configuration")?;
    let blob = get(registry, &format!("/v2/{repository}/blobs/{digest}"))?;
    Ok(serde_json::from_slice(&blob)?)
}

/// An image unpacked beside what runc needs to run it, as its user, with its command.
struct Bundle {
    directory: tempfile::TempDir,
    name: String,
}

impl Bundle {
    fn new(builder: &Builder, repository: &str, tag: &str) -> Result<Self, Box<dyn Error>> {
        let registry = builder.registry();
        let configuration = configuration(registry, repository, tag)?;
        let directory = tempfile::tempdir()?;
        let context = directory.path().join("context");
        fs::create_dir(&context)?;
        fs::write(
            context.join("Dockerfile"),
            format!("FROM {registry}/{repository}:{tag} AS image\n"),
        )?;
        let request = Request::new(&context, &context, "image")
            .into_directory(&directory.path().join("rootfs"));
        builder.build(&request)?.or_failure()?;
        // buildctl makes it for its own user alone.
        fs::set_permissions(
            directory.path().join("rootfs"),
            fs::Permissions::from_mode(0o755),
        )?;
        let of_image = &configuration["config"];
        let words = |name: &str| of_image[name].as_array().cloned().unwrap_or_default();
        let arguments = [words("Entrypoint"), words("Cmd")].concat();
        let user = of_image["User"].as_str().unwrap_or_default();
        let (user, group) = user.split_once(':').unwrap_or((user, user));
        let document = json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": user.parse::<u32>()?, "gid": group.parse::<u32>()?},
                "args": arguments,
                "env": words("Env"),
                "cwd": of_image["WorkingDir"].as_str().filter(|path| !path.is_empty()).unwrap_or("/"),
                "noNewPrivileges": true,
            },
            "root": {"path": "rootfs", "readonly": true},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {"namespaces": [
                {"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"},
            ]},
        });
        fs::write(directory.path().join("config.json"), document.to_string())?;
        let unique = directory
            .path()
            .file_name()
            .ok_or("a folder without a name")?
            .to_string_lossy()
            .replace('.', "rebake-");
        Ok(Self {
            directory,
            name: unique,
        })
    }

    fn runc(&self) -> Command {
        let mut command = Command::new("runc");
        command
            .arg("--root")
            .arg(self.directory.path().join("runc"))
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            );
        command
    }

    fn bundle(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        // What has ended needs no end.
        let _ = self.runc().args(["delete", "--force", &self.name]).output();
    }
}

/// Runs an image that ends by itself, and gives what it said.
pub(super) fn run(
    builder: &Builder,
    repository: &str,
    tag: &str,
) -> Result<String, Box<dyn Error>> {
    let bundle = Bundle::new(builder, repository, tag)?;
    let output = bundle
        .runc()
        .args(["run", "--bundle"])
        .arg(bundle.bundle())
        .arg(&bundle.name)
        .output()?;
    Ok(format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// Runs an image that serves, and gives what it answers at an address of its own loopback.
pub(super) fn ask(
    builder: &Builder,
    repository: &str,
    tag: &str,
    address: &str,
) -> Result<String, Box<dyn Error>> {
    let bundle = Bundle::new(builder, repository, tag)?;
    let id = bundle.bundle().join("id");
    let log = fs::File::create(bundle.bundle().join("log"))?;
    let status = bundle
        .runc()
        .args(["run", "--detach", "--pid-file"])
        .arg(&id)
        .arg("--bundle")
        .arg(bundle.bundle())
        .arg(&bundle.name)
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()?;
    let said = || fs::read_to_string(bundle.bundle().join("log")).unwrap_or_default();
    if !status.success() {
        return Err(format!("runc does not run {repository}:{tag}: {}", said()).into());
    }
    let id = fs::read_to_string(&id)?;
    for _ in 0..100 {
        let answer = Command::new("nsenter")
            .arg(format!("--net=/proc/{}/ns/net", id.trim()))
            .args(["busybox", "wget", "-q", "-O", "-", address])
            .output()?;
        if answer.status.success() {
            return Ok(String::from_utf8_lossy(&answer.stdout).into_owned());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(format!(
        "{repository}:{tag} does not answer at {address}: {}",
        said()
    )
    .into())
}
