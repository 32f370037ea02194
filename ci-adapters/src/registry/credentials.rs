//! Who asks a registry: what `docker login` left behind.
//!
//! In: docker's configuration directory. Out: [`Credentials`] for a registry: those of a helper that is named for it, of
//! the store of all, or of the file itself, in docker's order. It must never tell a secret: none of its types prints one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fmt, fs, io,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The key of Docker Hub in docker's configuration.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// As long as a credential helper may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// More than any credentials.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// The user's name that a helper gives with an identity token.
const TOKEN_USER: &str = "<token>";

/// What is known of who asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    #[default]
    Anonymous,
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token that a token service changes for another.
    IdentityToken(String),
    /// A token for the registry itself.
    RegistryToken(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Password { .. } => "Password",
            Self::IdentityToken(_) => "IdentityToken",
            Self::RegistryToken(_) => "RegistryToken",
        })
    }
}

impl Credentials {
    /// The value of `Authorization`, where a name and a password are known.
    pub(super) fn basic(&self) -> Option<String> {
        match self {
            Self::Password { user, password } => Some(format!(
                "Basic {}",
                STANDARD.encode(format!("{user}:{password}"))
            )),
            _ => None,
        }
    }
}

/// Docker's `config.json`.
#[derive(Default, Deserialize)]
pub struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

#[derive(Deserialize)]
struct HelperAnswer {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// Why credentials can't be had. It never holds one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DockerConfigError {
    /// The file can't be read.
    #[error("can't read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is not what docker writes.
    #[error("{} is no configuration of docker (line {line})", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
    },
    /// An entry holds no credentials.
    #[error("docker's configuration holds no valid credentials for {0}; run `docker login {0}`")]
    Entry(String),
    /// A helper that no program could have.
    #[error("docker's configuration names the credential helper `{}`, which can be no program", .0.escape_debug())]
    HelperName(String),
    /// A helper that does not answer.
    #[error("the credential helper docker-credential-{helper} failed: {problem}")]
    Helper {
        /// Its name.
        helper: String,
        /// What happened.
        problem: String,
    },
}

impl DockerConfig {
    /// Reads the configuration in a directory; where there is none, nothing is known.
    ///
    /// # Errors
    /// When there is one and it can't be read.
    pub fn read(directory: &Path) -> Result<Self, DockerConfigError> {
        let path = directory.join("config.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(DockerConfigError::Read { path, error }),
        };
        serde_json::from_slice(&text).map_err(|error| {
            // The words of the error could hold a part of the file.
            let line = error.line();
            DockerConfigError::Parse { path, line }
        })
    }

    /// The credentials for a registry.
    ///
    /// # Errors
    /// When there should be some, and they can't be had.
    pub fn credentials(&self, host: &str) -> Result<Credentials, DockerConfigError> {
        let key = if host == "docker.io" {
            DOCKER_HUB_KEY
        } else {
            host
        };
        let helper = by_host(&self.helpers, key).or(self.store.as_ref());
        if let Some(helper) = helper.filter(|helper| !helper.is_empty()) {
            return ask_helper(helper, key);
        }
        match by_host(&self.auths, key) {
            Some(entry) => entry.credentials(host),
            None => Ok(Credentials::Anonymous),
        }
    }
}

/// The entry of a registry, under its own name or one with a scheme and a path, as docker has written them over the years.
fn by_host<'a, Value>(entries: &'a BTreeMap<String, Value>, key: &str) -> Option<&'a Value> {
    entries.get(key).or_else(|| {
        entries
            .iter()
            .find(|(known, _)| host_of(known) == host_of(key))
            .map(|(_, entry)| entry)
    })
}

fn host_of(key: &str) -> &str {
    let rest = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    rest.split('/').next().unwrap_or(rest)
}

impl Entry {
    fn credentials(&self, host: &str) -> Result<Credentials, DockerConfigError> {
        let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = set(&self.registrytoken) {
            return Ok(Credentials::RegistryToken(token));
        }
        if let Some(token) = set(&self.identitytoken) {
            return Ok(Credentials::IdentityToken(token));
        }
        if let Some(auth) = set(&self.auth) {
            let wrong = || DockerConfigError::Entry(host.to_owned());
            let decoded = STANDARD.decode(auth.trim()).map_err(|_| wrong())?;
            let decoded = String::from_utf8(decoded).map_err(|_| wrong())?;
            let (user, password) = decoded.split_once(':').ok_or_else(wrong)?;
            return Ok(Credentials::Password {
                user: user.to_owned(),
                password: password.trim_end_matches('\0').to_owned(),
            });
        }
        match (set(&self.username), set(&self.password)) {
            (Some(user), Some(password)) => Ok(Credentials::Password { user, password }),
            // `docker logout`, and stores, leave empty entries.
            _ => Ok(Credentials::Anonymous),
        }
    }
}

