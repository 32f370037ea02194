//! The history that a CI's run is compared with.
//!
//! In: the commit that the run's event names. Out: a [`Comparison`]. Where a clone does not hold the commit, git is asked
//! to fetch it: first that commit alone, and only for a common ancestor more and more history, within bounds. A clone
//! without contents (`--filter=blob:none`) gets those that differ. What can't be had is said, with what mends it, and
//! everything is built.
//!
//! It must never give git anything but ids that were checked, fetch a branch or a tag, or wait for ever.

use crate::planning::Comparison;
use camino::Utf8Path;
use rebake_ci::{BaselineChoice, CheckedOut, CommitSha};
use rebake_planner::tree::git::{CommitId, MergeBaseError, Repository};
use std::{
    io::{Read as _, Seek as _},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// By how many commits the history is deepened, in turn, until the common ancestor is there.
const DEEPENINGS: [u32; 4] = [50, 200, 1_000, 5_000];

/// As long as git may take at a time.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a running git is looked at.
const TICK: Duration = Duration::from_millis(20);

/// Whether git may be asked to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetching {
    Allowed,
    Forbidden,
}

/// The commit that is planned, as far as a choice needs it.
pub(crate) fn checked_out(repository: Option<&Repository>, head: Option<&str>) -> CheckedOut {
    let parents = || {
        let repository = repository?;
        let commit = planned_commit(repository, head)?;
        repository.parents(commit).ok()
    };
    CheckedOut {
        parents: parents()
            .unwrap_or_default()
            .iter()
            .filter_map(|parent| parent.to_string().parse().ok())
            .collect(),
    }
}

fn planned_commit(repository: &Repository, head: Option<&str>) -> Option<CommitId> {
    match head {
        Some(revision) => repository.resolve(revision).ok(),
        None => repository.head().ok().flatten(),
    }
}

/// Makes what a choice needs available, as far as that is possible.
pub(crate) fn prepare(
    choice: &BaselineChoice,
    directory: &Utf8Path,
    repository: Option<Repository>,
    head: Option<&str>,
    fetching: Fetching,
) -> Comparison {
    let commit = match choice {
        BaselineChoice::Nothing(_) => return Comparison::Nothing,
        BaselineChoice::Commit(commit) | BaselineChoice::CommonAncestor(commit) => commit,
    };
    let unavailable = |message: String| Comparison::Unavailable {
        revision: commit.to_string(),
        message,
    };
    let Some(repository) = repository else {
        return unavailable("the tree is in no git repository that can be read".to_owned());
    };
    let mut clone = LocalClone {
        directory,
        repository,
        fetching,
    };
    if let Err(message) = clone.fetch_commit(commit) {
        return unavailable(message);
    }
    let is_common_ancestor = matches!(choice, BaselineChoice::CommonAncestor(_));
    let base = if is_common_ancestor {
        clone.fetch_common_ancestor(commit, head)
    } else {
        Ok(commit.clone())
    };
    // Without the contents the plan says what is missing.
    match base.map(|base| clone.fetch_contents(&base, head)) {
        Ok(()) if is_common_ancestor => Comparison::CommonAncestor(commit.to_string()),
        Ok(()) => Comparison::Commit(commit.to_string()),
        Err(message) => unavailable(message),
    }
}

struct LocalClone<'a> {
    directory: &'a Utf8Path,
    repository: Repository,
    fetching: Fetching,
}

