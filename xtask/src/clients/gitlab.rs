//! GitLab CI, played by gitlab-ci-local.
//!
//! In: a sample monorepo with a pipeline, and the variables of an event. Out: how the pipeline went, child included. The
//! template is that of this repository, with the sum of a release as a release would put it there.
//!
//! **What stands in for what is not here**: jobs run in a shell, without their images and services. `docker` is a script
//! that logs in nowhere, makes no builder, and hands `docker buildx` to buildx with the builder of the tests; `buildctl` is
//! pointed at it too. Components are included as local files. A shallow clone is not played.

use super::{cancelled, install, install::must, shop::Shop};
use crate::{builder::Builder, tools};
use std::{
    collections::BTreeSet,
    env,
    error::Error,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// How the examples include the template.
pub(super) const COMPONENT: &str = "component: gitlab.com/rebake-build/rebake/rebake@0.1.0";
/// Where the template stands, here and in the samples.
pub(super) const TEMPLATE: &str = "templates/rebake.yml";
const VERSION: &str = "0.1.0";
/// Where jobs have what is only theirs.
const TEMPORARY: &str = "tmp";

/// How a pipeline went.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// Whether all jobs ended well.
    pub(super) succeeded: bool,
    /// All that was said.
    pub(super) log: String,
}

/// gitlab-ci-local, with all that it needs.
pub(super) struct GitLab<'a> {
    builder: &'a Builder,
    directory: tempfile::TempDir,
    template: String,
}

