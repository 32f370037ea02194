//! What a file's name says to the Go build.
//!
//! In: a file name. Out: its class, whether it is a test, and the platforms that it is for. It must never look
//! at the content.
//!
//! Source: go/build/build.go (`matchFile`, `goodOSArchFile`, `fileListForExt`), internal/syslist.

use crate::target::{BuildContext, platform_tables};

/// The class of a file by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileClass {
    /// `.go`
    Go,
    /// `.c`
    C,
    /// `.cc .cpp .cxx`
    Cxx,
    /// `.m`
    ObjectiveC,
    /// `.h .hh .hpp .hxx`
    Header,
    /// `.f .F .for .f90`
    Fortran,
    /// `.s`
    Assembler,
    /// `.S .sx`: counts only beside cgo files.
    PreprocessedAssembler,
    /// `.swig`
    Swig,
    /// `.swigcxx`
    SwigCxx,
    /// `.syso`
    Syso,
}

/// A file name that the build looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName<'name> {
    class: FileClass,
    is_test: bool,
    /// The platform tags that the name demands, all of them.
    demanded: [Option<&'name str>; 2],
}

impl FileName<'_> {
    /// The class by the extension.
    pub fn class(&self) -> FileClass {
        self.class
    }

    /// Whether it is a `_test.go` file.
    pub fn is_test(&self) -> bool {
        self.is_test
    }

    /// Whether the name is for this build context.
    pub fn matches(&self, context: &BuildContext) -> bool {
        self.demanded
            .iter()
            .flatten()
            .all(|tag| context.satisfies(tag))
    }
}

/// Classifies a file name; nothing for names that the build never looks at.
pub fn classify(name: &str) -> Option<FileName<'_>> {
    if name.starts_with(['_', '.']) {
        return None;
    }
    let (_, extension) = name.rsplit_once('.')?;
    let class = match extension {
        "go" => FileClass::Go,
        "c" => FileClass::C,
        "cc" | "cpp" | "cxx" => FileClass::Cxx,
        "m" => FileClass::ObjectiveC,
        "h" | "hh" | "hpp" | "hxx" => FileClass::Header,
        "f" | "F" | "for" | "f90" => FileClass::Fortran,
        "s" => FileClass::Assembler,
        "S" | "sx" => FileClass::PreprocessedAssembler,
        "swig" => FileClass::Swig,
        "swigcxx" => FileClass::SwigCxx,
        "syso" => FileClass::Syso,
        _ => return None,
    };
    Some(FileName {
        class,
        is_test: name.ends_with("_test.go"),
        demanded: demanded_tags(name),
    })
}

/// The last elements of the name, where they name an operating system or an architecture. What stands
/// before the first `_` never counts, so that `linux.go` is for everyone.
fn demanded_tags(name: &str) -> [Option<&str>; 2] {
    let stem = name.split('.').next().unwrap_or_default();
    let Some(start) = stem.find('_') else {
        return [None, None];
    };
    let mut elements = stem[start..].split('_').rev();
    let mut last = elements.next();
    if last == Some("test") {
        last = elements.next();
    }
    let Some(last) = last else {
        return [None, None];
    };
    let is_architecture = platform_tables::is_known_architecture(last);
    if is_architecture
        && let Some(before) = elements.next()
        && platform_tables::is_known_os(before)
    {
        return [Some(before), Some(last)];
    }
    if is_architecture || platform_tables::is_known_os(last) {
        return [Some(last), None];
    }
    [None, None]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_elements_of_a_name_demand_a_platform() {
        let cases: [(&str, &[&str]); 17] = [
            ("linux.go", &[]),
            ("windows_test.go", &[]),
            ("x_windows.b.go", &["windows"]),
            ("x.windows.go", &[]),
            ("x_Linux.go", &[]),
            ("x_unix.go", &[]),
            ("x_cgo.go", &[]),
            ("x_linux_foo.go", &[]),
            ("x_amd64_linux.go", &["linux"]),
            ("a_windows_linux.go", &["linux"]),
            ("a__windows.go", &["windows"]),
            ("x_test_windows.go", &["windows"]),
            ("x_linux_amd64.go", &["linux", "amd64"]),
            ("x_linux_amd64_test.go", &["linux", "amd64"]),
            ("linux_amd64.go", &["amd64"]),
            ("x_arm64.s", &["arm64"]),
            ("x_linux_test.go", &["linux"]),
        ];
        for (name, expected) in cases {
            let demanded = classify(name).unwrap().demanded;
            let demanded: Vec<&str> = demanded.into_iter().flatten().collect();
            assert_eq!(demanded, expected, "{name}");
        }
    }

    #[test]
    fn tests_are_told_by_their_ending_alone() {
        assert!(classify("x_test.go").unwrap().is_test());
        assert!(!classify("x_test_windows.go").unwrap().is_test());
        assert!(!classify("test.go").unwrap().is_test());
    }

    #[test]
    fn hidden_and_foreign_names_are_invisible() {
        for name in [
            "_x.go",
            ".x.go",
            "x.inc",
            "x.o",
            "x.a",
            "go",
            "x.GO",
            "README.md",
            "x.",
        ] {
            assert!(classify(name).is_none(), "{name}");
        }
    }
}
