//! The machine's own C toolchain as a file system for images.
//!
//! In: the system's packages. Out: directories with their files, so that what an image compiles with it is what the machine
//! compiles. It needs Debian's package manager.

use super::run;
use std::{
    collections::BTreeSet, error::Error, fs, os::unix::fs::symlink, path::Path, process::Command,
};

/// What cgo needs.
const TOOLCHAIN: [&str; 3] = ["gcc", "g++", "libc6-dev"];

/// What its programs need where they run, as distroless/base has it.
const C_LIBRARY: [&str; 1] = ["libc6"];

/// Directories at the top that may be links to those below `usr`.
const LINKED: [&str; 5] = ["bin", "lib", "lib32", "lib64", "sbin"];

/// Directories of packages that no program reads.
const UNREAD: [&str; 6] = ["doc", "info", "lintian", "locale", "man", "bug"];

/// Writes the C toolchain with all that it needs.
pub(super) fn write_toolchain(directory: &Path) -> Result<(), Box<dyn Error>> {
    write_packages(&with_dependencies(&TOOLCHAIN)?, directory)
}

/// Writes the C library.
pub(super) fn write_c_library(directory: &Path) -> Result<(), Box<dyn Error>> {
    let packages = C_LIBRARY.map(str::to_owned);
    write_packages(&BTreeSet::from(packages), directory)
}

/// Which packages these are, for whoever keeps what is made of them.
pub(super) fn versions() -> Result<String, Box<dyn Error>> {
    let output = Command::new("dpkg-query")
        .args(["--show"])
        .args(with_dependencies(&TOOLCHAIN)?)
        .output()?;
    Ok(String::from_utf8(output.stdout)?)
}

/// Packages with all that they depend on.
fn with_dependencies(packages: &[&str]) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut known = BTreeSet::new();
    let mut next: Vec<String> = packages.iter().map(|name| (*name).to_owned()).collect();
    while let Some(package) = next.pop() {
        if known.contains(&package) {
            continue;
        }
        let output = Command::new("dpkg-query")
            .args([
                "--show",
                "--showformat",
                "${Pre-Depends},${Depends}",
                &package,
            ])
            .output()?;
        // A virtual package, or one of several that would do.
        if !output.status.success() {
            continue;
        }
        let depends = String::from_utf8(output.stdout)?;
        for one in depends.split([',', '|']) {
            let name = one.split_whitespace().next().unwrap_or_default();
            let name = name.split(':').next().unwrap_or_default();
            if !name.is_empty() {
                next.push(name.to_owned());
            }
        }
        known.insert(package);
    }
    Ok(known)
}

fn write_packages(packages: &BTreeSet<String>, directory: &Path) -> Result<(), Box<dyn Error>> {
    // Where they are links, files go through them.
    for name in LINKED {
        if let Ok(target) = fs::read_link(Path::new("/").join(name)) {
            fs::create_dir_all(directory.join(&target))?;
            symlink(&target, directory.join(name))?;
        }
    }
    let output = Command::new("dpkg-query")
        .arg("--listfiles")
        .args(packages)
        .output()?;
    let listed = String::from_utf8(output.stdout)?;
    let is_read = |path: &&str| {
        let shared = path.strip_prefix("/usr/share/");
        shared.is_none_or(|below| !UNREAD.contains(&below.split('/').next().unwrap_or_default()))
    };
    let is_file = |path: &&str| {
        path.strip_prefix('/')
            .is_some_and(|path| !LINKED.contains(&path))
            && fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_dir())
    };
    let files: BTreeSet<&str> = listed.lines().filter(is_read).filter(is_file).collect();
    let relative = files.into_iter().map(|path| path.trim_start_matches('/'));
    let files: Vec<&str> = relative.collect();
    for some in files.chunks(500) {
        run(Command::new("cp")
            .args(["--archive", "--parents", "--target-directory"])
            .arg(directory)
            .args(some)
            .current_dir("/"))?;
    }
    Ok(())
}
