//! The files that a service's own Dockerfile copies.
//!
//! In: a Dockerfile, its context and the tree. Out: the copied files, as inputs. It must never leave out a file that ends
//! in the image, as far as the Dockerfile tells.
//!
//! For a service in Go, stages that hand on nothing but the program ([`compiling_stages`](super::compiling_stages)) leave Go's
//! own files to Go's rules, and of a copy of the whole context only what Go builds counts. Of all other stages everything
//! counts that they copy; a warning says where that is so because they can't be followed.

use super::{
    InputFile,
    compiling_stages::{Program, StageUse, stage_uses},
};
use crate::{
    config::DeclaredFiles,
    diagnostic::{Code, Diagnostic, Located, Position, Severity},
    discover::{
        context_pattern::{ContextPaths, ContextPattern},
        manifest::{diagnose, diagnose_not_utf8, diagnose_unreadable},
    },
    file_kind::FileKind,
    graph::load::Package,
    parse::{
        dockerfile::{ReadSource, Step, parse_dockerfile},
        dockerignore::{Dockerignore, parse_dockerignore},
        file_name,
    },
    path::RepoPath,
    sources::Sources,
    tree::{
        ContentDigest, EntryKind, FileMode, ReadLimit, TreeError, TreeErrorKind, view::Directory,
    },
};
use std::{collections::BTreeSet, sync::Arc};

/// Dockerfiles and `.dockerignore`s are short.
const LONGEST: usize = 4 * 1024 * 1024;

const MANIFESTS: [&str; 5] = ["go.mod", "go.sum", "go.work", "go.work.sum", "modules.txt"];

/// Who decides about Go's own files in the stages that compile.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GoFiles<'a> {
    /// Go's rules: the service is this program.
    ByGo(Program<'a>),
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
    let last = parse_dockerfile(&text).value.stages.pop()?;
    let may_bring_certificates = |step: &Located<Step>| {
        let Step::Copied(copied) = &step.value else {
            return false;
        };
        let signs = ["cert", ".pem", "/etc"];
        let mut words = copied.sources.iter().chain([&copied.destination]);
        copied.destination == "/" || words.any(|word| signs.iter().any(|sign| word.contains(sign)))
    };
    if !last.base.eq_ignore_ascii_case("scratch") || last.steps.iter().any(may_bring_certificates) {
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
        last.position,
        format!(
            "the image starts from scratch without certificates, and `{package}` imports `{import}`: connections over TLS will fail; copy /etc/ssl/certs/ca-certificates.crt"
        ),
    ))
}

/// The files that the Dockerfile of a service copies from its context.
pub(crate) fn copied_files(
    sources: &Sources<'_>,
    declared: &DeclaredFiles,
    go_files: GoFiles<'_>,
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
    let uses = match go_files {
        GoFiles::ByGo(program) => stage_uses(&parsed.value, program, &context),
        GoFiles::ByDockerfile => Vec::new(),
    };
    let mut told: BTreeSet<usize> = BTreeSet::new();
    let mut reads: Vec<Read> = Vec::new();
    for read in &parsed.value.reads {
        // Stages count from 1.
        let stage = read.value.stage.wrapping_sub(1);
        let stage_use = uses.get(stage).unwrap_or(&StageUse::Image);
        let compiles = *stage_use == StageUse::Compiles;
        if let StageUse::Unclear(position, why) = stage_use
            && told.insert(stage)
        {
            problems.push(finding(
                Code::OpaqueStage,
                Severity::Warning,
                path,
                *position,
                format!(
                    "{why}; so all that the stage from line {} on copies counts",
                    parsed.value.stages[stage].position.line
                ),
            ));
        }
        let opaque = |why: String| {
            finding(
                Code::OpaqueCopy,
                Severity::Warning,
                path,
                read.position,
                why,
            )
        };
        let mut chosen = Vec::new();
        match &read.value.source {
            ReadSource::Variable(source) => {
                problems.push(opaque(format!(
                    "`{}` holds a variable, so the whole context counts as copied",
                    source.escape_debug()
                )));
                chosen.push(Chosen::Everything);
            }
            ReadSource::Pattern(source) => match ContextPattern::parse(source) {
                // Of the whole only what Go builds counts.
                Ok(ContextPattern::Whole) if compiles => {}
                Ok(ContextPattern::Whole | ContextPattern::Unknown) => {
                    chosen.push(Chosen::Everything);
                }
                Ok(ContextPattern::Paths(paths)) => {
                    chosen.push(Chosen::Paths(paths));
                    match behind_links(sources, &context, source) {
                        Ok(behind) => chosen.extend(behind.into_iter().map(Chosen::Below)),
                        Err(link) => {
                            problems.push(opaque(format!(
                                "where the link `{link}` leads can't be told, so the whole context counts as copied"
                            )));
                            chosen.push(Chosen::Everything);
                        }
                    }
                }
                Err(error) => problems.push(finding(
                    Code::Syntax,
                    Severity::Error,
                    path,
                    read.position,
                    error.to_string(),
                )),
            },
        }
        let chosen = chosen.into_iter();
        reads.extend(chosen.map(|pattern| Read { pattern, compiles }));
    }
    if reads.is_empty() {
        return Vec::new();
    }
    let mut files = Vec::new();
    let walk = sources.view().walk(&context, &|_, _| true);
    problems.extend(walk.errors.iter().map(diagnose_unreadable));
    for directory in &walk.directories {
        let is_chosen = |name: &str, path: &RepoPath| {
            let below = path.strip_prefix(&context).unwrap_or_default();
            let is_left_to_go = file_name::classify(name).is_some() || MANIFESTS.contains(&name);
            reads
                .iter()
                .any(|read| !(read.compiles && is_left_to_go) && read.reads(path, below))
                && !ignore.keeps_out(below)
        };
        for name in &directory.not_utf8 {
            let shown = String::from_utf8_lossy(name);
            if is_chosen(&shown, &directory.path.child(&shown)) {
                problems.push(diagnose_not_utf8(&directory.path, name));
            }
        }
        for entry in &directory.entries {
            if !matches!(
                entry.kind,
                EntryKind::File | EntryKind::Symlink | EntryKind::Submodule
            ) {
                continue;
            }
            let path = directory.path.child(&entry.name);
            if !is_chosen(&entry.name, &path) {
                continue;
            }
            match copied_file(sources, directory, entry.kind, &path) {
                Ok((digest, mode)) => files.push(InputFile {
                    path,
                    kind: FileKind::Extra,
                    digest,
                    mode,
                }),
                Err(error) => problems.push(diagnose_unreadable(&error)),
            }
        }
    }
    files
}

