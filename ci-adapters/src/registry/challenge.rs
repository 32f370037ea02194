//! What a registry wants to know before it answers.
//!
//! In: the values of `WWW-Authenticate`. Out: the [`Challenge`] that is met: Bearer before Basic. It must never take part
//! of a challenge that it does not understand.
//!
//! Source: RFC 9110, section 11; RFC 6750.

/// How a registry wants to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With a token of a service.
    Bearer {
        /// Where it is had.
        realm: String,
        /// What it is for.
        service: Option<String>,
    },
    /// With a name and a password.
    Basic,
}

impl Challenge {
    /// The challenge that is met; nothing when none is understood.
    pub(super) fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut basic = None;
        for value in values {
            for (scheme, parameters) in challenges(value) {
                let get = |name: &str| {
                    let found = parameters
                        .iter()
                        .find(|(known, _)| known.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.clone())
                };
                if scheme.eq_ignore_ascii_case("bearer")
                    && let Some(realm) = get("realm")
                {
                    return Some(Self::Bearer {
                        realm,
                        service: get("service"),
                    });
                }
                if scheme.eq_ignore_ascii_case("basic") {
                    basic = Some(Self::Basic);
                }
            }
        }
        basic
    }
}

type Parameters = Vec<(String, String)>;

/// The challenges of one header, each with its parameters.
fn challenges(value: &str) -> Vec<(String, Parameters)> {
    let mut challenges: Vec<(String, Parameters)> = Vec::new();
    let mut rest = value.trim_start();
    while !rest.is_empty() {
        let end = rest
            .find(|character: char| !is_token(character))
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            return challenges;
        }
        let after = after.trim_start();
        if let Some(quoted) = after.strip_prefix('=') {
            let Some((parameter, after)) = parameter_value(quoted.trim_start()) else {
                return challenges;
            };
            let Some((_, parameters)) = challenges.last_mut() else {
                return challenges;
            };
            parameters.push((word.to_owned(), parameter));
            rest = after;
        } else {
            challenges.push((word.to_owned(), Vec::new()));
            rest = after;
        }
        rest = rest.trim_start_matches([',', ' ', '\t']);
    }
    challenges
}

fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

/// A token or a quoted string, and what follows it.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text
            .find(|character: char| !is_token(character) && !"/:".contains(character))
            .unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
        })
    }

    #[test]
    fn a_challenge_is_understood_or_left() {
        let cases: &[(&[&str], Option<Challenge>)] = &[
            (
                &[
                    r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull""#,
                ],
                bearer("https://ghcr.io/token", Some("ghcr.io")),
            ),
            (
                &[r#"bearer service=x , Realm = "https://a/t\"q""#],
                bearer("https://a/t\"q", Some("x")),
            ),
            (&[r#"Basic realm="Registry""#], Some(Challenge::Basic)),
            (
                &[r#"Basic realm="x", Bearer realm="https://a/t""#],
                bearer("https://a/t", None),
            ),
            (
                &[r#"Basic realm="x""#, r#"Bearer realm="https://a/t""#],
                bearer("https://a/t", None),
            ),
            (&[r#"Bearer service="x""#], None),
            (&[r#"Bearer realm="https://a"#], None),
            (&[r#"Negotiate"#], None),
            (&["", "=", "\"", "Bearer realm"], None),
            (&[], None),
        ];
        for (values, expected) in cases {
            assert_eq!(
                Challenge::of(values.iter().copied()),
                *expected,
                "{values:?}"
            );
        }
    }
}
