//! `rebake.toml`: everything that is not a default.
//!
//! In: the bytes of the file. Out: a [`Config`], and every fault with its place. Unknown keys are errors with a
//! suggestion, because a setting that is silently ignored ships a wrong image. It must never touch the tree: which
//! directories exist is the next stages' affair.

use crate::{
    diagnostic::{Code, Fault, Located, Parsed, Position, Severity},
    discover::{
        path_glob::{PathGlob, ServiceGlob},
        service_name::ServiceName,
    },
    go_version::GoVersion,
    module_path::check_import_path,
    path::RepoPath,
    target::{BuildFlag, BuildTag, Cgo, Platform},
};
use std::{ops::Range, str::FromStr};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The name of the file, at the root of the tree and nowhere else.
pub const FILE_NAME: &str = "rebake.toml";

/// What `rebake.toml` says. What it does not say is empty.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Globs over directories that choose the services.
    pub services: Vec<Located<ServiceGlob>>,
    /// What holds for every service that does not say otherwise.
    pub defaults: BuildSettings,
    /// The services that are amended or added, in order.
    pub service: Vec<Located<ServiceConfig>>,
}

/// A service that rebake.toml declares or amends.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredService {
    pub(crate) directory: RepoPath,
    pub(crate) position: Position,
    pub(crate) name: Option<ServiceName>,
    pub(crate) assets: Vec<Located<PathGlob>>,
    pub(crate) inputs: Vec<Located<PathGlob>>,
}

/// How images are built: for all services, or for one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildSettings {
    /// The platforms of the image.
    pub platforms: Option<Vec<Platform>>,
    /// Whether cgo is on.
    pub cgo: Option<Cgo>,
    /// Build tags.
    pub tags: Option<Vec<BuildTag>>,
    /// Further flags of `go build`.
    pub build_flags: Option<Vec<BuildFlag>>,
    /// The Go release that builds the image.
    pub go: Option<GoVersion>,
    /// Packages of the tree that third-party code imports.
    pub back_edges: Vec<String>,
}

/// What a `[[service]]` says.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// The directory of its main package.
    pub dir: RepoPath,
    /// Its name.
    pub name: Option<ServiceName>,
    /// How it is built.
    pub settings: BuildSettings,
    /// Files that the image needs beside the binary.
    pub assets: Vec<Located<PathGlob>>,
    /// Further files that change the image.
    pub inputs: Vec<Located<PathGlob>>,
}

const SETTING_KEYS: [&str; 6] = [
    "platforms",
    "cgo",
    "tags",
    "build-flags",
    "go",
    "back-edges",
];

/// Reads a `rebake.toml`.
pub fn parse_config(source: &[u8]) -> Parsed<Config> {
    let text = match std::str::from_utf8(source) {
        Ok(text) => text,
        Err(error) => {
            let lines = Lines::of(source);
            let fault = Fault {
                code: Code::Syntax,
                severity: Severity::Error,
                message: "the file is not UTF-8".to_owned(),
                position: lines.position(error.valid_up_to()),
            };
            return Parsed {
                value: Config::default(),
                faults: vec![fault],
            };
        }
    };
    let mut reader = Reader {
        lines: Lines::of(source),
        faults: Vec::new(),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let place = error.span().map_or(0, |span| span.start);
        reader.fault(Code::Syntax, place, error.message().to_owned());
    }
    let value = reader.config(table.get_ref());
    reader.faults.sort_by_key(|fault| fault.position);
    Parsed {
        value,
        faults: reader.faults,
    }
}

impl Config {
    /// The services that the file declares or amends, as discovery takes them.
    pub(crate) fn declared_services(&self) -> Vec<DeclaredService> {
        self.service
            .iter()
            .map(|service| DeclaredService {
                directory: service.value.dir.clone(),
                position: service.position,
                name: service.value.name.clone(),
                assets: service.value.assets.clone(),
                inputs: service.value.inputs.clone(),
            })
            .collect()
    }
}

