//! Directories that no honest checkout holds: FIFOs, sockets, loops, names that are not UTF-8, files of a gigabyte.

use crate::rendering::{SOUND, render};
use camino::Utf8Path;
use rebake_planner::{
    path::RepoPath,
    plan::{PlanOptions, plan},
    tree::{
        ContentDigest, FileMode, Listing, ReadLimit, SourceTree, TreeError, disk::DiskTree,
        memory::MemoryTree,
    },
};
use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink, net::UnixListener},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};
use tempfile::TempDir;

fn sound() -> TempDir {
    let place = tempfile::tempdir().expect("a temporary directory");
    for (path, content) in SOUND {
        write(place.path(), path, content);
    }
    place
}

fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("it is below the root")).expect("it can be made");
    fs::write(path, content).expect("it can be written");
}

fn open(root: &Path) -> DiskTree {
    DiskTree::open(Utf8Path::from_path(root).expect("a UTF-8 path")).expect("a directory")
}

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0)
        .expect("a FIFO can be made");
}

/// A file of a gigabyte that takes no room.
fn sparse(root: &Path, path: &str, start: &str) {
    write(root, path, start);
    let file = fs::OpenOptions::new()
        .write(true)
        .open(root.join(path))
        .expect("it can be opened");
    file.set_len(1 << 30).expect("it can be sparse");
}

