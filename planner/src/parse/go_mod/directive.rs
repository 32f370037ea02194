//! What the directives of go.mod and go.work mean.
//!
//! In: one [`Line`]. Out: its value, or why Go refuses it. It must never compare two lines.
//!
//! Source: golang.org/x/mod/modfile/rule.go (`File.add`, `parseReplace`, `parseVersion`),
//! golang.org/x/mod/module (`SplitPathVersion`, `CheckPathMajor`).

use super::{
    Godebug, ModuleVersion, Replacement, ReplacementTarget, Strictness,
    syntax::{Line, Token},
};
use crate::{go_version::GoVersion, module_version};
use std::str::FromStr as _;

/// The one argument of a directive.
pub(super) fn only_argument<'line, 'text>(
    line: &'line Line<'text>,
) -> Result<&'line Token<'text>, String> {
    match line.arguments.as_slice() {
        [argument] => Ok(argument),
        _ => Err(format!(
            "`{}` takes exactly one argument",
            line.verb.escape_debug()
        )),
    }
}

/// The version of a `go` line.
pub(super) fn go_version(line: &Line<'_>, strictness: Strictness) -> Result<String, String> {
    let text = &*only_argument(line)?.text;
    if is_go_version(text) {
        return Ok(text.to_owned());
    }
    // A dependency may have been written for a Go that allowed more; what it means is its start.
    let lax = text.strip_prefix('v').unwrap_or(text);
    if strictness == Strictness::Lax
        && let Some(end) = end_of_release(lax)
        && lax[end..].starts_with(|character: char| !character.is_ascii_digit())
    {
        return Ok(lax[..end].to_owned());
    }
    Err(format!(
        "`{}` is no Go version; write it as 1.26.0",
        text.escape_debug()
    ))
}

/// `1.26`, `1.26.3`, `1.26rc1`, `1.26.3rc1`.
fn is_go_version(text: &str) -> bool {
    let Some(end) = end_of_release(text) else {
        return false;
    };
    let mut rest = &text[end..];
    if let Some(patch) = rest.strip_prefix('.') {
        let digits = digits(patch);
        if !is_number(&patch[..digits]) {
            return false;
        }
        rest = &patch[digits..];
    }
    let letters = rest.bytes().take_while(u8::is_ascii_lowercase).count();
    let number = &rest[letters..];
    rest.is_empty()
        || (letters > 0 && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Where `1.26` ends in a text that starts with it.
fn end_of_release(text: &str) -> Option<usize> {
    let major = digits(text);
    if !is_number(&text[..major]) || text.starts_with('0') {
        return None;
    }
    let minor = text[major..].strip_prefix('.')?;
    let length = digits(minor);
    is_number(&minor[..length]).then_some(major + 1 + length)
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && (text == "0" || !text.starts_with('0'))
}

/// The name of a `toolchain` line.
pub(super) fn toolchain(line: &Line<'_>) -> Result<String, String> {
    let text = &*only_argument(line)?.text;
    if text == "default" || text == "go1" || text.starts_with("go1.") {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{}` is no toolchain; write it as go1.26.0 or default",
        text.escape_debug()
    ))
}

/// The setting of a `godebug` line.
pub(super) fn godebug(line: &Line<'_>) -> Result<Godebug, String> {
    let text = only_argument(line).ok().map(|argument| &*argument.text);
    let usage = || "write it as `godebug key=value`".to_owned();
    let text = text
        .filter(|text| !text.contains(['"', '`', '\'', ',']))
        .ok_or_else(usage)?;
    let (key, value) = text.split_once('=').ok_or_else(usage)?;
    // cmd/go knows one key that names a release.
    if key == "default" {
        let release = value
            .strip_prefix("go")
            .and_then(|release| GoVersion::from_str(release).ok());
        if release.is_none() {
            return Err("godebug default takes a release, such as go1.21".to_owned());
        }
    }
    Ok(Godebug {
        key: key.to_owned(),
        value: value.to_owned(),
    })
}

/// The module of a `require` or `exclude` line.
pub(super) fn module_version(
    line: &Line<'_>,
    strictness: Strictness,
) -> Result<ModuleVersion, String> {
    let [path, version] = line.arguments.as_slice() else {
        return Err(format!("write it as `{} module/path v1.2.3`", line.verb));
    };
    let path = path.string()?;
    let version = canonical_version(version, strictness)?;
    check_major(&path, Some(&version))?;
    Ok(ModuleVersion { path, version })
}

/// A `replace` line.
pub(super) fn replacement(line: &Line<'_>, strictness: Strictness) -> Result<Replacement, String> {
    let usage = || {
        "write it as `replace module/path [v1.2.3] => other/module v1.4.0` or `… => ../directory`"
            .to_owned()
    };
    let arguments = line.arguments.as_slice();
    let arrow = if arguments.get(1).is_some_and(|second| second.text == "=>") {
        1
    } else {
        2
    };
    if arguments.get(arrow).is_none_or(|token| token.text != "=>") {
        return Err(usage());
    }
    let (target, version) = match &arguments[arrow + 1..] {
        [target] => (target, None),
        [target, version] => (target, Some(version)),
        _ => return Err(usage()),
    };
    let old_path = arguments.first().ok_or_else(usage)?.string()?;
    let old_version = match (arrow, arguments.get(1)) {
        (2, Some(version)) => Some(canonical_version(version, strictness)?),
        _ => None,
    };
    check_major(&old_path, old_version.as_deref())?;
    let new_path = target.string()?;
    let new = match version {
        None if !is_directory(&new_path) => {
            return Err(if new_path.contains('@') {
                "write the replacement as `path version`, not as `path@version`".to_owned()
            } else {
                "a replacement without a version must be a directory that starts with ./ or ../"
                    .to_owned()
            });
        }
        None if new_path.contains('\\') => {
            return Err(
                "the replacement directory is written for Windows; use / between its elements"
                    .to_owned(),
            );
        }
        None => ReplacementTarget::Directory(new_path),
        Some(version) => {
            let version = canonical_version(version, strictness)?;
            if is_directory(&new_path) {
                return Err("a replacement directory takes no version".to_owned());
            }
            ReplacementTarget::Module(ModuleVersion {
                path: new_path,
                version,
            })
        }
    };
    Ok(Replacement {
        old_path,
        old_version,
        new,
    })
}

