//! The images that emitted Dockerfiles start from, made of what the machine has.
//!
//! In: a builder. Out: images in its registry, under the names of the public ones.

use super::{Builder, Request, install::which};
use crate::tools;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A target of the Dockerfile, and the name of the image.
const IMAGES: [(&str, &str); 4] = [
    ("golang", "library/golang:"),
    ("static", "distroless/static-debian13:nonroot"),
    ("debug", "distroless/static-debian13:debug-nonroot"),
    ("alpine", "library/alpine:3.22"),
];

/// Makes the images and pushes them.
pub(super) fn make(builder: &Builder) -> Result<(), Box<dyn Error>> {
    let context = builder.directory.path().join("base");
    fs::create_dir_all(context.join("tmp"))?;
    fs::write(
        context.join("passwd"),
        "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    )?;
    fs::write(context.join("Dockerfile"), include_str!("base.Dockerfile"))?;
    for (target, name) in IMAGES {
        let mut name = name.to_owned();
        if target == "golang" {
            name.push_str(tools::GO_RELEASE);
        }
        make_one(builder, &context, target, &name)?;
    }
    Ok(())
}

fn make_one(
    builder: &Builder,
    context: &Path,
    target: &str,
    name: &str,
) -> Result<(), Box<dyn Error>> {
    let busybox = which("busybox")?;
    let registry = builder.registry();
    let request = Request::new(context, context, target)
        .named_context("busybox", busybox.parent().unwrap_or(Path::new("/bin")))
        .named_context("goroot", &go_root()?)
        .named_context("certificates", Path::new("/etc/ssl/certs"))
        .named_context("zones", Path::new("/usr/share/zoneinfo"))
        .argument(
            "--output",
            &format!("type=image,name={registry}/{name},push=true"),
        );
    builder.build(&request)?.or_failure()?;
    Ok(())
}

fn go_root() -> Result<PathBuf, Box<dyn Error>> {
    let answer = Command::new("go")
        .args(["env", "GOROOT"])
        .env("GOTOOLCHAIN", "local")
        .output()?;
    Ok(PathBuf::from(String::from_utf8(answer.stdout)?.trim()))
}
