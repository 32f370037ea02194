//! A sample monorepo with a history of its own.
//!
//! In: edits, as a person makes them. Out: commits, in a work tree and in the bare repository that it pushes to, which
//! stands for the server, whatever address it goes by. It must never read git's configuration of the machine.

use super::install::must;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The main packages of the sample, which are its services.
pub(super) const SERVICES: [&str; 4] = ["api", "cart", "mailer", "worker"];

/// What go.sum says of another release of a dependency.
pub(super) const UUID_1_5_0: &str = "\
github.com/google/uuid v1.5.0 h1:1p67kYwdtXjb0gL0BPiP1Av9wiZPo5A8z2cWkTZ+eyU=
github.com/google/uuid v1.5.0/go.mod h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=
";

#[derive(Deserialize)]
struct PlanDocument {
    services: Vec<PlanRow>,
}

#[derive(Deserialize)]
struct PlanRow {
    name: String,
    tag: String,
}

/// A work tree with its server.
pub(super) struct Shop {
    directory: tempfile::TempDir,
}

impl Shop {
    /// The sample monorepo, as a repository of a server. Nothing is committed yet.
    pub(super) fn new(address: &str) -> Result<Self, Box<dyn Error>> {
        let shop = Self::empty(address)?;
        rebake_fixtures::entry::write_entries(&rebake_fixtures::demo(), &shop.tree())?;
        Ok(shop)
    }

    /// A repository without a package.
    pub(super) fn empty(address: &str) -> Result<Self, Box<dyn Error>> {
        let shop = Self {
            directory: tempfile::tempdir()?,
        };
        // The Go image that the builder of the tests has.
        let settings = format!("go = \"{}\"\n", crate::tools::GO_RELEASE);
        shop.write("rebake.toml", &settings)?;
        must(
            Command::new("git")
                .args(["init", "--quiet", "--bare", "--initial-branch=main"])
                .arg(shop.server()),
        )?;
        // As the servers do.
        git(
            &shop.server(),
            &["config", "uploadpack.allowAnySHA1InWant", "true"],
        )?;
        shop.git(&["init", "--quiet", "--initial-branch=main"])?;
        shop.git(&["remote", "add", "origin", address])?;
        Ok(shop)
    }

    /// The work tree.
    pub(super) fn tree(&self) -> PathBuf {
        self.directory.path().join("shop")
    }

    /// The bare repository.
    pub(super) fn server(&self) -> PathBuf {
        self.directory.path().join("server.git")
    }

    /// Writes a file of the work tree.
    pub(super) fn write(&self, path: &str, text: &str) -> Result<(), Box<dyn Error>> {
        let path = self.tree().join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(fs::write(path, text)?)
    }

    /// Appends to a file of the work tree.
    pub(super) fn append(&self, path: &str, text: &str) -> Result<(), Box<dyn Error>> {
        let before = fs::read_to_string(self.tree().join(path)).unwrap_or_default();
        self.write(path, &format!("{before}{text}"))
    }

    /// Replaces a text of a file, which must be there.
    pub(super) fn replace(&self, path: &str, old: &str, new: &str) -> Result<(), Box<dyn Error>> {
        let before = fs::read_to_string(self.tree().join(path))?;
        if !before.contains(old) {
            return Err(format!("{path} does not hold {old:?}").into());
        }
        self.write(path, &before.replace(old, new))
    }

    /// Commits what the work tree holds on the branch that it is on, and pushes that branch.
    pub(super) fn push(&self, message: &str) -> Result<String, Box<dyn Error>> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message])?;
        self.push_as("HEAD")
    }

    /// Pushes the commit that the work tree is on; `HEAD` pushes its branch under its own name.
    pub(super) fn push_as(&self, reference: &str) -> Result<String, Box<dyn Error>> {
        let server = self.server().display().to_string();
        let refspec = if reference == "HEAD" {
            "HEAD".to_owned()
        } else {
            format!("HEAD:{reference}")
        };
        self.git(&["push", "--quiet", "--force", &server, &refspec])?;
        self.head()
    }

    /// Goes on from a commit, on a branch of its own.
    pub(super) fn branch(&self, name: &str, at: &str) -> Result<(), Box<dyn Error>> {
        self.git(&["checkout", "--quiet", "-b", name, at])?;
        Ok(())
    }

    /// Merges a branch into a commit of `main` and pushes that under a ref, as servers do to test it: the merge is on no branch.
    pub(super) fn test_merge(
        &self,
        main: &str,
        branch: &str,
        reference: &str,
    ) -> Result<String, Box<dyn Error>> {
        self.git(&["checkout", "--quiet", "--detach", main])?;
        self.git(&["merge", "--quiet", "--no-ff", "--message", "Merge", branch])?;
        self.push_as(reference)
    }

    /// Brings `main` to what is ahead of it, and pushes it.
    pub(super) fn fast_forward(&self, to: &str) -> Result<(), Box<dyn Error>> {
        self.git(&["checkout", "--quiet", "main"])?;
        self.git(&["merge", "--quiet", "--ff-only", to])?;
        self.push_as("HEAD")?;
        Ok(())
    }

    /// Takes the branch back to a commit, as if what came after had never been. The next push is forced.
    pub(super) fn take_back(&self, to: &str) -> Result<(), Box<dyn Error>> {
        self.git(&["reset", "--quiet", "--hard", to])?;
        Ok(())
    }

    /// Drops every commit that is on no branch, here and on the server, and makes sure that one is gone.
    pub(super) fn forget(&self, commit: &str) -> Result<(), Box<dyn Error>> {
        for directory in [self.tree(), self.server()] {
            git(&directory, &["reflog", "expire", "--expire=now", "--all"])?;
            git(&directory, &["gc", "--quiet", "--prune=now"])?;
            if git(&directory, &["cat-file", "-e", commit]).is_ok() {
                return Err(format!("{} still holds {commit}", directory.display()).into());
            }
        }
        Ok(())
    }

    /// The commit that the work tree is on.
    pub(super) fn head(&self) -> Result<String, Box<dyn Error>> {
        self.git(&["rev-parse", "HEAD"])
    }

    /// The content tags of the services as the work tree is.
    pub(super) fn content_tags(
        &self,
        rebake: &Path,
        platforms: Option<&str>,
    ) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
        let output = Command::new(rebake)
            .args(["plan", "--format", "json", "--root"])
            .arg(self.tree())
            .args(platforms.map(|platforms| format!("--platform={platforms}")))
            .output()?;
        let document: PlanDocument = serde_json::from_slice(&output.stdout)?;
        let rows = document.services.into_iter();
        Ok(rows.map(|row| (row.name, row.tag)).collect())
    }

    /// git in the work tree.
    pub(super) fn git(&self, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
        git(&self.tree(), arguments)
    }
}

/// git as on any machine, whoever it belongs to.
fn git(directory: &Path, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_AUTHOR_NAME", "A person"),
            ("GIT_AUTHOR_EMAIL", "person@example.com"),
            ("GIT_COMMITTER_NAME", "A person"),
            ("GIT_COMMITTER_EMAIL", "person@example.com"),
        ])
        .output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("git {}: {complaint}", arguments.join(" ")).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
