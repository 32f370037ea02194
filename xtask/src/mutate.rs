//! Changes one file at a time, and holds every verdict to the Go toolchain.
//!
//! In: a repository, or the cases of the fixtures. Out: for every change and main package whether the verdict was right:
//! an image is rebuilt exactly when the files that Go takes, or their contents, changed. It works on copies, and must
//! never change what it is given.
//!
//! What the contract counts beyond what `go list` reports may rebuild an image too: profiles, included C files, back
//! edges, and what a manifest says. What Go refuses after a change must never be reused.

use crate::{
    checkout::Checkout,
    oracle::{Cgo, Network},
    truth::{Taken, Truth, ask},
};
use camino::Utf8Path;
use rebake_fixtures::{
    Case,
    case::{Expectation, Tier},
    cases,
};
use rebake_planner::{
    decide::{Reason, Verdict},
    file_kind::FileKind,
    path::RepoPath,
    plan::{BaselineImage, Plan, PlanOptions, plan},
    target,
    tree::disk::DiskTree,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Checkouts, of which HEAD is changed in a copy.
    directories: Vec<PathBuf>,
    /// Change every case of the fixtures that Go would build.
    #[arg(long)]
    fixtures: bool,
    /// How many files of each sort are changed in a checkout.
    #[arg(long, default_value_t = 6)]
    sample: usize,
    /// Another number draws another sample.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The Go release that the planner plans for: that of the toolchain that is asked.
    #[arg(long, default_value = "1.26")]
    go: String,
    /// Never ask a module proxy.
    #[arg(long)]
    offline: bool,
}

/// A change of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Append,
    Copy,
    Delete,
    Rename,
    MakeExecutable,
}

const CHANGES: [Change; 5] = [
    Change::Append,
    Change::Copy,
    Change::Delete,
    Change::Rename,
    Change::MakeExecutable,
];

#[derive(Debug, Default)]
struct Tally {
    changes: usize,
    judged: usize,
    rebuilt: usize,
    refused: usize,
    wrong: Vec<String>,
}

/// One tree whose files are changed.
struct Subject<'a> {
    root: &'a Path,
    packages: &'a [String],
    cgo: Cgo,
    go: &'a str,
    network: &'a Network,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut wrong = 0;
    let network = if arguments.offline {
        Network::Off
    } else {
        Network::Proxy
    };
    for directory in &arguments.directories {
        let checkout = Checkout::new(directory, "HEAD")?;
        let root = checkout.directory();
        let subject = Subject {
            root: &root,
            packages: &[],
            cgo: Cgo::Off,
            go: &arguments.go,
            network: &network,
        };
        let mut tally = Tally::default();
        subject.mutate(Some((arguments.sample, arguments.seed)), &mut tally)?;
        wrong += report(&directory.display().to_string(), &tally);
    }
    if arguments.fixtures {
        let mut tally = Tally::default();
        for case in cases()? {
            mutate_case(&case, arguments, &mut tally)?;
        }
        wrong += report("fixtures", &tally);
    }
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn report(name: &str, tally: &Tally) -> usize {
    println!(
        "{name}: {} changes, {} verdicts judged, {} rebuilds, {} where Go refuses, {} wrong",
        tally.changes,
        tally.judged,
        tally.rebuilt,
        tally.refused,
        tally.wrong.len()
    );
    for line in &tally.wrong {
        println!("  {line}");
    }
    tally.wrong.len()
}

