//! The `go list` commands that answer for a whole repository what a plan answers.
//!
//! In: a checkout. Out: one command for all modules of the go.work at its root, and one for every
//! other module. That is the fewest, so the least time that Go can need.
//!
//! **Known gap**: a go.work below the root is not used; its modules are listed one by one.

use crate::process::{ProcessError, output};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The commands, with the modules for which `go list` fails left out.
#[derive(Debug, Default)]
pub struct GoList {
    /// Each succeeded once, so its caches are warm.
    pub commands: Vec<Command>,
    /// What failed, and how.
    pub failed: Vec<String>,
}

impl GoList {
    /// Finds the modules below `root`, and runs each command once.
    ///
    /// # Errors
    /// When a directory can't be read.
    pub fn of(go: &Path, root: &Path) -> std::io::Result<Self> {
        let root = root.canonicalize()?;
        let mut modules = BTreeSet::new();
        find_modules(&root, &mut modules)?;
        let mut found = Self::default();
        if root.join("go.work").is_file() {
            let mut list = Command::new(go);
            list.current_dir(&root)
                .args(["list", "-m", "-f", "{{.Dir}}"]);
            match output(&mut list) {
                Ok(directories) => {
                    let directories = String::from_utf8_lossy(&directories);
                    let mut all = list_command(go, &root);
                    for directory in directories.lines() {
                        modules.remove(Path::new(directory));
                        all.arg(format!("{directory}/..."));
                    }
                    found.try_command(all);
                }
                Err(error) => found.failed.push(error.to_string()),
            }
        }
        for module in modules {
            let mut own = list_command(go, &module);
            own.env("GOWORK", "off").arg("./...");
            found.try_command(own);
        }
        Ok(found)
    }

    fn try_command(&mut self, mut command: Command) {
        match output(&mut command) {
            Ok(_) => self.commands.push(command),
            Err(error @ (ProcessError::Failed { .. } | ProcessError::Start { .. })) => {
                let directory = command.get_current_dir().unwrap_or(Path::new("."));
                self.failed
                    .push(format!("{}: {error}", directory.display()));
            }
        }
    }
}

fn list_command(go: &Path, directory: &Path) -> Command {
    let mut command = Command::new(go);
    command
        .current_dir(directory)
        .args(["list", "-deps", "-json"]);
    command
}

/// Every directory with a go.mod that `./...` patterns would reach.
fn find_modules(directory: &Path, modules: &mut BTreeSet<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            let name = name.as_encoded_bytes();
            let left_out = name.starts_with(b".") || name.starts_with(b"_");
            if !left_out && name != b"testdata" && name != b"vendor" {
                find_modules(&entry.path(), modules)?;
            }
        } else if name == "go.mod" {
            modules.insert(directory.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::find_modules;
    use std::collections::BTreeSet;

    #[test]
    fn modules_in_vendor_testdata_and_hidden_directories_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        for directory in [".", "a/b", "vendor/c", "a/testdata/d", ".e", "_f"] {
            let directory = root.path().join(directory);
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("go.mod"), "module m\n").unwrap();
        }
        let mut modules = BTreeSet::new();
        find_modules(root.path(), &mut modules).unwrap();
        let expected = [root.path().to_owned(), root.path().join("a/b")];
        assert_eq!(modules, BTreeSet::from(expected));
    }
}