impl LocalClone<'_> {
    fn fetch_commit(&mut self, commit: &CommitSha) -> Result<(), String> {
        if self.repository.resolve(commit.as_str()).is_ok() {
            return Ok(());
        }
        let advice = "fetch it before, as with `fetch-depth: 0` in a checkout step of GitHub or `GIT_DEPTH: 0` in GitLab";
        if self.fetching == Fetching::Forbidden {
            return Err(format!(
                "the commit {commit} is not in this clone; {advice}"
            ));
        }
        // A clone that is whole must not become a shallow one.
        let depth = self.repository.is_shallow().then_some("--depth=1");
        self.fetch(depth, &[commit]).map_err(|problem| {
            format!("the commit {commit} is not in this clone and can't be fetched ({problem}); {advice}")
        })?;
        match self.repository.resolve(commit.as_str()) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn fetch_common_ancestor(
        &mut self,
        commit: &CommitSha,
        head: Option<&str>,
    ) -> Result<CommitSha, String> {
        let mut deepenings = DEEPENINGS.iter();
        loop {
            let asked = self
                .repository
                .resolve(commit.as_str())
                .map_err(|error| error.to_string())?;
            let head = planned_commit(&self.repository, head)
                .ok_or("nothing is committed yet, so there is nothing to compare with")?;
            let error = match self.repository.merge_base(asked, head) {
                Ok(base) => {
                    let base = base.to_string().parse::<CommitSha>();
                    return base.map_err(|error| error.to_string());
                }
                Err(error) => error,
            };
            let is_cut_off = matches!(error, MergeBaseError::ShallowClone { .. });
            let next = deepenings
                .next()
                .filter(|_| is_cut_off && self.fetching == Fetching::Allowed);
            let Some(commits) = next else {
                return Err(error.to_string());
            };
            let head: Option<CommitSha> = head.to_string().parse().ok();
            let tips: Vec<&CommitSha> = head.iter().chain([commit]).collect();
            let deepen = format!("--deepen={commits}");
            // What is checked out may be known here alone.
            self.fetch(Some(&deepen), &tips)
                .or_else(|_| self.fetch(Some(&deepen), &[commit]))
                .map_err(|problem| format!("{error}; more history can't be fetched ({problem})"))?;
        }
    }

    /// Has git fetch what differs between the two trees, in a clone that holds contents only where they were needed.
    fn fetch_contents(&mut self, base: &CommitSha, head: Option<&str>) {
        if !self.repository.is_partial_clone() || self.fetching == Fetching::Forbidden {
            return;
        }
        let Some(head) = planned_commit(&self.repository, head) else {
            return;
        };
        let arguments = [
            "diff",
            "--numstat",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--ignore-submodules=all",
            "--end-of-options",
            base.as_str(),
            &head.to_string(),
        ];
        // What is missing then is told by the plan.
        let _ = self.git(&arguments);
    }

    fn fetch(&mut self, depth: Option<&str>, commits: &[&CommitSha]) -> Result<(), String> {
        let mut arguments = vec!["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
        arguments.extend(depth);
        arguments.extend(["--end-of-options", "origin"]);
        arguments.extend(commits.iter().map(|commit| commit.as_str()));
        self.git(&arguments)
    }

    /// Runs git, and looks at the repository anew.
    fn git(&mut self, arguments: &[&str]) -> Result<(), String> {
        let mut log = tempfile::tempfile().map_err(|error| error.to_string())?;
        let stderr = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new("git");
        command
            .args(["-c", "maintenance.auto=false", "-c", "gc.auto=0"])
            .args(arguments)
            .current_dir(self.directory)
            // There is nobody who could answer.
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr);
        let started = Instant::now();
        let mut child = command
            .spawn()
            .map_err(|error| format!("git can't be started: {error}"))?;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if started.elapsed() < PATIENCE => std::thread::sleep(TICK),
                Ok(None) => {
                    // It may have ended in between.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("git took longer than {} s", PATIENCE.as_secs()));
                }
                Err(error) => return Err(error.to_string()),
            }
        };
        if !status.success() {
            let mut said = Vec::new();
            // What can't be read is not told.
            let _ = log.rewind().and_then(|()| log.read_to_end(&mut said));
            return Err(last_line(&String::from_utf8_lossy(&said)));
        }
        if let Ok(Some(repository)) = Repository::discover(self.directory) {
            self.repository = repository;
        }
        Ok(())
    }
}

/// The last thing that git said, without the credentials that an address may hold.
fn last_line(text: &str) -> String {
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    let line = line.unwrap_or("git says nothing");
    let mut shown = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find(['/', '\'', '"', ' ']).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) => &after[at + 1..],
            None => after,
        };
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::last_line;

    #[test]
    fn credentials_of_an_address_are_not_told() {
        let cases = [
            (
                "fatal: unable to access 'https://ci:s3cr@t@gitlab.example/x.git/': no\n\n",
                "fatal: unable to access 'https://gitlab.example/x.git/': no",
            ),
            ("a\nhttps://b/c@d", "https://b/c@d"),
            ("", "git says nothing"),
        ];
        for (text, expected) in cases {
            assert_eq!(last_line(text), expected);
        }
    }
}
