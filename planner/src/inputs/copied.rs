//! The files that a service's own Dockerfile copies.
//!
//! In: a Dockerfile, its context and the tree. Out: the copied files, as inputs. It must never leave out a file that ends
//! in the image, as far as the Dockerfile tells.
//!
//! For a service in Go the stages before the last one compile: of what they copy, Go's own files are left to Go's rules,
//! and a copy of the whole context counts for what Go builds alone, which a note says.

use super::InputFile;
use crate::{
    config::DeclaredFiles,
    diagnostic::{Code, Diagnostic, Position, Severity},
    discover::{
        context_pattern::{ContextPattern, ContextPatternError},
        manifest::{diagnose, diagnose_unreadable},
    },
    file_kind::FileKind,
    graph::load::Package,
    parse::{
        dockerfile::{ReadSource, parse_dockerfile},
        dockerignore::{Dockerignore, parse_dockerignore},
        file_name,
    },
    path::RepoPath,
    sources::Sources,
    tree::{
        ContentDigest, EntryKind, FileMode, ReadLimit, TreeError, TreeErrorKind, view::Directory,
    },
};
use std::sync::Arc;

/// Dockerfiles and `.dockerignore`s are short.
const LONGEST: usize = 4 * 1024 * 1024;

const MANIFESTS: [&str; 5] = ["go.mod", "go.sum", "go.work", "go.work.sum", "modules.txt"];

/// Who decides about Go's own files in the stages that compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GoFiles {
    /// Go's rules: the service is a Go program.
    ByGo,
    /// The Dockerfile: they are files like all others.
    ByDockerfile,
}

/// Packages through which a program speaks TLS as a client.
const TLS_PACKAGES: [&str; 3] = ["crypto/tls", "crypto/x509", "net/http"];

/// Certificates as a package, for programs that bring their own.
const EMBEDDED_CERTIFICATES: &str = "golang.org/x/crypto/x509roots/fallback";

/// A last stage that starts from nothing and gets no certificates, for a program that may want some. Only what the tree's
/// own packages import is known. A copy to the top, or to /etc, may bring them.
pub(crate) fn missing_certificates<'a>(
    sources: &Sources<'_>,
    dockerfile: &RepoPath,
    packages: impl IntoIterator<Item = &'a Arc<Package>>,
) -> Option<Diagnostic> {
    let text = sources
        .view()
        .read(dockerfile, ReadLimit::Bytes(LONGEST))
        .ok()?;
    let last = parse_dockerfile(&text).value.last;
    let may_bring_certificates = |copy: &String| {
        let destination = copy.split_whitespace().next_back().unwrap_or_default();
        let destination = destination.trim_matches(['[', ']', '"']);
        let signs = ["cert", ".pem", "/etc"];
        destination == "/" || signs.iter().any(|sign| copy.contains(sign))
    };
    if !last.base.eq_ignore_ascii_case("scratch") || last.copies.iter().any(may_bring_certificates)
    {
        return None;
    }
    let mut speaks_tls = None;
    for package in packages {
        if package.third_party.contains(EMBEDDED_CERTIFICATES) {
            return None;
        }
        let mut imported = package.standard.iter();
        if speaks_tls.is_none()
            && let Some(path) = imported.find(|path| TLS_PACKAGES.contains(&path.as_str()))
        {
            speaks_tls = Some((&package.import_path, path));
        }
    }
    let (package, import) = speaks_tls?;
    Some(finding(
        Code::MissingCertificates,
        Severity::Note,
        dockerfile,
        last.position?,
        format!(
            "the image starts from scratch without certificates, and `{package}` imports `{import}`: connections over TLS will fail; copy /etc/ssl/certs/ca-certificates.crt"
        ),
    ))
}

