//! A `rebake.toml` that says what the defaults are.
//!
//! Names and paths come from the repository: each is written as a TOML string, in comments too, so that none can end a
//! line.

use crate::planning::Planned;
use rebake_planner::{
    inputs::Setting,
    path::RepoPath,
    plan::{PlannedImage, PlannedModule},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// The globs that choose services where nobody chose.
const DEFAULT_GLOBS: [&str; 3] = rebake_planner::discover::services::DEFAULT_GLOBS;

/// As many services as are listed.
const LISTED: usize = 200;

/// Renders the file for what was planned with these services globs, where these directories of services hold a Dockerfile.
pub(crate) fn render(
    planned: &Planned,
    globs: &[String],
    dockerfiles: &BTreeMap<RepoPath, RepoPath>,
) -> String {
    let images = &planned.plan.images;
    let mut text = String::from(
        "# What is not a default; see docs/configuration.md. Remove the `#` before what you change.\n\n",
    );
    text.push_str("# Globs over directories, anchored at the root, that choose the services.\n");
    let chosen = chosen_globs(images, globs);
    // A glob that matches nothing would be warned of.
    let mark = if images.is_empty() { "# " } else { "" };
    // Writing to a string can't fail.
    let _ = writeln!(
        text,
        "{mark}services = {}",
        list(chosen.iter().map(String::as_str))
    );
    if globs.is_empty()
        && let Some(hint) = shorter_names(images)
    {
        text.push_str(&hint);
    }
    let left_out = &planned.plan.excluded_mains;
    if !left_out.is_empty() {
        text.push_str("# Main packages that they leave out:\n");
        for directory in left_out.iter().take(LISTED) {
            let _ = writeln!(text, "#   {}", string(directory.as_str()));
        }
        if left_out.len() > LISTED {
            let _ = writeln!(text, "#   and {} more", left_out.len() - LISTED);
        }
    }
    text.push('\n');
    text.push_str("# How images are built. Each of these can stand in a [[service]], too.\n");
    let platforms: BTreeSet<String> = images
        .iter()
        .map(|image| image.inputs.platform.to_string())
        .collect();
    let platforms = if platforms.is_empty() {
        BTreeSet::from(["linux/amd64".to_owned()])
    } else {
        platforms
    };
    let _ = writeln!(
        text,
        "# platforms = {}",
        list(platforms.iter().map(String::as_str))
    );
    text.push_str("# cgo = false\n# tags = []\n# build-flags = [\"-ldflags=-s -w\"]\n");
    for (go, services) in go_versions(images) {
        let _ = writeln!(
            text,
            "# go = {} # found for {}",
            string(go),
            super::count(services, "image", "images")
        );
    }
    text.push_str(
        "# back-edges = [] # packages of this tree that third-party code imports; [] for none\n\n",
    );
    text.push_str(
        "# Files outside of Go that services need: the first rule that matches a path decides.\n\
         # [[rule]]\n# paths = [\"proto/**\"]\n# affects = \"all\" # or \"none\", or [\"a-service\", \"@a-group\"]\n\n\
         # [groups]\n# a-group = [\"a-service\"]\n\n",
    );
    text.push_str("# The services that were found. Remove the `#` of those that need something.\n");
    let mut names = BTreeSet::new();
    for image in images {
        if !names.insert(image.inputs.service.as_str()) {
            continue;
        }
        if names.len() > LISTED {
            let _ = writeln!(text, "# and more: `rebake plan` lists all");
            break;
        }
        let _ = writeln!(
            text,
            "#\n# [[service]]\n# dir = {}\n# name = {}\n# assets = [] # files that the image needs beside the binary\n# inputs = [] # further files that change it",
            string(image.inputs.directory.as_str()),
            string(image.inputs.service.as_str()),
        );
        if let Some(dockerfile) = dockerfiles.get(&image.inputs.directory) {
            text.push_str(&own_dockerfile(
                planned,
                &image.inputs.directory,
                dockerfile,
            ));
        }
    }
    if images.is_empty() {
        let modules: Vec<&PlannedModule> = planned.plan.modules.iter().collect();
        let _ = writeln!(
            text,
            "# None, in {}.",
            super::count(modules.len(), "module", "modules")
        );
    }
    text
}

/// The lines by which a service keeps the Dockerfile that it has.
fn own_dockerfile(planned: &Planned, directory: &RepoPath, dockerfile: &RepoPath) -> String {
    let mut text = format!(
        "# dockerfile = {} # for a service that keeps its own\n",
        string(dockerfile.as_str())
    );
    let mut modules = planned.plan.modules.iter();
    if !directory.is_root() && modules.any(|module| module.directory == *directory) {
        // What is a module of its own is mostly built by itself.
        let _ = writeln!(
            text,
            "# context = {} # where that is built from this directory and not from the root",
            string(directory.as_str())
        );
    }
    text
}

/// The globs that count, as far as they choose anything.
fn chosen_globs(images: &[PlannedImage], globs: &[String]) -> Vec<String> {
    if !globs.is_empty() {
        return globs.to_vec();
    }
    let chooses = |glob: &str, image: &PlannedImage| {
        let path = image.inputs.directory.as_str();
        path.strip_prefix(glob.trim_end_matches("/**"))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let used: Vec<String> = DEFAULT_GLOBS
        .iter()
        .filter(|glob| images.iter().any(|image| chooses(glob, image)))
        .map(|glob| (*glob).to_owned())
        .collect();
    let all_are_chosen = images
        .iter()
        .all(|image| used.iter().any(|glob| chooses(glob, image)));
    if used.is_empty() || !all_are_chosen {
        vec!["**".to_owned()]
    } else {
        used
    }
}

/// A glob that chooses the same as `**`, where all services lie in one directory: names are shorter with it.
fn shorter_names(images: &[PlannedImage]) -> Option<String> {
    let mut directories = images
        .iter()
        .map(|image| image.inputs.directory.as_str())
        .filter(|directory| *directory != ".");
    let first = directories.next()?;
    let (top, below) = first.split_once('/')?;
    let is_special = |character: char| "*?[]{}\\!".contains(character);
    let is_only = images.iter().all(|image| {
        let rest = image.inputs.directory.as_str().strip_prefix(top);
        rest.is_some_and(|rest| rest.starts_with('/'))
    });
    let is_default = DEFAULT_GLOBS
        .iter()
        .any(|glob| *glob == format!("{top}/**"));
    (is_only && !is_default && !top.contains(is_special)).then(|| {
        format!(
            "# services = [{}] # the same with shorter names: {} becomes {}\n",
            string(&format!("{top}/**")),
            string(&first.replace('/', "-")),
            string(&below.replace('/', "-")),
        )
    })
}

/// The Go releases that are taken, each with how many images take it.
fn go_versions(images: &[PlannedImage]) -> BTreeMap<&str, usize> {
    let mut versions = BTreeMap::new();
    for image in images {
        if let Some(go) = image.inputs.settings.get(&Setting::Go) {
            *versions.entry(go.as_str()).or_default() += 1;
        }
    }
    versions
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let strings: Vec<String> = texts.map(string).collect();
    format!("[{}]", strings.join(", "))
}

/// A basic string of TOML, in one line.
fn string(text: &str) -> String {
    let mut string = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                string.push('\\');
                string.push(character);
            }
            _ if super::is_harmless(character) => string.push(character),
            _ => {
                let _ = write!(string, "\\U{:08X}", u32::from(character));
            }
        }
    }
    string.push('"');
    string
}

#[cfg(test)]
mod tests {
    use super::string;

    #[test]
    fn no_name_ends_a_line_or_a_string() {
        let cases = [
            ("services/api", "\"services/api\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
            ("a\nb", "\"a\\U0000000Ab\""),
            ("\u{202e}x", "\"\\U0000202Ex\""),
            ("\u{7f}", "\"\\U0000007F\""),
        ];
        for (text, expected) in cases {
            assert_eq!(string(text), expected);
        }
    }
}