/// What a message quotes comes from the file: it must not reach a terminal as more than text of one line.
fn without_control_characters(message: String) -> String {
    if !message.contains(char::is_control) {
        return message;
    }
    let mut escaped = String::with_capacity(message.len() + 8);
    for character in message.chars() {
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Where lines start, so that many places cost no more than one pass.
struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    fn of(source: &[u8]) -> Self {
        let behind_newlines = source
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(offset, _)| offset + 1);
        Self {
            starts: std::iter::once(0).chain(behind_newlines).collect(),
        }
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self
            .starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or_default();
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(offset - start + 1).unwrap_or(u32::MAX),
        }
    }
}

struct Reader {
    lines: Lines,
    faults: Vec<Fault>,
}

impl Reader {
    fn fault(&mut self, code: Code, offset: usize, message: String) {
        let position = self.lines.position(offset);
        self.faults.push(Fault {
            code,
            severity: Severity::Error,
            message: without_control_characters(message),
            position,
        });
    }

    fn config(&mut self, table: &DeTable<'_>) -> Config {
        let mut config = Config::default();
        let own = ["services", "service"];
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "services" => config.services = self.parsed_list(key.get_ref(), value),
                "service" => config.service = self.services(value),
                name => {
                    self.setting(&mut config.defaults, name, key.span(), value, &own);
                }
            }
        }
        config
    }

    fn services(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Located<ServiceConfig>> {
        let DeValue::Array(tables) = value.get_ref() else {
            self.wrong_type("service", value, "an array of tables: write [[service]]");
            return Vec::new();
        };
        let mut services: Vec<Located<ServiceConfig>> = Vec::new();
        for table in tables {
            let DeValue::Table(entries) = table.get_ref() else {
                self.wrong_type("service", table, "a table: write [[service]]");
                continue;
            };
            let Some(service) = self.service(entries, table.span()) else {
                continue;
            };
            if services.iter().any(|other| other.value.dir == service.dir) {
                let message = format!(
                    "the service directory `{}` is declared twice; merge the tables",
                    service.dir
                );
                self.fault(Code::Conflict, table.span().start, message);
                continue;
            }
            if let Some(name) = &service.name
                && services
                    .iter()
                    .any(|other| other.value.name.as_ref() == Some(name))
            {
                let message = format!("two services are called `{name}`; names must be unique");
                self.fault(Code::Conflict, table.span().start, message);
                continue;
            }
            let position = self.lines.position(table.span().start);
            services.push(Located {
                value: service,
                position,
            });
        }
        services
    }

    fn service(&mut self, entries: &DeTable<'_>, span: Range<usize>) -> Option<ServiceConfig> {
        let mut dir = None;
        let mut name = None;
        let mut settings = BuildSettings::default();
        let mut assets = Vec::new();
        let mut inputs = Vec::new();
        let own = ["dir", "name", "assets", "inputs"];
        for (key, value) in entries {
            match key.get_ref().as_ref() {
                "dir" => {
                    dir = self.string("dir", value).and_then(|text| {
                        let clean = text.trim_end_matches('/');
                        let joined = RepoPath::root().join_lexically(clean);
                        self.or_fault(value, joined)
                    });
                }
                "name" => name = self.parsed::<ServiceName>("name", value),
                "assets" => assets = self.parsed_list("assets", value),
                "inputs" => inputs = self.parsed_list("inputs", value),
                other => self.setting(&mut settings, other, key.span(), value, &own),
            }
        }
        if dir.is_none() && !entries.contains_key("dir") {
            let message = "a [[service]] needs `dir`, the directory of its main package".to_owned();
            self.fault(Code::InvalidValue, span.start, message);
        }
        Some(ServiceConfig {
            dir: dir?,
            name,
            settings,
            assets,
            inputs,
        })
    }

    fn setting(
        &mut self,
        settings: &mut BuildSettings,
        name: &str,
        key: Range<usize>,
        value: &Spanned<DeValue<'_>>,
        other_keys: &[&str],
    ) {
        let unlocated = |list: Vec<Located<_>>| list.into_iter().map(|one| one.value).collect();
        match name {
            "platforms" => {
                let platforms: Vec<Located<Platform>> = self.parsed_list(name, value);
                if platforms.is_empty() {
                    self.fault(
                        Code::InvalidValue,
                        value.span().start,
                        "name at least one platform".to_owned(),
                    );
                }
                settings.platforms = Some(platforms.into_iter().map(|one| one.value).collect());
            }
            "tags" => {
                settings.tags = Some(
                    self.parsed_list(name, value)
                        .into_iter()
                        .map(|one| one.value)
                        .collect(),
                );
            }
            "build-flags" => {
                settings.build_flags = Some(
                    self.parsed_list(name, value)
                        .into_iter()
                        .map(|one| one.value)
                        .collect(),
                );
            }
            "go" => settings.go = self.parsed(name, value),
            "cgo" => match value.get_ref() {
                DeValue::Boolean(true) => settings.cgo = Some(Cgo::Enabled),
                DeValue::Boolean(false) => settings.cgo = Some(Cgo::Disabled),
                _ => self.wrong_type(name, value, "true or false"),
            },
            "back-edges" => {
                let paths: Vec<Located<ImportPath>> = self.parsed_list(name, value);
                settings.back_edges = unlocated(
                    paths
                        .into_iter()
                        .map(|path| Located {
                            value: path.value.0,
                            position: path.position,
                        })
                        .collect(),
                );
            }
            _ => {
                let known = other_keys.iter().chain(&SETTING_KEYS);
                let message = unknown_key(name, known.copied());
                self.fault(Code::UnknownKey, key.start, message);
            }
        }
    }

    fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = value.get_ref().type_str();
        self.fault(
            Code::InvalidValue,
            value.span().start,
            format!("`{key}` is {expected}, not a value of type {found}"),
        );
    }

    fn string<'value>(
        &mut self,
        key: &str,
        value: &'value Spanned<DeValue<'_>>,
    ) -> Option<&'value str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(key, value, "a string");
        }
        text
    }

    fn or_fault<Value, Error: std::fmt::Display>(
        &mut self,
        place: &Spanned<DeValue<'_>>,
        result: Result<Value, Error>,
    ) -> Option<Value> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(Code::InvalidValue, place.span().start, error.to_string());
                None
            }
        }
    }

    fn parsed<Value: FromStr<Err: std::fmt::Display>>(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Value> {
        let text = self.string(key, value)?;
        self.or_fault(value, text.parse())
    }

    fn parsed_list<Value: FromStr<Err: std::fmt::Display>>(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Vec<Located<Value>> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, value, "a list of strings");
            return Vec::new();
        };
        let mut values = Vec::new();
        for item in items {
            if let Some(parsed) = self.parsed(key, item) {
                let position = self.lines.position(item.span().start);
                values.push(Located {
                    value: parsed,
                    position,
                });
            }
        }
        values
    }
}

