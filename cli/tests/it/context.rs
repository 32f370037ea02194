//! `rebake context` writes what a build needs, and nothing else.

use crate::shop::Shop;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const API: [&str; 9] = [
    "go.mod",
    "go.sum",
    "internal/auth/auth.go",
    "internal/cart/cart.go",
    "internal/catalog/articles.json",
    "internal/catalog/catalog.go",
    "internal/httpserver/httpserver.go",
    "internal/money/money.go",
    "services/api/main.go",
];

fn files_below(directory: &Path) -> BTreeSet<String> {
    fn visit(root: &Path, directory: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                visit(root, &path, found);
            } else {
                let below = path.strip_prefix(root).unwrap();
                found.insert(below.to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    visit(directory, directory, &mut found);
    found
}

fn context(shop: &Shop, name: &str, more: &[&str]) -> PathBuf {
    let path = shop.root().parent().unwrap().join(name);
    let mut arguments = vec!["context", "api", "--output", path.to_str().unwrap()];
    arguments.extend(more);
    let answer = shop.run(&arguments);
    assert_eq!(answer.code, 0, "{answer:?}");
    path
}

#[test]
fn a_directory_holds_the_inputs_and_the_manifests_alone() {
    let shop = Shop::new();
    let expected: BTreeSet<String> = API.iter().map(ToString::to_string).collect();
    let directory = context(&shop, "context", &[]);
    assert_eq!(files_below(&directory), expected);
    for path in &expected {
        assert_eq!(
            fs::read(directory.join(path)).unwrap(),
            fs::read(shop.root().join(path)).unwrap(),
            "{path}"
        );
    }
}

#[test]
fn the_files_of_the_emitted_build_come_along_when_asked_for() {
    let shop = Shop::new();
    let directory = context(&shop, "context", &["--build-files"]);
    let files = files_below(&directory);
    for name in [
        ".rebake/api/Dockerfile",
        ".rebake/api/inputs",
        ".rebake/steps.sh",
    ] {
        assert!(files.contains(name), "{files:?}");
    }
    assert!(!files.contains(".rebake/docker-bake.json"), "{files:?}");
}

#[test]
fn the_archive_of_a_commit_is_that_of_its_checkout_byte_for_byte() {
    let shop = Shop::new();
    shop.commit_all();
    let of_directory = context(&shop, "directory.tar", &[]);
    let of_commit = context(&shop, "commit.tar", &["--head", "HEAD"]);
    let bytes = fs::read(of_directory).unwrap();
    assert_eq!(bytes, fs::read(of_commit).unwrap());
    let mut names = Vec::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.header().mtime().unwrap(), 0);
        assert_eq!(entry.header().mode().unwrap(), 0o644);
        names.push(entry.path().unwrap().to_str().unwrap().to_owned());
    }
    assert!(names.is_sorted(), "{names:?}");
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_what_they_lead_to_comes_along() {
    let shop = Shop::new();
    let root = shop.root();
    fs::rename(root.join("internal/money"), root.join("internal/cash")).unwrap();
    std::os::unix::fs::symlink("cash", root.join("internal/money")).unwrap();
    let directory = context(&shop, "context", &[]);
    let link = directory.join("internal/money");
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("cash"));
    assert!(link.join("money.go").is_file());
}

#[test]
fn a_directory_that_holds_something_is_replaced_only_when_asked_for() {
    let shop = Shop::new();
    let directory = context(&shop, "context", &[]);
    fs::write(directory.join("mine"), "").unwrap();
    let path = directory.to_str().unwrap();
    let answer = shop.run(&["context", "api", "-o", path]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.contains("is not empty"), "{answer:?}");
    assert!(directory.join("mine").exists());
    context(&shop, "context", &["--replace"]);
    assert!(!directory.join("mine").exists());
    fs::create_dir(directory.join(".git")).unwrap();
    let answer = shop.run(&["context", "api", "-o", path, "--replace"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.stderr.contains("never replaced"), "{answer:?}");
}

#[test]
fn a_service_in_doubt_or_unknown_has_no_context() {
    let shop = Shop::new();
    let answer = shop.run(&["context", "nobody", "-o", "-"]);
    assert_eq!(answer.code, 2, "{answer:?}");
    shop.write("services/api/broken.go", "package main\n\nimport \"fmt\n");
    let answer = shop.run(&["context", "api", "-o", "-"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{answer:?}");
    assert!(answer.stderr.contains("is in doubt"), "{answer:?}");
}

#[test]
fn a_context_below_the_root_is_that_of_the_service_s_own_dockerfile() {
    let shop = Shop::new();
    shop.write("web/Dockerfile", "FROM scratch\nCOPY page.html /\n");
    shop.write("web/page.html", "<p>\n");
    shop.write("web/unused.html", "<p>\n");
    shop.write(
        "rebake.toml",
        "[[service]]\ndir = \"web\"\nkind = \"dockerfile\"\ndockerfile = \"web/Dockerfile\"\ncontext = \"web\"\n",
    );
    let path = shop.root().parent().unwrap().join("web-context");
    let answer = shop.run(&["context", "web", "-o", path.to_str().unwrap()]);
    assert_eq!(answer.code, 0, "{answer:?}");
    let expected = ["Dockerfile", "page.html"].map(str::to_owned);
    assert_eq!(files_below(&path), BTreeSet::from(expected));
}
