//! What authorizes a question.
//!
//! In: a challenge, credentials. Out: the value of `Authorization`, with a token of the service that the registry names
//! where it wants one. Credentials must never go anywhere in the clear, nor a token come from anywhere but there.
//!
//! Source: github.com/distribution/distribution (`docs/spec/auth/token.md`, `oauth.md`).

use super::{OciRegistry, RegistryError, host_name, is_loopback};
use crate::registry::{challenge::Challenge, credentials::Credentials, transport::Question};
use serde::Deserialize;
use ureq::http::{Method, Uri, header};

/// As long as a token may be: longer ones fit into no header.
const LONGEST_TOKEN: usize = 16 * 1024;

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl OciRegistry {
    /// What stands in `Authorization`.
    pub(super) fn authorization(
        &self,
        challenge: &Challenge,
        scope: &str,
    ) -> Result<String, RegistryError> {
        match challenge {
            Challenge::Basic => self.credentials.basic().ok_or_else(|| self.refused(401)),
            Challenge::Bearer { realm, service } => {
                let known = self.lock().tokens.get(scope).cloned();
                let token = match known {
                    Some(token) => token,
                    None => {
                        let token = self.token(realm, service.as_deref(), scope)?;
                        let mut state = self.lock();
                        state.tokens.insert(scope.to_owned(), token.clone());
                        token
                    }
                };
                Ok(format!("Bearer {token}"))
            }
        }
    }

    /// A token of the service that the registry names.
    fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
    ) -> Result<String, RegistryError> {
        let address = self.realm(realm)?;
        let mut parameters = Vec::new();
        if let Some(service) = service {
            parameters.push(("service", service));
        }
        let is_form = matches!(self.credentials, Credentials::IdentityToken(_));
        if is_form {
            parameters.push(("scope", scope));
        } else {
            parameters.extend(scope.split(' ').map(|scope| ("scope", scope)));
        }
        let question = if let Credentials::IdentityToken(token) = &self.credentials {
            parameters.extend([
                ("grant_type", "refresh_token"),
                ("client_id", "rebake"),
                ("refresh_token", token.as_str()),
            ]);
            let form = "application/x-www-form-urlencoded".to_owned();
            Question {
                method: Method::POST,
                address,
                headers: vec![(header::CONTENT_TYPE, form)],
                body: Some(encoded(&parameters).into_bytes()),
            }
        } else {
            let mark = if realm.contains('?') { '&' } else { '?' };
            let with_query = format!("{address}{mark}{}", encoded(&parameters));
            let authorization = self.credentials.basic();
            Question {
                method: Method::GET,
                address: with_query.parse().map_err(|_| self.strange_realm())?,
                headers: authorization
                    .map(|value| (header::AUTHORIZATION, value))
                    .into_iter()
                    .collect(),
                body: None,
            }
        };
        let answer = self.with_retries(&question)?;
        if answer.status != 200 {
            return Err(self.refused(answer.status));
        }
        let wrong = || RegistryError::Answer {
            host: self.host.clone(),
            problem: "its token service gives no token",
        };
        let body = answer.body.map_err(|_| wrong())?;
        let tokens: TokenAnswer = serde_json::from_slice(&body).map_err(|_| wrong())?;
        let token = tokens.token.or(tokens.access_token).ok_or_else(wrong)?;
        let is_plain = !token.is_empty()
            && token.len() <= LONGEST_TOKEN
            && token.bytes().all(|byte| byte.is_ascii_graphic());
        if is_plain { Ok(token) } else { Err(wrong()) }
    }

    fn strange_realm(&self) -> RegistryError {
        RegistryError::Unsafe {
            host: self.host.clone(),
            problem: "names a token service that has no valid address",
        }
    }

    /// The address of a token service, where credentials may be sent to it.
    fn realm(&self, realm: &str) -> Result<Uri, RegistryError> {
        let address: Uri = realm.parse().map_err(|_| self.strange_realm())?;
        let has_user = address
            .authority()
            .is_none_or(|authority| authority.as_str().contains('@'));
        if has_user {
            return Err(self.strange_realm());
        }
        if self.may_send_to(&address) {
            Ok(address)
        } else {
            Err(RegistryError::Unsafe {
                host: self.host.clone(),
                problem: "wants credentials sent to a token service without encryption",
            })
        }
    }

    /// Whether a connection to an address is encrypted, or needs not be: the registry itself is not either, and it is
    /// the same host or both are on this machine.
    pub(super) fn may_send_to(&self, address: &Uri) -> bool {
        match address.scheme_str() {
            Some("https") => true,
            Some("http") if self.base.starts_with("http://") => {
                let host = address
                    .authority()
                    .map_or("", |authority| authority.as_str());
                let own = self.base.trim_start_matches("http://");
                let name = |host: &str| host_name(host).to_owned();
                name(host) == name(own) || (is_loopback(host) && is_loopback(own))
            }
            _ => false,
        }
    }
}

/// Parameters of a query or a form.
fn encoded(parameters: &[(&str, &str)]) -> String {
    let encode = |text: &str| {
        let mut encoded = String::new();
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
        encoded
    };
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{client::RegistryOptions, transport::Encryption};

    #[test]
    fn parameters_hold_nothing_that_ends_them() {
        assert_eq!(
            encoded(&[
                ("scope", "repository:a/b:pull,push"),
                ("service", "a&b=c d")
            ]),
            "scope=repository%3Aa%2Fb%3Apull%2Cpush&service=a%26b%3Dc%20d"
        );
    }

    #[test]
    fn credentials_go_nowhere_in_the_clear() {
        let registry = |prefix: &str, encryption| {
            let options = RegistryOptions {
                encryption,
                ..RegistryOptions::default()
            };
            OciRegistry::new(&prefix.parse().unwrap(), Credentials::Anonymous, options).unwrap()
        };
        let encrypted = registry("registry.example/a/", Encryption::Required);
        let local = registry("127.0.0.1:5000/a/", Encryption::Required);
        let insecure = registry("registry.example:5000/a/", Encryption::Absent);
        for (registry, realm, expected) in [
            (&encrypted, "https://auth.example/token", true),
            (&encrypted, "http://registry.example/token", false),
            (&encrypted, "http://127.0.0.1/token", false),
            (&encrypted, "ftp://registry.example/token", false),
            (&encrypted, "/token", false),
            (&encrypted, "https://user@auth.example/token", false),
            (&encrypted, "not an address", false),
            (&local, "http://localhost:5001/token", true),
            (&local, "https://auth.example/token", true),
            (&local, "http://auth.example/token", false),
            (&insecure, "http://registry.example/token", true),
            (&insecure, "http://auth.example/token", false),
        ] {
            assert_eq!(registry.realm(realm).is_ok(), expected, "{realm}");
        }
    }
}
