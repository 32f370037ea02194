//! The go.mod, go.sum and go.work files of a generated monorepo.
//!
//! In: the monorepo's shape. Out: their paths and texts. Every module requires every third-party
//! module, as services that share libraries do in practice.

use super::random::Random;
use super::{Layout, MODULE, Monorepo, NewFile, service_directory};
use std::fmt::Write as _;

const GO: &str = "1.26.0";

pub(super) fn third_party_module(number: u32) -> String {
    format!("example.org/third{number:04}")
}

pub(super) fn all(monorepo: &Monorepo<'_>) -> Vec<NewFile> {
    let has_shared = monorepo.shared > 0;
    let services = || (1..=monorepo.services).map(service_directory);
    let mut files = Vec::new();
    let mut add_module = |directory: &str, shared: &str| {
        let (prefix, module) = if directory.is_empty() {
            (String::new(), MODULE.to_owned())
        } else {
            (format!("{directory}/"), format!("{MODULE}/{directory}"))
        };
        let mut text = format!("module {module}\n\ngo {GO}\n{shared}");
        let third_party = monorepo.shape.third_party_modules;
        if third_party > 0 {
            let mut sums = String::new();
            text.push_str("\nrequire (\n");
            for number in 0..third_party {
                let path = third_party_module(number);
                let mut random = Random::new(monorepo.shape.seed, &path);
                let version = format!("v1.{}.{}", random.below(40), random.below(10));
                write_infallibly(&mut text, format_args!("\t{path} {version}\n"));
                let sum = checksum(&mut random);
                write_infallibly(&mut sums, format_args!("{path} {version} h1:{sum}\n"));
                let sum = checksum(&mut random);
                write_infallibly(
                    &mut sums,
                    format_args!("{path} {version}/go.mod h1:{sum}\n"),
                );
            }
            text.push_str(")\n");
            files.push((format!("{prefix}go.sum"), sums));
        }
        files.push((format!("{prefix}go.mod"), text));
    };

    let require = if has_shared {
        format!("\nrequire {MODULE}/libs v0.0.0\n")
    } else {
        String::new()
    };
    match monorepo.shape.layout {
        Layout::SingleModule => add_module("", ""),
        Layout::Workspace => {
            services().for_each(|service| add_module(&service, &require));
        }
        Layout::Replace => {
            let replace = if has_shared {
                format!("{require}\nreplace {MODULE}/libs => ../../libs\n")
            } else {
                String::new()
            };
            services().for_each(|service| add_module(&service, &replace));
        }
    }
    if has_shared && monorepo.shape.layout != Layout::SingleModule {
        add_module("libs", "");
    }
    if monorepo.shape.layout == Layout::Workspace {
        let mut text = format!("go {GO}\n\nuse (\n");
        if has_shared {
            text.push_str("\t./libs\n");
        }
        for service in services() {
            write_infallibly(&mut text, format_args!("\t./{service}\n"));
        }
        text.push_str(")\n");
        files.push(("go.work".to_owned(), text));
    }
    files
}

/// Something of the form that a go.sum checksum has: 32 bytes in base64.
fn checksum(random: &mut Random) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut sum: String = (0..42)
        .map(|_| char::from(ALPHABET[random.below(64) as usize]))
        .collect();
    // The last digit stands for four bits only, the lower two are zero.
    sum.push(char::from(ALPHABET[4 * random.below(16) as usize]));
    sum.push('=');
    sum
}

/// Appends to a string, which can't fail.
pub(super) fn write_infallibly(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let result = text.write_fmt(arguments);
    debug_assert!(result.is_ok(), "writing to a string has no reason to fail");
}
