//! The build tags that the toolchain sets by itself: architecture levels and experiments.
//!
//! Source: internal/buildcfg/cfg.go (`gogoarchTags`), internal/buildcfg/exp.go (`ParseGOEXPERIMENT`).
//!
//! Known gaps: **the experiments that are on by default are those of go 1.26**, and for older releases only
//! the register ABI, which all of them share; **GOEXPERIMENT of the build's environment is not modelled**.

use super::Platform;
use std::collections::BTreeSet;

/// The tool tags of a platform under go 1.`minor`.
pub(super) fn tool_tags(platform: &Platform, minor: u32) -> BTreeSet<String> {
    let mut tags: BTreeSet<String> = BTreeSet::new();
    let mut add = |tag: String| {
        tags.insert(tag);
    };
    let architecture = platform.architecture();
    let level = platform.level();
    match architecture {
        "386" | "mips" | "mipsle" | "mips64" | "mips64le" => add(format!("{architecture}.{level}")),
        "amd64" => {
            for step in 1..=trailing_number(level) {
                add(format!("amd64.v{step}"));
            }
        }
        "arm" => {
            for step in 5..=trailing_number(level) {
                add(format!("arm.{step}"));
            }
        }
        "arm64" => {
            let nine = level.starts_with("v9");
            let step = trailing_number(level);
            for step in 0..=step {
                add(format!("arm64.v{}.{step}", if nine { 9 } else { 8 }));
            }
            if nine {
                // v9.x includes v8.(x+5).
                for step in 0..=(step + 5).min(9) {
                    add(format!("arm64.v8.{step}"));
                }
            }
        }
        "ppc64" | "ppc64le" => {
            for step in 8..=trailing_number(level) {
                add(format!("{architecture}.power{step}"));
            }
        }
        "riscv64" => add("riscv64.rva20u64".to_owned()),
        "wasm" => {
            add("wasm.satconv".to_owned());
            add("wasm.signext".to_owned());
        }
        _ => {}
    }
    let register_abi = matches!(
        architecture,
        "amd64" | "arm64" | "loong64" | "ppc64" | "ppc64le" | "riscv64" | "s390x"
    );
    if register_abi {
        add("goexperiment.regabiwrappers".to_owned());
        add("goexperiment.regabiargs".to_owned());
    }
    if minor >= 26 {
        if !matches!(platform.os(), "darwin" | "ios" | "aix") {
            add("goexperiment.dwarf5".to_owned());
        }
        add("goexperiment.greenteagc".to_owned());
        add("goexperiment.randomizedheapbase64".to_owned());
    }
    tags
}

/// The number at the end of a level such as `v8.0`, `7` or `power8`.
fn trailing_number(level: &str) -> u32 {
    let digits = level.trim_end_matches(|character: char| character.is_ascii_digit());
    level[digits.len()..].parse().unwrap_or_default()
}
