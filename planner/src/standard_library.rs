//! The packages of the standard library, by Go release.
//!
//! In: an import path and a release. Out: whether that release has the package. It must never guess for a
//! release that is newer than its table.
//!
//! The table holds every directory of GOROOT/src with Go files in any release from 1.21 to 1.27, and the release that
//! introduced it, for older ones from GOROOT/api; `cargo xtask standard-library GOROOT…` checks it against releases.
//! Source: internal/goroot (`IsStandardPackage`).
//!
//! Known gaps: **packages below `cmd/` are left out**; no other module may import them.

use std::sync::OnceLock;

/// The newest release in the table: the `27` of go 1.27.
pub const NEWEST_MINOR: u32 = 27;

const GODEBUG_KEYS: &str = include_str!("standard_library/godebug.txt");

/// Whether any release from 1.21 on knows a `godebug` key.
///
/// Source: internal/godebugs (`All`, `Removed`).
pub fn is_godebug_key(key: &str) -> bool {
    key == "default" || GODEBUG_KEYS.lines().any(|known| known == key)
}

const TABLE: &str = include_str!("standard_library/packages.txt");

/// Whether go 1.`minor` has the package; nothing when that release is newer than the table and the
/// package not in it.
pub fn is_standard_package(import_path: &str, minor: u32) -> Option<bool> {
    let table = table();
    match table.binary_search_by_key(&import_path, |(path, _)| path) {
        Ok(index) => Some(table[index].1 <= minor),
        Err(_) if minor > NEWEST_MINOR => None,
        Err(_) => Some(false),
    }
}

fn table() -> &'static [(&'static str, u32)] {
    static PARSED: OnceLock<Vec<(&'static str, u32)>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let mut rows: Vec<(&str, u32)> = TABLE
            .lines()
            .filter_map(|line| {
                let (path, since) = line.split_once(' ')?;
                Some((path, since.parse().ok()?))
            })
            .collect();
        rows.sort_unstable();
        rows
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_belong_to_the_releases_since_their_introduction() {
        let cases = [
            ("fmt", 16, Some(true)),
            ("net/http/pprof", 16, Some(true)),
            ("slices", 20, Some(false)),
            ("slices", 21, Some(true)),
            ("uuid", 26, Some(false)),
            ("uuid", 27, Some(true)),
            ("internal/abi", 26, Some(true)),
            ("shop/api", 26, Some(false)),
            ("shop/api", NEWEST_MINOR + 1, None),
            ("fmt", NEWEST_MINOR + 1, Some(true)),
        ];
        for (path, minor, expected) in cases {
            assert_eq!(
                is_standard_package(path, minor),
                expected,
                "{path} go1.{minor}"
            );
        }
    }

    #[test]
    fn every_line_of_the_table_is_understood() {
        assert_eq!(table().len(), TABLE.lines().count());
    }
}
