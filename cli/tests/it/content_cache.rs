//! What runs save for the next one, in the user's cache directory.

use crate::shop::Shop;
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

const PLAN: [&str; 3] = ["plan", "--format", "json"];

/// A committed shop whose files are older than its index, and a home for the cache.
fn committed() -> (Shop, tempfile::TempDir) {
    let shop = Shop::new();
    shop.commit_all();
    let an_hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    for file in shop.git(&["ls-files"]).lines() {
        let file = fs::File::open(shop.root().join(file)).unwrap();
        file.set_modified(an_hour_ago).unwrap();
    }
    shop.git(&["update-index", "-q", "--really-refresh"]);
    (shop, tempfile::tempdir().unwrap())
}

fn plan_with(shop: &Shop, home: &Path, arguments: &[&str]) -> String {
    let home = home.to_str().unwrap();
    let answer = shop.run_with(arguments, &[("HOME", home)]);
    assert_eq!(answer.code, 0, "{answer:?}");
    answer.stdout
}

fn directory(home: &Path) -> PathBuf {
    let caches = if cfg!(target_os = "macos") {
        "Library/Caches"
    } else {
        ".cache"
    };
    home.join(caches).join("rebake/contents")
}

fn files(home: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory(home)) else {
        return Vec::new();
    };
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_plan_saves_one_private_file_and_the_next_one_answers_the_same() {
    let (shop, home) = committed();
    let without = plan_with(
        &shop,
        home.path(),
        &["plan", "--format", "json", "--no-cache"],
    );
    assert_eq!(files(home.path()), Vec::<PathBuf>::new());
    let first = plan_with(&shop, home.path(), &PLAN);
    let [file] = files(home.path()).try_into().unwrap();
    assert_eq!(mode(&directory(home.path())), 0o700);
    assert_eq!(mode(&file), 0o600);
    let saved = fs::read(&file).unwrap();
    let second = plan_with(&shop, home.path(), &PLAN);
    assert_eq!(first, without);
    assert_eq!(second, without);
    assert_eq!(fs::read(&file).unwrap(), saved, "nothing new was learned");
}

#[test]
fn the_directory_that_the_variable_names_comes_first() {
    let (shop, home) = committed();
    let elsewhere = tempfile::tempdir().unwrap();
    let variables = [
        ("HOME", home.path().to_str().unwrap()),
        ("XDG_CACHE_HOME", elsewhere.path().to_str().unwrap()),
    ];
    assert_eq!(shop.run_with(&PLAN, &variables).code, 0);
    assert!(files(home.path()).is_empty());
    assert!(elsewhere.path().join("rebake/contents").is_dir());
    // A relative one counts for nothing.
    let variables = [
        ("HOME", home.path().to_str().unwrap()),
        ("XDG_CACHE_HOME", "caches"),
    ];
    assert_eq!(shop.run_with(&PLAN, &variables).code, 0);
    assert_eq!(files(home.path()).len(), 1);
    assert!(!shop.root().join("caches").exists());
}

#[test]
fn a_damaged_or_odd_file_is_as_good_as_none() {
    let (shop, home) = committed();
    let answer = plan_with(&shop, home.path(), &PLAN);
    let [file] = files(home.path()).try_into().unwrap();
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    for content in [&b""[..], b"rebake contents\n", &whole[..100], &flipped] {
        fs::write(&file, content).unwrap();
        assert_eq!(plan_with(&shop, home.path(), &PLAN), answer);
        assert_eq!(fs::read(&file).unwrap(), whole, "it is made anew");
    }
    fs::remove_file(&file).unwrap();
    symlink("/dev/zero", &file).unwrap();
    assert_eq!(plan_with(&shop, home.path(), &PLAN), answer);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(plan_with(&shop, home.path(), &PLAN), answer);
}

#[test]
fn what_others_could_have_written_is_not_used() {
    let (shop, home) = committed();
    let answer = plan_with(&shop, home.path(), &PLAN);
    let [file] = files(home.path()).try_into().unwrap();
    // An edit makes the next run learn something, so that it would save.
    shop.write(
        "internal/catalog/catalog.go",
        "package catalog // Edited.\n",
    );
    shop.commit_all();
    for (path, shared) in [(file.as_path(), 0o622), (&directory(home.path()), 0o777)] {
        fs::set_permissions(path, fs::Permissions::from_mode(shared)).unwrap();
        let before = fs::read(&file).unwrap();
        let edited = plan_with(&shop, home.path(), &PLAN);
        assert_ne!(edited, answer);
        if path != file {
            assert_eq!(fs::read(&file).unwrap(), before, "nothing is saved there");
        }
    }
}

#[test]
fn a_place_where_nothing_can_be_saved_is_no_failure() {
    let (shop, home) = committed();
    fs::write(home.path().join(".cache"), "a file\n").unwrap();
    fs::write(home.path().join("Library"), "a file\n").unwrap();
    plan_with(&shop, home.path(), &PLAN);
    plan_with(&shop, Path::new("/proc/none"), &PLAN);
}
