//! The images that emitted Dockerfiles start from, made of what the machine has.
//!
//! In: the machine's Go, busybox and C toolchain. Out: the storage of a registry with images under the names of the public ones, made
//! once for each Go release and kept below `target/tools`.

use super::{Builder, Registry, Request, Toolchain, c_toolchain, install, install::which};
use crate::tools;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
};

const DOCKERFILE: &str = include_str!("base.Dockerfile");

/// A target of the Dockerfile, and the name of the image.
const IMAGES: [(&str, &str); 9] = [
    ("golang", "library/golang:"),
    ("warm", "warm/library/golang:"),
    ("static", "distroless/static-debian13:nonroot"),
    ("debug", "distroless/static-debian13:debug-nonroot"),
    ("alpine", "library/alpine:3.22"),
    ("tools", "library/busybox:latest"),
    ("cgo", "cgo/library/golang:"),
    ("base", "distroless/base-debian13:nonroot"),
    ("base-debug", "distroless/base-debian13:debug-nonroot"),
];

/// Named contexts of the Dockerfile: the C toolchain, and the C library alone.
const TOOLCHAIN: &str = "toolchain";
const LIBRARY: &str = "library";

/// The storage of a registry that holds the images.
pub(super) fn storage() -> Result<PathBuf, Box<dyn Error>> {
    let go = Command::new("go")
        .args(["env", "GOROOT", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .output()?;
    let go = String::from_utf8(go.stdout)?;
    let go_root = PathBuf::from(go.lines().next().ok_or("go names no GOROOT")?);
    let c_toolchain = c_toolchain::versions()?;
    let made_of = format!("{go}\n{DOCKERFILE}\n{IMAGES:?}\n{c_toolchain}");
    let made_of = blake3::hash(made_of.as_bytes()).to_hex();
    let tools = tools::target_directory().join("tools");
    let finished = tools.join(format!("base-images-{}", &made_of[..12]));
    if finished.is_dir() {
        return Ok(finished);
    }
    eprintln!("making base images");
    fs::create_dir_all(&tools)?;
    let empty = tempfile::tempdir_in(&tools)?;
    let registry = Rc::new(Registry::start(empty.path())?);
    let builder = Builder::with_registry(Rc::clone(&registry), Toolchain::Fresh)?;
    make(&builder, &go_root)?;
    // What was made at the same time by another is as good.
    let unfinished = tempfile::tempdir_in(&tools)?;
    install::copy(&registry.storage(), &unfinished.path().join("storage"))?;
    if fs::rename(unfinished.path().join("storage"), &finished).is_err() && !finished.is_dir() {
        return Err("the base images can't be kept".into());
    }
    Ok(finished)
}

fn make(builder: &Builder, go_root: &Path) -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let context = scratch.path();
    fs::create_dir_all(context.join("tmp"))?;
    fs::write(
        context.join("passwd"),
        "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    )?;
    fs::write(context.join("Dockerfile"), DOCKERFILE)?;
    let at = |name: &str| scratch.path().join(name);
    for name in [TOOLCHAIN, LIBRARY] {
        fs::create_dir_all(at(name))?;
    }
    c_toolchain::write_toolchain(&at(TOOLCHAIN))?;
    c_toolchain::write_c_library(&at(LIBRARY))?;
    let busybox = which("busybox")?;
    let registry = builder.registry();
    for (target, name) in IMAGES {
        let mut name = name.to_owned();
        if name.ends_with(':') {
            name.push_str(tools::GO_RELEASE);
        }
        let request = Request::new(context, context, target)
            .named_context("busybox", busybox.parent().unwrap_or(Path::new("/bin")))
            .named_context("goroot", go_root)
            .named_context(TOOLCHAIN, &at(TOOLCHAIN))
            .named_context(LIBRARY, &at(LIBRARY))
            .named_context("certificates", Path::new("/etc/ssl/certs"))
            .named_context("zones", Path::new("/usr/share/zoneinfo"))
            .argument(
                "--output",
                &format!("type=image,name={registry}/{name},push=true,compression=zstd"),
            );
        builder.build(&request)?.or_failure()?;
    }
    Ok(())
}
