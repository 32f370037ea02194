//! What an image is built for: platform, cgo, tags, Go release.
//!
//! In: options and `rebake.toml`. Out: a [`BuildContext`], which says which build tags hold. It must never take
//! anything from the machine: what the repository can't tell has a written default.
//!
//! Source: go/build/build.go (`matchTag`), internal/buildcfg (`cfg.go`, `exp.go`).

use crate::go_version::GoVersion;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{collections::BTreeSet, fmt, str::FromStr};

pub(crate) mod platform_tables;
mod tool_tags;

/// An operating system and architecture that Go can build for, with the architecture's level where it
/// is not Go's default: `linux/amd64`, `linux/arm/v6`, `linux/amd64/v3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    os: String,
    architecture: String,
    level: Option<String>,
}

/// Why a text is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no platform: {reason}", text.escape_debug())]
pub struct PlatformError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Platform {
    /// GOOS.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// GOARCH.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The architecture's level as the build sets it (`GOAMD64=v1`); empty for architectures without levels.
    pub fn level_setting(&self) -> String {
        match platform_tables::level_variable(&self.architecture) {
            None => String::new(),
            Some((variable, default)) => {
                format!("{variable}={}", self.level.as_deref().unwrap_or(default))
            }
        }
    }

    /// The level, Go's default included; empty for architectures without levels.
    pub(crate) fn level(&self) -> &str {
        self.level.as_deref().unwrap_or_else(|| {
            platform_tables::level_variable(&self.architecture).map_or("", |(_, default)| default)
        })
    }
}

impl Default for Platform {
    /// `linux/amd64`.
    fn default() -> Self {
        Self {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            level: None,
        }
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |reason: String| PlatformError {
            text: text.to_owned(),
            reason,
        };
        let mut parts = text.split('/');
        let (Some(os), Some(architecture)) = (parts.next(), parts.next()) else {
            return Err(error(
                "write it as os/architecture, such as linux/arm64".to_owned(),
            ));
        };
        let variant = parts.next();
        if parts.next().is_some() {
            return Err(error("it has more than three parts".to_owned()));
        }
        if !platform_tables::is_supported(os, architecture) {
            return Err(error(
                "Go can't build for it; `go tool dist list` shows what it can".to_owned(),
            ));
        }
        let level = match variant {
            None => None,
            Some(variant) => {
                let level =
                    platform_tables::level_of_variant(architecture, variant).ok_or_else(|| {
                        error(format!(
                            "{architecture} has no variant `{}`",
                            variant.escape_debug()
                        ))
                    })?;
                let default =
                    platform_tables::level_variable(architecture).map(|(_, default)| default);
                (default != Some(level)).then(|| level.to_owned())
            }
        };
        Ok(Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            level,
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.level {
            None => Ok(()),
            Some(level) if level.starts_with('v') => write!(formatter, "/{level}"),
            Some(level) => write!(formatter, "/v{level}"),
        }
    }
}

impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Whether cgo is on. The repository can't tell, so it is explicit; the default is off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cgo {
    /// CGO_ENABLED=0.
    #[default]
    Disabled,
    /// CGO_ENABLED=1.
    Enabled,
}

/// A build tag: letters, digits, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct BuildTag(String);

/// Why a text is no build tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no build tag: use letters, digits, `_` and `.`", .0.escape_debug())]
pub struct BuildTagError(String);

impl BuildTag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BuildTag {
    type Err = BuildTagError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if crate::parse::constraint::is_tag(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BuildTagError(text.to_owned()))
        }
    }
}

impl fmt::Display for BuildTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for BuildTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A flag of `go build` that changes how packages are compiled or linked, and not which files are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct BuildFlag(String);

/// Why a text is no build flag that a plan can know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the build flag `{}` {reason}", text.escape_debug())]
pub struct BuildFlagError {
    /// The text.
    pub text: String,
    /// Why it can't be taken.
    pub reason: &'static str,
}

