//! The files below `.rebake` on disk.
//!
//! In: what should stand there. Out: what differs, and the difference written: each file whole or not at all. It must
//! never touch a file that rebake has not written: what else stands there stays, and is no difference.

use crate::failure::Failure;
use camino::{Utf8Path, Utf8PathBuf};
use rebake_planner::{
    emit::{BUILD_FILES, EmittedFile},
    path::RepoPath,
};
use std::{collections::BTreeSet, fs, io, io::Write as _};

/// How a file on disk differs from what should stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Difference {
    Missing,
    Stale,
    /// Of a service that is no more.
    LeftOver,
}

/// The files that a service's directory may hold, and directories among them.
const NAMES: [&str; 5] = [
    "Dockerfile",
    "Dockerfile.dockerignore",
    "assets",
    "imports",
    "inputs",
];

/// Compares what is on disk with what should be, sorted by path.
pub(crate) fn compare(
    root: &Utf8Path,
    files: &[EmittedFile],
) -> Result<Vec<(RepoPath, Difference)>, Failure> {
    let mut differences = Vec::new();
    for file in files {
        match fs::read(root.join(file.path.as_str())) {
            Ok(text) if text == file.text.as_bytes() => {}
            Ok(_) => differences.push((file.path.clone(), Difference::Stale)),
            Err(_) => differences.push((file.path.clone(), Difference::Missing)),
        }
    }
    let wanted: BTreeSet<&RepoPath> = files.iter().map(|file| &file.path).collect();
    for path in written_files(root)? {
        if !wanted.contains(&path) {
            differences.push((path, Difference::LeftOver));
        }
    }
    differences.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(differences)
}

/// The files in directories of services that rebake has written.
fn written_files(root: &Utf8Path) -> Result<Vec<RepoPath>, Failure> {
    let mut files = Vec::new();
    let directory = root.join(BUILD_FILES);
    for service in names_in(&directory)? {
        let of_service = directory.join(&service);
        let is_ours = fs::read_to_string(of_service.join("Dockerfile"))
            .is_ok_and(|text| text.starts_with("# Written by `rebake generate`"));
        if !is_ours {
            continue;
        }
        for name in NAMES {
            let relative = format!("{BUILD_FILES}/{service}/{name}");
            let on_disk = root.join(&relative);
            let names = if on_disk.is_dir() {
                let below = names_in(&on_disk)?.into_iter();
                below.map(|below| format!("{relative}/{below}")).collect()
            } else if on_disk.is_file() {
                vec![relative]
            } else {
                Vec::new()
            };
            files.extend(names.iter().filter_map(|name| RepoPath::new(name).ok()));
        }
    }
    Ok(files)
}

fn names_in(directory: &Utf8Path) -> Result<Vec<String>, Failure> {
    let entries = match directory.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(directory, error)),
    };
    // Names that are not UTF-8 are not ours.
    Ok(entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_owned())
        .collect())
}

/// Writes what differs and removes what is left over.
pub(crate) fn apply(
    root: &Utf8Path,
    files: &[EmittedFile],
    differences: &[(RepoPath, Difference)],
) -> Result<(), Failure> {
    for (path, difference) in differences {
        let on_disk = root.join(path.as_str());
        match difference {
            Difference::LeftOver => remove(root, &on_disk)?,
            Difference::Missing | Difference::Stale => {
                let file = files.iter().find(|file| file.path == *path);
                if let Some(file) = file {
                    write(&on_disk, &file.text)?;
                }
            }
        }
    }
    Ok(())
}

/// Removes a file, and the directories that become empty.
fn remove(root: &Utf8Path, path: &Utf8Path) -> Result<(), Failure> {
    fs::remove_file(path).map_err(|error| failed(path, error))?;
    for directory in path.ancestors().skip(1) {
        if directory == root || fs::remove_dir(directory).is_err() {
            break;
        }
    }
    Ok(())
}

fn write(path: &Utf8Path, text: &str) -> Result<(), Failure> {
    let directory = path.parent().unwrap_or(path);
    if directory.is_file() {
        // What was one list for all platforms has become a directory.
        fs::remove_file(directory).map_err(|error| failed(directory, error))?;
    }
    if path.is_dir() {
        fs::remove_dir_all(path).map_err(|error| failed(path, error))?;
    }
    fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    write_whole(path, text)
}

/// Writes a file whole or not at all.
pub(crate) fn write_whole(path: &Utf8Path, text: &str) -> Result<(), Failure> {
    let mut file = new_file_in(directory_of(path)).map_err(|error| failed(path, error))?;
    file.write_all(text.as_bytes())
        .map_err(|error| failed(path, error))?;
    file.persist(path)
        .map_err(|error| failed(path, error.error))?;
    Ok(())
}

/// The directory that holds a path; a bare name is in the current one.
pub(crate) fn directory_of(path: &Utf8Path) -> &Utf8Path {
    match path.parent() {
        Some(parent) if !parent.as_str().is_empty() => parent,
        _ => Utf8Path::new("."),
    }
}

/// A temporary file that can become a file like any other.
pub(crate) fn new_file_in(directory: &Utf8Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".rebake.");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The umask takes away from this what the user takes away from every file.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory)
}

fn failed(path: &Utf8Path, error: io::Error) -> Failure {
    Failure::Write {
        path: Utf8PathBuf::from(path),
        error,
    }
}
