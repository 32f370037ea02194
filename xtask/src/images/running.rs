//! Whether images run as they should.
//!
//! In: a program that says what it finds. Out: what is wrong, for every runtime image: the program runs from the image's
//! root file system, by runc, as the user and with the entry point of the image; it is nobody's root, loads a time zone, and
//! completes a TLS handshake with a server whose certificate only the image's own certificates vouch for. The image for
//! debugging has a shell and a debugger, and the image for arm64 a binary for arm64.

use super::checkout::{Checkout, Selection, Source};
use crate::builder::{Builder, Request, Toolchain, run as run_command, which};
use rebake_fixtures::Case;
use std::{
    error::Error,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

const PROGRAM: &str = include_str!("running/program.txtar");

/// A program that compiles quickly.
const SMALL_PROGRAM: &str = "title: Nothing\n-- go.mod --\nmodule ex.com/m\n\ngo 1.22\n\
                             -- main.go --\npackage main\n\nfunc main() {}\n";

/// The Go image that trusts the program's certificate.
const GO_IMAGE: &str = "golang:trusting";

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The runtime images.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "distroless-static,scratch,alpine"
    )]
    runtime: Vec<String>,
    /// Leave out the images for debugging, whose debugger takes minutes to compile.
    #[arg(long)]
    no_debug: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let builder = Builder::start_with(Toolchain::Warm)?;
    let runtimes: Vec<&str> = arguments.runtime.iter().map(String::as_str).collect();
    check_all(&builder, &runtimes, !arguments.no_debug)
}

/// Runs the program on these runtime images, and in their images for debugging where that is wanted.
pub(super) fn check_all(
    builder: &Builder,
    runtimes: &[&str],
    debug: bool,
) -> Result<bool, Box<dyn Error>> {
    let certificate = Certificate::new()?;
    let static_image = trusting_images(builder, &certificate)?;
    let mut faults = 0;
    for runtime in runtimes {
        let image = if *runtime == "distroless-static" {
            static_image.as_str()
        } else {
            runtime
        };
        let checkout = prepared(&certificate, image)?;
        let name = format!("{runtime}, final");
        faults += check_program(builder, &checkout, &name, "final")?;
        if debug {
            faults += check_debug(builder, &checkout, &format!("{runtime}, debug"))?;
        }
    }
    faults += check_arm(builder)?;
    println!("{} runtime images: {faults} faults", runtimes.len());
    Ok(faults == 0)
}

/// A certificate that nobody trusts who was not told to.
struct Certificate(tempfile::TempDir);

impl Certificate {
    fn new() -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let root = Command::new("go").args(["env", "GOROOT"]).output()?;
        let root = PathBuf::from(String::from_utf8(root.stdout)?.trim());
        run_command(
            Command::new("go")
                .arg("run")
                .arg(root.join("src/crypto/tls/generate_cert.go"))
                .args(["--host", "127.0.0.1", "--ca"])
                .current_dir(directory.path())
                .env("GOFLAGS", "")
                .env("GOWORK", "off"),
        )?;
        Ok(Self(directory))
    }
}

/// A Go image and a distroless image with one more trusted certificate; tells the name of the latter.
fn trusting_images(builder: &Builder, certificate: &Certificate) -> Result<String, Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let bundle = format!(
        "{}\n{}",
        fs::read_to_string("/etc/ssl/certs/ca-certificates.crt")?,
        fs::read_to_string(certificate.0.path().join("cert.pem"))?
    );
    fs::write(scratch.path().join("bundle"), bundle)?;
    let release = crate::tools::GO_RELEASE;
    let copy = "COPY bundle /etc/ssl/certs/ca-certificates.crt";
    fs::write(
        scratch.path().join("Dockerfile"),
        format!(
            "FROM golang:{release} AS golang\n{copy}\n\
             FROM gcr.io/distroless/static-debian13:nonroot AS static\n{copy}\n"
        ),
    )?;
    let registry = builder.registry();
    for (target, name) in [
        ("golang", format!("library/{GO_IMAGE}")),
        ("static", "trusting/static:nonroot".to_owned()),
    ] {
        let request = Request::new(scratch.path(), scratch.path(), target).argument(
            "--output",
            &format!("type=image,name={registry}/{name},push=true"),
        );
        builder.build(&request)?.or_failure()?;
    }
    Ok(format!("{registry}/trusting/static:nonroot"))
}

fn prepared(certificate: &Certificate, runtime: &str) -> Result<Checkout, Box<dyn Error>> {
    let case = Case::parse("running", "program", PROGRAM)?;
    let config = format!("go-image = {GO_IMAGE:?}\nruntime = {runtime:?}\n");
    let selection = Selection::of_service("probe", &config);
    let mut checkout = selection.prepare(&Source::Case(Box::new(case)))?;
    for name in ["cert.pem", "key.pem"] {
        let to = checkout.root.join("services/probe").join(name);
        fs::copy(certificate.0.path().join(name), to)?;
    }
    checkout.plan_again()?;
    if checkout.builds.is_empty() {
        return Err(format!("the program has no build: {:?}", checkout.plan.diagnostics).into());
    }
    Ok(checkout)
}