impl<'a> GitLab<'a> {
    /// Makes a release of this repository, and the stand-ins.
    pub(super) fn new(builder: &'a Builder, rebake: &Path) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let programs = directory.path().join("bin");
        fs::create_dir(&programs)?;
        fs::create_dir(directory.path().join(TEMPORARY))?;
        for (name, text) in [
            ("docker", include_str!("stand_ins/docker.sh")),
            (
                "buildctl-daemonless.sh",
                include_str!("stand_ins/buildctl-daemonless.sh"),
            ),
        ] {
            let program = programs.join(name);
            fs::write(&program, text)?;
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        }
        let mut gitlab = Self {
            builder,
            directory,
            template: fs::read_to_string(tools::workspace().join(TEMPLATE))?,
        };
        let sum = gitlab.release(rebake)?;
        for (input, value) in [
            ("version", VERSION),
            ("sha256-x86_64", &sum),
            ("sha256-aarch64", &sum),
        ] {
            gitlab.set_default(input, value)?;
        }
        Ok(gitlab)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn release(&self, rebake: &Path) -> Result<String, Box<dyn Error>> {
        let name = format!("rebake-{}-unknown-linux-musl.tar.gz", env::consts::ARCH);
        let releases = self.at("releases").join(format!("v{VERSION}"));
        fs::create_dir_all(&releases)?;
        must(
            Command::new("tar")
                .arg("--directory")
                .arg(rebake.parent().ok_or("a program without a folder")?)
                .args(["--create", "--gzip", "--file"])
                .arg(releases.join(&name))
                .arg("rebake"),
        )?;
        let sum = Command::new("sha256sum")
            .arg(releases.join(&name))
            .output()?;
        let sum = String::from_utf8(sum.stdout)?;
        Ok(sum.split(' ').next().unwrap_or_default().to_owned())
    }

    /// Gives an input of the template another default, as the commit after a release does.
    fn set_default(&mut self, input: &str, value: &str) -> Result<(), Box<dyn Error>> {
        let start = self
            .template
            .find(&format!("    {input}:\n"))
            .ok_or_else(|| format!("the template has no input {input}"))?;
        let (before, after) = self.template.split_at(start);
        self.template = format!(
            "{before}{}",
            after.replacen("default: \"\"", &format!("default: \"{value}\""), 1)
        );
        Ok(())
    }

    /// Puts an example and the template into the sample.
    pub(super) fn use_example(&self, shop: &Shop, name: &str) -> Result<(), Box<dyn Error>> {
        let path = tools::workspace().join("examples/gitlab").join(name);
        let example = fs::read_to_string(path)?
            .replace(COMPONENT, &format!("local: /{TEMPLATE}"))
            .replace(
                "registry.example.com/acme/shop",
                &format!("{}/acme/lab/own", self.builder.registry()),
            );
        shop.write(".gitlab-ci.yml", &example)?;
        shop.write(TEMPLATE, &self.template)
    }

    /// Whether runners find no builder.
    pub(super) fn set_broken(&self, is_broken: bool) -> std::io::Result<()> {
        let sign = self.at("no-builder");
        if is_broken {
            fs::write(sign, "")
        } else {
            fs::remove_file(sign)
        }
    }

    /// Runs the sample's pipeline with the variables of an event, on the commit that the work tree is on.
    pub(super) fn run(
        &self,
        shop: &Shop,
        variables: &[(&str, &str)],
    ) -> Result<Pipeline, Box<dyn Error>> {
        let before = self.temporary_directories()?;
        let output = self.client(shop, variables)?.output()?;
        let after = self.temporary_directories()?;
        if let Some(left) = after.difference(&before).next() {
            return Err(format!("a job left its temporary directory {left:?} behind").into());
        }
        Ok(Pipeline {
            succeeded: output.status.success(),
            log: format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
        })
    }

    /// Runs it until its log holds a text, and cancels it there.
    pub(super) fn cancel(
        &self,
        shop: &Shop,
        variables: &[(&str, &str)],
        sign: &str,
    ) -> Result<(), Box<dyn Error>> {
        cancelled::run_until(&mut self.client(shop, variables)?, self.builder, sign)
    }

    /// What jobs have made with `mktemp` and not removed: those that were killed, and no others.
    fn temporary_directories(&self) -> std::io::Result<BTreeSet<OsString>> {
        let is_made_by_mktemp = |name: &OsString| name.as_encoded_bytes().starts_with(b"tmp.");
        let entries = fs::read_dir(self.at(TEMPORARY))?;
        let names = entries.map(|entry| Ok(entry?.file_name()));
        let names = names.collect::<std::io::Result<BTreeSet<OsString>>>()?;
        Ok(names.into_iter().filter(is_made_by_mktemp).collect())
    }

    fn client(&self, shop: &Shop, variables: &[(&str, &str)]) -> Result<Command, Box<dyn Error>> {
        let registry = self.builder.registry();
        let mut client = install::gitlab_ci_local()?;
        client
            .args(["--force-shell-executor", "--no-color"])
            .current_dir(shop.tree())
            .arg("--home")
            .arg(self.at("home"))
            .env("DOCKER_CONFIG", self.at("docker"))
            .env("TMPDIR", self.at(TEMPORARY))
            .env(
                "REBAKE_RELEASES",
                format!("file://{}", self.at("releases").display()),
            )
            .env("STAND_IN_NO_BUILDER", self.at("no-builder"))
            .env("BUILDKIT_HOST", self.builder.address())
            .envs(self.builder.buildx_environment()?);
        let image = format!("{registry}/acme/lab");
        let mut variable = |name: &str, value: &str| {
            client.arg("--variable").arg(format!("{name}={value}"));
        };
        variable("CI_REGISTRY", registry);
        variable("CI_REGISTRY_IMAGE", &image);
        variable("CI_DEFAULT_BRANCH", "main");
        for (name, value) in variables {
            variable(name, value);
        }
        if variables
            .iter()
            .any(|(name, _)| *name == "CI_MERGE_REQUEST_IID")
        {
            // Pipelines of merge requests have no branch.
            client.args(["--unset-variable", "CI_COMMIT_BRANCH"]);
        }
        let programs = [
            self.at("bin").join("docker"),
            self.builder.buildx_path()?,
            self.builder.buildctl_path(),
        ];
        let directories = programs
            .iter()
            .filter_map(|path| path.parent().map(Path::to_owned));
        let path = env::var_os("PATH").unwrap_or_default();
        client.env(
            "PATH",
            env::join_paths(directories.chain(env::split_paths(&path)))?,
        );
        Ok(client)
    }
}
