//! A registry behind TLS, with certificates of an authority that no machine knows.
//!
//! A registry on this machine is spoken to without TLS, so this one has a name that nothing resolves: a proxy leads there.

use crate::shop::{Answer, Shop};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

const HOST: &str = "registry.example";

/// Whoever signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, as a file holds it.
    text: String,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let text = parameters.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(parameters, key);
        Self { issuer, text }
    }

    /// What a server needs that has a certificate for a name.
    fn server(&self, name: &str, has_expired: bool) -> Arc<ServerConfig> {
        let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
        if has_expired {
            parameters.not_before = date_time_ymd(2001, 1, 1);
            parameters.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

/// The lines of a request up to the empty one; nothing where the other side has gone.
fn head(reader: &mut impl std::io::BufRead) -> Option<Vec<String>> {
    let lines: Vec<String> = reader
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    (!lines.is_empty()).then_some(lines)
}

/// Takes every question to the registry, which has every image, and tells what was asked there.
fn lead_to_registry(config: &Arc<ServerConfig>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let (log, config) = (Arc::clone(&asked), Arc::clone(config));
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (log, config) = (Arc::clone(&log), Arc::clone(&config));
            thread::spawn(move || serve(connection.unwrap(), config, &log));
        }
    });
    (address, asked)
}

fn serve(mut connection: TcpStream, config: Arc<ServerConfig>, log: &Mutex<Vec<String>>) {
    let Some(lines) = head(&mut BufReader::new(connection.try_clone().unwrap())) else {
        return;
    };
    assert!(
        lines[0].starts_with(&format!("CONNECT {HOST}:443")),
        "{lines:?}"
    );
    connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let session = ServerConnection::new(config).unwrap();
    let mut reader = BufReader::new(StreamOwned::new(session, connection));
    // A client that trusts nobody says nothing.
    while let Some(lines) = head(&mut reader) {
        log.lock().unwrap().extend(lines);
        let digest = "a".repeat(64);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\n\
             Docker-Content-Digest: sha256:{digest}\r\nContent-Length: 10\r\n\r\n"
        );
        reader.get_mut().write_all(answer.as_bytes()).unwrap();
    }
}

/// Plans against the registry, trusting an authority.
fn plan(config: &Arc<ServerConfig>, trusted: &Authority) -> (Answer, Vec<String>) {
    let shop = Shop::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("authority.pem");
    std::fs::write(&file, &trusted.text).unwrap();
    let docker = format!(r#"{{"auths":{{"{HOST}":{{"auth":"dTpw"}}}}}}"#);
    std::fs::write(directory.path().join("config.json"), docker).unwrap();
    let (proxy, asked) = lead_to_registry(config);
    let answer = shop.run_with(
        &["plan", "--registry", &format!("{HOST}/shop/")],
        &[
            ("HTTPS_PROXY", &proxy),
            ("SSL_CERT_FILE", file.to_str().unwrap()),
            ("DOCKER_CONFIG", directory.path().to_str().unwrap()),
        ],
    );
    let asked = asked.lock().unwrap().clone();
    (answer, asked)
}

#[test]
fn a_registry_whose_authority_is_named_is_believed() {
    let authority = Authority::new();
    let (answer, asked) = plan(&authority.server(HOST, false), &authority);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(
        answer.stdout.contains("0 images to rebuild, 4 to reuse"),
        "{answer:?}"
    );
    assert_eq!(answer.stderr, "", "{answer:?}");
    assert!(
        asked[0].starts_with("HEAD /v2/shop/") && asked[0].contains("/manifests/k-"),
        "{asked:?}"
    );
}

#[test]
fn a_certificate_that_proves_nothing_rebuilds_and_says_what_mends_it() {
    let (known, stranger) = (Authority::new(), Authority::new());
    for (config, problem) in [
        (
            stranger.server(HOST, false),
            "nobody known here has signed it",
        ),
        (
            known.server("other.example", false),
            "it is for another name",
        ),
        (known.server(HOST, true), "it has expired"),
    ] {
        let (answer, asked) = plan(&config, &known);
        assert_eq!(answer.code, 0, "{answer:?}");
        assert!(
            answer.stdout.contains("4 images to rebuild, 0 to reuse"),
            "{answer:?}"
        );
        assert!(answer.stderr.contains(problem), "{answer:?}");
        assert!(answer.stderr.contains("SSL_CERT_FILE"), "{answer:?}");
        assert_eq!(
            answer.stderr.matches("registry-unavailable").count(),
            1,
            "{answer:?}"
        );
        // Not a word is said to whom nobody trusts.
        assert!(asked.is_empty(), "{asked:?}");
    }
}