/// An import path that Go accepts.
struct ImportPath(String);

impl FromStr for ImportPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_import_path(text)
            .map(|()| Self(text.to_owned()))
            .map_err(|error| format!("`{}` is no import path: {error}", text.escape_debug()))
    }
}

fn unknown_key<'known>(name: &str, known: impl Iterator<Item = &'known str>) -> String {
    let escaped = name.escape_debug();
    let mut known: Vec<&str> = known.collect();
    let nearest = known
        .iter()
        .map(|key| (strsim::damerau_levenshtein(name, key), *key))
        .filter(|(distance, key)| *distance <= 1 + key.len() / 4)
        .min();
    match nearest {
        Some((_, key)) => format!("unknown key `{escaped}`; did you mean `{key}`?"),
        None => {
            known.sort_unstable();
            format!(
                "unknown key `{escaped}`; known keys are {}",
                known.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(source: &str) -> Vec<String> {
        parse_config(source.as_bytes())
            .faults
            .iter()
            .map(|fault| format!("{} {}: {}", fault.position, fault.code, fault.message))
            .collect()
    }

    #[test]
    fn every_key_is_read() {
        let source = r#"
services = ["services/*", "cmd/**"]
platforms = ["linux/amd64", "linux/arm64"]
cgo = true
tags = ["netgo"]
build-flags = ["-ldflags=-s -w"]
go = "1.26"
back-edges = ["ex.com/shop/api"]

[[service]]
dir = "services/api/"
name = "gateway"
platforms = ["linux/arm64"]
cgo = false
tags = []
assets = ["deploy/api/**"]
inputs = ["proto/*.proto"]
"#;
        let parsed = parse_config(source.as_bytes());
        assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
        let config = parsed.value;
        assert_eq!(config.services.len(), 2);
        assert_eq!(config.defaults.cgo, Some(Cgo::Enabled));
        assert_eq!(config.defaults.back_edges, ["ex.com/shop/api"]);
        let service = &config.service[0].value;
        assert_eq!(service.dir.as_str(), "services/api");
        assert_eq!(service.name.as_ref().unwrap().as_str(), "gateway");
        assert_eq!(service.settings.tags, Some(Vec::new()));
        assert_eq!((service.assets.len(), service.inputs.len()), (1, 1));
    }

    #[test]
    fn every_fault_is_reported_with_its_place() {
        let cases: [(&str, &[&str]); 11] = [
            (
                "platform = []\nservcies = []",
                &[
                    "1:1 unknown-key: unknown key `platform`; did you mean `platforms`?",
                    "2:1 unknown-key: unknown key `servcies`; did you mean `services`?",
                ],
            ),
            (
                "colour = 1",
                &[
                    "1:1 unknown-key: unknown key `colour`; known keys are back-edges, build-flags, cgo, go, platforms, service, services, tags",
                ],
            ),
            (
                "cgo = \"yes\"",
                &["1:7 invalid-value: `cgo` is true or false, not a value of type string"],
            ),
            (
                "go = \"1.x\"",
                &[
                    "1:6 invalid-value: `1.x` is no Go version; write it as `1.26`, `1.26.3` or `1.26rc1`",
                ],
            ),
            (
                "tags = [\"a b\", \"c\", 3]",
                &[
                    "1:9 invalid-value: `a b` is no build tag: use letters, digits, `_` and `.`",
                    "1:21 invalid-value: `tags` is a string, not a value of type integer",
                ],
            ),
            (
                "[[service]]\nname = \"x\"",
                &[
                    "1:1 invalid-value: a [[service]] needs `dir`, the directory of its main package",
                ],
            ),
            (
                "[[service]]\ndir = \"../x\"",
                &["2:7 invalid-value: `../x` leads out of the root"],
            ),
            (
                "[[service]]\ndir = \"x\"\n[[service]]\ndir = \"x\"",
                &["3:1 conflict: the service directory `x` is declared twice; merge the tables"],
            ),
            (
                "service = 1",
                &[
                    "1:11 invalid-value: `service` is an array of tables: write [[service]], not a value of type integer",
                ],
            ),
            (
                "build-flags = [\"-tags=x\"]",
                &[
                    "1:16 invalid-value: the build flag `-tags=x` would change which files are built; use the key `tags`",
                ],
            ),
            (
                "platforms = []",
                &["1:13 invalid-value: name at least one platform"],
            ),
        ];
        for (source, expected) in cases {
            assert_eq!(faults(source), expected, "{source}");
        }
    }

    #[test]
    fn a_syntax_error_hides_no_other_fault() {
        let found = faults("go = 1.2.3\ncolour = 1\n");
        assert!(
            found
                .iter()
                .any(|fault| fault.starts_with("1:") && fault.contains("syntax")),
            "{found:?}"
        );
        assert!(
            found
                .iter()
                .any(|fault| fault.contains("unknown key `colour`")),
            "{found:?}"
        );
    }

    #[test]
    fn what_is_not_utf8_is_a_fault() {
        assert_eq!(
            parse_config(b"a = 1\n\xff").faults[0].position,
            Position { line: 2, column: 1 }
        );
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(source: Vec<u8>) {
            parse_config(&source);
        }

        #[test]
        fn no_likely_text_makes_the_reader_panic(
            words in proptest::collection::vec(
                proptest::sample::select(vec!["[[service]]", "dir", "=", "\"a\"", "[", "]", "{", "}", "\n", "cgo", "true", ",", "."]),
                0..40,
            )
        ) {
            parse_config(words.join(" ").as_bytes());
        }
    }
}
