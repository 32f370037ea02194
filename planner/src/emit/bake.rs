//! The bake file: one target a service.
//!
//! In: builds and groups. Out: JSON for `docker buildx bake -f`. Whatever changes from build to build comes in as a
//! variable, so the file changes only when a build does.
//!
//! Source: docker/buildx docs/bake-reference.md. Strings of a bake file are templates: `${` and `%{` of ours are meant,
//! those of the repository are escaped.

use super::{BUILD_FILES, Build, CacheScope};
use crate::{
    config::ServiceGroups, discover::service_name::ServiceName, path::RepoPath, recipe::Credentials,
};
use serde_json::{Map, Value, json};

/// The variable that holds where caches are imported from, up to the service's scope.
pub const CACHE_FROM: &str = "CACHE_FROM";
/// The variable that holds where caches are exported to, up to the service's scope.
pub const CACHE_TO: &str = "CACHE_TO";

/// What an export adds behind the scope: all stages, an export that fails fails no build, and fast compression.
const EXPORT_OPTIONS: &str = ",mode=max,ignore-error=true,compression=zstd";

/// The variable that holds a service's content tag: `KEY_` and the name in capitals, with `_` for `-`.
pub fn key_variable(service: &ServiceName) -> String {
    format!("KEY_{}", service.as_str().to_uppercase().replace('-', "_"))
}

/// Writes the bake file.
pub(super) fn render(builds: &[Build], groups: &ServiceGroups) -> String {
    let mut variables = Map::new();
    for (name, default) in [
        ("IMAGES", ""),
        ("TAG", "latest"),
        (CACHE_FROM, ""),
        (CACHE_TO, ""),
        ("SOURCE_DATE_EPOCH", "0"),
        ("VERSION", "dev"),
    ] {
        variables.insert(name.to_owned(), json!({ "default": default }));
    }
    let mut targets = Map::new();
    for build in builds {
        let variable = key_variable(build.service());
        variables.insert(variable.clone(), json!({ "default": "" }));
        targets.insert(build.service().to_string(), target(build, &variable));
        if let Build::Emitted(_) = build {
            let name = format!("{}-debug", build.service());
            // A service of that name keeps it.
            targets.entry(name).or_insert_with(|| {
                json!({
                    "inherits": [build.service().as_str()],
                    "target": "debug",
                    "tags": [format!("${{IMAGES}}{}:debug", build.service())],
                    "cache-to": [],
                })
            });
        }
    }
    let names: Vec<&str> = builds
        .iter()
        .map(|build| build.service().as_str())
        .collect();
    let mut bake_groups = Map::new();
    for (name, members) in groups {
        // Targets and groups share their names; a service keeps its own.
        if !targets.contains_key(name.as_str()) && name.as_str() != "default" {
            let members: Vec<&str> = members
                .iter()
                .map(|member| member.value.as_str())
                .filter(|member| names.contains(member))
                .collect();
            bake_groups.insert(name.to_string(), json!({ "targets": members }));
        }
    }
    bake_groups.insert("default".to_owned(), json!({ "targets": names }));
    let document = json!({
        "variable": variables,
        "group": bake_groups,
        "target": targets,
    });
    format!("{document:#}\n")
}

fn target(build: &Build, variable: &str) -> Value {
    let service = build.service();
    let scope = CacheScope::of(service);
    let if_set =
        |name: &str, value: String| format!("${{notequal(\"\",{name}) ? \"{value}\" : \"\"}}");
    let mut target = json!({
        "tags": [
            format!("${{IMAGES}}{service}:${{TAG}}"),
            if_set(variable, format!("${{IMAGES}}{service}:${{{variable}}}")),
        ],
        "cache-from": [if_set(CACHE_FROM, format!("${{{CACHE_FROM}}}{scope}"))],
        "cache-to": [if_set(CACHE_TO, format!("${{{CACHE_TO}}}{scope}{EXPORT_OPTIONS}"))],
        "args": { "SOURCE_DATE_EPOCH": "${SOURCE_DATE_EPOCH}" },
    });
    let (context, dockerfile, platforms) = match build {
        Build::Emitted(emitted) => {
            target["target"] = json!("final");
            // It says when and where it was built, so that no two builds would have the same digest.
            target["attest"] = json!(["type=provenance,disabled=true"]);
            let dockerfile = format!("{BUILD_FILES}/{service}/Dockerfile");
            let mut platforms: Vec<String> =
                emitted.listed.keys().map(ToString::to_string).collect();
            platforms.sort();
            if emitted.recipe.version_variable.is_some() {
                target["args"]["VERSION"] = json!("${VERSION}");
            }
            target["secret"] = json!(secrets(emitted.recipe.credentials));
            target["ssh"] = json!(agents(emitted.recipe.credentials));
            (".".to_owned(), dockerfile, platforms)
        }
        Build::Kept(kept) => {
            // A Dockerfile is named relative to its context.
            let dockerfile = relative_to(&kept.context, &kept.dockerfile);
            let platforms = kept.platforms.iter().map(ToString::to_string).collect();
            (
                literal(kept.context.as_str()),
                literal(&dockerfile),
                platforms,
            )
        }
    };
    target["context"] = json!(context);
    target["dockerfile"] = json!(dockerfile);
    target["platforms"] = json!(platforms);
    if let Some(object) = target.as_object_mut() {
        object.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    }
    target
}

fn secrets(credentials: Option<Credentials>) -> Vec<&'static str> {
    match credentials {
        Some(Credentials::Netrc) => vec!["id=netrc,env=NETRC"],
        _ => Vec::new(),
    }
}

fn agents(credentials: Option<Credentials>) -> Vec<&'static str> {
    match credentials {
        Some(Credentials::Ssh) => vec!["default"],
        _ => Vec::new(),
    }
}

fn relative_to(context: &RepoPath, path: &RepoPath) -> String {
    if let Some(below) = path.strip_prefix(context) {
        return below.to_owned();
    }
    let up = "../".repeat(context.elements().count());
    format!("{up}{path}")
}

/// A text of the repository in a template.
fn literal(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_repository_are_no_templates() {
        assert_eq!(literal("a${b}%{c}$d"), "a$${b}%%{c}$d");
    }

    #[test]
    fn a_dockerfile_is_found_from_its_context() {
        let path = |text| RepoPath::new(text).unwrap();
        for (context, dockerfile, expected) in [
            (".", "web/Dockerfile", "web/Dockerfile"),
            ("web", "web/Dockerfile", "Dockerfile"),
            ("web/app", "docker/web", "../../docker/web"),
        ] {
            assert_eq!(relative_to(&path(context), &path(dockerfile)), expected);
        }
    }
}
