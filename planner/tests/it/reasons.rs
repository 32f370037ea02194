//! Reasons are true: their values are those of the two trees, and their ways are the shortest.
//!
//! The check knows nothing of how the planner searches: it walks the packages that a plan lists.

use proptest::prelude::*;
use rebake_planner::{
    decide::{Change, Reason},
    inputs::ImageInputs,
    path::RepoPath,
    plan::{BaselineImage, Plan, PlanOptions, PlannedPackage, plan},
    tree::{ContentDigest, memory::MemoryTree},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Checks every reason of a plan that was compared with another.
pub(crate) fn check(before: &Plan, after: &Plan, what: &str) {
    for image in &after.images {
        let old = before.images.iter().find(|old| {
            old.inputs.service == image.inputs.service
                && old.inputs.platform == image.inputs.platform
        });
        for reason in &image.reasons {
            let Reason::File {
                path,
                change,
                old: old_digest,
                new: new_digest,
                via,
                kind,
            } = reason
            else {
                continue;
            };
            let digest = |inputs: &ImageInputs| -> Option<ContentDigest> {
                let mut rows = inputs.files.iter();
                rows.find(|file| file.path == *path && file.kind == *kind)
                    .map(|file| file.digest)
            };
            assert_eq!(*new_digest, digest(&image.inputs), "{what}: {path}");
            let old = old.unwrap();
            assert_eq!(*old_digest, digest(&old.inputs), "{what}: {path}");
            let plan = if *change == Change::Removed {
                before
            } else {
                after
            };
            let packages = plan.packages(Some(&image.inputs.service));
            check_way(&packages, &image.inputs.main, path, via, what);
        }
    }
}

/// A way starts at a package whose directory is above the file, follows imports backwards to the main package, and is
/// as short as a breadth-first search says.
fn check_way(packages: &[PlannedPackage], main: &str, path: &RepoPath, via: &[String], what: &str) {
    let Some((first, last)) = via.first().zip(via.last()) else {
        return;
    };
    assert_eq!(last, main, "{what}: {path}");
    let by_path: BTreeMap<&str, &PlannedPackage> = packages
        .iter()
        .map(|package| (package.import_path.as_str(), package))
        .collect();
    for pair in via.windows(2) {
        let importer = by_path[pair[1].as_str()];
        assert!(importer.imports.contains(&pair[0]), "{what}: {via:?}");
    }
    assert!(
        path.starts_with(&by_path[first.as_str()].directory),
        "{what}: {via:?}"
    );
    let mut steps = BTreeMap::from([(main, 1)]);
    let mut pending = VecDeque::from([main]);
    while let Some(at) = pending.pop_front() {
        for next in &by_path[at].imports {
            if !steps.contains_key(next.as_str()) {
                steps.insert(next, steps[at] + 1);
                pending.push_back(next);
            }
        }
    }
    assert_eq!(via.len(), steps[first.as_str()], "{what}: {via:?}");
}

const PACKAGES: usize = 8;

/// A module of packages that import some of those with a higher number, and two commands.
fn tree(imports: &[(usize, usize)], contents: &[u8; PACKAGES]) -> MemoryTree {
    let mut of: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (from, to) in imports {
        if from < to {
            of.entry(*from).or_default().insert(*to);
        }
    }
    let mut tree = MemoryTree::new()
        .with_file("go.mod", "module ex.com/m\n\ngo 1.24\n")
        .unwrap();
    for (number, content) in contents.iter().enumerate() {
        let (path, name) = match number {
            0 | 1 => (format!("cmd/c{number}/main.go"), "main".to_owned()),
            _ => (format!("p{number}/p.go"), format!("p{number}")),
        };
        let mut text = format!("package {name}\n\n");
        for imported in of.get(&number).into_iter().flatten().filter(|to| **to > 1) {
            text.push_str(&format!("import _ \"ex.com/m/p{imported}\"\n"));
        }
        text.push_str(&format!("// {content}\n"));
        if name == "main" {
            text.push_str("func main() {}\n");
        }
        tree = tree.with_file(&path, text).unwrap();
    }
    tree
}

proptest! {
    #[test]
    fn the_way_of_every_reason_is_a_shortest_one(
        imports in proptest::collection::vec((0..PACKAGES, 0..PACKAGES), 0..24),
        more in proptest::collection::vec((0..PACKAGES, 0..PACKAGES), 0..3),
        old in proptest::array::uniform8(0u8..2),
        new in proptest::array::uniform8(0u8..2),
    ) {
        let before = plan(&tree(&imports, &old), &PlanOptions::new()).unwrap();
        let changed = [imports, more].concat();
        let mut after = plan(&tree(&changed, &new), &PlanOptions::new()).unwrap();
        let baseline: Vec<BaselineImage> = before.images.iter().map(BaselineImage::from).collect();
        after.compare_with(&baseline);
        check(&before, &after, "");
    }
}
