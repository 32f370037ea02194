//! The operating systems and architectures that Go knows.
//!
//! Source: internal/syslist, internal/platform (`zosarch.go`), internal/buildcfg/cfg.go.

const KNOWN_OS: [&str; 18] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];

const NOT_UNIX: [&str; 6] = ["js", "nacl", "plan9", "wasip1", "windows", "zos"];

const KNOWN_ARCHITECTURES: [&str; 24] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

/// What `go tool dist list` has named since go 1.16, by operating system.
const SUPPORTED: [(&str, &[&str]); 15] = [
    ("aix", &["ppc64"]),
    ("android", &["386", "amd64", "arm", "arm64"]),
    ("darwin", &["amd64", "arm64"]),
    ("dragonfly", &["amd64"]),
    ("freebsd", &["386", "amd64", "arm", "arm64", "riscv64"]),
    ("illumos", &["amd64"]),
    ("ios", &["amd64", "arm64"]),
    ("js", &["wasm"]),
    (
        "linux",
        &[
            "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle",
            "ppc64", "ppc64le", "riscv64", "s390x",
        ],
    ),
    ("netbsd", &["386", "amd64", "arm", "arm64"]),
    (
        "openbsd",
        &["386", "amd64", "arm", "arm64", "mips64", "ppc64", "riscv64"],
    ),
    ("plan9", &["386", "amd64", "arm"]),
    ("solaris", &["amd64"]),
    ("wasip1", &["wasm"]),
    ("windows", &["386", "amd64", "arm", "arm64"]),
];

/// Whether a file name's element names an operating system, past, present or future.
pub(crate) fn is_known_os(name: &str) -> bool {
    KNOWN_OS.contains(&name)
}

/// Whether a file name's element names an architecture, past, present or future.
pub(crate) fn is_known_architecture(name: &str) -> bool {
    KNOWN_ARCHITECTURES.contains(&name)
}

/// Whether the tag `unix` holds.
pub(crate) fn is_unix(os: &str) -> bool {
    is_known_os(os) && !NOT_UNIX.contains(&os)
}

/// Whether Go can build for a platform.
pub(crate) fn is_supported(os: &str, architecture: &str) -> bool {
    SUPPORTED
        .iter()
        .any(|(known, architectures)| *known == os && architectures.contains(&architecture))
}

/// The environment variable of an architecture's level, and Go's default for it.
pub(crate) fn level_variable(architecture: &str) -> Option<(&'static str, &'static str)> {
    Some(match architecture {
        "386" => ("GO386", "sse2"),
        "amd64" => ("GOAMD64", "v1"),
        "arm" => ("GOARM", "7"),
        "arm64" => ("GOARM64", "v8.0"),
        "mips" | "mipsle" => ("GOMIPS", "hardfloat"),
        "mips64" | "mips64le" => ("GOMIPS64", "hardfloat"),
        "ppc64" | "ppc64le" => ("GOPPC64", "power8"),
        "riscv64" => ("GORISCV64", "rva20u64"),
        _ => return None,
    })
}

/// The level that an image platform's variant means.
pub(crate) fn level_of_variant(architecture: &str, variant: &str) -> Option<&'static str> {
    Some(match (architecture, variant) {
        ("amd64", "v1") => "v1",
        ("amd64", "v2") => "v2",
        ("amd64", "v3") => "v3",
        ("amd64", "v4") => "v4",
        ("arm", "v5") => "5",
        ("arm", "v6") => "6",
        ("arm", "v7") => "7",
        ("arm64", "v8" | "v8.0") => "v8.0",
        ("arm64", "v9" | "v9.0") => "v9.0",
        _ => return None,
    })
}
