//! The flags of the toolchain.
//!
//! In: a [`ServiceBuild`]. Out: what `GOFLAGS` and the linker are told. It must never hand on a flag that GOFLAGS can't hold.

use super::Variant;
use crate::{
    emit::{EmitError, ServiceBuild},
    target::{BuildFlag, BuildTag},
};

/// Whether a flag is `-name=…`.
fn sets(flag: &BuildFlag, name: &str) -> bool {
    let flag = flag.as_str().trim_start_matches('-');
    flag.split_once('=').is_some_and(|(set, _)| set == name)
}

/// What the linker is told: the user's flags, else to leave out symbols that only a debugger reads.
pub(super) fn link_flags(build: &ServiceBuild, variant: Variant) -> String {
    if variant == Variant::Debug {
        return String::new();
    }
    let mut set = build
        .build_flags
        .iter()
        .filter(|flag| sets(flag, "ldflags"));
    // The last one counts.
    let given = set
        .next_back()
        .and_then(|flag| flag.as_str().split_once('='));
    given.map_or("-s -w", |(_, value)| value).to_owned()
}

/// The flags of every `go` command of the build.
pub(super) fn go_flags(build: &ServiceBuild, variant: Variant) -> Result<String, EmitError> {
    let mut flags = vec![
        "-trimpath".to_owned(),
        "-buildvcs=false".to_owned(),
        "-modcacherw".to_owned(),
    ];
    if !build.tags.is_empty() {
        let tags: Vec<&str> = build.tags.iter().map(BuildTag::as_str).collect();
        flags.push(format!("-tags={}", tags.join(",")));
    }
    match variant {
        Variant::Release => {
            if !build.build_flags.iter().any(|flag| sets(flag, "ldflags")) {
                flags.push("-ldflags=-s -w".to_owned());
            }
            flags.extend(
                build
                    .build_flags
                    .iter()
                    .map(|flag| flag.as_str().to_owned()),
            );
        }
        Variant::Debug => {
            let others = build.build_flags.iter();
            flags.extend(
                others
                    .filter(|flag| !sets(flag, "ldflags") && !sets(flag, "gcflags"))
                    .map(|flag| flag.as_str().to_owned()),
            );
            flags.push("-gcflags=all=-N -l".to_owned());
        }
    }
    let flags = flags
        .into_iter()
        .map(quoted_flag)
        .collect::<Result<Vec<_>, EmitError>>()?;
    Ok(flags.join(" "))
}

/// A flag within GOFLAGS, where quotes can't be escaped.
///
/// Source: cmd/internal/quoted (`Split`).
fn quoted_flag(flag: String) -> Result<String, EmitError> {
    if !flag.contains([' ', '\t', '\'', '"']) {
        return Ok(flag);
    }
    if !flag.contains('\'') {
        return Ok(format!("'{flag}'"));
    }
    if !flag.contains('"') {
        return Ok(format!("\"{flag}\""));
    }
    Err(EmitError::Flag(flag))
}
