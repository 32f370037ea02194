//! The client: questions about manifests, with authorization, redirections and retries.
//!
//! In: a prefix of images, credentials. Out: whether a tag is there. A tag is present when the registry answers with a
//! manifest's media type and digest; where it leaves one out, the manifest itself is read and must be one. It is missing when
//! the registry says 404. Every other answer is none.

mod authorization;
mod build_time;
mod promotion;

use super::{
    challenge::Challenge,
    credentials::Credentials,
    image_prefix::{Image, ImagePrefix},
    retry,
    survey::ContentTags,
    transport::{Answer, Encryption, NoAnswer, Question, Transport},
};
use rebake_planner::decide::TagState;
use serde_json::Value;
use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};
use ureq::http::{Method, Uri, header};

/// What an image's manifest may be.
const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// As large as a manifest may be, by the distribution specification.
const LARGEST_MANIFEST: u64 = 4 * 1024 * 1024;

/// As many redirections as are followed.
const REDIRECTIONS: usize = 3;

/// A registry that could not be reached this often in a row is not asked any more.
const GIVE_UP_AFTER: u32 = 3;

/// What a client may do and may not.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Whether the registry is spoken to with TLS.
    pub encryption: Encryption,
    /// As long as one answer may take.
    pub timeout: Duration,
    /// As long as the registry may keep silent, however often it is asked.
    pub silence: Duration,
    /// As long as all answers may take.
    pub patience: Duration,
    /// How long to wait before the second attempt.
    pub first_wait: Duration,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            encryption: Encryption::Required,
            timeout: Duration::from_secs(15),
            silence: Duration::from_secs(30),
            patience: Duration::from_secs(120),
            first_wait: Duration::from_millis(250),
        }
    }
}

/// Why a registry's answer is none. It never holds a secret, and no text of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// It could not be reached.
    #[error("{host} can't be reached: {problem}")]
    Unreachable {
        /// Which.
        host: String,
        /// Why.
        problem: String,
    },
    /// Its certificate proves nothing.
    #[error(
        "{host} has a certificate that is not trusted: {problem}; have its authority among the system's certificates, or name a file that holds it with SSL_CERT_FILE"
    )]
    Untrusted {
        /// Which.
        host: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It does not say who may ask, or says no.
    #[error(
        "{host} answers {status}: there is no such repository yet, and the first push makes it, or it may not be read; then `docker login {host}` mends it"
    )]
    Denied {
        /// Which.
        host: String,
        /// 401 or 403.
        status: u16,
    },
    /// It does not take a tag.
    #[error(
        "{host} answers {status} and does not take the tag; check that `docker login {host}` may push"
    )]
    PushDenied {
        /// Which.
        host: String,
        /// 401 or 403.
        status: u16,
    },
    /// It answers with a status that says nothing about a tag.
    #[error("{host} answers {status}")]
    Status {
        /// Which.
        host: String,
        /// The status.
        status: u16,
    },
    /// Its answer is not what the protocol says.
    #[error("{host} gives an answer that is none: {problem}")]
    Answer {
        /// Which.
        host: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It would have credentials go where they may not.
    #[error("{host} {problem}")]
    Unsafe {
        /// Which.
        host: String,
        /// What it wants.
        problem: &'static str,
    },
    /// It kept silent for as long as it may.
    #[error("{host} gives no answer for {} s", .silence.as_secs_f32())]
    Silent {
        /// Which.
        host: String,
        /// How long that was.
        silence: Duration,
    },
    /// There is no time left.
    #[error("{host} takes too long for all questions")]
    TooLate {
        /// Which.
        host: String,
    },
}

/// An OCI registry.
pub struct OciRegistry {
    host: String,
    base: String,
    credentials: Credentials,
    transport: Transport,
    options: RegistryOptions,
    deadline: Instant,
    state: Mutex<State>,
}

/// What one answer teaches the next question.
#[derive(Default)]
struct State {
    challenge: Option<Challenge>,
    /// Tokens by scope.
    tokens: HashMap<String, String>,
    /// When it last answered; in the beginning, when it was first asked.
    last_answer: Option<Instant>,
    /// Failures to reach it since the last answer.
    failures: u32,
    last_failure: Option<RegistryError>,
}

