//! What the servers refuse and the simulators do not: held against the bytes that rebake writes.
//!
//! In: the program. Out: complaints. The rules are GitHub's and GitLab's documented ones: an empty matrix, more than 256
//! jobs, outputs above 1 MB; an empty child pipeline, one above 5 MB, names above 255 characters.

use super::shop::Shop;
use crate::tools;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// As many services as the largest monorepos have, several times.
const MANY: usize = 5000;

/// Keys of a pipeline that are no jobs.
const NO_JOBS: [&str; 8] = [
    "default",
    "image",
    "include",
    "services",
    "stages",
    "variables",
    "workflow",
    "cache",
];

/// Tells what the servers would refuse.
pub(super) fn check(rebake: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut complaints = Vec::new();
    let shop = Shop::new("https://github.com/acme/shop")?;
    shop.push("The shop")?;
    let nothing = Written::new(rebake, &shop, &["--base", "HEAD"])?;
    let mut expect = |is_so: bool, what: &str| {
        if !is_so {
            complaints.push(format!("the servers' rules: {what}"));
        }
    };
    expect(
        nothing.output("any") == "false",
        "any is not false where nothing is built",
    );
    // The matrix itself would be refused, so the workflows must not look at it.
    expect(
        nothing.rows()?.is_empty(),
        "a matrix where nothing is built has rows",
    );
    for workflow in [
        ".github/workflows/rebake.yml",
        "examples/github/own-jobs.yml",
    ] {
        let text = fs::read_to_string(tools::workspace().join(workflow))?;
        let guard = "\n    if: needs.plan.outputs.any == 'true'\n";
        let (before, _) = text
            .split_once("matrix: ${{ fromJSON(")
            .unwrap_or((&text, ""));
        expect(
            before.matches(guard).count() == 1,
            &format!("{workflow} uses a matrix that nothing guards"),
        );
    }
    let jobs = nothing.jobs()?;
    expect(
        jobs.len() == 1,
        &format!("a child where nothing is built has the jobs {jobs:?}"),
    );

    let shop = Shop::empty("https://github.com/acme/many")?;
    shop.write("go.mod", "module example.com/many\n\ngo 1.24\n")?;
    let deep = "a-directory-with-a-name-that-is-rather-long".repeat(3);
    for number in 0..MANY {
        let main = "package main\n\nfunc main() {}\n";
        shop.write(&format!("services/{deep}-{number}/main.go"), main)?;
    }
    shop.push("Many services")?;
    let many = Written::new(rebake, &shop, &[])?;
    expect(
        many.output("count") == MANY.to_string(),
        "services are missing in the count",
    );
    let rows = many.rows()?;
    expect(rows.len() <= 256, "a matrix has more than 256 jobs");
    let names: BTreeSet<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    expect(
        names.len() == rows.len(),
        "two jobs of a matrix have one name",
    );
    let services: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["services"].as_str())
        .flat_map(|services| services.split(' '))
        .collect();
    let different: BTreeSet<&&str> = services.iter().collect();
    expect(
        services.len() == MANY && different.len() == MANY,
        "the matrix does not hold every service once",
    );
    let units = many.outputs.encode_utf16().count() * 2;
    expect(
        units <= 1_000_000,
        &format!("outputs have {units} bytes in UTF-16"),
    );
    expect(
        many.summary.len() <= 1 << 20,
        "the summary has more than 1 MiB",
    );
    let jobs = many.jobs()?;
    expect(
        (1..=200).contains(&jobs.len()),
        &format!("a child has {} jobs", jobs.len()),
    );
    expect(
        jobs.iter().all(|name| name.len() <= 255),
        "the name of a job has more than 255 characters",
    );
    expect(many.child.len() <= 5_000_000, "a child has more than 5 MB");
    println!("the servers' rules: held for no service and for {MANY}");
    Ok(complaints)
}

/// What rebake wrote for both services.
struct Written {
    outputs: String,
    summary: String,
    child: String,
}

impl Written {
    fn new(rebake: &Path, shop: &Shop, arguments: &[&str]) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let at = |name: &str| -> PathBuf { directory.path().join(name) };
        // Not the event of a CI that runs this.
        let alone = || {
            let mut command = Command::new(rebake);
            let path = std::env::var_os("PATH").unwrap_or_default();
            command
                .env_clear()
                .env("PATH", path)
                .env("HOME", directory.path());
            command
        };
        let mut github = alone();
        github
            .args(["ci", "github", "--root"])
            .arg(shop.tree())
            .args(arguments)
            .env("GITHUB_OUTPUT", at("outputs"))
            .env("GITHUB_STEP_SUMMARY", at("summary"));
        let mut gitlab = alone();
        gitlab
            .args([
                "ci",
                "gitlab",
                "--images",
                "registry.example.com/acme/",
                "--root",
            ])
            .arg(shop.tree())
            .args(arguments)
            .arg("--pipeline")
            .arg(at("child.yml"))
            .arg("--dotenv")
            .arg(at("dotenv"));
        super::install::must(&mut github)?;
        super::install::must(&mut gitlab)?;
        Ok(Self {
            outputs: fs::read_to_string(at("outputs"))?,
            summary: fs::read_to_string(at("summary"))?,
            child: fs::read_to_string(at("child.yml"))?,
        })
    }

    fn output(&self, name: &str) -> &str {
        self.outputs
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_default()
    }

    fn rows(&self) -> Result<Vec<Value>, Box<dyn Error>> {
        let matrix: Value = serde_json::from_str(self.output("matrix"))?;
        Ok(matrix["include"].as_array().cloned().unwrap_or_default())
    }

    /// The jobs of the child that do something.
    fn jobs(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let child: serde_json::Map<String, Value> = serde_json::from_str(&self.child)?;
        Ok(child
            .into_iter()
            .filter(|(name, job)| {
                let acts = job["script"].is_array() || job["extends"].is_array();
                !name.starts_with('.') && !NO_JOBS.contains(&name.as_str()) && acts
            })
            .map(|(name, _)| name)
            .collect())
    }
}
