//! From the tables of `rebake.toml` to a [`Config`].
//!
//! In: a parsed TOML document. Out: the values, each validated, and every fault with its place. It must never drop a key
//! that it does not know without a fault.

use super::{
    Affected, BuildSettings, Config, DeclaredFiles, RULE_KEYS, Rule, SERVICE_KEYS, SETTING_KEYS,
    ServiceConfig, ServiceKind, TOP_KEYS,
};
use crate::{
    diagnostic::{Code, Fault, Located, Position, Severity},
    discover::{path_glob::PathGlob, service_name::ServiceName},
    module_path::check_import_path,
    path::RepoPath,
    recipe::{GoImageScope, ManifestScope, Proof, Runtime, ThirdPartyCompilation},
    spelling::nearest,
    target::{Cgo, Platform},
};
use std::{collections::BTreeMap, ops::Range, str::FromStr};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

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
pub(super) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn of(source: &[u8]) -> Self {
        let behind_newlines = source
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(offset, _)| offset + 1);
        Self {
            starts: std::iter::once(0).chain(behind_newlines).collect(),
        }
    }

    pub(super) fn position(&self, offset: usize) -> Position {
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

pub(super) struct Reader {
    pub(super) lines: Lines,
    pub(super) faults: Vec<Fault>,
}

impl Reader {
    pub(super) fn fault(&mut self, code: Code, offset: usize, message: String) {
        let position = self.lines.position(offset);
        self.faults.push(Fault {
            code,
            severity: Severity::Error,
            message: without_control_characters(message),
            position,
        });
    }

    pub(super) fn config(&mut self, table: &DeTable<'_>) -> Config {
        let mut config = Config::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "services" => config.services = self.parsed_list(key.get_ref(), value),
                "service" => config.service = self.services(value),
                "groups" => config.groups = self.groups(value),
                "rule" => config.rules = self.rules(value),
                name => {
                    self.setting(&mut config.defaults, name, key.span(), value, &TOP_KEYS);
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
        let mut kind = ServiceKind::default();
        let mut files = DeclaredFiles::default();
        for (key, value) in entries {
            match key.get_ref().as_ref() {
                "dir" => dir = self.path("dir", value),
                "name" => name = self.parsed::<ServiceName>("name", value),
                "kind" => kind = self.parsed("kind", value).unwrap_or_default(),
                "assets" => files.assets = self.parsed_list("assets", value),
                "inputs" => files.inputs = self.parsed_list("inputs", value),
                "exclude" => files.exclude = self.parsed_list("exclude", value),
                "context" => files.context = self.path("context", value),
                "dockerfile" => {
                    let position = self.lines.position(value.span().start);
                    let path = self.path("dockerfile", value);
                    files.dockerfile = path.map(|value| Located { value, position });
                }
                other => self.setting(&mut settings, other, key.span(), value, &SERVICE_KEYS),
            }
        }
        if dir.is_none() && !entries.contains_key("dir") {
            let message = "a [[service]] needs `dir`, the directory of its main package".to_owned();
            self.fault(Code::InvalidValue, span.start, message);
        }
        if kind == ServiceKind::Dockerfile && files.dockerfile.is_none() {
            let message =
                "a service of the kind `dockerfile` needs `dockerfile`, the path of it".to_owned();
            self.fault(Code::InvalidValue, span.start, message);
        }
        Some(ServiceConfig {
            dir: dir?,
            name,
            kind,
            settings,
            files,
        })
    }

    fn groups(
        &mut self,
        value: &Spanned<DeValue<'_>>,
    ) -> BTreeMap<ServiceName, Vec<Located<ServiceName>>> {
        let DeValue::Table(entries) = value.get_ref() else {
            self.wrong_type("groups", value, "a table: write [groups]");
            return BTreeMap::new();
        };
        let mut groups = BTreeMap::new();
        for (key, members) in entries {
            let name = self.or_fault_at(key.span().start, key.get_ref().parse::<ServiceName>());
            let members = self.parsed_list(key.get_ref(), members);
            if let Some(name) = name {
                groups.insert(name, members);
            }
        }
        groups
    }

    fn rules(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Located<Rule>> {
        let DeValue::Array(tables) = value.get_ref() else {
            self.wrong_type("rule", value, "an array of tables: write [[rule]]");
            return Vec::new();
        };
        let mut rules = Vec::new();
        for table in tables {
            let DeValue::Table(entries) = table.get_ref() else {
                self.wrong_type("rule", table, "a table: write [[rule]]");
                continue;
            };
            let position = self.lines.position(table.span().start);
            if let Some(value) = self.rule(entries, table.span()) {
                rules.push(Located { value, position });
            }
        }
        rules
    }

    fn rule(&mut self, entries: &DeTable<'_>, span: Range<usize>) -> Option<Rule> {
        let mut paths: Option<Vec<Located<PathGlob>>> = None;
        let mut affects = None;
        for (key, value) in entries {
            match key.get_ref().as_ref() {
                "paths" => paths = Some(self.parsed_list("paths", value)),
                "affects" => affects = self.affected(value),
                name => {
                    let message = unknown_key(name, RULE_KEYS.into_iter());
                    self.fault(Code::UnknownKey, key.span().start, message);
                }
            }
        }
        for key in RULE_KEYS {
            if !entries.contains_key(key) {
                let message = format!("a [[rule]] needs `{key}`");
                self.fault(Code::InvalidValue, span.start, message);
            }
        }
        Some(Rule {
            paths: paths?,
            affects: affects?,
        })
    }

    fn affected(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Affected> {
        match value.get_ref() {
            DeValue::String(text) if text == "all" => Some(Affected::All),
            DeValue::String(text) if text == "none" => Some(Affected::None),
            DeValue::Array(_) => Some(Affected::These(self.parsed_list("affects", value))),
            DeValue::String(_) => {
                let message = "`affects` is \"all\", \"none\", or a list of services and @groups";
                self.fault(Code::InvalidValue, value.span().start, message.to_owned());
                None
            }
            _ => {
                let expected = "\"all\", \"none\", or a list of services and @groups";
                self.wrong_type("affects", value, expected);
                None
            }
        }
    }

    /// A path below the root, as people write it.
    fn path(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<RepoPath> {
        let text = self.string(key, value)?;
        let joined = RepoPath::root().join_lexically(text.trim_end_matches('/'));
        self.or_fault(value, joined)
    }

    fn setting(
        &mut self,
        settings: &mut BuildSettings,
        name: &str,
        key: Range<usize>,
        value: &Spanned<DeValue<'_>>,
        other_keys: &[&str],
    ) {
        match name {
            "platforms" => {
                let platforms: Vec<Located<Platform>> = self.parsed_list(name, value);
                if matches!(value.get_ref(), DeValue::Array(items) if items.is_empty()) {
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
            "cgo" => settings.cgo = self.choice(name, value, Cgo::Enabled, Cgo::Disabled),
            "back-edges" => {
                let paths: Vec<Located<ImportPath>> = self.parsed_list(name, value);
                settings.back_edges = Some(paths.into_iter().map(|path| path.value.0).collect());
            }
            "go-image" => settings.recipe.go_image = self.parsed(name, value),
            "runtime" => settings.recipe.runtime = self.runtime(value),
            "profile" => settings.recipe.profile = self.parsed(name, value),
            "prove" => {
                settings.recipe.proof = self.choice(name, value, Proof::Required, Proof::Omitted);
            }
            "cut-go-image" => {
                let (yes, no) = (GoImageScope::Needed, GoImageScope::Whole);
                settings.recipe.go_image_scope = self.choice(name, value, yes, no);
            }
            "cut-manifests" => {
                let (yes, no) = (ManifestScope::Linked, ManifestScope::Whole);
                settings.recipe.manifests = self.choice(name, value, yes, no);
            }
            "compile-ahead" => {
                let (yes, no) = (
                    ThirdPartyCompilation::Ahead,
                    ThirdPartyCompilation::WithTheService,
                );
                settings.recipe.third_party = self.choice(name, value, yes, no);
            }
            "goproxy" => settings.recipe.module_proxy = self.parsed(name, value),
            "goprivate" => settings.recipe.private_modules = self.parsed(name, value),
            "gonosumdb" => settings.recipe.unsummed_modules = self.parsed(name, value),
            "credentials" => settings.recipe.credentials = self.parsed(name, value),
            "version-variable" => settings.recipe.version_variable = self.parsed(name, value),
            _ => {
                let known = other_keys.iter().chain(&SETTING_KEYS);
                let message = unknown_key(name, known.copied());
                self.fault(Code::UnknownKey, key.start, message);
            }
        }
    }

    /// A switch whose two states have names of their own.
    fn choice<Value>(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        yes: Value,
        no: Value,
    ) -> Option<Value> {
        match value.get_ref() {
            DeValue::Boolean(true) => Some(yes),
            DeValue::Boolean(false) => Some(no),
            _ => {
                self.wrong_type(key, value, "true or false");
                None
            }
        }
    }

    /// A runtime. What is misspelt would be taken for an image of the user's, and fail no sooner than in the build.
    fn runtime(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Runtime> {
        let runtime = self.parsed("runtime", value)?;
        let meant = match &runtime {
            Runtime::Own(image) if !image.as_str().contains(['/', ':', '@']) => {
                nearest(image.as_str(), Runtime::NAMES)
            }
            _ => None,
        };
        let Some(meant) = meant else {
            return Some(runtime);
        };
        let message = format!(
            "`{runtime}` is no runtime; did you mean `{meant}`? An image that is called so is written with its tag or digest"
        );
        self.fault(Code::InvalidValue, value.span().start, message);
        None
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
        self.or_fault_at(place.span().start, result)
    }

    fn or_fault_at<Value, Error: std::fmt::Display>(
        &mut self,
        offset: usize,
        result: Result<Value, Error>,
    ) -> Option<Value> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(Code::InvalidValue, offset, error.to_string());
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
            let Some(text) = item.get_ref().as_str() else {
                let found = item.get_ref().type_str();
                let message = format!("`{key}` holds strings, not a value of type {found}");
                self.fault(Code::InvalidValue, item.span().start, message);
                continue;
            };
            if let Some(parsed) = self.or_fault(item, text.parse()) {
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
    if let Some(key) = nearest(name, known.iter().copied()) {
        return format!("unknown key `{escaped}`; did you mean `{key}`?");
    }
    known.sort_unstable();
    format!(
        "unknown key `{escaped}`; known keys are {}",
        known.join(", ")
    )
}
