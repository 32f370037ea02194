//! Whether directories may have any name.
//!
//! In: names that other tools take for patterns, variables, flags or ends of words, of directories, modules and services.
//! Out: for each whether its program builds to what `go build` makes of it, or is refused with a reason; anything else is a
//! fault.

use super::checkout::Selection;
use crate::builder::{Builder, Toolchain};
use rebake_planner::plan::PlanError;
use std::{error::Error, fmt, fs};

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
    // A file system takes 255 bytes for a name, and more for a path.
    let long = "x".repeat(250);
    let longer = format!("{}/{}", "x".repeat(150), "y".repeat(150));
    let longest = "z".repeat(300);
    let directories = NAMES.into_iter().chain([long.as_str(), longer.as_str()]);
    let others = || NAMES.into_iter().chain([longest.as_str()]);
    let named = directories
        .map(|directory| Named {
            directory,
            ..Named::plain()
        })
        .chain(others().map(|module| Named {
            module,
            ..Named::plain()
        }))
        .chain(others().map(|service| Named {
            service: Some(service),
            ..Named::plain()
        }));
    let (mut names, mut faults) = (0, 0);
    for named in named {
        names += 1;
        match outcome(&builder, &named) {
            Ok(outcome) => println!("{named}: {outcome}"),
            Err(error) => {
                faults += 1;
                println!("{named}: FAULT\n{error}");
            }
        }
    }
    println!("{names} names: {faults} faults");
    Ok(faults == 0)
}

/// What is called how.
struct Named<'a> {
    directory: &'a str,
    /// The last element of the module's path.
    module: &'a str,
    /// The name that rebake.toml gives.
    service: Option<&'a str>,
}

impl Named<'_> {
    fn plain() -> Self {
        Self {
            directory: "api",
            module: "m",
            service: None,
        }
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, name) = match self {
            Self {
                service: Some(name),
                ..
            } => ("service", name),
            Self { directory, .. } if *directory != "api" => ("directory", directory),
            Self { module, .. } => ("module", module),
        };
        write!(formatter, "{what} {}", name.escape_debug())
    }
}

/// What becomes of a module with these names, and an embedded file that is called as its directory.
fn outcome(builder: &Builder, named: &Named<'_>) -> Result<String, Box<dyn Error>> {
    let written = tempfile::tempdir()?;
    let (name, path) = (named.directory, named.module);
    let module = written.path().join(name);
    fs::create_dir_all(module.join("static"))?;
    fs::write(
        module.join("go.mod"),
        format!("module ex.com/{path}\n\ngo 1.22\n"),
    )?;
    fs::write(
        module.join("main.go"),
        "package main\n\nimport _ \"embed\"\n\n//go:embed static/text\nvar text string\n\nfunc main() { println(text) }\n",
    )?;
    fs::write(module.join("static/text"), name)?;
    let mut config = String::new();
    if let Some(service) = named.service {
        // Strings of TOML escape as those of JSON do.
        let service = serde_json::Value::from(service);
        config = format!("[[service]]\ndir = \"api\"\nname = {service}\n");
    }
    let selection = Selection::of_service("", &config);
    let source = super::checkout::Source::Directory(written.path().to_owned());
    let checkout = match selection.prepare(&source) {
        Ok(checkout) => checkout,
        Err(error) if error.is::<PlanError>() => return Ok(format!("refused: {error}")),
        Err(error) => return Err(error),
    };
    if let Some((_, error)) = checkout.refused.first() {
        return Ok(format!("refused: {error}"));
    }
    let Some(build) = checkout.builds.first() else {
        let said = checkout.plan.diagnostics.first();
        let said = said.ok_or("no build, and no word about it")?;
        return Ok(format!("in doubt: {}", said.message));
    };
    if !build
        .service
        .as_str()
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    {
        return Err(format!("a service is called {}", build.service).into());
    }
    let output = checkout.scratch.path().join("image");
    let request = checkout.request(build, "final").into_directory(&output);
    let expected = checkout.go_build(build);
    match (builder.build(&request)?.or_failure(), &expected) {
        (Err(_), Err(_)) => return Ok("go build fails too".to_owned()),
        (built, _) => built?,
    };
    let binary = fs::read(output.join("usr/local/bin").join(build.service.as_str()))?;
    if binary == expected? {
        Ok("identical".to_owned())
    } else {
        Err("the binary differs from that of go build".into())
    }
}
