//! One request and its answer.
//!
//! In: a method, an address, headers. Out: status, the headers that matter, and a body of limited size. It must never
//! follow a redirection by itself.

use rustls::CertificateError;
use std::{sync::Arc, time::Duration};
use ureq::{
    Agent, AsSendBody, Body, Proxy,
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

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// The other side does not prove who it is: nobody need ask again.
    Untrusted(String),
    Unreachable(String),
}

impl From<ureq::Error> for NoAnswer {
    fn from(error: ureq::Error) -> Self {
        let certificate = match &error {
            ureq::Error::Rustls(error) => certificate_error(error),
            ureq::Error::Io(error) => error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>())
                .and_then(certificate_error),
            _ => None,
        };
        match certificate {
            Some(problem) => Self::Untrusted(problem),
            None => Self::Unreachable(error.to_string()),
        }
    }
}

/// What is wrong with a certificate, in words of people.
fn certificate_error(error: &rustls::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(error) = error else {
        return None;
    };
    Some(match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "nobody known here has signed it".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name".to_owned()
        }
        other => other.to_string(),
    })
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
    pub(super) fn new(limit: u64, is_local: bool) -> Result<Self, String> {
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

    /// Asks once. The whole answer may take that long.
    pub(super) fn ask(&self, question: &Question, timeout: Duration) -> Result<Answer, NoAnswer> {
        let mut builder = http::Request::builder()
            .method(question.method.clone())
            .uri(question.address.clone());
        for (name, value) in &question.headers {
            builder = builder.header(name, value);
        }
        let no_request = |error: http::Error| NoAnswer::Unreachable(error.to_string());
        let response = match &question.body {
            Some(body) => self.run(builder.body(body.clone()).map_err(no_request)?, timeout),
            None => self.run(builder.body(()).map_err(no_request)?, timeout),
        };
        response
            .map(|response| self.answer(response))
            .map_err(NoAnswer::from)
    }

    fn run(
        &self,
        request: http::Request<impl AsSendBody>,
        timeout: Duration,
    ) -> Result<Response<Body>, ureq::Error> {
        let request = self.agent.configure_request(request);
        let request = request
            .timeout_global(Some(timeout))
            .timeout_connect(Some(timeout.min(CONNECTION_TIMEOUT)));
        self.agent.run(request.build())
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