impl fmt::Debug for OciRegistry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OciRegistry")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// What a question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Actions<'a> {
    Pull,
    PullAndPush,
    /// To push what another repository of the registry holds.
    PushFrom(&'a str),
}

/// A manifest as the registry gave it.
#[derive(Clone)]
struct Manifest {
    media_type: String,
    bytes: Vec<u8>,
}

impl ContentTags for OciRegistry {
    fn state(&self, image: &Image) -> TagState {
        match self.has(image) {
            Ok(true) => TagState::Present,
            Ok(false) => TagState::Missing,
            Err(error) => TagState::Unavailable(error.to_string()),
        }
    }
}

impl OciRegistry {
    /// The registry of a prefix.
    ///
    /// # Errors
    /// When the system has nothing to trust a registry with.
    pub fn new(
        prefix: &ImagePrefix,
        credentials: Credentials,
        options: RegistryOptions,
    ) -> Result<Self, RegistryError> {
        let host = prefix.host().to_owned();
        let is_local = is_loopback(prefix.address());
        let scheme = if is_local || options.encryption == Encryption::Absent {
            "http"
        } else {
            "https"
        };
        let transport = Transport::new(LARGEST_MANIFEST, is_local).map_err(|problem| {
            RegistryError::Unreachable {
                host: host.clone(),
                problem,
            }
        })?;
        Ok(Self {
            base: format!("{scheme}://{}", prefix.address()),
            host,
            credentials,
            transport,
            deadline: Instant::now() + options.patience,
            options,
            state: Mutex::default(),
        })
    }

    /// Whether an image is there.
    ///
    /// # Errors
    /// When the registry does not say so in the form that it should.
    pub fn has(&self, image: &Image) -> Result<bool, RegistryError> {
        let head = self.ask_for_manifest(Method::HEAD, image)?;
        match head.status {
            200 if is_manifest_type(&head) && has_digest(&head) => Ok(true),
            // It leaves something out, or knows no HEAD.
            200 | 400 | 405 | 501 => Ok(self.manifest(image)?.is_some()),
            404 => Ok(false),
            status => Err(self.refused(status)),
        }
    }

