//! Walks the history of a checkout and holds every verdict to the Go toolchain.
//!
//! In: a repository and how many commits. Out: for every commit and main package whether the planner's verdict was right.
//! The truth is the oracle's: an image must be rebuilt exactly when the files that `go list` names, or their contents,
//! changed. Commits that touch manifests are counted apart, since there the third-party tier `module` is a superset. It
//! must never change the repository that it is given.
//!
//! The oracle is asked again only where a commit touches something that Go could take: a file that it took before, a
//! source file or manifest by its name, or whatever lies beside embedded files.

use crate::{
    checkout::Checkout,
    oracle::{Cgo, Network},
    truth::{Truth, ask},
};
use camino::{Utf8Path, Utf8PathBuf};
use rebake_planner::{
    decide::{Reason, Verdict},
    path::RepoPath,
    plan::{BaselineImage, Plan, PlanOptions, plan},
    tree::git::Repository,
};
use std::{
    collections::BTreeSet,
    error::Error,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Checkouts whose history is walked.
    #[arg(required = true)]
    directories: Vec<PathBuf>,
    /// How many commits, on the first-parent line from HEAD back.
    #[arg(long, default_value_t = 100)]
    commits: usize,
    /// The Go release that the planner plans for: that of the toolchain that is asked.
    #[arg(long, default_value = "1.26")]
    go: String,
    /// Never ask a module proxy.
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Default)]
struct Tally {
    commits: usize,
    pairs: usize,
    changed: usize,
    unjudged: usize,
    missed: Vec<String>,
    avoidable: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut is_good = true;
    for directory in &arguments.directories {
        let (sources, manifests) = replay(directory, arguments)?;
        println!("{}", directory.display());
        for (what, tally) in [
            ("commits without manifests", &sources),
            ("commits with manifests", &manifests),
        ] {
            println!(
                "  {}: {what}: {} images judged, {} had to be rebuilt; missed {}, avoidable {}; {} not judged",
                tally.commits,
                tally.pairs,
                tally.changed,
                tally.missed.len(),
                tally.avoidable.len(),
                tally.unjudged
            );
            for line in &tally.missed {
                println!("    missed: {line}");
            }
        }
        for line in &sources.avoidable {
            println!("    avoidable: {line}");
        }
        is_good &= sources.missed.is_empty()
            && manifests.missed.is_empty()
            && sources.avoidable.is_empty();
    }
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn replay(directory: &Path, arguments: &Arguments) -> Result<(Tally, Tally), Box<dyn Error>> {
    let root = Utf8PathBuf::from_path_buf(directory.canonicalize()?)
        .map_err(|path| format!("{} is not UTF-8", path.display()))?;
    let count = (arguments.commits + 1).to_string();
    let listed = git(&root, &["rev-list", "--first-parent", "-n", &count, "HEAD"])?;
    let commits: Vec<&str> = listed.lines().rev().collect();
    let repository = Repository::open(&root)?;
    let checkout = match commits.first() {
        Some(first) => Checkout::new(directory, first)?,
        None => return Ok(Default::default()),
    };
    let mut options = PlanOptions::new();
    options.services = vec!["**".to_owned()];
    options.go = Some(arguments.go.parse()?);
    let network = if arguments.offline {
        Network::Off
    } else {
        Network::Proxy
    };
    let mut tallies = (Tally::default(), Tally::default());
    let mut before: Option<(Plan, Truth)> = None;
    for (number, commit) in commits.iter().enumerate() {
        let changed = match number.checked_sub(1).and_then(|index| commits.get(index)) {
            Some(parent) => git(
                &root,
                &["diff", "--name-only", "-z", "--no-renames", parent, commit],
            )?,
            None => String::new(),
        };
        let changed: Vec<&str> = changed
            .split('\0')
            .filter(|path| !path.is_empty())
            .collect();
        let resolved = repository.resolve(commit)?;
        let tree = repository.tree(resolved, &RepoPath::root())?;
        let mut planned = plan(&tree, &options)?;
        let known = before
            .as_ref()
            .filter(|(_, truth)| !may_matter(&changed, truth));
        let truth = match known {
            Some((_, truth)) => truth.clone(),
            None => {
                checkout.move_to(commit)?;
                ask(&checkout.directory(), &[], Cgo::Off, &network)?
            }
        };
        if let Some((old, old_truth)) = &before {
            let baseline: Vec<BaselineImage> = old.images.iter().map(BaselineImage::from).collect();
            planned.compare_with(&baseline);
            let has_manifests = changed.iter().any(|path| is_manifest(path));
            let tally = if has_manifests {
                &mut tallies.1
            } else {
                &mut tallies.0
            };
            tally.commits += 1;
            judge(commit, &planned, old, old_truth, &truth, tally);
        }
        before = Some((planned, truth));
    }
    Ok(tallies)
}

/// Holds the verdicts of one commit to what Go says.
fn judge(commit: &str, planned: &Plan, old: &Plan, before: &Truth, now: &Truth, tally: &mut Tally) {
    for image in &planned.images {
        let directory = image.inputs.directory.as_str();
        let was_there = old
            .images
            .iter()
            .any(|old| old.inputs.service == image.inputs.service);
        if !was_there {
            continue;
        }
        let (Some(Some(before)), Some(Some(now))) = (before.get(directory), now.get(directory))
        else {
            tally.unjudged += 1;
            continue;
        };
        tally.pairs += 1;
        let must_rebuild = before != now;
        tally.changed += usize::from(must_rebuild);
        let line = || format!("{commit} {directory}: {}", told(&image.reasons));
        match (must_rebuild, image.verdict) {
            (true, Verdict::Reuse) => tally.missed.push(line()),
            (false, Verdict::Rebuild) => tally.avoidable.push(line()),
            _ => {}
        }
    }
}

fn told(reasons: &[Reason]) -> String {
    let first: Vec<String> = reasons
        .iter()
        .take(3)
        .map(|reason| format!("{reason:?}"))
        .collect();
    first.join("; ")
}

const SOURCES: [&str; 20] = [
    "go", "c", "cc", "cpp", "cxx", "h", "hh", "hpp", "hxx", "m", "f", "F", "for", "f90", "s", "S",
    "sx", "swig", "swigcxx", "syso",
];

fn is_manifest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    ["go.mod", "go.sum", "go.work", "go.work.sum", "modules.txt"].contains(&name)
}