/// The files that the Dockerfile of a service copies from its context.
pub(crate) fn copied_files(
    sources: &Sources<'_>,
    declared: &DeclaredFiles,
    go_files: GoFiles,
    problems: &mut Vec<Diagnostic>,
) -> Vec<InputFile> {
    let Some(dockerfile) = &declared.dockerfile else {
        return Vec::new();
    };
    let path = &dockerfile.value;
    // That it can't be read is told where it is hashed.
    let Ok(text) = sources.view().read(path, ReadLimit::Bytes(LONGEST)) else {
        return Vec::new();
    };
    let parsed = parse_dockerfile(&text);
    problems.extend(diagnose(path, &parsed.faults));
    let context = declared.context.clone().unwrap_or_else(RepoPath::root);
    let ignore = ignored(sources, path, &context, problems);
    let mut reads: Vec<Read> = Vec::new();
    for read in &parsed.value.reads {
        let compiles = go_files == GoFiles::ByGo && read.value.stage < parsed.value.stages;
        let pattern: Result<ContextPattern, ContextPatternError> = match &read.value.source {
            ReadSource::Pattern(pattern) => ContextPattern::parse(pattern),
            ReadSource::Variable(source) => {
                let message = format!(
                    "`{}` holds a variable, so the whole context counts as copied",
                    source.escape_debug()
                );
                problems.push(finding(
                    Code::OpaqueCopy,
                    Severity::Warning,
                    path,
                    read.position,
                    message,
                ));
                Ok(ContextPattern::Unknown)
            }
        };
        match pattern {
            Ok(ContextPattern::Whole) if compiles => {
                let message = "this copies the whole context into a stage that compiles: only what Go builds counts; declare other files that it needs as `inputs`";
                problems.push(finding(
                    Code::WholeContext,
                    Severity::Note,
                    path,
                    read.position,
                    message.to_owned(),
                ));
            }
            Ok(pattern) => reads.push(Read { pattern, compiles }),
            Err(error) => problems.push(finding(
                Code::Syntax,
                Severity::Error,
                path,
                read.position,
                error.to_string(),
            )),
        }
    }
    if reads.is_empty() {
        return Vec::new();
    }
    let mut files = Vec::new();
    let walk = sources.view().walk(&context, &|_, _| true);
    problems.extend(walk.errors.iter().map(diagnose_unreadable));
    for directory in &walk.directories {
        for entry in &directory.entries {
            if !matches!(
                entry.kind,
                EntryKind::File | EntryKind::Symlink | EntryKind::Submodule
            ) {
                continue;
            }
            let path = directory.path.child(&entry.name);
            let below = path.strip_prefix(&context).unwrap_or_default();
            let is_left_to_go =
                file_name::classify(&entry.name).is_some() || MANIFESTS.contains(&&*entry.name);
            let is_read = reads
                .iter()
                .any(|read| !(read.compiles && is_left_to_go) && read.reads(below));
            if !is_read || ignore.keeps_out(below) {
                continue;
            }
            match copied_file(sources, directory, entry.kind, &path) {
                Ok(digest) => files.push(InputFile {
                    path,
                    kind: FileKind::Extra,
                    digest,
                    mode: FileMode::Regular,
                }),
                Err(error) => problems.push(diagnose_unreadable(&error)),
            }
        }
    }
    files
}

struct Read {
    pattern: ContextPattern,
    compiles: bool,
}

impl Read {
    /// What can't be told counts as read.
    fn reads(&self, path: &str) -> bool {
        match &self.pattern {
            ContextPattern::Paths(paths) => paths.holds(path),
            ContextPattern::Whole | ContextPattern::Unknown => true,
        }
    }
}

/// What stays out of the context: the ignore file of the Dockerfile, else the context's own.
fn ignored(
    sources: &Sources<'_>,
    dockerfile: &RepoPath,
    context: &RepoPath,
    problems: &mut Vec<Diagnostic>,
) -> Dockerignore {
    let beside = format!(
        "{}.dockerignore",
        dockerfile.file_name().unwrap_or_default()
    );
    let own = dockerfile
        .parent()
        .map(|directory| directory.child(&beside));
    for path in own.into_iter().chain([context.child(".dockerignore")]) {
        match sources.view().read(&path, ReadLimit::Bytes(LONGEST)) {
            Ok(text) => {
                let parsed = parse_dockerignore(&text);
                problems.extend(diagnose(&path, &parsed.faults));
                return parsed.value;
            }
            Err(error) if error.kind == TreeErrorKind::NotFound => {}
            Err(error) => problems.push(diagnose_unreadable(&error)),
        }
    }
    Dockerignore::default()
}

/// A link is copied as a link where it leads to no file of the tree.
fn copied_file(
    sources: &Sources<'_>,
    directory: &Directory,
    kind: EntryKind,
    path: &RepoPath,
) -> Result<ContentDigest, TreeError> {
    if kind == EntryKind::Submodule {
        return Err(TreeError::new(path, TreeErrorKind::Submodule));
    }
    match sources.input_digest(path) {
        Err(error) if kind == EntryKind::Symlink => {
            let name = path.file_name().unwrap_or_default();
            let link = directory.real.child(name);
            match sources.view().tree().read_link(&link) {
                Ok(target) => Ok(ContentDigest::of(target.as_bytes())),
                Err(_) => Err(error),
            }
        }
        digest => digest,
    }
}

fn finding(
    code: Code,
    severity: Severity,
    path: &RepoPath,
    position: Position,
    message: String,
) -> Diagnostic {
    Diagnostic {
        code,
        severity,
        message,
        path: Some(path.clone()),
        position: Some(position),
        services: Vec::new(),
    }
}
