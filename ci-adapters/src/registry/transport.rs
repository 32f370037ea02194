//! One request and its answer.
//!
//! In: a method, an address, headers. Out: status, the headers that matter, and a body of limited size. It must never
//! follow a redirection by itself.

use std::{sync::Arc, time::Duration};
use ureq::{
    Agent, Body, Proxy,
    http::{self, HeaderMap, Response, Uri, header},
    tls::{Certificate, RootCerts, TlsConfig, TlsProvider},
};

/// As long as a connection may take to come about.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a registry is spoken to with TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Always, loopback excepted.
    #[default]
    Required,
    /// Never: the user says that this registry has none.
    Absent,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    /// `Docker-Content-Digest`.
    pub(super) digest: Option<String>,
    pub(super) challenges: Vec<String>,
    pub(super) retry_after: Option<String>,
    pub(super) location: Option<String>,
    /// The whole body, or why it could not be read whole.
    pub(super) body: Result<Vec<u8>, String>,
}

/// A question.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) method: http::Method,
    pub(super) address: Uri,
    pub(super) headers: Vec<(header::HeaderName, String)>,
    pub(super) body: Option<Vec<u8>>,
}

/// Makes connections, and keeps them.
pub(super) struct Transport {
    agent: Agent,
    /// As much of a body as is read.
    limit: u64,
}

impl Transport {
    /// A transport that trusts the certificates of the system. `is_local` says that no proxy stands between.
    pub(super) fn new(timeout: Duration, limit: u64, is_local: bool) -> Result<Self, String> {
        let provider = rustls::crypto::ring::default_provider();
        let certificates: Vec<Certificate<'static>> = if is_local {
            Vec::new()
        } else {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                return Err("the system has no certificates to trust; install them (ca-certificates), or name a file with SSL_CERT_FILE".to_owned());
            }
            let certificates = found.certs.iter();
            certificates
                .map(|certificate| Certificate::from_der(certificate).to_owned())
                .collect()
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(timeout))
            .timeout_connect(Some(timeout.min(CONNECTION_TIMEOUT)))
            .user_agent(concat!("rebake/", env!("CARGO_PKG_VERSION")))
            .proxy(if is_local {
                None
            } else {
                Proxy::try_from_env()
            })
            .tls_config(
                TlsConfig::builder()
                    .provider(TlsProvider::Rustls)
                    .unversioned_rustls_crypto_provider(Arc::new(provider))
                    .root_certs(RootCerts::from(certificates))
                    .build(),
            )
            .build()
            .new_agent();
        Ok(Self { agent, limit })
    }

    /// Asks once.
    pub(super) fn ask(&self, question: &Question) -> Result<Answer, String> {
        let mut builder = http::Request::builder()
            .method(question.method.clone())
            .uri(question.address.clone());
        for (name, value) in &question.headers {
            builder = builder.header(name, value);
        }
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let response = match &question.body {
            Some(body) => {
                let request = builder.body(body.clone()).map_err(|error| told(&error))?;
                self.agent.run(request)
            }
            None => {
                let request = builder.body(()).map_err(|error| told(&error))?;
                self.agent.run(request)
            }
        };
        response
            .map(|response| self.answer(response))
            .map_err(|error| told(&error))
    }

    fn answer(&self, mut response: Response<Body>) -> Answer {
        let body = response
            .body_mut()
            .with_config()
            .limit(self.limit)
            .read_to_vec()
            .map_err(|error| error.to_string());
        let headers = response.headers();
        let get = |name: &str| text_of(headers, name).next();
        Answer {
            status: response.status().as_u16(),
            content_type: get("content-type"),
            digest: get("docker-content-digest"),
            challenges: text_of(headers, "www-authenticate").collect(),
            retry_after: get("retry-after"),
            location: get("location"),
            body,
        }
    }
}

/// The values of a header that are text.
fn text_of(headers: &HeaderMap, name: &str) -> impl Iterator<Item = String> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok().map(str::to_owned))
}