impl BuildFlag {
    /// The flag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BuildFlag {
    type Err = BuildFlagError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let failed = |reason| {
            Err(BuildFlagError {
                text: text.to_owned(),
                reason,
            })
        };
        let Some(flag) = text.strip_prefix("--").or_else(|| text.strip_prefix('-')) else {
            return failed(
                "does not start with a dash; write a flag and its value as one text, `-ldflags=-s`",
            );
        };
        if text.chars().any(char::is_control) {
            return failed("holds a control character");
        }
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        if names_a_file(name, value) {
            return failed(
                "makes a tool read files that no plan knows; a profile belongs in default.pgo, and what is linked in `#cgo LDFLAGS`",
            );
        }
        match name {
            "ldflags" | "gcflags" | "asmflags" | "buildmode" | "trimpath" | "buildvcs"
            | "linkshared" | "a" | "v" | "x" | "p" | "work" => Ok(Self(text.to_owned())),
            "tags" => failed("would change which files are built; use the key `tags`"),
            "race" | "msan" | "asan" | "cover" => failed(
                "sets build tags of its own, which plans do not know; leave it out of images",
            ),
            "mod" | "modfile" | "modcacherw" | "overlay" | "C" | "pgo" | "compiler"
            | "toolexec" | "installsuffix" | "pkgdir" | "o" => {
                failed("would change what is built behind the plan's back")
            }
            _ => failed(
                "is not one of -ldflags, -gcflags, -asmflags, -buildmode, -trimpath, -buildvcs",
            ),
        }
    }
}

/// Whether a flag for the compiler, the assembler or the linker makes it read a file.
///
/// Source: cmd/compile/internal/base/flag.go, cmd/asm/internal/flags/flags.go, cmd/link/internal/ld/main.go,
/// cmd/internal/objabi/flag.go (`expandArgs`).
fn names_a_file(tool: &str, value: &str) -> bool {
    let reading: &[&str] = match tool {
        "gcflags" => &[
            "pgoprofile",
            "embedcfg",
            "importcfg",
            "symabis",
            "coveragecfg",
            "I",
            "D",
        ],
        "asmflags" => &["I"],
        "ldflags" => &["importcfg", "L", "libgcc"],
        _ => return false,
    };
    let mut is_first = true;
    let mut words = words(value).into_iter();
    while let Some(mut word) = words.next() {
        // The first word may begin with the packages that are meant: `all=-N`.
        if std::mem::take(&mut is_first)
            && !word.starts_with('-')
            && let Some((_, flag)) = word.split_once('=')
        {
            word = flag;
        }
        // A file of flags.
        if word.starts_with('@') {
            return true;
        }
        let word = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
        let (name, value) = match word.map(|word| word.split_once('=').ok_or(word)) {
            Some(Ok((name, value))) => (name, Some(value)),
            Some(Err(name)) => (name, None),
            None => continue,
        };
        let reads = match (tool, name) {
            // The value of a variable may look like anything.
            ("ldflags", "X") => {
                if value.is_none() {
                    words.next();
                }
                false
            }
            ("ldflags", "extldflags") => value
                .or_else(|| words.next())
                .is_some_and(linker_reads_a_file),
            ("ldflags", "extld" | "extar") => {
                value.or_else(|| words.next()).is_some_and(is_in_tree)
            }
            _ => reading.contains(&name),
        };
        if reads {
            return true;
        }
    }
    false
}