/// Whether any of these paths could change what Go takes.
fn may_matter(changed: &[&str], truth: &Truth) -> bool {
    let files = || truth.values().flatten().flatten();
    let taken: BTreeSet<&str> = files().map(|(path, ..)| path.as_str()).collect();
    let beside_embedded: BTreeSet<&str> = files()
        .filter(|(_, kind, _)| *kind == "embed")
        .flat_map(|(path, ..)| path.match_indices('/').map(|(end, _)| &path[..end]))
        .collect();
    changed.iter().any(|path| {
        let is_source = Utf8Path::new(path)
            .extension()
            .is_some_and(|extension| SOURCES.contains(&extension));
        is_source
            || is_manifest(path)
            || taken.contains(path)
            || path
                .match_indices('/')
                .any(|(end, _)| beside_embedded.contains(&path[..end]))
    })
}

fn git(root: &Utf8Path, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(arguments)
        .output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("git {}: {}", arguments.join(" "), complaint.trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_is_asked_again_where_it_could_take_something_else() {
        let files = [("lib/lib.go", "go"), ("lib/assets/a.txt", "embed")];
        let taken = files
            .into_iter()
            .map(|(path, kind)| (path.to_owned(), kind, 0))
            .collect();
        let truth = Truth::from([("cmd".to_owned(), Some(taken))]);
        let cases = [
            ("README.md", false),
            ("docs/a/b.png", false),
            ("lib/lib.go", true),
            ("other/new.go", true),
            ("a/b.s", true),
            ("go.sum", true),
            ("vendor/modules.txt", true),
            ("lib/assets/a.txt", true),
            ("lib/assets/new.txt", true),
            ("lib/new.txt", true),
        ];
        for (path, expected) in cases {
            assert_eq!(may_matter(&[path], &truth), expected, "{path}");
        }
    }
}
