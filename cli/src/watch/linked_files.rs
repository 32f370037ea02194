//! Files with more than one name.
//!
//! In: the files that a plan read. Out: those that were written since they were last asked for, by whatever name, outside
//! of the root too: of a write the system tells by the name that was written alone. It must never take a file for
//! unchanged that may have been written between a look and the next reading.
//!
//! **Known gaps**: a link that is made outside of the root meanwhile is known from the next plan that is made anew. Other
//! systems than Unix do not say how many names a file has.

use rebake_planner::path::RepoPath;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The files with more than one name that are in view.
#[derive(Debug, Default)]
pub(super) struct LinkedFiles(BTreeMap<RepoPath, Option<Stamp>>);

impl LinkedFiles {
    /// Has these files in view and no others, and yields those that may have been written since they were read, because
    /// nobody had looked before.
    pub(super) fn replace(&mut self, root: &Path, files: &BTreeSet<RepoPath>) -> Vec<RepoPath> {
        let mut known = std::mem::take(&mut self.0);
        let mut unsure = Vec::new();
        for file in files {
            if names(&root.join(file.as_tree_str())) < 2 {
                continue;
            }
            let stamp = match known.remove(file) {
                Some(stamp) => stamp,
                None => {
                    unsure.push(file.clone());
                    Stamp::of(&root.join(file.as_tree_str()))
                }
            };
            self.0.insert(file.clone(), stamp);
        }
        unsure
    }

    /// The files that may have been written since they were last asked for.
    pub(super) fn written(&mut self, root: &Path) -> Vec<RepoPath> {
        let mut written = Vec::new();
        for (file, known) in &mut self.0 {
            let stamp = Stamp::of(&root.join(file.as_tree_str()));
            if stamp.is_none() || stamp != *known {
                written.push(file.clone());
                *known = stamp;
            }
        }
        written
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn holds(&self, file: &RepoPath) -> bool {
        self.0.contains_key(file)
    }
}

/// How many names a regular file has; none where it is not one, or nobody says.
#[cfg(unix)]
pub(super) fn names(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = path.symlink_metadata();
    metadata.map_or(0, |metadata| {
        if metadata.is_file() {
            metadata.nlink()
        } else {
            0
        }
    })
}

#[cfg(not(unix))]
pub(super) fn names(_: &Path) -> u64 {
    0
}

/// What the system says of a file beside its content. It differs after every write.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp([i128; 5]);

impl Stamp {
    /// Nothing where there is no such file, or where it was written a moment ago: the next write may get the same time.
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::{os::unix::fs::MetadataExt as _, time::UNIX_EPOCH};
        /// Longer than any tick of a clock by which file systems tell the time of a write.
        const TICK: i128 = 50_000_000;
        let nanoseconds =
            |seconds: i64, more: i64| i128::from(seconds) * 1_000_000_000 + i128::from(more);
        let metadata = path.symlink_metadata().ok()?;
        let changed = nanoseconds(metadata.ctime(), metadata.ctime_nsec());
        let now = UNIX_EPOCH.elapsed().ok()?.as_nanos();
        if changed + TICK > i128::try_from(now).ok()? {
            return None;
        }
        Some(Self([
            i128::from(metadata.dev()),
            i128::from(metadata.ino()),
            i128::from(metadata.size()),
            nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed,
        ]))
    }

    #[cfg(not(unix))]
    fn of(_: &Path) -> Option<Self> {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::{fs, thread::sleep, time::Duration};

    #[test]
    fn a_write_by_another_name_is_a_write() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fs::create_dir(&root).unwrap();
        let files = ["a.go", "b.go", "single.go", "gone.go"];
        let files = files.map(|file| RepoPath::new(file).unwrap());
        for file in &files[..3] {
            fs::write(root.join(file.as_tree_str()), "package a\n").unwrap();
        }
        let [outside, inside] = [directory.path().join("x"), root.join("docs")];
        fs::hard_link(root.join("a.go"), &outside).unwrap();
        fs::hard_link(root.join("b.go"), &inside).unwrap();
        let settle = || sleep(Duration::from_millis(100));
        settle();
        let mut linked = LinkedFiles::default();
        // What was read before anybody looked is looked at again.
        let read = BTreeSet::from(files.clone());
        assert_eq!(linked.replace(&root, &read), files[..2]);
        assert!(linked.holds(&files[0]) && !linked.holds(&files[2]));
        assert!(linked.written(&root).is_empty());
        for (name, file) in [(&outside, &files[0]), (&inside, &files[1])] {
            fs::write(name, "package b\n").unwrap();
            assert_eq!(linked.written(&root), std::slice::from_ref(file));
            // Another write could have the same time.
            assert_eq!(linked.written(&root), std::slice::from_ref(file));
            settle();
            assert_eq!(linked.written(&root), std::slice::from_ref(file));
            assert!(linked.written(&root).is_empty());
        }
        assert!(linked.replace(&root, &read).is_empty());
        assert!(linked.replace(&root, &BTreeSet::new()).is_empty() && linked.is_empty());
    }
}
