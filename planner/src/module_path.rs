//! Import paths and file names that a module may have.
//!
//! In: strings. Out: whether Go accepts them, and why not. It must never touch a file.
//!
//! Source: golang.org/x/mod/module (`CheckImportPath`, `CheckFilePath`, `checkElem`), go/build (`IsLocalImport`),
//! cmd/go/internal/search (`IsStandardImportPath`).

/// Names that Windows reserves, in any case and with any extension.
const RESERVED_ON_WINDOWS: [&str; 22] = [
    "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8",
    "COM9", "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9",
];

/// Why a path can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// It is empty.
    #[error("empty string")]
    Empty,
    /// It starts with a dash.
    #[error("leading dash")]
    LeadingDash,
    /// It has an empty element.
    #[error("double slash")]
    DoubleSlash,
    /// It ends with a slash.
    #[error("trailing slash")]
    TrailingSlash,
    /// It starts with a slash.
    #[error("leading slash")]
    LeadingSlash,
    /// An element is made of dots alone, or ends with one.
    #[error("trailing dot in path element")]
    TrailingDot,
    /// A character that is not allowed.
    #[error("invalid char {0:?}")]
    InvalidCharacter(char),
    /// An element that Windows reserves.
    #[error("{0:?} disallowed as path element component on Windows")]
    ReservedOnWindows(String),
    /// An element that looks like a Windows short name.
    #[error("trailing tilde and digits in path element")]
    ShortName,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PathKind {
    Import,
    File,
}

/// Checks an import path.
///
/// # Errors
/// When Go refuses it.
pub fn check_import_path(path: &str) -> Result<(), PathError> {
    check_path(path, PathKind::Import)
}

/// Checks a file path, or a single name, as a module's content may have it.
///
/// # Errors
/// When Go refuses it.
pub fn check_file_path(path: &str) -> Result<(), PathError> {
    check_path(path, PathKind::File)
}

/// Whether an import path is relative: `.`, `..`, `./x`, `../x`.
pub fn is_local_import(path: &str) -> bool {
    path == "." || path == ".." || path.starts_with("./") || path.starts_with("../")
}

/// Whether an import path has the form of one of the standard library: no dot in its first element.
pub fn is_standard_import_path_form(path: &str) -> bool {
    !path.split('/').next().unwrap_or_default().contains('.')
}

fn check_path(path: &str, kind: PathKind) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.starts_with('-') && kind != PathKind::File {
        return Err(PathError::LeadingDash);
    }
    if path.contains("//") {
        return Err(PathError::DoubleSlash);
    }
    if path.ends_with('/') {
        return Err(PathError::TrailingSlash);
    }
    if path.starts_with('/') {
        return Err(PathError::LeadingSlash);
    }
    path.split('/')
        .try_for_each(|element| check_element(element, kind))
}

fn check_element(element: &str, kind: PathKind) -> Result<(), PathError> {
    if element.is_empty() {
        return Err(PathError::Empty);
    }
    if element.chars().all(|character| character == '.') {
        return Err(PathError::TrailingDot);
    }
    if element.ends_with('.') {
        return Err(PathError::TrailingDot);
    }
    for character in element.chars() {
        let allowed = match kind {
            PathKind::Import => is_import_character(character),
            PathKind::File => is_file_character(character),
        };
        if !allowed {
            return Err(PathError::InvalidCharacter(character));
        }
    }
    let short = element.split('.').next().unwrap_or_default();
    if RESERVED_ON_WINDOWS
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(short))
    {
        return Err(PathError::ReservedOnWindows(short.to_owned()));
    }
    if kind == PathKind::File {
        return Ok(());
    }
    // `~1` at the end of an element is how Windows shortens names.
    if let Some((_, digits)) = short.rsplit_once('~')
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(PathError::ShortName);
    }
    Ok(())
}

fn is_import_character(character: char) -> bool {
    matches!(character, '-' | '.' | '_' | '~' | '+') || character.is_ascii_alphanumeric()
}

fn is_file_character(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphanumeric() || "!#$%&()+,-.=@[]^_{}~ ".contains(character);
    }
    character.is_alphabetic()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_paths_are_checked_as_in_the_toolchain() {
        for path in [
            "ex.com/m",
            "fmt",
            "ex.com/m/_x",
            "ex.com/m/.d",
            "a+b~c",
            "ex.com/con2",
        ] {
            assert!(check_import_path(path).is_ok(), "{path}");
        }
        for path in [
            "",
            "-x",
            "a//b",
            "a/",
            "/a",
            "a/..",
            "a/.",
            "a b",
            "ex.com/ä",
            "ex.com/con",
            "ex.com/NUL.x",
            "a/b.",
            "a/x~1",
        ] {
            assert!(check_import_path(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn file_names_may_hold_more() {
        for path in ["a b.txt", "ä.txt", "x~1", "-x", "t[[]1].txt", "a,b"] {
            assert!(check_file_path(path).is_ok(), "{path}");
        }
        for path in ["a:b", "a*b", "con", "x.", "a\"b", "a|b", "a'b", "a\\b"] {
            assert!(check_file_path(path).is_err(), "{path}");
        }
    }
}
