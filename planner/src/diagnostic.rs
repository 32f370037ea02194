//! What a plan says beside its answer: findings with a code, a severity and a place.
//!
//! In: faults of every stage. Out: [`Diagnostic`]s. A diagnostic never decides anything by itself:
//! the stage that reports doubt also withholds the key.

use crate::path::RepoPath;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// A place in a text file: both numbers count from 1, columns in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in bytes.
    pub column: u32,
}

impl Position {
    /// The start of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

/// A value with the place where it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it starts.
    pub position: Position,
}

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The Go toolchain would refuse, or the planner can't know: the services it names have no key.
    Error,
    /// The answer stands, but something deserves a look.
    Warning,
    /// Something worth knowing.
    Note,
}

/// One finding, with what, where, why and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of finding: stable, and explained by [`Code::explanation`].
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence: what is wrong, and what to do where that is not obvious. Lower case, no full stop at the end.
    pub message: String,
    /// The file or directory, where there is one.
    pub path: Option<RepoPath>,
    /// The place in that file, where there is one.
    pub position: Option<Position>,
    /// The names of the services whose answer it touches; empty for the whole plan.
    pub services: Vec<String>,
}

/// A diagnostic of severity error with a place.
pub(crate) fn error_at(
    code: Code,
    message: String,
    path: &RepoPath,
    position: Position,
) -> Diagnostic {
    Diagnostic {
        code,
        severity: Severity::Error,
        message,
        path: Some(path.clone()),
        position: Some(position),
        services: Vec::new(),
    }
}

/// As many findings of one kind as are told of one file.
const ALIKE: usize = 100;

/// Keeps the first findings of each kind in each file, and says how many more there are: a file may hold a fault on each
/// of a million lines, and every service that needs it is told. At least one of each kind and severity stays, so no
/// doubt gets lost.
pub(crate) fn limit_alike(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if diagnostics.len() <= ALIKE {
        return diagnostics;
    }
    let mut counts: BTreeMap<(Option<RepoPath>, Severity, Code), usize> = BTreeMap::new();
    let mut kept: Vec<Diagnostic> = Vec::new();
    for diagnostic in diagnostics {
        let kind = (
            diagnostic.path.clone(),
            diagnostic.severity,
            diagnostic.code,
        );
        let count = counts.entry(kind).or_default();
        *count += 1;
        if *count <= ALIKE {
            kept.push(diagnostic);
        }
    }
    for ((path, severity, code), count) in counts {
        if count > ALIKE {
            kept.push(Diagnostic {
                code,
                severity,
                message: format!("{} more findings of this kind here", count - ALIKE),
                path,
                position: None,
                services: Vec::new(),
            });
        }
    }
    kept
}

/// A fault that a parser found in one file; the caller knows the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The kind of finding.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// As in [`Diagnostic::message`].
    pub message: String,
    /// Where it is.
    pub position: Position,
}

/// What a parser made of a file: never nothing, and every fault it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T> {
    /// What could be understood.
    pub value: T,
    /// All faults, in the order of the file.
    pub faults: Vec<Fault>,
}

impl<T> Parsed<T> {
    /// Whether any fault is an error: the Go toolchain would refuse the file.
    pub fn has_errors(&self) -> bool {
        self.faults
            .iter()
            .any(|fault| fault.severity == Severity::Error)
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $explanation:literal;)+) => {
        /// The closed list of findings. Names are part of the machine contract: added, never changed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Code { $($(#[doc = $doc])+ $variant,)+ }

        impl Code {
            /// Every code, in the order of this list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable, kebab-case name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, why it is so, and what to do.
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $explanation,)+ }
            }
        }
    };
}

