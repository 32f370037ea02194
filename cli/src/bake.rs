//! `docker buildx bake`, called.
//!
//! In: targets, variables and flags. Out: what was built, by target, from bake's own record. It must never pass a text of
//! the repository through a shell: arguments and variables go to the program as they are.

use crate::failure::Failure;
use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    process::{Command, Stdio},
};

/// One call of bake.
pub(crate) struct Bake {
    /// The directory that the bake file's paths start from.
    pub(crate) directory: Utf8PathBuf,
    /// The bake file, relative to that directory.
    pub(crate) file: String,
    pub(crate) targets: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
    /// Further flags, for bake itself.
    pub(crate) flags: Vec<String>,
}

/// What bake says of a target.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct BuiltTarget {
    /// Of what was pushed or loaded.
    #[serde(rename = "containerimage.digest")]
    pub(crate) digest: Option<String>,
    /// The image's names, separated by commas.
    #[serde(rename = "image.name")]
    pub(crate) names: Option<String>,
}

/// The ways in which buildx is installed: as a plugin of docker, or alone.
const BUILDX: [&[&str]; 2] = [&["docker", "buildx"], &["buildx"]];

/// A buildx that answers: the words that call it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buildx(&'static [&'static str]);

impl Buildx {
    /// Looks for it.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find() -> Result<Self, Failure> {
        let found = BUILDX.into_iter().find(|words| answers(words));
        found.map(Self).ok_or(Failure::NoBuildx)
    }
}

impl Bake {
    /// The words of the command, without those that only the call needs.
    fn words(&self, buildx: &[&str]) -> Vec<String> {
        let mut words: Vec<String> = buildx.iter().map(ToString::to_string).collect();
        words.extend(["bake", "-f", &self.file].map(str::to_owned));
        words.extend(self.flags.iter().cloned());
        words.extend(self.targets.iter().cloned());
        words
    }

    /// The command as a person would type it in the bake file's directory.
    pub(crate) fn shown(&self) -> String {
        let variables = self.variables.iter();
        let variables = variables.map(|(name, value)| format!("{name}={}", quoted(value)));
        let words = self.words(BUILDX[0]);
        let words = words.iter().map(|word| quoted(word));
        let all: Vec<String> = variables.chain(words).collect();
        all.join(" ")
    }

    /// Builds, with bake's own progress on stderr.
    ///
    /// # Errors
    /// When buildx fails.
    pub(crate) fn run(
        &self,
        Buildx(buildx): Buildx,
    ) -> Result<BTreeMap<String, BuiltTarget>, Failure> {
        let record = tempfile::tempdir().map_err(Failure::Scratch)?;
        let record = Utf8Path::from_path(record.path())
            .ok_or(Failure::CurrentDirectoryNotUtf8)?
            .join("metadata.json");
        let words = self.words(buildx);
        let status = Command::new(buildx[0])
            .args(&words[1..])
            .args([OsStr::new("--metadata-file"), record.as_os_str()])
            .envs(&self.variables)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .status()
            .map_err(Failure::Buildx)?;
        if !status.success() {
            return Err(match self.too_old_a_builder(buildx) {
                Some(version) => Failure::BuildKitTooOld(version),
                None => Failure::BakeFailed(status),
            });
        }
        // Flags that only print leave no record.
        let text = std::fs::read(&record).unwrap_or_else(|_| b"{}".to_vec());
        let mut targets: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&text).map_err(Failure::BakeRecord)?;
        // The record holds more than targets, such as warnings.
        targets.retain(|name, _| self.targets.contains(name));
        targets
            .into_iter()
            .map(|(name, value)| {
                let target = serde_json::from_value(value).map_err(Failure::BakeRecord)?;
                Ok((name, target))
            })
            .collect()
    }
}

/// `COPY --parents` and `--exclude` are in the Dockerfile frontend that BuildKit brings along from this release on.
const OLDEST_BUILDKIT: (u32, u32) = (0, 26);

impl Bake {
    /// The version of the builder, where it is known and too old for what is emitted. Asked only when a build has failed,
    /// since most are good and the question takes time.
    fn too_old_a_builder(&self, buildx: &[&str]) -> Option<String> {
        let mut flags = self.flags.iter();
        let builder = flags
            .by_ref()
            .find(|flag| *flag == "--builder")
            .and_then(|_| flags.next());
        let output = Command::new(buildx[0])
            .args(&buildx[1..])
            .arg("inspect")
            .args(builder)
            .stdin(Stdio::null())
            .output()
            .ok()?;
        oldest_version(&String::from_utf8_lossy(&output.stdout))
            .filter(|(version, _)| *version < OLDEST_BUILDKIT)
            .map(|(_, text)| text)
    }
}

/// The oldest of the versions that `buildx inspect` prints for the nodes of a builder.
///
/// Source: docker/buildx commands/inspect.go.
fn oldest_version(inspected: &str) -> Option<((u32, u32), String)> {
    let versions = inspected.lines().filter_map(|line| {
        let (name, version) = line.split_once(':')?;
        let is_version = matches!(name.trim(), "BuildKit version" | "BuildKit" | "Buildkit");
        let text = version.trim();
        let mut numbers = text.strip_prefix('v').unwrap_or(text).split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        // What was built from its sources by hand does not know its version.
        let is_known = (major, minor) != (0, 0);
        (is_version && is_known).then(|| ((major, minor), text.to_owned()))
    });
    versions.min()
}

fn answers(buildx: &[&str]) -> bool {
    Command::new(buildx[0])
        .args(&buildx[1..])
        .arg("version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=,@+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_node_of_a_builder_decides() {
        let inspected = "Name: team\nDriver: remote\n\nNodes:\nName:             team0\nBuildKit version: v0.32.2\nPlatforms: linux/amd64\nName: team1\nBuildKit version: v0.25.1-rc1\n";
        let oldest = oldest_version(inspected);
        assert_eq!(oldest, Some(((0, 25), "v0.25.1-rc1".to_owned())));
        for unknown in ["dev", "v0.0.0+unknown"] {
            let inspected = format!("Name: x\nBuildKit version: {unknown}\n");
            assert_eq!(oldest_version(&inspected), None);
        }
    }

    #[test]
    fn a_shown_command_means_what_is_called() {
        let cases = [
            ("api", "api"),
            ("a b", "'a b'"),
            ("", "''"),
            ("it's", r"'it'\''s'"),
            ("$(rm)", "'$(rm)'"),
            ("type=gha,scope=", "type=gha,scope="),
        ];
        for (word, expected) in cases {
            assert_eq!(quoted(word), expected);
        }
    }
}