/// Whether a flag for the C compiler that links makes it read a file of the tree.
fn linker_reads_a_file(flags: &str) -> bool {
    const SCRIPTS: [&str; 8] = [
        "--script",
        "-script",
        "--version-script",
        "-version-script",
        "--dynamic-list",
        "--just-symbols",
        "--retain-symbols-file",
        "-dT",
    ];
    const NAMES: [&str; 6] = [
        "-soname",
        "-h",
        "-rpath",
        "-rpath-link",
        "-dynamic-linker",
        "-install_name",
    ];
    const ENDINGS: [&str; 5] = [".a", ".o", ".so", ".ld", ".lds"];
    const SECTIONS: [&str; 3] = ["text", "data", "bss"];
    let separators = |character: char| character.is_whitespace() || ",=\"'".contains(character);
    let mut is_name = false;
    for part in flags.split(separators) {
        let is_mere_name = std::mem::replace(
            &mut is_name,
            NAMES.contains(&part)
                || part
                    .strip_prefix('-')
                    .is_some_and(|part| NAMES.contains(&part)),
        );
        let is_script = SCRIPTS.contains(&part)
            || part
                .strip_prefix("-T")
                .is_some_and(|rest| !SECTIONS.iter().any(|section| rest.starts_with(section)));
        let directory = part.strip_prefix("-L").or_else(|| part.strip_prefix("-B"));
        let is_path = match directory {
            Some(directory) => !directory.is_empty() && !directory.starts_with('/'),
            None if part.starts_with('-') || is_mere_name => false,
            None => is_in_tree(part) || ENDINGS.iter().any(|ending| part.ends_with(ending)),
        };
        if is_script || is_path || part.starts_with('@') {
            return true;
        }
    }
    false
}

fn is_in_tree(path: &str) -> bool {
    path.contains('/') && !path.starts_with(['/', '$'])
}

/// Splits a value as cmd/internal/quoted (`Split`) does: quotes count at the start of a word alone.
fn words(value: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = value.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '\'' | '"' => {
                let inside = &rest[1..];
                inside.split_once(first).unwrap_or((inside, ""))
            }
            _ => rest.split_once([' ', '\t']).unwrap_or((rest, "")),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// Everything that decides which files the toolchain takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuildContext {
    platform: Platform,
    cgo: Cgo,
    tags: BTreeSet<BuildTag>,
    go_version: GoVersion,
    tool_tags: BTreeSet<String>,
}

impl BuildContext {
    /// A build context.
    pub fn new(
        platform: Platform,
        cgo: Cgo,
        tags: impl IntoIterator<Item = BuildTag>,
        go_version: GoVersion,
    ) -> Self {
        let tool_tags = tool_tags::tool_tags(&platform, go_version.release_minor());
        Self {
            platform,
            cgo,
            tags: tags.into_iter().collect(),
            go_version,
            tool_tags,
        }
    }

    /// The platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Whether cgo is on.
    pub fn cgo(&self) -> Cgo {
        self.cgo
    }