codes! {
    /// A manifest, `rebake.toml` or Go file does not follow its grammar.
    Syntax = "syntax", "The file does not follow its grammar, so the Go toolchain would refuse it too. Mend the line that is named; until then the services that need the file have no key and rebuild.";
    /// A directive that is not known to this version.
    UnknownDirective = "unknown-directive", "A directive that this version does not know. In the main module's go.mod or in go.work the Go toolchain refuses it, or it belongs to a newer Go. It is kept, never dropped: the services that need the file have no key until it is understood.";
    /// A well-formed directive whose value is not acceptable.
    InvalidValue = "invalid-value", "The directive is known but its value is not one that Go accepts: a version, a path, a setting. Mend the value.";
    /// The same thing is said twice, differently.
    Conflict = "conflict", "Two lines contradict each other, such as two replacements of one module or two modules of one path. Go refuses to choose; remove one of them.";
    /// A key of `rebake.toml` that does not exist.
    UnknownKey = "unknown-key", "A key of rebake.toml that does not exist. Nothing in that file is ignored silently: correct the spelling, or remove the line.";
    /// A file or directory that can't be read.
    Unreadable = "unreadable", "A file or directory that the build may need can't be read: no permission, a FIFO or socket, a link that leads nowhere or out of the root, an object that this clone does not have. What can't be read can't be hashed, so the services that may need it have no key and rebuild.";
    /// A file name that is not UTF-8.
    NotUtf8 = "not-utf8", "A file that the build would take has a name that is not UTF-8. It can't be written into a plan or a Dockerfile; rename it.";
    /// A manifest or a flag leads out of the root.
    OutsideRoot = "outside-root", "A `use` or `replace` directory lies outside the root of the plan. Nothing above the root is ever read; plan from a higher root, or move the directory in.";
    /// A module directory without a usable go.mod.
    MissingModule = "missing-module", "go.work, a replacement or rebake.toml names a directory in which no readable go.mod stands. Go refuses that too: add the module or remove the line.";
    /// A module that the nearest go.work does not use.
    OutsideWorkspace = "outside-workspace", "A go.work stands at or above this module and does not use it. Go refuses to build it in that workspace, so it is planned with GOWORK=off. Set GOWORK=off in its build too, or add it with `go work use`.";
    /// vendor/modules.txt and the manifests do not agree.
    InconsistentVendoring = "inconsistent-vendoring", "vendor/modules.txt does not agree with go.mod or go.work, and Go refuses such a build. Run `go mod vendor`, or `go work vendor` in a workspace, and commit the result.";
    /// go.sum lacks a checksum that the build needs.
    MissingSum = "missing-sum", "go.sum has no checksum for a module that may provide an import. Go refuses the build until `go mod tidy` or `go mod download` adds it.";
    /// A go.mod that the toolchain would have to update first.
    UpdatesNeeded = "updates-needed", "A module of the tree requires a higher version of another module than the main module's go.mod states. Go refuses to build until `go mod tidy` has raised it.";
    /// Manifests that demand different Go versions.
    GoVersionConflict = "go-version-conflict", "A module of the workspace demands a newer Go than go.work states, or a replacement directory a newer one than the main module's go.mod. Go refuses that; run `go work use`, or `go mod tidy`.";
    /// A Go release that this version has no tables for.
    GoVersionUnknown = "go-version-unknown", "The Go release that builds the image is newer than the tables of this version (standard library, build tags), so the files it would take can't be known for certain. Upgrade, or set an older release with `--go`.";
    /// A Go release that is too old for the manifests.
    GoTooOld = "go-too-old", "A go.mod, go.work or vendored module demands a newer Go than the one that builds the image. With GOTOOLCHAIN=local that build fails; raise the Go version.";
    /// An import that several modules provide.
    AmbiguousImport = "ambiguous-import", "Two modules provide the same package, and Go refuses to choose. Remove one of the directories or requirements.";
    /// An import that nothing provides.
    MissingPackage = "missing-package", "An import that no directory of the tree and no required module provides. The build would fail; add the package, or run `go get` or `go mod vendor`.";
    /// An import path that Go refuses.
    InvalidImport = "invalid-import", "An import path that Go refuses: relative, with a version, or with characters that no import path may have.";
    /// An import of an internal package from outside.
    InternalImport = "internal-import", "A package below a directory called `internal` may be imported only from within the parent of that directory. Go refuses the build.";
    /// Packages that import each other.
    ImportCycle = "import-cycle", "Packages that import each other in a circle. Go refuses to build any program that reaches them.";
    /// An import of a main package.
    ImportOfProgram = "import-of-program", "A package of the name `main` is a program and can't be imported. Go refuses the build.";
    /// A service whose directory holds no main package.
    NotAProgram = "not-a-program", "A directory that rebake.toml declares as a service does not hold a main package. Correct `dir`, or make the package `main`.";
    /// A package none of whose files are for the platform.
    NoGoFiles = "no-go-files", "Every Go file of a package that a service imports is left out for the platform and tags that are planned: by a build constraint, by its name, or because it imports \"C\" and cgo is off, which is the default. The build would fail there, and a main package all of whose files are left out for want of cgo is no service. Check the platform and the tags, or turn cgo on (`--cgo`, or `cgo = true` in rebake.toml).";
    /// A directory with files of two packages.
    PackageConflict = "package-conflict", "A directory holds Go files of two packages, which Go refuses. Move one of them, or give it a build constraint.";
    /// Two files whose names differ in case alone.
    NameCollision = "name-collision", "Two files of one package have names that differ in case alone. Go refuses that, because some file systems can't hold both; rename one.";
    /// A file name that Go refuses.
    InvalidName = "invalid-name", "A source file has a name that Go refuses, because it could be taken for a flag of a compiler. Rename it.";
    /// A `//go:embed` pattern that Go refuses.
    Embed = "embed", "A //go:embed pattern matches nothing, is malformed, or matches what can't be embedded: a link, another module, a name that no module may hold. Go refuses the package.";
    /// A test file that uses cgo.
    CgoInTest = "cgo-in-test", "A test file imports \"C\". Go refuses the whole package for it; move the cgo code out of the test.";
    /// C files in a package that does not use cgo.
    CFilesWithoutCgo = "c-files-without-cgo", "A package holds C, C++, Objective-C or Fortran files, but no Go file of it imports \"C\". Go refuses that when cgo is on; add the import, or move the files.";
    /// C code that is not in the tree.
    OpaqueCDependency = "opaque-c-dependency", "A cgo package takes C libraries from the build image (pkg-config, a system library). They are not in the repository and so in no key: pin the build image by digest.";
    /// A services glob that chooses nothing.
    UnmatchedGlob = "unmatched-glob", "A services glob matches no main package. A typing error here would leave a service out; correct the glob, or remove it.";
    /// A `name` that another service has by default.
    NameTaken = "name-taken", "A `name` in rebake.toml is the one that another service would have by default. Names are unique, so the other service is called by its whole path instead, and its image, its build files and its cache go by that; whoever still uses the old name means another service now. Choose another name, or give the other service a `name` too.";
    /// A stage of a Dockerfile that does more than the plan knows.
    OpaqueStage = "opaque-stage", "A stage of a service's own Dockerfile can't be followed, so it may hand on more than the program that the plan knows: another command than one `go build` of the service's main package runs there, its settings (tags, CGO_ENABLED, GOOS, GOARCH, GOFLAGS) are not those of the plan, or something else is copied out of it. So all that the stage copies from its context counts, for a copy of the whole context all of it. Build with one `go build` and the plan's settings, copy just what is built, narrow the COPY lines or the .dockerignore, or name what does not matter under `exclude`.";
    /// A copy that can't be read out of a Dockerfile.
    OpaqueCopy = "opaque-copy", "A COPY, ADD or bind mount of a Dockerfile names its source with a variable, or by a link whose end can't be told, so it may copy anything: the whole context counts. Write the path without either to have just that counted.";
    /// A rule of `rebake.toml` that can't have its way.
    RuleWithoutEffect = "rule-without-effect", "A rule of rebake.toml says that a path affects no service, but Go builds the file into one, or embeds it. What Go builds can't be taken away by a rule: the file stays an input. Remove the rule, or the import.";
    /// An input that git does not track.
    UntrackedInput = "untracked-input", "A file that git does not track is an input of a service, because Go would take it from this directory. A build from a fresh clone would not have it, and its key would differ. Commit it, or remove it.";
    /// A file that git changes on checkout.
    FilteredContent = "filtered-content", "A git filter (Git LFS, line endings, ident) changes a file between the commit and the work tree. A plan of the commit hashes what the commit holds, a plan of the directory what stands there, so their keys differ. Plan both sides in the same way.";
    /// A Git LFS pointer where content should be.
    LfsPointer = "lfs-pointer", "An input is a Git LFS pointer, not the content: the build would compile or embed the pointer. Run `git lfs pull` before planning a directory; a commit holds only pointers.";
    /// A submodule without content.
    Submodule = "submodule", "The build needs files of a submodule that is not checked out here, or of a commit that holds only its id. Plan from a checkout with `git submodule update --init`.";
    /// A git repository that can't be read.
    UnreadableRepository = "unreadable-repository", "There is a git repository, and it can't be read: its files are closed to this user, its `.git` file leads nowhere, its index is damaged, or it stores objects in a way that is not supported (SHA-256 ids, reftables). The directory is planned all the same, from what stands on disk; what git tracks is not known, and nothing can be compared with a commit.";
    /// A baseline that can't be had.
    BaselineUnavailable = "baseline-unavailable", "The revision to compare with does not exist here, has no common ancestor with what is planned, or is behind the end of a shallow clone. Nothing can be reused then, so everything is rebuilt. Fetch the history that is missing (`git fetch --unshallow`, or `fetch-depth: 0` in a checkout step), or compare with an earlier answer (`--baseline`).";
    /// A registry that did not answer.
    RegistryUnavailable = "registry-unavailable", "The registry did not say whether it holds the images: it could not be reached, refused the credentials, or gave an answer that is none. The services are rebuilt, because what is not known to be there can't be reused. Check the address and `docker login`; a registry that denies what does not exist yet stops doing so after the first push.";
    /// A Go image that is too old.
    GoImageTooOld = "go-image-too-old", "The image under `go-image` holds an older Go than a go.mod or go.work of the build demands. The build runs with GOTOOLCHAIN=local, so it fails instead of fetching another toolchain. Choose a newer image.";
    /// A Go image of another release than the plan's.
    GoImageDiffers = "go-image-differs", "The image under `go-image` holds another Go release than the one that is planned. Each release takes files by its own build tags, so the build may take others than the plan hashed, and then it fails. Set `go` to the release of the image.";
    /// A base image without a digest.
    UnpinnedImage = "unpinned-image", "An image is named by a tag, which may mean another image tomorrow: a rebuild then gives another image under the same key, and an update of the base image rebuilds nothing. Add the digest (`docker buildx imagetools inspect IMAGE` shows it), and let a bot raise it.";
    /// A program with cgo on a runtime image without a C library.
    CgoWithoutCLibrary = "cgo-without-c-library", "With cgo on, a program that uses C code, or the packages net or os/user, is linked with a C library and does not start where there is none. distroless-static and scratch have none; distroless-base has glibc.";
    /// A program with cgo on a runtime image with another C library.
    CgoWithOtherCLibrary = "cgo-with-other-c-library", "A program is linked with the C library of the image that builds it: musl in Alpine images, glibc elsewhere. It does not start on a runtime image that has the other one.";
    /// A program with cgo for several platforms.
    CgoOnSeveralPlatforms = "cgo-on-several-platforms", "With cgo on, each platform is built by the C toolchain in the Go image of that platform, so the build runs there: on a builder of that platform, or under emulation, which takes many times as long. Give buildx a node of each platform (`docker buildx create --append`), or turn cgo off, which cross-compiles.";
    /// A Dockerfile whose last stage is empty and gets no certificates.
    MissingCertificates = "missing-certificates", "The last stage of a Dockerfile starts from scratch, the program imports packages for TLS, and no certificates are copied there. A connection to a server with a public certificate then fails with `certificate signed by unknown authority`. Copy /etc/ssl/certs/ca-certificates.crt from an earlier stage, or start from a distroless image. Where they are mounted when the image runs, this says nothing.";
    /// Third-party code may import packages of this tree.
    PossibleBackEdge = "possible-back-edge", "Without the sources of the third-party modules it can't be seen whether they import packages of this tree. A requirement of this repository's own organisation is where that happens most; if one does, name the packages in rebake.toml under `back-edges`, and if none does, write `back-edges = []`: either settles it. A package that is missing there makes the build fail, and never makes a stale image.";
}

impl Code {
    /// Whether the finding is that something could not be read, and not that Go would refuse it.
    pub fn is_about_reading(self) -> bool {
        matches!(self, Self::Unreadable | Self::NotUtf8 | Self::Submodule)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
