//! Names that try to leave the forms that they are written into.
//!
//! In: a sample monorepo. Out: the same with names that mean something to a shell, to a runner, to an expression, to
//! Markdown or to a terminal; and whether a shell has run one.

use super::shop::Shop;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

/// What a shell would make if it ran one of the names.
pub(super) const PROOF: &str = "rebake-was-tricked";

/// Names that mean something elsewhere; a file name holds neither a slash nor a zero.
pub(super) fn names() -> Vec<String> {
    [
        "$(touch PROOF)",
        "`touch PROOF`",
        "'; touch PROOF; '",
        "\"; touch PROOF; \"",
        "a\ntouch PROOF",
        "::set-output name=any::tricked",
        "a\n::set-output name=any::tricked",
        "a\r::add-path::PROOF",
        "a\n::set-env name=PATH::PROOF",
        "a\n::stop-commands::x",
        "##[add-path]PROOF",
        "a%0A::set-env name=PROOF::x",
        "any=tricked",
        "a\nany=tricked",
        "any<<EOF",
        "a\nEOF\nany=tricked",
        "ghadelimiter_",
        "${{ github.token }}",
        "${{ secrets.GITHUB_TOKEN }}",
        "\u{1b}[2J\u{1b}]0;tricked\u{7}",
        "\u{9b}31m",
        "\u{202e}txt.og",
        "| a | b |\n| --- | --- |",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "-rf",
        "--help",
        "*",
        "a,b=c",
    ]
    .iter()
    .map(|name| name.replace("PROOF", PROOF))
    .collect()
}

/// Puts files, directories and services with such names into a sample.
pub(super) fn write(shop: &Shop) -> Result<(), Box<dyn Error>> {
    for name in names() {
        // Beside a main package, as a source file of it, as an embedded file, and as a service.
        shop.write(&format!("services/api/{name}"), "x\n")?;
        shop.write(&format!("services/api/{name}.go"), "package main\n")?;
        shop.write(&format!("internal/templates/mails/{name}.txt"), "x\n")?;
        shop.write(
            &format!("services/{name}/main.go"),
            "package main\n\nfunc main() {}\n",
        )?;
    }
    Ok(())
}

/// What a shell has made, wherever below a directory.
pub(super) fn find(directory: &Path) -> Option<PathBuf> {
    for entry in fs::read_dir(directory).ok()?.flatten() {
        let path = entry.path();
        if entry.file_name() == PROOF {
            return Some(path);
        }
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && let Some(found) = find(&path) {
            return Some(found);
        }
    }
    None
}
