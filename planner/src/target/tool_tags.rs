//! The build tags that the toolchain sets by itself: architecture levels and experiments.
//!
//! Source: internal/buildcfg/cfg.go (`gogoarchTags`), internal/buildcfg/exp.go (`ParseGOEXPERIMENT`).
//!
//! `tool_tags_by_release.txt` holds what every release from 1.21 to 1.27 says of itself, and a test holds the rules to it.
//!
//! Known gaps: **releases before 1.21 have the experiments of 1.21**, and **GOEXPERIMENT of the build's environment
//! is not modelled**.

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
        "arm64" if minor >= 23 => {
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
        "riscv64" if minor >= 23 => add("riscv64.rva20u64".to_owned()),
        // Settings of GOWASM before, and always on since.
        "wasm" if minor >= 26 => {
            add("wasm.satconv".to_owned());
            add("wasm.signext".to_owned());
        }
        _ => {}
    }
    for experiment in experiments(platform, minor) {
        add(format!("goexperiment.{experiment}"));
    }
    tags
}

/// The experiments that a release has on by default.
fn experiments(platform: &Platform, minor: u32) -> Vec<&'static str> {
    let architecture = platform.architecture();
    let has_register_abi = match architecture {
        "amd64" | "arm64" | "ppc64" | "ppc64le" | "riscv64" => true,
        "loong64" => minor >= 22,
        "s390x" => minor >= 26,
        _ => false,
    };
    let has_spinning_mutex = matches!(
        architecture,
        "386" | "amd64" | "arm" | "arm64" | "ppc64" | "ppc64le"
    );
    let has_dwarf_5 = !matches!(platform.os(), "darwin" | "ios" | "aix");
    let rows = [
        ("regabiwrappers", has_register_abi),
        ("regabiargs", has_register_abi),
        ("coverageredesign", minor < 25),
        ("allocheaders", minor == 22),
        ("exectracer2", minor == 22),
        ("aliastypeparams", matches!(minor, 24 | 25)),
        ("swissmap", matches!(minor, 24 | 25)),
        ("spinbitmutex", minor == 24 && has_spinning_mutex),
        ("synchashtriemap", matches!(minor, 24 | 25)),
        ("dwarf5", minor >= 25 && has_dwarf_5),
        ("greenteagc", minor >= 26),
        ("randomizedheapbase64", minor >= 26),
        ("jsonv2", minor >= 27),
        ("sizespecializedmalloc", minor >= 27),
    ];
    rows.into_iter()
        .filter(|(_, is_on)| *is_on)
        .map(|(name, _)| name)
        .collect()
}

/// The number at the end of a level such as `v8.0`, `7` or `power8`.
fn trailing_number(level: &str) -> u32 {
    let digits = level.trim_end_matches(|character: char| character.is_ascii_digit());
    level[digits.len()..].parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Release, platform and tags, one row a line, as `go list -f '{{join context.ToolTags " "}}'` prints them.
    const BY_RELEASE: &str = include_str!("tool_tags_by_release.txt");

    #[test]
    fn every_release_has_the_tags_that_it_says_it_has() {
        let mut rows = 0;
        for line in BY_RELEASE.lines() {
            let mut words = line.split_whitespace();
            let (release, platform) = (words.next().unwrap(), words.next().unwrap());
            let minor = release.split('.').nth(1).unwrap().parse().unwrap();
            let expected: BTreeSet<String> = words.map(str::to_owned).collect();
            assert_eq!(
                tool_tags(&platform.parse().unwrap(), minor),
                expected,
                "{release} {platform}"
            );
            rows += 1;
        }
        assert!(rows > 100, "{rows}");
    }
}
