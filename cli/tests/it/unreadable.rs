//! What the user may not read is told, as the user and not as root sees it.

use std::{
    fs,
    io::ErrorKind,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::Command,
};
use tempfile::TempDir;

/// An account that owns nothing here; `nobody` on most systems.
const NOBODY: u32 = 65_534;

fn sample() -> TempDir {
    let place = tempfile::tempdir().expect("a temporary directory");
    let files = [
        ("go.mod", "module ex.com/shop\n\ngo 1.22\n"),
        (
            "services/api/main.go",
            "package main\n\nimport _ \"ex.com/shop/lib\"\n\nfunc main() {}\n",
        ),
        ("services/web/main.go", "package main\n\nfunc main() {}\n"),
        ("lib/lib.go", "package lib\n"),
    ];
    for (path, content) in files {
        let path = place.path().join(path);
        fs::create_dir_all(path.parent().expect("it is below the root")).expect("it can be made");
        fs::write(path, content).expect("it can be written");
    }
    set_mode(place.path(), 0o755);
    place
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// `rebake plan`, by a user whom modes bind: root reads everything, so root steps down.
fn plan(root: &Path) -> String {
    let binaries = tempfile::tempdir().expect("a temporary directory");
    let mut command = if is_root(root) {
        // Where the binary was built may be closed to others.
        let copy = binaries.path().join("rebake");
        fs::copy(env!("CARGO_BIN_EXE_rebake"), &copy).expect("it can be copied");
        set_mode(binaries.path(), 0o755);
        set_mode(&copy, 0o755);
        let mut command = Command::new(copy);
        command.uid(NOBODY).gid(NOBODY);
        command
    } else {
        Command::new(env!("CARGO_BIN_EXE_rebake"))
    };
    command
        .args(["plan", "--format", "json", "--root"])
        .arg(root)
        .current_dir(root);
    let output = loop {
        match command.output() {
            // A process that another test starts meanwhile holds the copy open for writing until it runs its program.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                std::thread::yield_now();
            }
            output => break output.expect("it can be started"),
        }
    };
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    // A directory that can't be listed may hide services, so the command fails, with what is known.
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

fn is_root(ours: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(ours).expect("it is there").uid() == 0
}

/// One line for each service, then one for each finding.
fn rows(document: &str) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_str(document).expect("it is JSON");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("none").to_owned();
    let services = document["services"].as_array().into_iter().flatten();
    let diagnostics = document["diagnostics"].as_array().into_iter().flatten();
    services
        .map(|row| {
            let key = if row["key"].is_null() {
                "no key"
            } else {
                "a key"
            };
            format!(
                "{} has {key}: {}",
                text(&row["name"]),
                text(&row["verdict"])
            )
        })
        .chain(diagnostics.map(|row| {
            format!(
                "{} {} {}: {}",
                text(&row["severity"]),
                text(&row["code"]),
                text(&row["path"]),
                text(&row["message"])
            )
        }))
        .collect()
}

#[test]
fn what_the_user_may_not_read_leaves_no_key() {
    for path in ["lib/lib.go", "lib", "services/api/main.go"] {
        let place = sample();
        set_mode(&place.path().join(path), 0o000);
        let rows = rows(&plan(place.path()));
        set_mode(&place.path().join(path), 0o755);
        assert!(
            rows.contains(&"api has no key: rebuild".to_owned())
                && rows.contains(&"web has a key: rebuild".to_owned()),
            "{path}: {rows:#?}"
        );
        assert!(
            rows.iter().any(|row| row.starts_with("error unreadable ")
                && row.contains(path)
                && row.ends_with(": permission denied")),
            "{path}: {rows:#?}"
        );
    }
}

#[test]
fn a_repository_that_the_user_may_not_read_is_told() {
    let place = sample();
    let git = place.path().join(".git");
    fs::create_dir_all(git.join("objects")).expect("it can be made");
    fs::create_dir_all(git.join("refs")).expect("it can be made");
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("it can be written");
    set_mode(&git, 0o000);
    let rows = rows(&plan(place.path()));
    set_mode(&git, 0o755);
    assert!(
        rows.contains(&"api has a key: rebuild".to_owned())
            && rows
                .iter()
                .any(|row| row.starts_with("warning unreadable-repository ")
                    && row.contains("/.git`: Permission denied")),
        "{rows:#?}"
    );
}