    /// The build tags, sorted.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(BuildTag::as_str)
    }

    /// The build tags, sorted.
    pub(crate) fn build_tags(&self) -> impl Iterator<Item = &BuildTag> {
        self.tags.iter()
    }

    /// The Go release.
    pub fn go_version(&self) -> &GoVersion {
        &self.go_version
    }

    /// Whether a build tag holds.
    pub fn satisfies(&self, tag: &str) -> bool {
        let os = self.platform.os.as_str();
        if tag == os || tag == self.platform.architecture || tag == "gc" {
            return true;
        }
        match tag {
            "cgo" if self.cgo == Cgo::Enabled => return true,
            "linux" if os == "android" => return true,
            "solaris" if os == "illumos" => return true,
            "darwin" if os == "ios" => return true,
            "unix" if platform_tables::is_unix(os) => return true,
            _ => {}
        }
        if let Some(minor) = tag.strip_prefix("go1.")
            && minor.bytes().all(|byte| byte.is_ascii_digit())
            && !minor.starts_with('0')
            && let Ok(minor) = minor.parse::<u32>()
            && (1..=self.go_version.release_minor()).contains(&minor)
        {
            return true;
        }
        let tool_tag = if tag == "boringcrypto" {
            "goexperiment.boringcrypto"
        } else {
            tag
        };
        self.tool_tags.contains(tool_tag) || self.tags.iter().any(|set| set.0 == tool_tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(platform: &str, cgo: Cgo) -> BuildContext {
        let tags = ["custom".parse().unwrap()];
        BuildContext::new(
            platform.parse().unwrap(),
            cgo,
            tags,
            "1.26".parse().unwrap(),
        )
    }

    #[test]
    fn tags_hold_as_in_go_build() {
        let cases = [
            ("linux/amd64", "linux", true),
            ("linux/amd64", "unix", true),
            ("linux/amd64", "gc", true),
            ("linux/amd64", "gccgo", false),
            ("linux/amd64", "custom", true),
            ("linux/amd64", "cgo", false),
            ("linux/amd64", "go1.26", true),
            ("linux/amd64", "go1.27", false),
            ("linux/amd64", "go1", false),
            ("linux/amd64", "go1.22.1", false),
            ("linux/amd64", "go1.0", false),
            ("linux/amd64", "amd64.v1", true),
            ("linux/amd64", "amd64.v2", false),
            ("linux/amd64/v3", "amd64.v3", true),
            ("linux/arm64", "arm64.v8.0", true),
            ("linux/arm", "arm.7", true),
            ("linux/arm/v6", "arm.7", false),
            ("linux/arm/v6", "arm.6", true),
            ("android/arm64", "linux", true),
            ("ios/arm64", "darwin", true),
            ("illumos/amd64", "solaris", true),
            ("js/wasm", "unix", false),
            ("js/wasm", "wasm.satconv", true),
            ("linux/amd64", "goexperiment.regabiargs", true),
            ("linux/amd64", "boringcrypto", false),
            ("linux/amd64", "race", false),
        ];
        for (platform, tag, expected) in cases {
            assert_eq!(
                context(platform, Cgo::Disabled).satisfies(tag),
                expected,
                "{platform} {tag}"
            );
        }
        assert!(context("linux/amd64", Cgo::Enabled).satisfies("cgo"));
    }

    #[test]
    fn build_flags_that_read_files_are_refused() {
        for text in [
            "-gcflags=-pgoprofile=x.pgo",
            "-gcflags=all=-N -pgoprofile x.pgo",
            "-gcflags=-embedcfg=x",
            "--asmflags=-I inc",
            "-asmflags=ex.com/m/...=-I inc",
            "-gcflags=@flags",
            "-asmflags=-I=inc",
            "-ldflags=-s -extldflags=-Wl,-T,x.ld",
            "-ldflags='-extldflags=-static -Wl,--version-script=x'",
            "-ldflags=-extldflags '-static lib/x.a'",
            "-ldflags=-extldflags \"-Llib -lx\"",
            "-ldflags=-extldflags=@flags",
            "-ldflags=-extldflags=x.o",
            "-ldflags=-extld=tools/ld",
            "-ldflags=-L lib",
        ] {
            assert!(text.parse::<BuildFlag>().is_err(), "{text}");
        }
        for text in [
            "-gcflags=all=-N -l",
            "-gcflags=-L",
            "-gcflags=all=-trimpath=/x",
            "-asmflags=-D=X=1",
            "-ldflags=-s -w",
            "-ldflags=-X main.libs=lib/x.a -X 'main.flags=-L lib'",
            "-ldflags=-X 'a.b=$HOME'",
            "-ldflags=-linkmode=external -extldflags=-static",
            "-ldflags=-extldflags '-static -L/usr/lib/x -lx -Wl,-z,relro,-z,now -fuse-ld=lld'",
            "-ldflags=-extldflags '-Wl,-rpath,$ORIGIN/lib -Wl,-soname,libx.so -Wl,-Ttext=0x1'",
            "-ldflags=-extld clang",
            "-buildmode=pie",
        ] {
            assert!(text.parse::<BuildFlag>().is_ok(), "{text}");
        }
    }

    #[test]
    fn platforms_are_validated_and_have_one_spelling() {
        for (text, shown) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm/v7", "linux/arm"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("linux/amd64/v3", "linux/amd64/v3"),
        ] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), shown);
        }
        for text in [
            "linux",
            "linux/sparc",
            "beos/amd64",
            "linux/amd64/v9",
            "linux/s390x/v1",
            "linux/amd64/v1/x",
            "",
        ] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