fn mutate_case(
    case: &Case,
    arguments: &Arguments,
    tally: &mut Tally,
) -> Result<(), Box<dyn Error>> {
    // Cases with a module proxy of their own need it served, and the others are about refusals.
    let is_built = matches!(case.expectation, Expectation::Exact);
    if !is_built || case.tier == Tier::Linked || !case.module_proxy.is_empty() {
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    case.write_to(scratch.path())?;
    let subject = Subject {
        root: scratch.path(),
        packages: &case.packages,
        cgo: Cgo::Off,
        go: &arguments.go,
        network: &Network::Off,
    };
    let before = tally.wrong.len();
    subject.mutate(None, tally)?;
    for line in tally.wrong.iter_mut().skip(before) {
        *line = format!("{}/{}: {line}", case.topic, case.name);
    }
    Ok(())
}

impl Subject<'_> {
    /// Changes all files, or a sample of every sort, one after the other.
    fn mutate(
        &self,
        sample: Option<(usize, u64)>,
        tally: &mut Tally,
    ) -> Result<(), Box<dyn Error>> {
        let truth = ask(self.root, self.packages, self.cgo, self.network)?;
        let before = self.plan()?;
        for path in chosen(self.root, &before, sample)? {
            for change in CHANGES {
                let original = self.root.join(&path);
                let Some(undo) = apply(change, &original)? else {
                    continue;
                };
                tally.changes += 1;
                let outcome = self.judge(change, &path, &before, &truth, tally);
                undo.run()?;
                outcome?;
            }
        }
        Ok(())
    }

    fn plan(&self) -> Result<Plan, Box<dyn Error>> {
        let root = self.root.canonicalize()?;
        let root = Utf8Path::from_path(&root).ok_or("the root is not UTF-8")?;
        let mut options = PlanOptions::new();
        options.services = vec!["**".to_owned()];
        options.go = Some(self.go.parse()?);
        options.cgo = Some(match self.cgo {
            Cgo::Off => target::Cgo::Disabled,
            Cgo::On => target::Cgo::Enabled,
        });
        Ok(plan(&DiskTree::open(root)?, &options)?)
    }

    fn judge(
        &self,
        change: Change,
        path: &str,
        before: &Plan,
        truth_before: &Truth,
        tally: &mut Tally,
    ) -> Result<(), Box<dyn Error>> {
        let mut planned = self.plan()?;
        let baseline: Vec<BaselineImage> = before.images.iter().map(BaselineImage::from).collect();
        planned.compare_with(&baseline);
        let truth = ask(self.root, self.packages, self.cgo, self.network)?;
        for old in &before.images {
            let directory = old.inputs.directory.as_str();
            let Some(Some(taken_before)) = truth_before.get(directory) else {
                continue;
            };
            if old.keys.is_none() {
                continue;
            }
            let image = planned
                .images
                .iter()
                .find(|image| image.inputs.directory == old.inputs.directory);
            let taken: Option<&Taken> = truth.get(directory).and_then(Option::as_ref);
            let mut wrong = |what: &str, reasons: &[Reason]| {
                tally.wrong.push(format!(
                    "{change:?} {path}: {directory} {what}: {:?}",
                    reasons.iter().take(2).collect::<Vec<_>>()
                ));
            };
            match (taken, image) {
                // Go knows it no more, or refuses it; so does the planner, or it is in doubt and builds.
                (None, None) => tally.refused += 1,
                (None, Some(image)) => {
                    tally.refused += 1;
                    if image.verdict == Verdict::Reuse {
                        wrong("is reused, and Go refuses it", &image.reasons);
                    }
                }
                (Some(_), None) => wrong("is gone, and Go has it", &[]),
                (Some(taken), Some(image)) => {
                    tally.judged += 1;
                    let is_rebuilt = image.verdict == Verdict::Rebuild;
                    tally.rebuilt += usize::from(is_rebuilt);
                    if taken != taken_before && !is_rebuilt {
                        wrong("is reused, and what Go takes changed", &image.reasons);
                    }
                    if taken == taken_before
                        && is_rebuilt
                        && (change == Change::MakeExecutable
                            || !image.reasons.iter().all(counts_beyond_go_list))
                    {
                        wrong(
                            "is rebuilt, and what Go takes did not change",
                            &image.reasons,
                        );
                    }
                }
            }
        }
        Ok(())
    }
}

/// What the contract adds to what `go list` reports.
fn counts_beyond_go_list(reason: &Reason) -> bool {
    match reason {
        Reason::File { kind, .. } => matches!(
            kind,
            FileKind::Pgo | FileKind::CgoInclude | FileKind::BackEdge | FileKind::Extra | FileKind::Asset
        ),
        Reason::Manifest { .. }
        | Reason::Module { .. }
        | Reason::Setting { .. }
        | Reason::Tier { .. }
        // Where the planner is in doubt and Go is not, the differential run tells.
        | Reason::Uncertain { .. } => true,
        _ => false,
    }
}

