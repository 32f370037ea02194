//! Whether directories may have any name.
//!
//! In: names that other tools take for patterns, variables, flags or ends of words. Out: for each whether its program builds
//! to what `go build` makes of it, or is refused with a reason; anything else is a fault.

use super::checkout::Selection;
use crate::builder::{Builder, Toolchain};
use std::{error::Error, fs};

// A semicolon is left out: it ends a path for the compiler's `-trimpath`, so such binaries differ by place.
const NAMES: [&str; 23] = [
    "c++ (old) {a} ^",
    "with space",
    " leading",
    "trailing ",
    "quote\"s",
    "single'quote",
    "$HOME",
    "${HOME}",
    "%{if true}",
    "we[i]rd",
    "open[",
    "back\\slash",
    "new\nline",
    "größe",
    "日本語",
    "-leading-dash",
    "--link",
    "#comment",
    "!exception",
    "star*",
    "a,rw",
    "<<EOF",
    "more&other|`x`",
];

pub(super) fn run() -> Result<bool, Box<dyn Error>> {
    let builder = Builder::start_with(Toolchain::Warm)?;
    let long = "x".repeat(250);
    let mut faults = 0;
    for name in NAMES.into_iter().chain([long.as_str()]) {
        let shown = name.escape_debug();
        match outcome(&builder, name) {
            Ok(outcome) => println!("{shown}: {outcome}"),
            Err(error) => {
                faults += 1;
                println!("{shown}: FAULT\n{error}");
            }
        }
    }
    println!("{} names: {faults} faults", NAMES.len() + 1);
    Ok(faults == 0)
}

/// What becomes of a module in a directory of this name, with an embedded file that is called the same.
fn outcome(builder: &Builder, name: &str) -> Result<String, Box<dyn Error>> {
    let written = tempfile::tempdir()?;
    let module = written.path().join(name);
    fs::create_dir_all(module.join("static"))?;
    fs::write(module.join("go.mod"), "module ex.com/m\n\ngo 1.22\n")?;
    fs::write(
        module.join("main.go"),
        "package main\n\nimport _ \"embed\"\n\n//go:embed static/text\nvar text string\n\nfunc main() { println(text) }\n",
    )?;
    fs::write(module.join("static/text"), name)?;
    let selection = Selection::of_service("", "");
    let source = super::checkout::Source::Directory(written.path().to_owned());
    let checkout = selection.prepare(&source)?;
    if let Some((_, error)) = checkout.refused.first() {
        return Ok(format!("refused: {error}"));
    }
    let Some(build) = checkout.builds.first() else {
        let said = checkout.plan.diagnostics.first();
        let said = said.ok_or("no build, and no word about it")?;
        return Ok(format!("in doubt: {}", said.message));
    };
    let output = checkout.scratch.path().join("image");
    let request = checkout.request(build, "final").into_directory(&output);
    builder.build(&request)?.or_failure()?;
    let binary = fs::read(output.join("usr/local/bin").join(build.service.as_str()))?;
    if binary == checkout.go_build(build)? {
        Ok("identical".to_owned())
    } else {
        Err("the binary differs from that of go build".into())
    }
}
