//! One run of `go list`.
//!
//! In: a module, patterns, a context. Out: the packages that it printed, or why it refused.
//!
//! Source: cmd/go/internal/list (`list.go`), cmd/go/internal/load (`PackagePublic`).

use super::{Attempt, Context, Environment, Module, OracleError, environment::set_context};
use serde::Deserialize;
use std::{fs, path::Path};

/// The fields of a package that are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Package {
    pub(super) import_path: String,
    pub(super) name: String,
    pub(super) dir: String,
    pub(super) standard: bool,
    pub(super) dep_only: bool,
    pub(super) error: Option<PackageError>,
    pub(super) deps: Vec<String>,
    pub(super) go_files: Vec<String>,
    pub(super) cgo_files: Vec<String>,
    pub(super) c_files: Vec<String>,
    #[serde(rename = "CXXFiles")]
    pub(super) cxx_files: Vec<String>,
    pub(super) m_files: Vec<String>,
    pub(super) h_files: Vec<String>,
    pub(super) f_files: Vec<String>,
    pub(super) s_files: Vec<String>,
    pub(super) swig_files: Vec<String>,
    #[serde(rename = "SwigCXXFiles")]
    pub(super) swig_cxx_files: Vec<String>,
    pub(super) syso_files: Vec<String>,
    pub(super) embed_files: Vec<String>,
    pub(super) ignored_go_files: Vec<String>,
    pub(super) invalid_go_files: Vec<String>,
    pub(super) test_go_files: Vec<String>,
    #[serde(rename = "XTestGoFiles")]
    pub(super) external_test_go_files: Vec<String>,
}

const FIELDS: &str = "ImportPath,Name,Dir,Standard,DepOnly,Error,Deps,GoFiles,CgoFiles,CFiles,CXXFiles,MFiles,HFiles,\
                      FFiles,SFiles,SwigFiles,SwigCXXFiles,SysoFiles,EmbedFiles,IgnoredGoFiles,InvalidGoFiles,\
                      TestGoFiles,XTestGoFiles";

/// An error of a package, or of its import.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct PackageError {
    /// From the package on the command line to the one in error.
    pub(super) import_stack: Option<Vec<String>>,
    pub(super) pos: String,
    pub(super) err: String,
}

impl Package {
    /// Whether any Go file of the directory was seen, used or not.
    pub(super) fn saw_go_files(&self) -> bool {
        [
            &self.go_files,
            &self.cgo_files,
            &self.ignored_go_files,
            &self.invalid_go_files,
            &self.test_go_files,
            &self.external_test_go_files,
        ]
        .iter()
        .any(|files| !files.is_empty())
    }

    /// Every file that the build takes, with its kind.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &'static str)> {
        [
            (&self.go_files, "go"),
            (&self.cgo_files, "cgo"),
            (&self.c_files, "c"),
            (&self.cxx_files, "cxx"),
            (&self.m_files, "objc"),
            (&self.f_files, "fortran"),
            (&self.h_files, "header"),
            (&self.s_files, "asm"),
            (&self.swig_files, "swig"),
            (&self.swig_cxx_files, "swig"),
            (&self.syso_files, "syso"),
            (&self.embed_files, "embed"),
        ]
        .into_iter()
        .flat_map(|(files, kind)| files.iter().map(move |file| (file.as_str(), kind)))
    }
}

/// Whether the packages that are imported are listed too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dependencies {
    Listed,
    LeftOut,
}

/// Runs `go list`. The inner error is Go's own refusal, with what it wrote.
pub(super) fn go_list(
    root: &Path,
    module: &Module,
    patterns: &[String],
    dependencies: Dependencies,
    context: &Context,
    environment: &Environment,
    attempt: Attempt,
) -> Result<Result<Vec<Package>, String>, OracleError> {
    let directory = root.join(&module.directory);
    let mut command = environment.go(&directory, attempt);
    set_context(&mut command, context);
    match &module.workspace {
        Some(workspace) => command.env("GOWORK", workspace),
        None => command.env("GOWORK", "off"),
    };
    command.args(["list", "-e", "-pgo=off"]);
    command.arg(format!("-json={FIELDS}"));
    if dependencies == Dependencies::Listed {
        command.arg("-deps");
    }
    if !context.tags.is_empty() {
        command.arg(format!("-tags={}", context.tags.join(",")));
    }
    let scratch = tempfile::tempdir().map_err(OracleError::io(root))?;
    if attempt == Attempt::ProxyUpdatingGoMod {
        let copy = scratch.path().join("go.mod");
        for name in ["go.mod", "go.sum"] {
            let original = directory.join(name);
            if original.is_file() {
                fs::copy(&original, scratch.path().join(name))
                    .map_err(OracleError::io(&original))?;
            }
        }
        command.arg("-mod=mod");
        command.arg(format!("-modfile={}", copy.display()));
    }
    command.arg("--").args(patterns);
    let failure = |reason: String| OracleError::Go {
        arguments: format!("list {} in {}", patterns.join(" "), directory.display()),
        reason,
    };
    let output = command
        .output()
        .map_err(|error| failure(error.to_string()))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Ok(Err(complaint));
    }
    let packages: Result<Vec<Package>, _> = serde_json::Deserializer::from_slice(&output.stdout)
        .into_iter()
        .collect();
    packages.map(Ok).map_err(|error| failure(error.to_string()))
}
