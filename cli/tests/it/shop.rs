//! The sample monorepo in a directory, and the program run in it with an empty environment.

use rebake_fixtures::entry::write_entries;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A copy of the sample monorepo that a test may change.
pub(crate) struct Shop {
    directory: tempfile::TempDir,
}

/// What a run of the program left behind.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let shop = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        write_entries(&rebake_fixtures::demo(), &shop.root()).unwrap();
        shop
    }

    /// An empty directory.
    pub(crate) fn empty() -> Self {
        let shop = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(shop.root()).unwrap();
        shop
    }

    /// The root of the tree, in a directory called `shop`, since the output greets with that name.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("shop")
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.root().join(path)).unwrap();
    }

    /// Makes a repository of the shop, where there is none yet, and commits everything.
    pub(crate) fn commit_all(&self) {
        if !self.root().join(".git").exists() {
            self.git(&["init", "--quiet", "--initial-branch=main"]);
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message=x"]);
    }

    /// Runs git in the shop, with nobody's configuration.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(self.root())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A")
            .env("GIT_AUTHOR_EMAIL", "a@example.com")
            .env("GIT_COMMITTER_NAME", "A")
            .env("GIT_COMMITTER_EMAIL", "a@example.com")
            .output()
            .unwrap();
        let answer = Answer::from(output);
        assert_eq!(answer.code, 0, "{arguments:?}: {answer:?}");
        answer.stdout.trim().to_owned()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        self.run_with(arguments, &[])
    }

    /// Runs the program in a directory of the shop.
    pub(crate) fn run_in(&self, directory: &str, arguments: &[&str]) -> Answer {
        let output = program(&self.root().join(directory))
            .args(arguments)
            .output()
            .unwrap();
        Answer::from(output)
    }

    /// Runs the program with nothing but these variables in its environment.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Answer {
        let output = program(&self.root())
            .args(arguments)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Answer::from(output)
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rebake"));
    command
        .current_dir(directory)
        .env_clear()
        .stdin(Stdio::null());
    command
}
