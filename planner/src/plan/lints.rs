//! Choices of a build that will hurt.
//!
//! In: a plan. Out: warnings and notes about images, each with what to choose instead. It must never change a key, and never
//! speak of what is not chosen: who writes no Dockerfile with rebake has no use for this.

use super::{
    Plan, PlannedImage,
    builds::{GoBuild, Origin},
    problems::Findings,
};
use crate::{
    diagnostic::{Code, Diagnostic, Severity},
    go_version::GoVersion,
    recipe::{ImageReference, Runtime},
    target::Cgo,
};

impl Plan {
    /// What will hurt in the builds that are emitted from this plan, sorted.
    pub fn lints(&self) -> Vec<Diagnostic> {
        let mut findings = Findings::default();
        for image in &self.images {
            if let Origin::Go(go) = &image.origin {
                let service = image.inputs.service.as_str();
                findings.add_all(lints_of(image, go), &[service]);
                if go.context.cgo() == Cgo::Enabled && self.has_other_platform(image) {
                    findings.add_all(vec![several_platforms()], &[service]);
                }
            }
        }
        let placed = findings.into_diagnostics().into_iter();
        placed
            .map(|lint| Diagnostic {
                // Where there is no such file, what was chosen is a default, or stood on the command line.
                path: self.config_path.clone(),
                ..lint
            })
            .collect()
    }
}

impl Plan {
    /// Whether a service is built for a platform beside that of one of its images.
    fn has_other_platform(&self, image: &PlannedImage) -> bool {
        let (service, platform) = (&image.inputs.service, &image.inputs.platform);
        let mut images = self.images.iter();
        images.any(|other| {
            other.inputs.service == *service
                && (
                    other.inputs.platform.os(),
                    other.inputs.platform.architecture(),
                ) != (platform.os(), platform.architecture())
        })
    }
}

/// A build that runs on the platform that it is for.
fn several_platforms() -> Diagnostic {
    lint(
        Code::CgoOnSeveralPlatforms,
        Severity::Note,
        "with cgo each platform is built where its C toolchain runs; without a builder of each platform that is emulation, \
         and slow; add nodes with `docker buildx create --append`, or turn cgo off"
            .to_owned(),
    )
}

fn lints_of(image: &PlannedImage, go: &GoBuild) -> Vec<Diagnostic> {
    let mut lints = Vec::new();
    lints.extend(go_image(&go.recipe.go_image, go.context.go_version()));
    lints.extend(unpinned(&go.recipe.go_image, &go.recipe.runtime));
    // With cgo on, a program that uses none is linked as without it.
    let uses_c = go.context.cgo() == Cgo::Enabled && uses_c(image);
    if uses_c {
        lints.extend(c_library(&go.recipe.runtime, &go.recipe.go_image));
    }
    lints
}

/// Whether a program is linked with a C library: it has cgo code of its own, or packages of the standard library that have
/// some. What third-party code does without its source can't be seen.
fn uses_c(image: &PlannedImage) -> bool {
    /// Source: the cgo files of `net` and `os/user` in the Go distribution; `runtime/cgo` is their only use.
    const WITH_C: [&str; 3] = ["net", "os/user", "runtime/cgo"];
    let is_one = |path: &String| WITH_C.contains(&path.as_str()) || path.starts_with("net/");
    let closure = image.graph.closure(&image.inputs.main);
    closure.iter().any(|package| {
        package.standard.iter().any(is_one)
            || !package.third_party.is_empty()
            || package
                .files
                .iter()
                .any(|file| file.kind == crate::file_kind::FileKind::Cgo)
    })
}

/// An image of another Go release than the one that was planned.
fn go_image(image: &ImageReference, planned: &GoVersion) -> Option<Diagnostic> {
    let version = image.go_version()?;
    if version.is_older_than(planned) {
        return Some(lint(
            Code::GoImageTooOld,
            Severity::Warning,
            format!(
                "`{image}` holds an older Go than the {planned} that the build needs, and never fetches another; choose a newer image under `go-image`"
            ),
        ));
    }
    (version.language() != planned.language()).then(|| {
        lint(
            Code::GoImageDiffers,
            Severity::Warning,
            format!(
                "`{image}` holds Go {}, and the plan is for Go {planned}, which may take other files; set `go = \"{}\"`",
                version.language(),
                version.language()
            ),
        )
    })
}

/// Images that may mean something else tomorrow.
fn unpinned(go_image: &ImageReference, runtime: &Runtime) -> Option<Diagnostic> {
    let mut images = Vec::new();
    if !go_image.is_pinned() {
        images.push(format!("`{go_image}` (`go-image`)"));
    }
    if let Some(image) = runtime.image()
        && !image.contains('@')
    {
        images.push(format!("`{image}` (`runtime`)"));
    }
    let verb = if images.len() == 1 { "names" } else { "name" };
    (!images.is_empty()).then(|| {
        lint(
            Code::UnpinnedImage,
            Severity::Note,
            format!(
                "{} {verb} no digest, so one key may stand for several images; add `@sha256:…` in rebake.toml",
                images.join(" and ")
            ),
        )
    })
}

/// A program that is linked with a C library which its image does not have.
fn c_library(runtime: &Runtime, go_image: &ImageReference) -> Option<Diagnostic> {
    let builds_with_musl = go_image.as_str().contains("alpine");
    let (code, message) = match runtime {
        Runtime::DistrolessStatic | Runtime::Scratch => (
            Code::CgoWithoutCLibrary,
            format!(
                "with cgo the program needs a C library, and `{runtime}` has none: it will not start; choose `runtime = \"distroless-base\"`, or turn cgo off"
            ),
        ),
        Runtime::Alpine if !builds_with_musl => (
            Code::CgoWithOtherCLibrary,
            format!(
                "`{go_image}` links the program with glibc, and alpine has musl: it will not start; choose an alpine image under `go-image`, or another `runtime`"
            ),
        ),
        Runtime::DistrolessBase if builds_with_musl => (
            Code::CgoWithOtherCLibrary,
            format!(
                "`{go_image}` links the program with musl, and `{runtime}` has glibc: it will not start; choose another `go-image`, or `runtime = \"alpine\"`"
            ),
        ),
        Runtime::Alpine | Runtime::DistrolessBase | Runtime::Own(_) => return None,
    };
    Some(lint(code, Severity::Warning, message))
}

fn lint(code: Code, severity: Severity, message: String) -> Diagnostic {
    Diagnostic {
        code,
        severity,
        message,
        path: None,
        position: None,
        services: Vec::new(),
    }
}
