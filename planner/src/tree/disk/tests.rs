use super::*;
use crate::tree::EntryKind;
use std::{fs, os::unix::fs::symlink, process::Command};
use tempfile::TempDir;

/// The same directory through both ways of keeping links out of a path.
fn both_ways(root: &Utf8Path) -> [DiskTree; 2] {
    let by_element = DiskTree {
        root: root.to_owned(),
        system: system::Root::open(root).unwrap().by_element(),
        stamps: None,
    };
    [DiskTree::open(root).unwrap(), by_element]
}

fn directory() -> (TempDir, Utf8PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = Utf8PathBuf::from_path_buf(directory.path().canonicalize().unwrap()).unwrap();
    (directory, path)
}

fn at(path: &str) -> RepoPath {
    RepoPath::new(path).unwrap()
}

fn read_failure(tree: &DiskTree, path: &str) -> TreeErrorKind {
    tree.read(&at(path), ReadLimit::Whole).unwrap_err().kind
}

#[test]
fn listings_are_sorted_and_tell_every_kind() {
    let (_guard, root) = directory();
    fs::create_dir_all(root.join("b/inner")).unwrap();
    fs::create_dir(root.join(".git")).unwrap();
    fs::write(root.join("c"), "c").unwrap();
    symlink("c", root.join("a")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(root.join("d"))
            .status()
            .unwrap()
            .success()
    );
    for tree in both_ways(&root) {
        let listing = tree.list(&RepoPath::root()).unwrap();
        let kinds: Vec<(&str, EntryKind)> = listing
            .entries
            .iter()
            .map(|entry| (&*entry.name, entry.kind))
            .collect();
        assert_eq!(
            kinds,
            [
                ("a", EntryKind::Symlink),
                ("b", EntryKind::Directory),
                ("c", EntryKind::File),
                ("d", EntryKind::Special),
            ]
        );
    }
}

#[test]
fn no_link_is_followed_on_the_way_or_at_the_end() {
    let (_guard, root) = directory();
    let (_other, outside) = directory();
    fs::write(outside.join("secret"), "x").unwrap();
    fs::create_dir(root.join("real")).unwrap();
    fs::write(root.join("real/file"), "x").unwrap();
    symlink(&outside, root.join("out")).unwrap();
    symlink("real", root.join("in")).unwrap();
    symlink("real/file", root.join("link")).unwrap();
    for tree in both_ways(&root) {
        for path in ["out/secret", "in/file"] {
            assert_eq!(
                read_failure(&tree, path),
                TreeErrorKind::NotADirectory,
                "{path}"
            );
        }
        assert_eq!(read_failure(&tree, "link"), TreeErrorKind::NotAFile);
        assert_eq!(
            tree.list(&at("in")).unwrap_err().kind,
            TreeErrorKind::NotADirectory
        );
        assert_eq!(tree.read_link(&at("link")).unwrap(), "real/file");
        assert_eq!(
            tree.read_link(&at("real/file")).unwrap_err().kind,
            TreeErrorKind::NotALink
        );
        assert!(tree.mode(&at("link")).is_err());
    }
}

#[test]
fn nothing_that_could_block_is_opened() {
    let (_guard, root) = directory();
    assert!(
        Command::new("mkfifo")
            .arg(root.join("fifo.go"))
            .status()
            .unwrap()
            .success()
    );
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket.go")).unwrap();
    for tree in both_ways(&root) {
        assert_eq!(read_failure(&tree, "fifo.go"), TreeErrorKind::NotAFile);
        assert_eq!(read_failure(&tree, "socket.go"), TreeErrorKind::NotAFile);
        assert!(tree.digest(&at("fifo.go")).is_err());
    }
}

#[test]
fn files_are_read_whole_or_from_the_start() {
    let (_guard, root) = directory();
    let long = vec![7; 600_000];
    fs::create_dir(root.join("a")).unwrap();
    fs::write(root.join("a/long"), &long).unwrap();
    fs::write(root.join("empty"), "").unwrap();
    for tree in both_ways(&root) {
        assert_eq!(tree.read(&at("a/long"), ReadLimit::Whole).unwrap(), long);
        assert_eq!(
            tree.read(&at("a/long"), ReadLimit::Bytes(10)).unwrap(),
            [7; 10]
        );
        assert_eq!(
            tree.digest(&at("a/long")).unwrap(),
            ContentDigest::of(&long)
        );
        assert!(
            tree.read(&at("empty"), ReadLimit::Whole)
                .unwrap()
                .is_empty()
        );
        assert_eq!(read_failure(&tree, "none"), TreeErrorKind::NotFound);
        assert_eq!(read_failure(&tree, "a"), TreeErrorKind::NotAFile);
    }
}

#[test]
fn the_owners_bit_alone_makes_a_file_executable() {
    let (_guard, root) = directory();
    for (name, mode, expected) in [
        ("x", 0o700, FileMode::Executable),
        ("y", 0o655, FileMode::Regular),
        ("z", 0o600, FileMode::Regular),
    ] {
        fs::write(root.join(name), "").unwrap();
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(root.join(name), permissions).unwrap();
        for tree in both_ways(&root) {
            assert_eq!(tree.mode(&at(name)).unwrap(), expected, "{name}");
        }
    }
}

#[test]
fn a_long_file_has_the_digest_of_all_its_pieces() {
    let (_guard, root) = directory();
    let whole: Vec<u8> = (0..7 * PIECE).map(|place| (place % 251) as u8).collect();
    for length in [
        0,
        1,
        PIECE,
        2 * PIECE,
        2 * PIECE + 1,
        5 * PIECE,
        6 * PIECE + 7,
    ] {
        let expected = &whole[..length];
        fs::write(root.join("file"), expected).unwrap();
        for tree in both_ways(&root) {
            // What a buffer held before, and how much it can hold, is nobody's business.
            for capacity in [0, 3 * PIECE, 10 * PIECE] {
                let mut content = vec![1; capacity];
                let digest = tree.read_start(&at("file"), &mut content).unwrap();
                match digest {
                    None => assert!(content == expected, "{length}"),
                    Some(digest) => {
                        assert_eq!(digest, ContentDigest::of(expected), "{length} {capacity}");
                        assert!(content == expected[..PIECE], "{length}");
                    }
                }
                assert_eq!(digest.is_some(), length > 2 * PIECE, "{length}");
            }
        }
    }
}
