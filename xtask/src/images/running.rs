//! Whether images run as they should.
//!
//! In: a program that says what it finds. Out: what is wrong, for every runtime image: the program runs from the image's
//! root file system, by runc, as the user and with the entry point of the image; it is nobody's root, loads a time zone, and
//! completes a TLS handshake with a server whose certificate only the image's own certificates vouch for. The image for
//! debugging has a shell and a debugger, and the image for arm64 a binary for arm64.

use super::{
    bundle::Bundle,
    checkout::{Checkout, Selection, Source},
};
use crate::builder::{Builder, Request, Toolchain, run as run_command};
use rebake_fixtures::Case;
use std::{error::Error, fmt::Write as _, fs, path::PathBuf, process::Command};

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
        default_value = "distroless-static,distroless-base,scratch,alpine"
    )]
    runtime: Vec<String>,
    /// Leave out the images for debugging, whose debugger takes minutes to compile.
    #[arg(long)]
    no_debug: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let builder = Builder::start_with(Toolchain::Warm)?;
    let runtimes: Vec<&str> = arguments.runtime.iter().map(String::as_str).collect();
    let debug: &[&str] = if arguments.no_debug { &[] } else { &runtimes };
    let is_well = check_all(&builder, &runtimes, debug)?;
    Ok(check_cgo(&builder.fresh_with(Toolchain::Cgo)?)? && is_well)
}

/// Runs the program on these runtime images, and those of them for debugging that are wanted.
pub(super) fn check_all(
    builder: &Builder,
    runtimes: &[&str],
    debug: &[&str],
) -> Result<bool, Box<dyn Error>> {
    let certificate = Certificate::new()?;
    make_images_trust(builder, &certificate)?;
    // The first has seen other images of these names.
    let builder = &builder.fresh()?;
    let mut faults = 0;
    for runtime in runtimes {
        let checkout = prepared(&certificate, runtime)?;
        let name = format!("{runtime}, final");
        faults += check_program(builder, &checkout, &name, "final")?;
        if debug.contains(runtime) {
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

/// The images that bring their certificates along, and how this registry names them.
const TRUSTING: [(&str, &str, &str); 6] = [
    ("golang", "golang", "library/golang:trusting"),
    ("alpine", "alpine:3.22", "library/alpine:3.22"),
    (
        "static",
        "gcr.io/distroless/static-debian13:nonroot",
        "distroless/static-debian13:nonroot",
    ),
    (
        "static-debug",
        "gcr.io/distroless/static-debian13:debug-nonroot",
        "distroless/static-debian13:debug-nonroot",
    ),
    (
        "base",
        "gcr.io/distroless/base-debian13:nonroot",
        "distroless/base-debian13:nonroot",
    ),
    (
        "base-debug",
        "gcr.io/distroless/base-debian13:debug-nonroot",
        "distroless/base-debian13:debug-nonroot",
    ),
];

/// Has all of them trust one more certificate, in this registry.
fn make_images_trust(builder: &Builder, certificate: &Certificate) -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let bundle = format!(
        "{}\n{}",
        fs::read_to_string("/etc/ssl/certs/ca-certificates.crt")?,
        fs::read_to_string(certificate.0.path().join("cert.pem"))?
    );
    fs::write(scratch.path().join("bundle"), bundle)?;
    let mut dockerfile = String::new();
    let release = crate::tools::GO_RELEASE;
    for (stage, image, _) in TRUSTING {
        let tag = if image.contains(':') {
            String::new()
        } else {
            format!(":{release}")
        };
        let _ = writeln!(
            dockerfile,
            "FROM {image}{tag} AS {stage}\nCOPY bundle /etc/ssl/certs/ca-certificates.crt"
        );
    }
    fs::write(scratch.path().join("Dockerfile"), dockerfile)?;
    for (stage, _, name) in TRUSTING {
        let name = format!("{}/{name}", builder.registry());
        let request = Request::new(scratch.path(), scratch.path(), stage)
            .argument("--output", &format!("type=image,name={name},push=true"));
        builder.build(&request)?.or_failure()?;
    }
    Ok(())
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

/// An image of the only service.
fn bundle_of_first(
    builder: &Builder,
    checkout: &Checkout,
    target: &str,
) -> Result<Bundle, Box<dyn Error>> {
    let build = checkout.builds.first().ok_or("no build")?;
    let bundle = Bundle::new()?;
    builder
        .build(&bundle.request(checkout, build, target))?
        .or_failure()?;
    Ok(bundle)
}

fn check_program(
    builder: &Builder,
    checkout: &Checkout,
    name: &str,
    target: &str,
) -> Result<usize, Box<dyn Error>> {
    let said = bundle_of_first(builder, checkout, target)?.run(None)?;
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
    let bundle = bundle_of_first(builder, checkout, "debug")?;
    let build = checkout.builds.first().ok_or("no build")?;
    let program = format!("/usr/local/bin/{}", build.service);
    let commands = format!(
        "id -u; printf 'break main.main\\ncontinue\\nexit\\n' > /tmp/commands; \
         dlv exec {program} --init /tmp/commands --allow-non-terminal-interactive=true"
    );
    let said = bundle.run(Some(&["sh", "-c", &commands]))?;
    let mut faults = 0;
    for expected in ["65532\n", "> [Breakpoint 1] main.main() ", "main.go:"] {
        if !said.contains(expected) {
            faults += 1;
            println!("{name}: not {:?} but:\n{said}", expected.trim_end());
        }
    }
    println!("{name}: shell and debugger, {faults} faults");
    Ok(faults)
}

/// A program that needs a C library and what that reads.
const C_PROGRAM: &str = include_str!("running/c-program.txtar");

/// Runs a program with C code from its image, and asks for it on a platform that has no C toolchain here.
pub(super) fn check_cgo(builder: &Builder) -> Result<bool, Box<dyn Error>> {
    let case = Case::parse("running", "c-program", C_PROGRAM)?;
    let selection = Selection::of_service("", "runtime = \"distroless-base\"\ncgo = true\n");
    let checkout = selection.prepare(&Source::Case(Box::new(case)))?;
    let said = bundle_of_first(builder, &checkout, "final")?.run(None)?;
    let mut faults = 0;
    for expected in ["C says 42\n", "user 65532\n", "name nonroot\n"] {
        if !said.contains(expected) {
            faults += 1;
            println!("cgo: not {:?} but:\n{said}", expected.trim_end());
        }
    }
    let build = checkout.builds.first().ok_or("no build")?;
    let elsewhere = checkout
        .request(build, "final")
        .option("platform", "linux/arm64");
    let record = builder.build(&elsewhere)?;
    let reason = "rebake: cgo needs the C toolchain of linux/arm64";
    if record.failure.is_none() || !record.said.contains(reason) {
        faults += 1;
        println!("cgo for arm64: not {reason:?} but:\n{}", record.said);
    }
    println!("cgo: ran, {faults} faults");
    Ok(faults == 0)
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
