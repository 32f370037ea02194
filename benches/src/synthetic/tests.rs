use super::{GenerateError, Layout, MODULE, Shape, Written, generate};
use crate::floor::{Files, run};
use std::collections::BTreeSet;
use std::path::Path;

const SHAPE: Shape = Shape {
    seed: 7,
    layout: Layout::SingleModule,
    packages_per_service: 3,
    shared_packages_per_service: 9,
    sources_per_package: 2,
    tests_per_package: 1,
    embedded_per_service: 2,
    third_party_modules: 5,
    file_length: 1500,
};

/// Every file below a directory, relative to it.
fn files(root: &Path) -> Vec<String> {
    fn collect(directory: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                collect(&entry.path(), &format!("{path}/"), found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(root, "", &mut found);
    found.sort();
    found
}

fn digest(root: &Path) -> blake3::Hash {
    run(root, Files::Listed(files(root))).unwrap().digest
}

fn with_layout(layout: Layout) -> Shape {
    Shape { layout, ..SHAPE }
}

#[test]
fn the_same_shape_gives_the_same_bytes_with_any_number_of_threads() {
    let (one, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (root, threads) in [(&one, 1), (&many, 4)] {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(|| generate(root.path(), 4, &SHAPE).unwrap());
    }
    assert_eq!(digest(one.path()), digest(many.path()));
}

#[test]
fn another_seed_gives_other_bytes() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    generate(one.path(), 2, &SHAPE).unwrap();
    generate(other.path(), 2, &Shape { seed: 8, ..SHAPE }).unwrap();
    assert_ne!(digest(one.path()), digest(other.path()));
}

#[test]
fn the_count_of_what_was_written_is_what_stands_on_disk() {
    for layout in [Layout::SingleModule, Layout::Workspace, Layout::Replace] {
        let root = tempfile::tempdir().unwrap();
        let written = generate(root.path(), 3, &with_layout(layout)).unwrap();
        let files = files(root.path());
        let lengths = files
            .iter()
            .map(|file| root.path().join(file).metadata().unwrap().len());
        let found = Written {
            files: files.len() as u64,
            go_files: files.iter().filter(|file| file.ends_with(".go")).count() as u64,
            bytes: lengths.sum(),
        };
        assert_eq!(written, found, "{layout:?}");
    }
}

#[test]
fn every_layout_has_its_own_manifests() {
    let modules = |layout| -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        generate(root.path(), 2, &with_layout(layout)).unwrap();
        let mut files = files(root.path());
        files.retain(|file| file.ends_with("go.mod") || file == "go.work");
        files
    };
    let of_modules = [
        "libs/go.mod",
        "services/service0001/go.mod",
        "services/service0002/go.mod",
    ];
    assert_eq!(modules(Layout::SingleModule), ["go.mod"]);
    assert_eq!(modules(Layout::Replace), of_modules);
    assert_eq!(modules(Layout::Workspace)[0], "go.work");
    assert_eq!(modules(Layout::Workspace)[1..], of_modules);
}

#[test]
fn every_first_party_import_names_a_directory_with_a_lower_number_or_a_part() {
    let root = tempfile::tempdir().unwrap();
    generate(root.path(), 5, &SHAPE).unwrap();
    let files = files(root.path());
    let directories: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.rsplit_once('/'))
        .map(|(directory, _)| directory)
        .collect();
    let mut seen = 0;
    for file in files.iter().filter(|file| file.ends_with(".go")) {
        let text = std::fs::read_to_string(root.path().join(file)).unwrap();
        let imports = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix('"'))
            .filter_map(|path| path.strip_prefix(MODULE)?.strip_prefix('/'));
        for import in imports {
            seen += 1;
            assert!(directories.contains(import), "{file} imports {import}");
            if let Some((directory, _)) =
                file.rsplit_once('/').filter(|_| file.starts_with("libs/"))
            {
                assert!(import < directory, "{file} imports {import}");
            }
        }
    }
    assert!(seen > 50, "only {seen} imports");
}

#[test]
fn a_directory_that_holds_something_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("precious"), "").unwrap();
    let result = generate(root.path(), 1, &SHAPE);
    assert!(matches!(result, Err(GenerateError::NotEmpty(_))));
    assert_eq!(files(root.path()), ["precious"]);
}
