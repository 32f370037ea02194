//! Puts back what the `go` command rewrites: it adds to go.sum and go.work.sum while it lists.
//!
//! In: the modules of a checkout. Out: a guard that restores every manifest when it is dropped.

use super::{Module, OracleError};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// The manifests as they were; restored on drop.
pub(super) struct RestoreManifests {
    /// `None`: the file did not exist.
    before: BTreeMap<PathBuf, Option<Vec<u8>>>,
}

impl RestoreManifests {
    pub(super) fn new(root: &Path, modules: &[Module]) -> Result<Self, OracleError> {
        let mut before = BTreeMap::new();
        for module in modules {
            let directory = root.join(&module.directory);
            let mut paths = vec![directory.join("go.mod"), directory.join("go.sum")];
            if let Some(workspace) = &module.workspace {
                paths.push(workspace.with_file_name("go.work"));
                paths.push(workspace.with_file_name("go.work.sum"));
            }
            for path in paths {
                let bytes = read_if_there(&path).map_err(OracleError::io(&path))?;
                before.insert(path, bytes);
            }
        }
        Ok(Self { before })
    }
}

impl Drop for RestoreManifests {
    fn drop(&mut self) {
        for (path, bytes) in &self.before {
            if read_if_there(path).ok().as_ref() == Some(bytes) {
                continue;
            }
            // Nothing can be done about a failure here; the checkout's own version control shows the change.
            let _ = match bytes {
                Some(bytes) => fs::write(path, bytes),
                None => fs::remove_file(path),
            };
        }
    }
}

/// A directory of the name of a manifest, or a link that leads nowhere, is nothing that `go` rewrites.
fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => fs::read(path).map(Some),
        _ => Ok(None),
    }
}
