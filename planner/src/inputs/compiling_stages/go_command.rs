//! A `go build` or `go install`, beside what the plan assumes.
//!
//! In: the words behind the verb, the environment, the plan's build context. Out: what is built, and where it goes, or why
//! it may be something else than the plan knows. It must never pass over a flag or a variable that it does not know.
//!
//! Source: `go help build`, `go help environment`.

use super::command_line::refuse_variables;
use crate::target::{BuildContext, Cgo};
use std::collections::BTreeMap;

/// The flags of a `go build` that matter.
#[derive(Debug, Default)]
pub(super) struct GoCommand {
    pub(super) output: Option<String>,
    tags: Vec<String>,
    pub(super) packages: Vec<String>,
}

impl GoCommand {
    pub(super) fn read(words: &[&str]) -> Result<Self, String> {
        let mut command = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix('-') else {
                command.packages.push((*word).to_owned());
                continue;
            };
            let flag = flag.strip_prefix('-').unwrap_or(flag);
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            };
            match name {
                "v" | "x" | "a" | "n" | "trimpath" | "buildvcs" | "work" => {}
                "o" | "tags" | "ldflags" | "gcflags" | "asmflags" | "p" | "installsuffix"
                | "buildmode" | "mod" | "pgo" => {
                    let value = match value {
                        Some(value) => value,
                        None => words.next().copied().unwrap_or_default(),
                    };
                    match name {
                        "o" => command.output = Some(value.to_owned()),
                        "tags" => {
                            refuse_variables(value)?;
                            let tags = value.split([',', ' ']).filter(|tag| !tag.is_empty());
                            command.tags = tags.map(str::to_owned).collect();
                        }
                        "mod" if !matches!(value, "readonly" | "vendor") => {
                            return Err(format!(
                                "`-mod={}` takes what it finds",
                                value.escape_debug()
                            ));
                        }
                        "pgo" if !matches!(value, "off" | "auto") => {
                            return Err("`-pgo` names a profile".to_owned());
                        }
                        "asmflags" | "gcflags" if value.contains("-I") || value.contains("pro") => {
                            return Err(format!("`-{name}` names files"));
                        }
                        "ldflags" if value.contains("-extld") => {
                            return Err("`-ldflags` names a linker or its files".to_owned());
                        }
                        _ => {}
                    }
                }
                other => {
                    return Err(format!(
                        "what `-{}` changes can't be followed",
                        other.escape_debug()
                    ));
                }
            }
        }
        Ok(command)
    }
}

/// Whether the settings of a command are those of the plan.
pub(super) fn compare_settings(
    variables: &BTreeMap<String, String>,
    build: &GoCommand,
    context: &BuildContext,
) -> Result<(), String> {
    let value = |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
    let platform = context.platform();
    for (name, planned, argument) in [
        ("GOOS", platform.os(), "TARGETOS"),
        ("GOARCH", platform.architecture(), "TARGETARCH"),
    ] {
        let set = value(name);
        let is_target = set == format!("${argument}")
            || set == format!("${{{argument}}}")
            || set.starts_with(&format!("${{{argument}:-"));
        if !(set.is_empty() || set == planned || is_target) {
            return Err(format!(
                "{name} is `{}`, and the plan's is `{planned}`",
                set.escape_debug()
            ));
        }
    }
    let planned = match context.cgo() {
        Cgo::Disabled => "0",
        Cgo::Enabled => "1",
    };
    match value("CGO_ENABLED") {
        "" => {
            return Err(format!(
                "CGO_ENABLED is not set, so that the image decides about cgo; set CGO_ENABLED={planned}, as the plan has it"
            ));
        }
        set if set == planned => {}
        set => {
            return Err(format!(
                "CGO_ENABLED is `{}`, and the plan's is {planned}; `cgo` in rebake.toml sets it",
                set.escape_debug()
            ));
        }
    }
    for flag in value("GOFLAGS").split_whitespace() {
        if !matches!(
            flag,
            "-mod=readonly"
                | "-mod=vendor"
                | "-trimpath"
                | "-v"
                | "-buildvcs=false"
                | "-buildvcs=auto"
        ) {
            return Err(format!("GOFLAGS holds `{}`", flag.escape_debug()));
        }
    }
    let others = [
        "GOWORK",
        "GOEXPERIMENT",
        "GO386",
        "GOAMD64",
        "GOARM",
        "GOARM64",
        "GOMIPS",
        "GOMIPS64",
        "GOPPC64",
        "GORISCV64",
        "GOWASM",
        "GOFIPS140",
        "GOENV",
        "GOROOT",
        "CGO_CFLAGS",
        "CGO_CPPFLAGS",
        "CGO_CXXFLAGS",
        "CGO_LDFLAGS",
    ];
    if let Some(name) = others.iter().find(|name| !value(name).is_empty()) {
        return Err(format!("{name} is set, which the plan does not know"));
    }
    if !matches!(value("GO111MODULE"), "" | "on" | "auto") {
        return Err("GO111MODULE is set, which the plan does not know".to_owned());
    }
    let mut built: Vec<&str> = build.tags.iter().map(String::as_str).collect();
    built.sort_unstable();
    built.dedup();
    let mut planned: Vec<&str> = context.tags().collect();
    planned.sort_unstable();
    if built != planned {
        return Err(format!(
            "the tags are `{}`, and the plan's are `{}`; `tags` in rebake.toml sets them",
            built.join(",").escape_debug(),
            planned.join(",")
        ));
    }
    Ok(())
}