/// Whether a text names a directory and not a module, on any system.
fn is_directory(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(text, "." | "..")
        || ["./", ".\\", "../", "..\\", "/", "\\"]
            .iter()
            .any(|start| text.starts_with(start))
        || (bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':')
}

/// A `retract` line, as written: it changes no binary.
pub(super) fn retraction(line: &Line<'_>) -> Result<String, String> {
    let version = |token: &Token<'_>| canonical_version(token, Strictness::Lax);
    let usage = || "write it as `retract v1.2.3` or `retract [v1.2.3, v1.2.9]`".to_owned();
    match line.arguments.as_slice() {
        [one] => version(one),
        [open, low, comma, high, close]
            if open.text == "[" && comma.text == "," && close.text == "]" =>
        {
            Ok(format!("[{}, {}]", version(low)?, version(high)?))
        }
        _ => Err(usage()),
    }
}

/// A version in the form that go.mod must hold. The toolchain would ask the network what any other form
/// means, and then demand that go.mod be updated; of a dependency's go.mod it makes the best.
fn canonical_version(token: &Token<'_>, strictness: Strictness) -> Result<String, String> {
    let text = token.string()?;
    let canonical = module_version::canonical_version(&text).ok_or_else(|| {
        format!(
            "`{}` is no version; write it as v1.2.3",
            text.escape_debug()
        )
    })?;
    if strictness == Strictness::Strict && canonical != text {
        return Err(format!(
            "`{}` is not a canonical version; run `go mod tidy`",
            text.escape_debug()
        ));
    }
    Ok(canonical)
}

/// Checks that a module path and a version agree about the major version.
fn check_major(path: &str, version: Option<&str>) -> Result<(), String> {
    let major =
        path_major(path).ok_or_else(|| format!("`{}` is no module path", path.escape_debug()))?;
    let Some(version) = version else {
        return Ok(());
    };
    if version.starts_with("v0.0.0-") && major == ".v1" {
        return Ok(());
    }
    let version_major = version.split('.').next().unwrap_or_default();
    let agrees = match major.strip_prefix(['/', '.']) {
        None => matches!(version_major, "v0" | "v1") || version.ends_with("+incompatible"),
        Some(major) => version_major == major.strip_suffix("-unstable").unwrap_or(major),
    };
    if agrees {
        return Ok(());
    }
    let wanted = if major.is_empty() {
        "v0 or v1"
    } else {
        &major[1..]
    };
    Err(format!(
        "`{}` should be at {wanted}, not {version}",
        path.escape_debug()
    ))
}

/// The suffix of a module path that names its major version; nothing when the path is malformed.
fn path_major(path: &str) -> Option<&str> {
    if path.starts_with("gopkg.in/") {
        let stable = path.strip_suffix("-unstable").unwrap_or(path);
        let stem = stable.trim_end_matches(|character: char| character.is_ascii_digit());
        let start = stem.strip_suffix(".v")?.len();
        let major = &path[start..];
        let digits = &stable[stem.len()..];
        return (!digits.is_empty() && (!digits.starts_with('0') || major == ".v0"))
            .then_some(major);
    }
    let stem =
        path.trim_end_matches(|character: char| character.is_ascii_digit() || character == '.');
    let number = &path[stem.len()..];
    match stem.strip_suffix("/v") {
        Some(prefix) if !number.is_empty() => {
            let is_major = !number.contains('.') && !number.starts_with('0') && number != "1";
            is_major.then_some(&path[prefix.len()..])
        }
        _ => Some(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_versions_agree_about_the_major_version() {
        let cases = [
            ("ex.com/a", "v1.2.3", true),
            ("ex.com/a", "v0.1.0", true),
            ("ex.com/a", "v2.0.0", false),
            ("ex.com/a", "v2.0.0+incompatible", true),
            ("ex.com/a/v2", "v2.1.0", true),
            ("ex.com/a/v2", "v1.0.0", false),
            ("ex.com/a/v1", "v1.0.0", false),
            ("ex.com/a/v02", "v2.0.0", false),
            ("gopkg.in/yaml.v2", "v2.4.0", true),
            ("gopkg.in/yaml.v2", "v3.0.0", false),
            (
                "gopkg.in/yaml.v1",
                "v0.0.0-20140924161607-9f9df34309c0",
                true,
            ),
            ("gopkg.in/x.v3-unstable", "v3.0.0", true),
            ("gopkg.in/yaml", "v1.0.0", false),
        ];
        for (path, version, expected) in cases {
            assert_eq!(
                check_major(path, Some(version)).is_ok(),
                expected,
                "{path} {version}"
            );
        }
    }

    #[test]
    fn go_versions_have_the_form_that_go_mod_takes() {
        for text in ["1.26", "1.26.3", "1.26rc1", "1.26.0rc1", "1.0"] {
            assert!(is_go_version(text), "{text}");
        }
        for text in [
            "1", "1.", "01.2", "1.02", "1.2.", "1.2.03", "1.2rc", "1.2-rc1", "v1.2", "1.2.3.4", "",
        ] {
            assert!(!is_go_version(text), "{text}");
        }
    }
}