    /// Gives an image that is there another tag, without a build. False when the image is not there.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub fn retag(&self, image: &Image, tag: &str) -> Result<bool, RegistryError> {
        let Some(manifest) = self.manifest(image)? else {
            return Ok(false);
        };
        let target = Image {
            tag: tag.to_owned(),
            ..image.clone()
        };
        self.put(&target, manifest).map(|()| true)
    }

    /// Puts a manifest under the tag of an image.
    fn put(&self, image: &Image, manifest: Manifest) -> Result<(), RegistryError> {
        let question = Question {
            method: Method::PUT,
            address: self.manifest_address(&image.repository, &image.tag)?,
            headers: vec![(header::CONTENT_TYPE, manifest.media_type)],
            body: Some(manifest.bytes),
        };
        let answer = self.ask(&question, &image.repository, Actions::PullAndPush)?;
        match answer.status {
            200..=202 => Ok(()),
            status => Err(self.not_pushed(status)),
        }
    }

    fn not_pushed(&self, status: u16) -> RegistryError {
        match status {
            401 | 403 => RegistryError::PushDenied {
                host: self.host.clone(),
                status,
            },
            _ => self.refused(status),
        }
    }

    /// The manifest of an image; nothing where there is none.
    fn manifest(&self, image: &Image) -> Result<Option<Manifest>, RegistryError> {
        let answer = self.ask_for_manifest(Method::GET, image)?;
        match answer.status {
            200 => {}
            404 => return Ok(None),
            status => return Err(self.refused(status)),
        }
        let wrong = |problem| RegistryError::Answer {
            host: self.host.clone(),
            problem,
        };
        let media_type = media_type(&answer)
            .filter(|_| is_manifest_type(&answer))
            .ok_or_else(|| wrong("its media type is not that of an image"))?
            .to_owned();
        let bytes = answer
            .body
            .map_err(|_| wrong("it can't be read to its end"))?;
        let manifest: Value =
            serde_json::from_slice(&bytes).map_err(|_| wrong("it is not JSON"))?;
        let is_list = |name: &str| {
            manifest[name]
                .as_array()
                .is_some_and(|list| !list.is_empty())
        };
        let says_otherwise = manifest["mediaType"]
            .as_str()
            .is_some_and(|stated| stated != media_type);
        let is_image = manifest["config"].is_object() && manifest["layers"].is_array();
        if manifest["schemaVersion"] != 2 || says_otherwise || !(is_list("manifests") || is_image) {
            return Err(wrong("it is no manifest of an image"));
        }
        Ok(Some(Manifest { media_type, bytes }))
    }

    fn ask_for_manifest(&self, method: Method, image: &Image) -> Result<Answer, RegistryError> {
        let question = Question {
            method,
            address: self.manifest_address(&image.repository, &image.tag)?,
            headers: vec![(header::ACCEPT, MEDIA_TYPES.join(", "))],
            body: None,
        };
        self.ask(&question, &image.repository, Actions::Pull)
    }

    fn manifest_address(&self, repository: &str, tag: &str) -> Result<Uri, RegistryError> {
        let address = format!("{}/v2/{repository}/manifests/{tag}", self.base);
        address.parse().map_err(|_| RegistryError::Unreachable {
            host: self.host.clone(),
            problem: "it has no valid address".to_owned(),
        })
    }

    /// Asks, and answers the challenge that comes back.
    fn ask(
        &self,
        question: &Question,
        repository: &str,
        actions: Actions<'_>,
    ) -> Result<Answer, RegistryError> {
        let scope = match actions {
            Actions::Pull => format!("repository:{repository}:pull"),
            Actions::PullAndPush => format!("repository:{repository}:pull,push"),
            Actions::PushFrom(source) => {
                format!("repository:{repository}:pull,push repository:{source}:pull")
            }
        };
        let known = self.lock().challenge.clone();
        let authorization = match (&self.credentials, &known) {
            (Credentials::RegistryToken(token), _) => Some(format!("Bearer {token}")),
            (_, Some(challenge)) => Some(self.authorization(challenge, &scope)?),
            (_, None) => None,
        };
        let answer = self.follow(question, authorization)?;
        let denied = || self.refused(answer.status);
        if answer.status != 401 || matches!(self.credentials, Credentials::RegistryToken(_)) {
            return Ok(answer);
        }
        let challenge = Challenge::of(answer.challenges.iter().map(String::as_str));
        let challenge = challenge.ok_or_else(denied)?;
        // A token may have become too old; another is asked for once.
        self.lock().tokens.remove(&scope);
        let authorization = self.authorization(&challenge, &scope)?;
        self.lock().challenge = Some(challenge);
        self.follow(question, Some(authorization))
    }

    /// Asks, and follows redirections. What authorizes goes to the registry alone.
    fn follow(
        &self,
        question: &Question,
        authorization: Option<String>,
    ) -> Result<Answer, RegistryError> {
        let mut question = question.clone();
        let mut authorization = authorization;
        for _ in 0..=REDIRECTIONS {
            let mut asked = question.clone();
            if let Some(value) = &authorization {
                asked.headers.push((header::AUTHORIZATION, value.clone()));
            }
            let answer = self.with_retries(&asked)?;
            let is_redirection = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
            if !is_redirection || question.body.is_some() {
                return Ok(answer);
            }
            let target = answer.location.as_deref().and_then(|location| {
                let absolute = if location.starts_with('/') && !location.starts_with("//") {
                    format!("{}{location}", origin(&question.address))
                } else {
                    location.to_owned()
                };
                absolute.parse::<Uri>().ok()
            });
            let target = target.filter(|target| {
                target
                    .authority()
                    .is_some_and(|authority| !authority.as_str().contains('@'))
            });
            let Some(target) = target else {
                return Err(RegistryError::Answer {
                    host: self.host.clone(),
                    problem: "it leads nowhere",
                });
            };
            if !self.may_send_to(&target) {
                return Err(RegistryError::Unsafe {
                    host: self.host.clone(),
                    problem: "leads to a place without encryption",
                });
            }
            if origin(&target) != origin(&question.address) {
                authorization = None;
            }
            question.address = target;
        }
        Err(RegistryError::Answer {
            host: self.host.clone(),
            problem: "it leads from place to place",
        })
    }

    /// Asks until there is an answer, within bounds.
    fn with_retries(&self, question: &Question) -> Result<Answer, RegistryError> {
        let mut attempt = 1;
        loop {
            let left = self.time_left()?;
            let result = self.transport.ask(question, left.min(self.options.timeout));
            if result.is_ok() {
                let mut state = self.lock();
                state.failures = 0;
                state.last_answer = Some(Instant::now());
            }
            let retry_after = match &result {
                Ok(answer) if !matches!(answer.status, 408 | 425 | 429 | 500..=504) => None,
                Ok(answer) => Some(answer.retry_after.clone()),
                // It is the same certificate every time.
                Err(NoAnswer::Untrusted(_)) => None,
                Err(NoAnswer::Unreachable(_)) => Some(None),
            };
            let wait = retry_after.and_then(|retry_after| {
                retry::wait(
                    attempt,
                    retry_after.as_deref(),
                    self.options.first_wait,
                    Instant::now(),
                    self.deadline,
                )
            });
            match (result, wait) {
                (result, Some(wait)) => {
                    thread::sleep(wait);
                    attempt += 1;
                    if result.is_ok() {
                        // A wait that it asked for is no silence.
                        self.lock().last_answer = Some(Instant::now());
                    }
                }
                (Ok(answer), None) => return Ok(answer),
                (Err(problem), None) => return Err(self.failed(problem)),
            }
        }
    }

    /// How long the next answer may take.
    fn time_left(&self) -> Result<Duration, RegistryError> {
        let now = Instant::now();
        let host = || self.host.clone();
        if now >= self.deadline {
            return Err(RegistryError::TooLate { host: host() });
        }
        let mut state = self.lock();
        // Whoever can't be reached for one image can't be reached for a thousand.
        if state.failures >= GIVE_UP_AFTER
            && let Some(error) = &state.last_failure
        {
            return Err(error.clone());
        }
        let silence = self.options.silence;
        let silent_until = *state.last_answer.get_or_insert(now) + silence;
        if now >= silent_until {
            return Err(RegistryError::Silent {
                host: host(),
                silence,
            });
        }
        Ok(silent_until.min(self.deadline) - now)
    }

    /// Keeps why it could not be reached, for the next who would ask.
    fn failed(&self, problem: NoAnswer) -> RegistryError {
        let host = self.host.clone();
        let mut state = self.lock();
        let error = match problem {
            NoAnswer::Untrusted(problem) => {
                state.failures = GIVE_UP_AFTER;
                RegistryError::Untrusted { host, problem }
            }
            NoAnswer::Unreachable(problem) => {
                state.failures += 1;
                RegistryError::Unreachable { host, problem }
            }
        };
        state.last_failure = Some(error.clone());
        error
    }

    fn refused(&self, status: u16) -> RegistryError {
        let host = self.host.clone();
        match status {
            401 | 403 => RegistryError::Denied { host, status },
            _ => RegistryError::Status { host, status },
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The media type, without its parameters.
fn media_type(answer: &Answer) -> Option<&str> {
    let stated = answer.content_type.as_deref()?;
    Some(stated.split(';').next().unwrap_or(stated).trim())
}

fn is_manifest_type(answer: &Answer) -> bool {
    media_type(answer).is_some_and(|media_type| MEDIA_TYPES.contains(&media_type))
}

fn has_digest(answer: &Answer) -> bool {
    let digest = answer.digest.as_deref().unwrap_or_default();
    digest
        .strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Scheme, host and port.
fn origin(address: &Uri) -> String {
    format!(
        "{}://{}",
        address.scheme_str().unwrap_or_default(),
        address
            .authority()
            .map_or("", |authority| authority.as_str())
    )
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether a host is this machine.
fn is_loopback(host: &str) -> bool {
    let name = host_name(host);
    name == "localhost"
        || name == "[::1]"
        || name
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "127.8.9.1",
            "[::1]:5000",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "localhost.example.com",
            "128.0.0.1",
            "127.0.0.1.example.com",
            "ghcr.io",
            "[::2]:1",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
