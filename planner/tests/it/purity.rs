//! The same sources give the same plan: from memory and from any directory, whatever the modes, times, threads and
//! order; and what Go's rules make inert changes no key.

use crate::rendering::{documents, tree_of};
use camino::Utf8Path;
use proptest::{collection::vec, prelude::*, sample::Index};
use rebake_fixtures::{
    Case, Content, Entry, cases, demo,
    entry::{Mode, write_entries},
};
use rebake_planner::{
    file_kind::FileKind,
    path::RepoPath,
    plan::{ContextEntry, Plan, PlanOptions, ServiceContext, plan},
    target::Cgo,
    tree::{FileMode, ReadLimit, SourceTree as _, disk::DiskTree, memory::MemoryTree},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

/// Every sample tree, with the options under which it says most.
pub(crate) fn samples() -> Vec<(String, Vec<Entry>, Vec<PlanOptions>)> {
    let mut samples: Vec<_> = cases()
        .expect("all cases are well-formed")
        .into_iter()
        .map(|case| {
            let name = format!("{}/{}", case.topic, case.name);
            let options = options_of(&case);
            (name, case.entries, options)
        })
        .collect();
    samples.push(("demo".to_owned(), demo(), vec![PlanOptions::new()]));
    samples
}

fn options_of(case: &Case) -> Vec<PlanOptions> {
    case.cgo
        .iter()
        .map(|cgo| {
            let mut options = PlanOptions::new();
            options.services = vec!["**".to_owned()];
            options.platforms = case
                .platforms
                .iter()
                .map(|platform| platform.parse().expect("a platform of a case"))
                .collect();
            options.tags = case
                .tags
                .iter()
                .map(|tag| tag.parse().expect("a tag of a case"))
                .collect();
            options.cgo = Some(match cgo {
                rebake_fixtures::case::Cgo::Off => Cgo::Disabled,
                rebake_fixtures::case::Cgo::On => Cgo::Enabled,
            });
            options
        })
        .collect()
}

pub(crate) fn in_memory(entries: &[Entry]) -> MemoryTree {
    let mut tree = MemoryTree::new();
    for entry in entries {
        tree = match &entry.content {
            Content::File { bytes, mode } => match mode {
                Mode::Regular => tree.with_file(&entry.path, bytes),
                Mode::Executable => tree.with_executable(&entry.path, bytes),
            },
            Content::Symlink { target } => tree.with_symlink(&entry.path, target),
            // As in git, a tree in memory holds no empty directory.
            Content::Directory => Ok(tree),
        }
        .expect("a clean path");
    }
    tree
}

fn on_disk(directory: &Path) -> DiskTree {
    DiskTree::open(Utf8Path::from_path(directory).expect("a UTF-8 path")).expect("a directory")
}

#[cfg(unix)]
fn visit(directory: &Path, act: &dyn Fn(&Path, &fs::Metadata)) {
    for entry in fs::read_dir(directory).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        if metadata.is_dir() {
            visit(&path, act);
        }
        if !metadata.is_symlink() {
            act(&path, &metadata);
        }
    }
}

/// What `umask` would have left of the modes, for every umask that people have.
#[cfg(unix)]
fn apply_umask(directory: &Path, umask: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    visit(directory, &|path, metadata| {
        let executable = metadata.permissions().mode() & 0o100 != 0;
        let mode = if metadata.is_dir() || executable {
            0o777
        } else {
            0o666
        };
        fs::set_permissions(path, fs::Permissions::from_mode(mode & !umask)).expect("it is ours");
    });
}