fn check_program(
    builder: &Builder,
    checkout: &Checkout,
    name: &str,
    target: &str,
) -> Result<usize, Box<dyn Error>> {
    let bundle = Bundle::new(builder, checkout, target)?;
    let said = bundle.run(None)?;
    let mut faults = 0;
    for expected in [
        "user 65532\n",
        "name nonroot\n",
        "zone Europe/Berlin <nil>\n",
        "tls 404 Not Found\n",
        "written <nil>\n",
    ] {
        if !said.contains(expected) {
            faults += 1;
            println!("{name}: not {:?} but:\n{said}", expected.trim_end());
        }
    }
    println!("{name}: ran, {faults} faults");
    Ok(faults)
}

fn check_debug(
    builder: &Builder,
    checkout: &Checkout,
    name: &str,
) -> Result<usize, Box<dyn Error>> {
    let bundle = Bundle::new(builder, checkout, "debug")?;
    let said = bundle.run(Some(&["sh", "-c", "echo shell; dlv version"]))?;
    let is_well = said.contains("shell\n") && said.contains("Delve Debugger");
    println!("{name}: {said}");
    Ok(usize::from(!is_well))
}

/// The number of arm64 in the header of an ELF file.
///
/// Source: elf(5), `e_machine` at byte 18.
const ARM64: [u8; 2] = [0xb7, 0];

fn check_arm(builder: &Builder) -> Result<usize, Box<dyn Error>> {
    let selection = Selection::of_service("", "runtime = \"scratch\"\n");
    let case = Case::parse("running", "arm64", SMALL_PROGRAM)?;
    let checkout = selection.prepare(&Source::Case(Box::new(case)))?;
    let build = checkout.builds.first().ok_or("no build")?;
    let output = checkout.scratch.path().join("arm64");
    let request = checkout
        .request(build, "final")
        .option("platform", "linux/arm64")
        .into_directory(&output);
    builder.build(&request)?.or_failure()?;
    let binary = fs::read(output.join("usr/local/bin").join(build.service.as_str()))?;
    let is_well = binary.get(18..20) == Some(&ARM64);
    println!(
        "arm64: {}",
        if is_well {
            "an arm64 binary"
        } else {
            "ANOTHER binary"
        }
    );
    Ok(usize::from(!is_well))
}

/// An image as runc runs it.
struct Bundle {
    directory: tempfile::TempDir,
    config: serde_json::Value,
}

impl Bundle {
    fn new(builder: &Builder, checkout: &Checkout, target: &str) -> Result<Self, Box<dyn Error>> {
        let build = checkout.builds.first().ok_or("no build")?;
        let directory = tempfile::tempdir()?;
        // The image's user must get to its files.
        let mut everyone = fs::metadata(directory.path())?.permissions();
        everyone.set_mode(0o755);
        fs::set_permissions(directory.path(), everyone.clone())?;
        let image = directory.path().join("image");
        let request = checkout
            .request(build, target)
            .into_directory(&directory.path().join("rootfs"))
            .argument(
                "--output",
                &format!("type=oci,tar=false,dest={}", image.display()),
            );
        builder.build(&request)?.or_failure()?;
        // The exporter keeps the modes of the image but for its root.
        fs::set_permissions(directory.path().join("rootfs"), everyone)?;
        let blob = |digest: &serde_json::Value| -> Result<serde_json::Value, Box<dyn Error>> {
            let digest = digest["digest"].as_str().ok_or("no digest")?;
            let path = image.join("blobs").join(digest.replace(':', "/"));
            Ok(serde_json::from_slice(&fs::read(path)?)?)
        };
        let index: serde_json::Value =
            serde_json::from_slice(&fs::read(image.join("index.json"))?)?;
        let manifest = blob(&index["manifests"][0])?;
        let config = blob(&manifest["config"])?;
        Ok(Self { directory, config })
    }

    /// Runs the image's entry point, or another command, and tells what it said.
    fn run(&self, command: Option<&[&str]>) -> Result<String, Box<dyn Error>> {
        let image = &self.config["config"];
        let user = image["User"].as_str().unwrap_or_default();
        let (user, group) = user.split_once(':').ok_or("the image names no user")?;
        let arguments = match command {
            None => image["Entrypoint"].clone(),
            Some(command) => serde_json::json!(command),
        };
        let directory = image["WorkingDir"].as_str().filter(|path| !path.is_empty());
        let namespaces =
            ["pid", "mount", "ipc", "uts"].map(|name| serde_json::json!({"type": name}));
        let config = serde_json::json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": user.parse::<u32>()?, "gid": group.parse::<u32>()?},
                "args": arguments,
                "env": image["Env"],
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
        let state = self.directory.path().join("state");
        let name = self
            .directory
            .path()
            .file_name()
            .ok_or("no name")?
            .to_string_lossy()
            .replace('.', "c");
        let output = Command::new(which("runc")?)
            .arg("--root")
            .arg(state)
            .args(["run", "--bundle"])
            .arg(Path::new(self.directory.path()))
            .arg(name)
            .stdin(std::process::Stdio::null())
            .output()?;
        Ok(format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}
