//! The JSON Schema of `rebake.toml`, for editors.
//!
//! These types are never filled: they only say what the reader takes, and a test holds the two to each other.

use schemars::JsonSchema;
use std::collections::BTreeMap;

/// `rebake.toml`: everything that is not a default.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "the types only describe")]
pub struct ConfigSchema {
    /// Globs over directories, anchored at the root, that choose the services. One that begins with `!` leaves out what it
    /// matches. Default: `services/**`, `cmd/**`, `apps/**`, or every main package when these match none.
    #[schemars(default)]
    services: Vec<String>,
    /// How images are built, unless a service says otherwise.
    #[schemars(flatten)]
    settings: SettingsSchema,
    /// Services that are amended or added.
    #[schemars(default)]
    service: Vec<ServiceSchema>,
    /// Sets of services by name, for rules.
    #[schemars(default)]
    groups: BTreeMap<String, Vec<String>>,
    /// Which services paths affect beyond what Go knows, in order: the first rule that matches a path decides.
    #[schemars(default)]
    rule: Vec<RuleSchema>,
}

/// How images are built.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "the types only describe")]
struct SettingsSchema {
    /// The platforms of the image. Default: `linux/amd64`.
    platforms: Option<Vec<String>>,
    /// Whether cgo is on. Default: no.
    cgo: Option<bool>,
    /// Build tags.
    tags: Option<Vec<String>>,
    /// Further flags of `go build`, a flag and its value in one text.
    build_flags: Option<Vec<String>>,
    /// The Go release that builds the image. Default: the highest `go` or `toolchain` line that the build reads.
    go: Option<String>,
    /// Packages of the tree that third-party code imports.
    back_edges: Option<Vec<String>>,
    /// The image that holds the Go toolchain. Default: `golang:` and the Go release.
    go_image: Option<String>,
    /// What the image runs on: `distroless-static`, `distroless-base`, `alpine`, `scratch`, or an image of yours.
    /// Default: `distroless-static`; `distroless-base` with cgo.
    runtime: Option<String>,
    /// Where builds keep what later builds use again: `layers` for runners that start empty, `mounts` for builders that
    /// stay. Default: `layers`.
    profile: Option<String>,
    /// Whether the build compares the files that Go takes with the plan's, and fails on a difference. Default: yes.
    prove: Option<bool>,
    /// Whether the stages start from what builds read of the Go image, so that a runner that starts empty has less to
    /// unpack. Counts in the profile `layers`, without cgo, for images that are called `golang`. Default: yes.
    cut_go_image: Option<bool>,
    /// Whether go.mod and go.sum are cut to what a service links, so that an edit for another one re-runs nothing. Counts
    /// in the profile `layers`. Default: yes.
    cut_manifests: Option<bool>,
    /// Whether the packages of others are compiled in a layer of their own. Without, that layer holds their sources alone.
    /// Counts in the profile `layers`. Default: yes.
    compile_ahead: Option<bool>,
    /// `GOPROXY` of the build.
    goproxy: Option<String>,
    /// `GOPRIVATE` of the build.
    goprivate: Option<String>,
    /// `GONOSUMDB` of the build.
    gonosumdb: Option<String>,
    /// How the build reaches private modules: `netrc`, a secret, or `ssh`, the agent of whoever builds.
    credentials: Option<String>,
    /// The Go variable that is stamped with the version, such as `main.version`.
    version_variable: Option<String>,
}

/// A service.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "the types only describe")]
struct ServiceSchema {
    /// Its directory: of the main package, or of whatever it is.
    dir: String,
    /// Its name: 1 to 63 of a-z, 0-9 and -. Default: from the directory.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    name: Option<String>,
    /// How its image comes about. Default: `go`.
    kind: Option<KindSchema>,
    /// How it is built.
    #[schemars(flatten)]
    settings: SettingsSchema,
    /// Globs over files that the image needs beside the binary.
    assets: Option<Vec<String>>,
    /// Globs over further files that change the image.
    inputs: Option<Vec<String>>,
    /// Globs over what is taken out of assets and inputs again.
    exclude: Option<Vec<String>>,
    /// The Dockerfile that the service keeps itself: an input, with what it copies.
    dockerfile: Option<String>,
    /// The directory that is the Dockerfile's build context. Default: the root.
    context: Option<String>,
}

/// How a service's image comes about.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "the types only describe")]
enum KindSchema {
    /// From a Go main package.
    Go,
    /// From a Dockerfile and the inputs that are declared.
    Dockerfile,
}

/// Which services some paths affect.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "the types only describe")]
struct RuleSchema {
    /// Globs over paths; a directory stands for all that it holds.
    paths: Vec<String>,
    /// The services and groups.
    affects: AffectsSchema,
}

/// The services that a rule names.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the types only describe")]
enum AffectsSchema {
    /// Every service, or none.
    Word(WordSchema),
    /// Services by their names, and groups as `@name`.
    These(Vec<String>),
}

/// Every service, or none.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[expect(dead_code, reason = "the types only describe")]
enum WordSchema {
    /// Every service.
    All,
    /// None: the paths are no declared inputs of any service.
    None,
}

#[cfg(test)]
mod tests {
    use super::ConfigSchema;
    use crate::config::{RULE_KEYS, SERVICE_KEYS, SETTING_KEYS, TOP_KEYS};
    use std::collections::BTreeSet;

    #[test]
    fn the_schema_has_the_keys_that_the_reader_takes() {
        let schema = serde_json::to_value(schemars::schema_for!(ConfigSchema)).unwrap();
        let keys = |pointer: &str| -> BTreeSet<String> {
            let properties = schema.pointer(pointer).unwrap().as_object().unwrap();
            properties.keys().cloned().collect()
        };
        let known = |lists: &[&[&str]]| -> BTreeSet<String> {
            lists.concat().into_iter().map(str::to_owned).collect()
        };
        assert_eq!(keys("/properties"), known(&[&TOP_KEYS, &SETTING_KEYS]));
        assert_eq!(
            keys("/$defs/ServiceSchema/properties"),
            known(&[&SERVICE_KEYS, &SETTING_KEYS])
        );
        assert_eq!(keys("/$defs/RuleSchema/properties"), known(&[&RULE_KEYS]));
    }
}