#[cfg(unix)]
#[test]
fn a_plan_depends_on_the_sources_alone() {
    for (name, entries, all_options) in samples() {
        let tree = in_memory(&entries);
        let places = [0o000, 0o077].map(|umask| {
            let place = tempfile::tempdir().expect("a temporary directory");
            write_entries(&entries, place.path()).expect("the case can be written");
            apply_umask(place.path(), umask);
            place
        });
        // A directory that holds nothing is in no commit and in no tree in memory, and may be told differently.
        let holds_empty_directory = entries
            .iter()
            .any(|entry| entry.content == Content::Directory);
        for options in &all_options {
            let expected = if holds_empty_directory {
                documents(&on_disk(places[0].path()), options)
            } else {
                documents(&tree, options)
            };
            for place in &places {
                assert_eq!(
                    documents(&on_disk(place.path()), options),
                    expected,
                    "{name}"
                );
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn touching_every_file_changes_nothing() {
    for (name, entries, all_options) in samples() {
        let place = tempfile::tempdir().expect("a temporary directory");
        write_entries(&entries, place.path()).expect("the case can be written");
        let before: Vec<String> = all_options
            .iter()
            .map(|options| documents(&on_disk(place.path()), options))
            .collect();
        let later = SystemTime::now() + Duration::from_secs(86_400);
        visit(place.path(), &|path, _| {
            let opened = fs::File::open(path).expect("it can be opened");
            let times = fs::FileTimes::new().set_modified(later);
            opened.set_times(times).expect("it is ours");
        });
        let after: Vec<String> = all_options
            .iter()
            .map(|options| documents(&on_disk(place.path()), options))
            .collect();
        assert_eq!(before, after, "{name}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let pools = [1, 4].map(|threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads")
    });
    for (name, entries, all_options) in samples() {
        let tree = in_memory(&entries);
        for options in &all_options {
            let [one, four] = &pools.each_ref().map(|pool| {
                // Nothing remembered from one run may help the other.
                let mut options = options.clone();
                options.memory = PlanOptions::new().memory;
                pool.install(|| documents(&tree, &options))
            });
            assert_eq!(one, four, "{name}");
        }
    }
}

#[test]
fn what_was_remembered_of_another_tree_changes_nothing() {
    let shared = PlanOptions::new().memory;
    for (name, entries, all_options) in samples() {
        let tree = in_memory(&entries);
        for options in &all_options {
            let expected = documents(&tree, options);
            let mut warm = options.clone();
            warm.memory = shared.clone();
            documents(&tree, &warm);
            assert_eq!(documents(&tree, &warm), expected, "{name}");
        }
    }
}

/// The executable bit changes no binary; of an asset it changes the image.
#[test]
fn the_executable_bit_counts_for_assets_alone() {
    let files = |script: fn(MemoryTree) -> MemoryTree| {
        let tree = tree_of([
            ("go.mod", "module ex.com/m\n\ngo 1.22\n"),
            (
                "rebake.toml",
                "[[service]]\ndir = \"cmd/a\"\nassets = [\"start.sh\"]\n",
            ),
        ]);
        keys(&plan(&script(tree), &PlanOptions::new()).expect("a plan"))
    };
    let with = |main: bool, script: bool| -> fn(MemoryTree) -> MemoryTree {
        match (main, script) {
            (false, false) => |tree| {
                tree.with_file("cmd/a/main.go", "package main\n\nfunc main() {}\n")
                    .and_then(|tree| tree.with_file("start.sh", "exec a\n"))
                    .expect("clean paths")
            },
            (true, _) => |tree| {
                tree.with_executable("cmd/a/main.go", "package main\n\nfunc main() {}\n")
                    .and_then(|tree| tree.with_file("start.sh", "exec a\n"))
                    .expect("clean paths")
            },
            (false, true) => |tree| {
                tree.with_file("cmd/a/main.go", "package main\n\nfunc main() {}\n")
                    .and_then(|tree| tree.with_executable("start.sh", "exec a\n"))
                    .expect("clean paths")
            },
        }
    };
    let plain = files(with(false, false));
    assert!(plain.values().all(Option::is_some));
    assert_eq!(plain, files(with(true, false)));
    assert_ne!(plain, files(with(false, true)));
}

fn keys(plan: &Plan) -> BTreeMap<String, Option<String>> {
    plan.images
        .iter()
        .map(|image| {
            let key = image.keys.map(|keys| format!("{:?}", keys.image));
            (image.inputs.service.to_string(), key)
        })
        .collect()
}

/// A small module: libraries that import libraries of lower number, and services that import libraries.
#[derive(Debug, Clone)]
struct Monorepo {
    /// For each library, a bit for each lower library that it imports.
    libraries: Vec<u8>,
    /// For each service, a bit for each library.
    services: Vec<u8>,
    /// A bit for each library that embeds a file.
    embedding: u8,
}

fn monorepos() -> impl Strategy<Value = Monorepo> {
    (vec(any::<u8>(), 1..6), vec(any::<u8>(), 1..5), any::<u8>()).prop_map(
        |(libraries, services, embedding)| Monorepo {
            libraries,
            services,
            embedding,
        },
    )
}

impl Monorepo {
    fn files(&self) -> Vec<(String, String)> {
        let imports = |bits: u8, below: usize| -> String {
            (0..below)
                .filter(|library| bits & (1 << library) != 0)
                .map(|library| format!("import _ \"ex.com/m/lib{library}\"\n"))
                .collect()
        };
        let mut files = vec![(
            "go.mod".to_owned(),
            "module ex.com/m\n\ngo 1.22\n".to_owned(),
        )];
        for (number, bits) in self.libraries.iter().enumerate() {
            let mut source = format!("package lib{number}\n\n{}", imports(*bits, number));
            if self.embedding & (1 << number) != 0 {
                source.push_str("import _ \"embed\"\n\n//go:embed static/*\nvar data string\n");
                files.push((format!("lib{number}/static/data"), "data\n".to_owned()));
            }
            files.push((format!("lib{number}/lib.go"), source));
        }
        for (number, bits) in self.services.iter().enumerate() {
            let imports = imports(*bits, self.libraries.len());
            files.push((
                format!("services/s{number}/main.go"),
                format!("package main\n\n{imports}\nfunc main() {{}}\n"),
            ));
        }
        files
    }

    fn directories(&self) -> Vec<String> {
        let libraries = (0..self.libraries.len()).map(|number| format!("lib{number}"));
        let services = (0..self.services.len()).map(|number| format!("services/s{number}"));
        libraries.chain(services).collect()
    }
}

fn options() -> PlanOptions {
    let mut options = PlanOptions::new();
    options.services = vec!["services/**".to_owned()];
    options
}

fn plan_of(files: &[(String, String)]) -> Plan {
    let tree = tree_of(
        files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str())),
    );
    plan(&tree, &options()).expect("a plan")
}

/// Names and contents that Go's rules leave out of every package of a Linux build.
const INERT: [(&str, &str); 14] = [
    ("README.md", "# Read me\n"),
    ("Makefile", "all:\n"),
    (".hidden.go", "package other\n"),
    ("_draft.go", "package other\n"),
    ("extra_windows.go", "package anything\n"),
    ("extra_darwin_arm64.go", "package anything\n"),
    ("extra_arm64.go", "package anything\n"),
    ("generate.go", "//go:build ignore\n\npackage anything\n"),
    ("tagged.go", "//go:build never\n\npackage anything\n"),
    ("testdata/x.go", "package testdata\n"),
    ("_skipped/x.go", "package skipped\n"),
    (".skipped/x.go", "package skipped\n"),
    ("unused/unused.go", "package unused\n"),
    ("default.pgo.txt", "no profile\n"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_go_leaves_out_changes_no_key(
        monorepo in monorepos(), directory: Index, inert in 0..INERT.len() + 1,
    ) {
        let mut files = monorepo.files();
        let before = plan_of(&files);
        let directories = monorepo.directories();
        let directory = directory.get(&directories);
        let (name, text) = INERT.get(inert).map_or_else(
            || {
                // A test file that parses, of the package beside it.
                let package = if directory.starts_with("lib") { directory.as_str() } else { "main" };
                ("x_test.go", format!("package {package}\n\nimport _ \"testing\"\n"))
            },
            |(name, text)| (*name, (*text).to_owned()),
        );
        files.push((format!("{directory}/{name}"), text));
        let after = plan_of(&files);
        prop_assert!(keys(&before).values().all(Option::is_some), "{:?}", before.diagnostics);
        prop_assert_eq!(keys(&before), keys(&after));
    }

    #[test]
    fn any_byte_of_an_input_changes_exactly_the_services_that_list_it(
        monorepo in monorepos(), file: Index, place: Index, byte: u8,
    ) {
        let files = monorepo.files();
        let before = plan_of(&files);
        let inputs: BTreeSet<&RepoPath> = before.images.iter().flat_map(|image| &image.inputs.files)
            .filter(|file| file.kind != FileKind::Manifest).map(|file| &file.path).collect();
        let inputs: Vec<&RepoPath> = inputs.into_iter().collect();
        let changed = *file.get(&inputs);
        let mut tree = tree_of(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        let content = files.iter().find(|(path, _)| path == changed.as_str()).map(|(_, text)| text.as_str());
        let mut content = content.unwrap_or_default().as_bytes().to_vec();
        let place = place.index(content.len());
        prop_assume!(content[place] != byte);
        content[place] = byte;
        tree.set(changed, &content).expect("a file of the tree");
        let after = plan(&tree, &options()).expect("a plan");
        let after = keys(&after);
        for image in &before.images {
            let lists = image.inputs.files.iter().any(|file| file.path == *changed);
            let name = image.inputs.service.to_string();
            let old = image.keys.map(|keys| format!("{:?}", keys.image));
            prop_assert!(old.is_some());
            // A doubtful service has no key; one whose main file lost its package clause may be gone.
            let same = after.get(&name) == Some(&old);
            prop_assert_eq!(same, !lists, "{} {} {:?}", name, changed, after.get(&name));
        }
    }

    #[test]
    fn the_order_of_the_files_changes_nothing(
        (files, shuffled) in monorepos().prop_flat_map(|monorepo| {
            let files = monorepo.files();
            (Just(files.clone()), Just(files).prop_shuffle())
        }),
    ) {
        let document = |files: &[(String, String)]| {
            let tree = tree_of(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
            documents(&tree, &options())
        };
        prop_assert_eq!(document(&files), document(&shuffled));
    }
}

fn alone(tree: &MemoryTree, context: &ServiceContext) -> MemoryTree {
    let mut alone = MemoryTree::new();
    for (path, entry) in &context.entries {
        let content = || {
            tree.read(path, ReadLimit::Whole)
                .expect("a file of the tree")
        };
        alone = match entry {
            ContextEntry::Link { target } => alone.with_symlink(path.as_str(), target),
            ContextEntry::File { mode, .. } => match mode {
                FileMode::Regular => alone.with_file(path.as_str(), content()),
                FileMode::Executable => alone.with_executable(path.as_str(), content()),
            },
        }
        .expect("a clean path");
    }
    alone
}

#[test]
fn the_context_of_a_service_alone_gives_the_same_key() {
    let mut compared = 0;
    for (name, entries, all_options) in samples() {
        let tree = in_memory(&entries);
        for options in all_options {
            let whole = plan(&tree, &options).expect("a plan");
            for image in whole.images.iter().filter(|image| image.keys.is_some()) {
                let service = &image.inputs.service;
                // Another platform of the service may be in doubt, and then there is no context.
                let Ok(context) = whole.context(&tree, service) else {
                    continue;
                };
                let alone = plan(&alone(&tree, &context), &options).expect("a plan");
                let same = alone
                    .images
                    .iter()
                    .find(|other| {
                        other.inputs.main == image.inputs.main
                            && other.inputs.directory == image.inputs.directory
                            && other.inputs.platform == image.inputs.platform
                    })
                    .unwrap_or_else(|| panic!("{name}: {service} is not in its context"));
                assert_eq!(
                    (&same.inputs.files, &same.inputs.facts, same.keys),
                    (&image.inputs.files, &image.inputs.facts, image.keys),
                    "{name}: {service}: {:?}",
                    alone.diagnostics
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "{compared} contexts were compared");
}