/// The files to change: all, or a sample of each sort.
fn chosen(
    root: &Path,
    plan: &Plan,
    sample: Option<(usize, u64)>,
) -> Result<Vec<String>, Box<dyn Error>> {
    let kinds: BTreeMap<&RepoPath, FileKind> = plan
        .images
        .iter()
        .flat_map(|image| &image.inputs.files)
        .map(|file| (&file.path, file.kind))
        .collect();
    let mut by_sort: BTreeMap<String, BTreeSet<(u64, String)>> = BTreeMap::new();
    for path in files_below(root)? {
        let kind = RepoPath::new(&path)
            .ok()
            .and_then(|path| kinds.get(&path).copied());
        let extension = Utf8Path::new(&path).extension().unwrap_or_default();
        let sort = match kind {
            Some(kind) => format!("input {kind}"),
            None if path.ends_with("_test.go") => "test".to_owned(),
            None if extension == "go" => "other Go file".to_owned(),
            None => "other file".to_owned(),
        };
        let seed = sample.map_or(0, |(_, seed)| seed);
        let mut hasher = DefaultHasher::new();
        (seed, &path).hash(&mut hasher);
        by_sort
            .entry(sort)
            .or_default()
            .insert((hasher.finish(), path));
    }
    let limit = sample.map_or(usize::MAX, |(count, _)| count);
    Ok(by_sort
        .into_values()
        .flat_map(|files| files.into_iter().take(limit).map(|(_, path)| path))
        .collect())
}

/// Regular files, links left out, without git's own.
fn files_below(root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut files = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if kind.is_dir() && entry.file_name() != ".git" {
                pending.push(path);
            } else if kind.is_file()
                && entry.file_name() != ".git"
                && let Some(below) = path.strip_prefix(root)?.to_str()
            {
                files.push(below.to_owned());
            }
        }
    }
    Ok(files)
}

/// How a change is taken back.
enum Undo {
    Write(PathBuf, Vec<u8>),
    Remove(PathBuf),
    Move(PathBuf, PathBuf),
    Mode(PathBuf, u32),
}

impl Undo {
    fn run(self) -> std::io::Result<()> {
        match self {
            Self::Write(path, content) => fs::write(path, content),
            Self::Remove(path) => fs::remove_file(path),
            Self::Move(from, to) => fs::rename(from, to),
            Self::Mode(path, mode) => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
        }
    }
}

/// Changes a file; nothing where the change makes no sense for it.
fn apply(change: Change, path: &Path) -> std::io::Result<Option<Undo>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // The order of the letters in a name says much to Go, so the new name ends as the old one did.
    let other = path.with_file_name(format!("zz{name}"));
    let is_manifest =
        ["go.mod", "go.work", "go.sum", "go.work.sum", "modules.txt"].contains(&&*name);
    Ok(match change {
        Change::Append => {
            let content = fs::read(path)?;
            let comment: &[u8] = match &*name {
                // A checksum file has no comments.
                "go.sum" | "go.work.sum" | "modules.txt" => return Ok(None),
                _ => b"\n// A comment.\n",
            };
            fs::write(path, [content.as_slice(), comment].concat())?;
            Some(Undo::Write(path.to_owned(), content))
        }
        Change::Copy if !is_manifest && !other.exists() => {
            fs::copy(path, &other)?;
            Some(Undo::Remove(other))
        }
        Change::Delete if !is_manifest => {
            let content = fs::read(path)?;
            fs::remove_file(path)?;
            Some(Undo::Write(path.to_owned(), content))
        }
        Change::Rename if !is_manifest && !other.exists() => {
            fs::rename(path, &other)?;
            Some(Undo::Move(other, path.to_owned()))
        }
        Change::MakeExecutable => {
            let mode = fs::metadata(path)?.permissions().mode();
            fs::set_permissions(path, fs::Permissions::from_mode(mode ^ 0o111))?;
            Some(Undo::Mode(path.to_owned(), mode))
        }
        Change::Copy | Change::Delete | Change::Rename => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{CHANGES, apply};
    use std::{fs, os::unix::fs::PermissionsExt as _};

    #[test]
    fn every_change_can_be_taken_back() {
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let path = scratch.path().join("a.go");
        fs::write(&path, "package a\n").expect("it can be written");
        let state = || {
            let mut names: Vec<_> = fs::read_dir(scratch.path())
                .expect("it can be listed")
                .flatten()
                .map(|entry| {
                    let mode = entry.metadata().expect("it is there").permissions().mode();
                    (
                        entry.file_name(),
                        mode,
                        fs::read(entry.path()).unwrap_or_default(),
                    )
                })
                .collect();
            names.sort();
            names
        };
        let before = state();
        for change in CHANGES {
            let undo = apply(change, &path)
                .expect("it can be changed")
                .expect("it makes sense for a Go file");
            assert_ne!(state(), before, "{change:?}");
            undo.run().expect("it can be taken back");
            assert_eq!(state(), before, "{change:?}");
        }
    }
}