fn ask_helper(helper: &str, key: &str) -> Result<Credentials, DockerConfigError> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if !helper.chars().all(is_plain) {
        return Err(DockerConfigError::HelperName(helper.to_owned()));
    }
    let failed = |problem: String| DockerConfigError::Helper {
        helper: helper.to_owned(),
        problem,
    };
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read has its answer already.
        let _ = stdin.write_all(key.as_bytes());
    }
    let started = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                // It may have ended in between.
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!(
                    "it took longer than {} s",
                    PATIENCE.as_secs()
                )));
            }
            Err(error) => return Err(failed(error.to_string())),
        }
    };
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout
            .take(LONGEST_ANSWER)
            .read_to_end(&mut answer)
            .map_err(|error| failed(error.to_string()))?;
    }
    if !status.success() {
        let text = String::from_utf8_lossy(&answer);
        if text.contains("credentials not found") {
            return Ok(Credentials::Anonymous);
        }
        return Err(failed(status.to_string()));
    }
    let answer: HelperAnswer = serde_json::from_slice(&answer)
        .map_err(|_| failed("its answer is not what a helper says".to_owned()))?;
    Ok(if answer.user == TOKEN_USER {
        Credentials::IdentityToken(answer.secret)
    } else {
        Credentials::Password {
            user: answer.user,
            password: answer.secret,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> DockerConfig {
        serde_json::from_str(text).unwrap()
    }

    fn password(user: &str, password: &str) -> Credentials {
        Credentials::Password {
            user: user.to_owned(),
            password: password.to_owned(),
        }
    }

    #[test]
    fn entries_are_found_under_every_name_that_docker_has_given_them() {
        // "u:p:q"
        let auth = "dTpwOnE=";
        for (key, host) in [
            ("ghcr.io", "ghcr.io"),
            ("https://ghcr.io", "ghcr.io"),
            ("https://ghcr.io/v2/", "ghcr.io"),
            ("https://index.docker.io/v1/", "docker.io"),
            ("localhost:5000", "localhost:5000"),
        ] {
            let config = config(&format!(r#"{{"auths":{{"{key}":{{"auth":"{auth}"}}}}}}"#));
            assert!(
                config.credentials(host).unwrap() == password("u", "p:q"),
                "{key}"
            );
            assert!(config.credentials("other.io").unwrap() == Credentials::Anonymous);
        }
    }

    #[test]
    fn each_kind_of_entry_is_understood_and_none_is_told() {
        let cases = [
            (r#"{"username":"u","password":"p"}"#, password("u", "p")),
            (
                r#"{"identitytoken":"t"}"#,
                Credentials::IdentityToken("t".to_owned()),
            ),
            (
                r#"{"registrytoken":"t"}"#,
                Credentials::RegistryToken("t".to_owned()),
            ),
            ("{}", Credentials::Anonymous),
            (r#"{"auth":""}"#, Credentials::Anonymous),
        ];
        for (entry, expected) in cases {
            let found = config(&format!(r#"{{"auths":{{"a.io":{entry}}}}}"#))
                .credentials("a.io")
                .unwrap();
            assert!(found == expected, "{entry}");
            assert!(!format!("{found:?}").contains(['"', '(']), "{found:?}");
        }
        for entry in [
            r#"{"auth":"!"}"#,
            r#"{"auth":"dQ=="}"#,
            r#"{"auth":"/w=="}"#,
        ] {
            let error = config(&format!(r#"{{"auths":{{"a.io":{entry}}}}}"#))
                .credentials("a.io")
                .unwrap_err();
            assert!(error.to_string().contains("docker login a.io"), "{error}");
        }
    }

    #[test]
    fn a_helper_is_asked_before_the_file_and_can_be_no_other_program() {
        for helper in ["../evil", "a b", "a/b", "$(x)"] {
            let config = config(&format!(r#"{{"credsStore":"{helper}"}}"#));
            let error = config.credentials("a.io").unwrap_err();
            assert!(matches!(error, DockerConfigError::HelperName(_)), "{error}");
        }
        let config = config(r#"{"credHelpers":{"a.io":"that-is-not-installed"}}"#);
        let error = config.credentials("a.io").unwrap_err();
        assert!(matches!(error, DockerConfigError::Helper { .. }), "{error}");
        assert!(config.credentials("b.io").unwrap() == Credentials::Anonymous);
    }
}
