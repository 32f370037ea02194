//! When an image must be rebuilt, by the Go toolchain.
//!
//! In: a checkout. Out: for every main package the files that Go takes, with their contents: an image must be rebuilt
//! exactly when these differ. It must never ask the planner.

use crate::oracle::{self, Cgo, Context, Network, OracleError, State};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

/// What Go takes for a main package: path, kind and a number for the content.
pub(crate) type Taken = BTreeSet<(String, &'static str, u64)>;

/// What Go takes, by directory of the main package; nothing where it can't be loaded, or would not build.
pub(crate) type Truth = BTreeMap<String, Option<Taken>>;

/// Asks the toolchain about a checkout, for linux/amd64; `packages` are directories of main packages that no pattern
/// finds.
///
/// # Errors
/// The oracle's own failures.
pub(crate) fn ask(
    directory: &Path,
    packages: &[String],
    cgo: Cgo,
    network: &Network,
) -> Result<Truth, OracleError> {
    let context = Context {
        platform: "linux/amd64".to_owned(),
        cgo,
        tags: Vec::new(),
    };
    let mut answers = oracle::ask(directory, &[context], packages, network)?;
    let answer = answers.pop().unwrap_or_default();
    let mains = answer.mains.into_iter().map(|(main, package)| {
        let taken = match package.state {
            State::Loaded { files, errors, .. } if errors.is_empty() => {
                let with_content = files.into_iter().map(|(path, kind)| {
                    let content = content_of(&directory.join(&path));
                    (path, kind, content)
                });
                Some(with_content.collect())
            }
            _ => None,
        };
        (main, taken)
    });
    Ok(mains.collect())
}

/// A number that tells contents apart within one run; what can't be read is told apart from what is empty.
fn content_of(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    fs::read(path).ok().hash(&mut hasher);
    hasher.finish()
}
