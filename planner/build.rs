//! Gives the library a fingerprint of its own sources, so that what another version of it has read and saved is not
//! taken over.

use std::{
    env, fs,
    hash::{DefaultHasher, Hasher as _},
    io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let sources = root.join("src");
    println!("cargo::rerun-if-changed={}", sources.display());
    let mut files = Vec::new();
    collect(&sources, &mut files)?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    hasher.write(env::var("CARGO_PKG_VERSION").unwrap_or_default().as_bytes());
    for file in &files {
        let content = fs::read(file)?;
        hasher.write_usize(content.len());
        hasher.write(&content);
    }
    println!(
        "cargo::rustc-env=REBAKE_PLANNER_FINGERPRINT={:016x}",
        hasher.finish()
    );
    Ok(())
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