#[test]
fn fifos_and_sockets_are_told_and_never_opened() {
    let place = sound();
    fifo(&place.path().join("lib/x.go"));
    insta::assert_snapshot!(render(&open(place.path())), @"
    api has no key
    error[unreadable] lib/x.go: can't read this file of the package: not a regular file (api)
    ");
    let place = sound();
    let _socket = UnixListener::bind(place.path().join("lib/x.go")).expect("a socket can be made");
    insta::assert_snapshot!(render(&open(place.path())), @"
    api has no key
    error[unreadable] lib/x.go: can't read this file of the package: not a regular file (api)
    ");
    let place = sound();
    fs::remove_file(place.path().join("go.mod")).expect("it is there");
    fifo(&place.path().join("go.mod"));
    insta::assert_snapshot!(render(&open(place.path())), @"error[unreadable] go.mod: can't read it: not a regular file");
    let place = sound();
    fifo(&place.path().join("rebake.toml"));
    insta::assert_snapshot!(render(&open(place.path())), @"
    no plan
    error[unreadable] rebake.toml: can't read it: not a regular file
    ");
}

#[test]
fn loops_of_links_end() {
    let place = sound();
    symlink("b.go", place.path().join("lib/a.go")).expect("a link can be made");
    symlink("a.go", place.path().join("lib/b.go")).expect("a link can be made");
    symlink("..", place.path().join("lib/up")).expect("a link can be made");
    symlink(".", place.path().join("services/self")).expect("a link can be made");
    insta::assert_snapshot!(render(&open(place.path())), @"
    api has no key
    error[unreadable] lib/a.go: can't read this file of the package: too many levels of symbolic links (api)
    error[unreadable] lib/b.go: can't read this file of the package: too many levels of symbolic links (api)
    ");
}

#[test]
fn nothing_outside_of_the_root_is_read() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let root = place.path().join("root");
    for (path, content) in SOUND {
        write(&root, path, content);
    }
    let outside = |content: &str| write(place.path(), "outside/x.go", content);
    let absolute = place.path().join("outside/x.go");
    for target in [Path::new("../../outside/x.go"), &absolute] {
        let link = root.join("lib/x.go");
        let _ = fs::remove_file(&link);
        symlink(target, &link).expect("a link can be made");
        // Whatever stands there, or nothing at all: the answer is the same.
        outside("package lib\n");
        let before = render(&open(&root));
        outside("package other\n");
        assert_eq!(before, render(&open(&root)));
        fs::remove_dir_all(place.path().join("outside")).expect("it is there");
        assert_eq!(before, render(&open(&root)));
        assert!(
            before.contains(
                "error[unreadable] lib/x.go: can't read this file of the package: the link leads out of the root"
            ),
            "{before}"
        );
    }
    // A linked directory counts no more than a linked file.
    fs::remove_file(root.join("lib/x.go")).expect("it is there");
    fs::remove_dir_all(root.join("lib")).expect("it is there");
    write(place.path(), "outside/lib.go", "package lib\n");
    symlink("../outside", root.join("lib")).expect("a link can be made");
    insta::assert_snapshot!(render(&open(&root)), @"
    api has no key
    error[unreadable] services/api/main.go:3:10: can't read lib: the link leads out of the root, to `../outside` (api)
    ");
}

#[test]
fn names_that_are_not_utf_8_are_told_where_they_count() {
    let bad = OsStr::from_bytes(b"\xff\xfe.go");
    let place = sound();
    if fs::write(place.path().join(bad), "package x\n").is_err() {
        // Some file systems hold no such name, so there is nothing to plan.
        return;
    }
    fs::create_dir(place.path().join(OsStr::from_bytes(b"services/\xff"))).expect("it can be made");
    assert_eq!(render(&open(place.path())), "api has a key\n");
    fs::write(place.path().join("lib").join(bad), "package lib\n").expect("it can be written");
    insta::assert_snapshot!(render(&open(place.path())), @r"
    api has no key
    error[not-utf8] lib: the name of the file `\xff\xfe.go` is not UTF-8; rename it (api)
    ");
}

#[test]
fn an_asset_whose_name_is_not_utf_8_leaves_no_key() {
    let place = sound();
    let declared = "[[service]]\ndir = \"services/api\"\nassets = [\"static/*\"]\n";
    write(place.path(), "rebake.toml", declared);
    write(place.path(), "static/x", "x");
    assert_eq!(render(&open(place.path())), "api has a key\n");
    let bad = OsStr::from_bytes(b"static/\xff");
    if fs::write(place.path().join(bad), "x").is_err() {
        // Some file systems hold no such name, so there is nothing to plan.
        return;
    }
    insta::assert_snapshot!(render(&open(place.path())), @r"
    api has no key
    error[not-utf8] static: the name of the file `\xff` is not UTF-8; rename it (api)
    ");
}

/// A tree that says how much the planner held of any file at once.
struct Watched {
    tree: DiskTree,
    largest_read: AtomicUsize,
}

impl SourceTree for Watched {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        self.tree.list(directory)
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        let content = self.tree.read(file, limit)?;
        self.largest_read
            .fetch_max(content.len(), Ordering::Relaxed);
        Ok(content)
    }

    fn digest(&self, file: &RepoPath) -> Result<ContentDigest, TreeError> {
        self.tree.digest(file)
    }

    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError> {
        self.tree.read_link(link)
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        self.tree.mode(file)
    }
}

#[test]
fn a_long_go_file_says_the_same_from_disk_as_from_memory() {
    let filler = "// A line that says nothing.\n".repeat(10_000);
    let contents = [
        format!("package lib\n\nimport _ \"fmt\"\n\n{filler}"),
        format!("{filler}\npackage lib\n\nimport _ \"fmt\"\n"),
        format!("package lib\n\nimport _ \"embed\"\n\n{filler}\n//go:embed data\nvar x string\n"),
        format!("package lib\n\nimport (\n{filler}"),
    ];
    for content in contents {
        let place = sound();
        let mut memory = MemoryTree::new();
        let added = [("lib/long.go", content.as_str()), ("lib/data", "data")];
        for (path, content) in added {
            write(place.path(), path, content);
        }
        for (path, content) in SOUND.iter().chain(&added) {
            memory = memory.with_file(path, *content).expect("a clean path");
        }
        let of = |tree: &dyn SourceTree| {
            let plan = plan(tree, &PlanOptions::new()).expect("a plan");
            let image = plan.images.into_iter().next().expect("one image");
            (image.inputs, image.keys, plan.diagnostics)
        };
        assert_eq!(of(&open(place.path())), of(&memory), "{}", &content[..40]);
    }
}

#[test]
fn of_a_gigabyte_no_more_than_the_start_is_held() {
    let embedding = "package lib\n\nimport _ \"embed\"\n\n//go:embed data\nvar x string\n";
    let place = sound();
    let root = place.path();
    write(root, "lib/lib.go", embedding);
    sparse(root, "lib/data", "");
    sparse(
        root,
        "lib/generated.go",
        "package lib\n\nimport _ \"fmt\"\n\nvar x int\n",
    );
    sparse(root, "lib/generated_test.go", "package lib\n\nvar y int\n");
    let watched = Watched {
        tree: open(root),
        largest_read: AtomicUsize::new(0),
    };
    assert_eq!(render(&watched), "api has a key\n");
    // What would have to be held whole is refused.
    sparse(root, "lib/embeds.go", embedding);
    sparse(root, "lib/endless.go", "/*");
    sparse(root, "lib/zeroes.s", "// Nothing but zeroes.\n");
    sparse(root, "go.sum", "");
    insta::assert_snapshot!(render(&watched), @"
    api has no key
    error[unreadable] go.sum: can't read it: it has more than 67108864 bytes and would have to be read whole (api)
    error[unreadable] lib/embeds.go: can't read this file of the package: it has more than 67108864 bytes and would have to be read whole (api)
    error[unreadable] lib/endless.go: can't read this file of the package: it has more than 67108864 bytes and would have to be read whole (api)
    error[unreadable] lib/zeroes.s: can't read this file of the package: it has more than 67108864 bytes and would have to be read whole (api)
    ");
    let largest = watched.largest_read.into_inner();
    assert!(largest <= (64 << 20) + 1, "{largest} bytes were held");
}
