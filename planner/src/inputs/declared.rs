//! The files that rebake.toml declares.
//!
//! In: globs, rules and the tree. Out: the declared inputs of each service. It must never take away what Go builds, and a
//! glob, rule or exclusion that matches nothing is told.

use super::{
    InputFile,
    copied::{GoFiles, copied_files},
};
use crate::{
    config::{Affected, DeclaredFiles, FILE_NAME, Rule, ServiceTerm},
    diagnostic::{Code, Diagnostic, Located, Position, Severity},
    discover::{
        manifest::{diagnose_not_utf8, diagnose_unreadable},
        path_glob::PathGlob,
        service_name::ServiceName,
    },
    file_kind::FileKind,
    path::RepoPath,
    sources::Sources,
    spelling::nearest,
    tree::{EntryKind, FileMode, TreeError, TreeErrorKind},
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The files that rebake.toml declares for one service: its assets, its further inputs, and its Dockerfile.
pub(crate) fn declared_inputs(
    sources: &Sources<'_>,
    declared: &DeclaredFiles,
    rules: &RuleFiles,
    go_files: GoFiles<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<InputFile> {
    let mut files = copied_files(sources, declared, go_files, problems);
    files.retain(|file| {
        let exclude = &declared.exclude;
        !rules.excluded.contains(&file.path)
            && !exclude
                .iter()
                .any(|glob| matches_at_or_above(&glob.value, &file.path))
    });
    let mut used = vec![false; declared.exclude.len()];
    for (globs, kind) in [
        (&declared.assets, FileKind::Asset),
        (&declared.inputs, FileKind::Extra),
    ] {
        for glob in globs {
            for path in matched_files(sources, glob, problems) {
                let excluded = declared
                    .exclude
                    .iter()
                    .position(|exclude| matches_at_or_above(&exclude.value, &path));
                if let Some(exclude) = excluded {
                    used[exclude] = true;
                    continue;
                }
                if rules.excluded.contains(&path) {
                    continue;
                }
                match declared_file(sources, &path, kind) {
                    Ok(file) => files.push(file),
                    Err(error) => problems.push(diagnose_unreadable(&error)),
                }
            }
        }
    }
    // What a Dockerfile copies has been taken out above, without a trace.
    for (exclude, used) in declared.exclude.iter().zip(used) {
        if !used && declared.dockerfile.is_none() {
            problems.push(unmatched(
                exclude.position,
                format!(
                    "`exclude` names `{}`, which no asset or input matches",
                    exclude.value.as_str().escape_debug()
                ),
            ));
        }
    }
    if let Some(dockerfile) = &declared.dockerfile {
        match declared_file(sources, &dockerfile.value, FileKind::Dockerfile) {
            Ok(file) => files.push(file),
            Err(error) => problems.push(Diagnostic {
                position: Some(dockerfile.position),
                message: format!("the Dockerfile `{}`: {}", dockerfile.value, error.kind),
                path: Some(RepoPath::root().child(FILE_NAME)),
                ..diagnose_unreadable(&error)
            }),
        }
    }
    files
}

/// What the rules of rebake.toml make of files.
#[derive(Debug, Default)]
pub(crate) struct RuleFiles {
    /// Sorted, without repetition.
    of_service: HashMap<ServiceName, Vec<InputFile>>,
    /// Files that a rule says affect nobody.
    excluded: HashSet<RepoPath>,
    /// What is wrong with the rules as such.
    pub(crate) problems: Vec<Diagnostic>,
    /// What leaves services in doubt.
    doubts: HashMap<ServiceName, Vec<Diagnostic>>,
}

impl RuleFiles {
    /// Applies the rules, in order, to the files of the tree: the first rule that matches a file decides.
    pub(crate) fn apply(
        sources: &Sources<'_>,
        rules: &[Located<Rule>],
        groups: &BTreeMap<ServiceName, Vec<Located<ServiceName>>>,
        services: &BTreeSet<&ServiceName>,
    ) -> Self {
        let mut files = Self::default();
        for (name, members) in groups {
            for member in members {
                if !services.contains(&member.value) {
                    let what = format!("the group `{name}` names the service `{}`", member.value);
                    let known = services.iter().copied();
                    let problem = unknown(member.position, &what, &member.value, known);
                    files.problems.push(problem);
                }
            }
        }
        let mut decided: HashSet<RepoPath> = HashSet::new();
        for rule in rules {
            let affected = files.affected(&rule.value.affects, groups, services);
            for glob in &rule.value.paths {
                let mut problems = Vec::new();
                for path in matched_files(sources, glob, &mut problems) {
                    if !decided.insert(path.clone()) {
                        continue;
                    }
                    if rule.value.affects == Affected::None {
                        files.excluded.insert(path);
                        continue;
                    }
                    match declared_file(sources, &path, FileKind::Extra) {
                        Ok(file) => {
                            for service in &affected {
                                let own = files.of_service.entry((*service).clone());
                                own.or_default().push(file.clone());
                            }
                        }
                        Err(error) => problems.push(diagnose_unreadable(&error)),
                    }
                }
                files.tell(problems, &affected);
            }
        }
        for own in files.of_service.values_mut() {
            own.sort_unstable();
            own.dedup();
        }
        files
    }

    /// A file that can't be read may be an input of every service that the rule affects.
    fn tell(&mut self, problems: Vec<Diagnostic>, affected: &[ServiceName]) {
        for problem in problems {
            if problem.severity == Severity::Error {
                for service in affected {
                    let doubts = self.doubts.entry(service.clone()).or_default();
                    doubts.push(problem.clone());
                }
            } else {
                self.problems.push(problem);
            }
        }
    }

    fn affected(
        &mut self,
        affected: &Affected,
        groups: &BTreeMap<ServiceName, Vec<Located<ServiceName>>>,
        services: &BTreeSet<&ServiceName>,
    ) -> Vec<ServiceName> {
        let terms = match affected {
            Affected::All => return services.iter().map(|name| (*name).clone()).collect(),
            Affected::None => return Vec::new(),
            Affected::These(terms) => terms,
        };
        let mut named: BTreeSet<ServiceName> = BTreeSet::new();
        for term in terms {
            match &term.value {
                ServiceTerm::Service(name) if services.contains(name) => {
                    named.insert(name.clone());
                }
                ServiceTerm::Service(name) => {
                    let what = format!("a rule names the service `{name}`");
                    let known = services.iter().copied();
                    self.problems
                        .push(unknown(term.position, &what, name, known));
                }
                ServiceTerm::Group(name) => match groups.get(name) {
                    Some(members) => {
                        let known = members.iter().map(|member| &member.value);
                        named.extend(known.filter(|name| services.contains(name)).cloned());
                    }
                    None => {
                        let what = format!("a rule names the group `@{name}`");
                        self.problems
                            .push(unknown(term.position, &what, name, groups.keys()));
                    }
                },
            }
        }
        named.into_iter().collect()
    }

    /// What leaves a service in doubt because of a rule.
    pub(crate) fn doubts_of(&self, service: &ServiceName) -> &[Diagnostic] {
        self.doubts.get(service).map_or(&[], Vec::as_slice)
    }

    /// A warning where a rule says that a file affects nobody, and Go builds it nevertheless.
    pub(crate) fn without_effect(&self, files: &[InputFile]) -> Option<Diagnostic> {
        let built = files.iter().find(|file| {
            !matches!(
                file.kind,
                FileKind::Asset | FileKind::Extra | FileKind::Manifest
            ) && self.excluded.contains(&file.path)
        })?;
        Some(Diagnostic {
            code: Code::RuleWithoutEffect,
            severity: Severity::Warning,
            message: "a rule says that this file affects no service, but it is built into one; it stays an input".to_owned(),
            path: Some(built.path.clone()),
            position: None,
            services: Vec::new(),
        })
    }

    /// The files that the rules add to a service.
    pub(crate) fn of(&self, service: &ServiceName) -> &[InputFile] {
        self.of_service.get(service).map_or(&[], Vec::as_slice)
    }
}

/// The files that a glob of rebake.toml names. A directory of the glob's own name stands for all that it holds.
fn matched_files(
    sources: &Sources<'_>,
    glob: &Located<PathGlob>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<RepoPath> {
    let mut files = Vec::new();
    let view = sources.view();
    let walk = view.walk(glob.value.fixed_prefix(), &|_, _| true);
    problems.extend(walk.errors.iter().map(diagnose_unreadable));
    for directory in &walk.directories {
        let is_chosen = !directory.path.is_root()
            && matches_at_or_above(&glob.value, &directory.path)
            || glob.value.matches(&directory.path);
        for name in &directory.not_utf8 {
            let shown = String::from_utf8_lossy(name);
            if is_chosen || glob.value.matches(&directory.path.child(&shown)) {
                problems.push(diagnose_not_utf8(&directory.path, name));
            }
        }
        for entry in &directory.entries {
            let path = directory.path.child(&entry.name);
            let is_matched = is_chosen || glob.value.matches(&path);
            match entry.kind {
                EntryKind::Submodule if is_matched => {
                    let error = TreeError::new(&path, TreeErrorKind::Submodule);
                    problems.push(diagnose_unreadable(&error));
                }
                EntryKind::File | EntryKind::Symlink if is_matched => files.push(path),
                _ => {}
            }
        }
    }
    if files.is_empty() {
        problems.push(unmatched(
            glob.position,
            format!(
                "the glob `{}` matches no file",
                glob.value.as_str().escape_debug()
            ),
        ));
    }
    files
}

/// Whether a glob matches a path or a directory above it.
fn matches_at_or_above(glob: &PathGlob, path: &RepoPath) -> bool {
    let mut at = Some(path.clone());
    std::iter::from_fn(|| {
        let current = at.take()?;
        at = current.parent().filter(|parent| !parent.is_root());
        Some(current)
    })
    .any(|path| glob.matches(&path))
}

fn declared_file(
    sources: &Sources<'_>,
    path: &RepoPath,
    kind: FileKind,
) -> Result<InputFile, TreeError> {
    let mode = match kind {
        FileKind::Asset | FileKind::Extra => sources.view().mode(path)?,
        _ => FileMode::Regular,
    };
    Ok(InputFile {
        path: path.clone(),
        kind,
        digest: sources.input_digest(path)?,
        mode,
    })
}

fn in_config(severity: Severity, code: Code, position: Position, message: String) -> Diagnostic {
    Diagnostic {
        code,
        severity,
        message,
        path: Some(RepoPath::root().child(FILE_NAME)),
        position: Some(position),
        services: Vec::new(),
    }
}

fn unmatched(position: Position, message: String) -> Diagnostic {
    in_config(Severity::Warning, Code::UnmatchedGlob, position, message)
}

/// A name that does not exist.
fn unknown<'known>(
    position: Position,
    what: &str,
    name: &ServiceName,
    known: impl IntoIterator<Item = &'known ServiceName>,
) -> Diagnostic {
    let advice = match nearest(name.as_str(), known.into_iter().map(ServiceName::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`rebake plan` lists the services".to_owned(),
    };
    let message = format!("{what}, which does not exist; {advice}");
    in_config(Severity::Error, Code::InvalidValue, position, message)
}