struct Read {
    pattern: Chosen,
    compiles: bool,
}

/// What a source stands for.
enum Chosen {
    Paths(ContextPaths),
    /// What a link leads to, or a link on the way.
    Below(RepoPath),
    /// What can't be told counts as read.
    Everything,
}

impl Read {
    fn reads(&self, path: &RepoPath, below_context: &str) -> bool {
        match &self.pattern {
            Chosen::Paths(paths) => paths.holds(below_context),
            Chosen::Below(top) => path.starts_with(top),
            Chosen::Everything => true,
        }
    }
}

/// As many paths as a source may match before it counts as everything.
const MOST_MATCHES: usize = 10_000;

/// What a source reaches through links, and these links. BuildKit follows the links in a source itself; those below it are
/// copied as links.
///
/// Source: github.com/moby/buildkit/solver/llbsolver/file (`docopy`, `ResolveWildcards`), github.com/tonistiigi/fsutil (`FollowLinks`).
fn behind_links(
    sources: &Sources<'_>,
    context: &RepoPath,
    source: &str,
) -> Result<Vec<RepoPath>, RepoPath> {
    let view = sources.view();
    let mut at = vec![(context.clone(), false)];
    let mut links = Vec::new();
    for element in source
        .split('/')
        .filter(|element| !matches!(*element, "" | "."))
    {
        let mut next = Vec::new();
        for (directory, is_linked) in at {
            let candidates = if element.contains(['*', '?', '[']) {
                let pattern = ContextPattern::parse(element);
                let matches = |name: &str| match &pattern {
                    Ok(ContextPattern::Paths(paths)) => paths.holds(name),
                    _ => true,
                };
                let Ok(Some(listing)) = view.directory(&directory) else {
                    continue;
                };
                let names = listing.entries.iter().map(|entry| &entry.name);
                let matched = names.filter(|name| matches(name));
                matched.map(|name| directory.child(name)).collect()
            } else {
                vec![directory.child(element)]
            };
            for candidate in candidates {
                match view.locate(&candidate) {
                    Ok(Some(resolved)) if resolved.links.is_empty() => {
                        next.push((candidate, is_linked));
                    }
                    Ok(Some(resolved)) if resolved.real.starts_with(context) => {
                        links.extend(resolved.links.iter().map(|hop| hop.link.clone()));
                        next.push((resolved.real, true));
                    }
                    Ok(Some(_)) => return Err(candidate),
                    Ok(None) => {}
                    Err(error) if error.kind == TreeErrorKind::NotFound => {}
                    Err(_) => return Err(candidate),
                }
            }
        }
        if next.len() > MOST_MATCHES {
            return Err(context.clone());
        }
        at = next;
    }
    let linked = at.into_iter().filter(|(_, is_linked)| *is_linked);
    links.extend(linked.map(|(path, _)| path));
    Ok(links)
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
) -> Result<(ContentDigest, FileMode), TreeError> {
    if kind == EntryKind::Submodule {
        return Err(TreeError::new(path, TreeErrorKind::Submodule));
    }
    match sources.input_digest(path) {
        Err(error) if kind == EntryKind::Symlink => {
            let name = path.file_name().unwrap_or_default();
            let link = directory.real.child(name);
            match sources.view().tree().read_link(&link) {
                Ok(target) => Ok((ContentDigest::of(target.as_bytes()), FileMode::Regular)),
                Err(_) => Err(error),
            }
        }
        // A copied file keeps its executable bit.
        digest => Ok((digest?, sources.view().mode(path)?)),
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
