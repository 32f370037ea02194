//! A monorepo's days on GitLab, from its first pipeline on.
//!
//! In: GitLab as gitlab-ci-local plays it. Out: complaints. After every pipeline the jobs of the child and every tag of the
//! registry are compared with what a person would expect, written down here and not computed by what is tested.

use super::{
    gitlab::GitLab,
    install::must,
    pushed::{self, Tags},
    shop::{SERVICES, Shop},
};
use crate::builder::Builder;
use std::{collections::BTreeSet, error::Error, path::Path, process::Command, time::Instant};

const ZEROS: &str = "0000000000000000000000000000000000000000";

struct Story<'a> {
    builder: &'a Builder,
    gitlab: &'a GitLab<'a>,
    rebake: &'a Path,
    shop: Shop,
    expected: Tags,
    cached: BTreeSet<String>,
    complaints: Vec<String>,
}

/// Tells the story and gives what was not as expected.
pub(super) fn tell(
    builder: &Builder,
    gitlab: &GitLab<'_>,
    rebake: &Path,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut story = Story {
        builder,
        gitlab,
        rebake,
        shop: Shop::new("https://gitlab.com/acme/lab.git")?,
        expected: Tags::new(),
        cached: BTreeSet::new(),
        complaints: Vec::new(),
    };
    gitlab.use_example(&story.shop, "minimal.yml")?;
    story.shop.write(
        ".gitignore",
        ".gitlab-ci-local\nrebake-pipeline.yml\nrebake.env\n",
    )?;

    let first = story.push("The shop")?;
    story.branch("the first push", ZEROS, &first, &SERVICES)?;
    story.shop.append("README.md", "\nMore to read.\n")?;
    let text = story.push("Say more")?;
    story.branch("a text", &first, &text, &[])?;
    story
        .shop
        .replace("services/api/main.go", "GET /articles", "GET /goods")?;
    let source = story.push("Rename a path")?;
    story.branch("a service's source", &text, &source, &["api"])?;
    Ok(story.complaints)
}

impl Story<'_> {
    /// Brings what is emitted up to date, as a person does before a commit.
    fn push(&self, message: &str) -> Result<String, Box<dyn Error>> {
        must(
            Command::new(self.rebake)
                .args(["generate", "--root"])
                .arg(self.shop.tree()),
        )?;
        self.shop.push(message)
    }

    /// A pipeline of the default branch.
    fn branch(
        &mut self,
        what: &str,
        before: &str,
        after: &str,
        built: &[&str],
    ) -> Result<(), Box<dyn Error>> {
        let variables = [
            ("CI_PIPELINE_SOURCE", "push"),
            ("CI_COMMIT_BRANCH", "main"),
            ("CI_COMMIT_BEFORE_SHA", before),
        ];
        self.happens(what, &variables, built, after, "acme/lab")?;
        self.cached.extend(built.iter().map(ToString::to_string));
        let mut found = pushed::tags(self.builder.registry(), "acme/lab/")?;
        let caches = found.remove("acme/lab/build_cache").unwrap_or_default();
        if caches != self.cached {
            let expected = &self.cached;
            self.complaints.push(format!(
                "{what}: there are caches of {caches:?}, not {expected:?}"
            ));
        }
        Ok(())
    }

    /// A pipeline, and what it should lead to.
    fn happens(
        &mut self,
        what: &str,
        variables: &[(&str, &str)],
        built: &[&str],
        tag: &str,
        directory: &str,
    ) -> Result<(), Box<dyn Error>> {
        let started = Instant::now();
        let pipeline = self.gitlab.run(&self.shop, variables)?;
        // The jobs of a child are told of with the name of what started it.
        let jobs: BTreeSet<&str> = pipeline
            .log
            .lines()
            .filter_map(|line| line.split_once(" starting "))
            .map(|(name, _)| name.rsplit("-> ").next().unwrap_or(name).trim())
            .collect();
        let nothing = ["nothing-to-build"];
        let children = if built.is_empty() { &nothing } else { built };
        let children: Vec<String> = children
            .iter()
            .map(|name| format!("rebake:{name}"))
            .collect();
        let mut expected: BTreeSet<&str> = children.iter().map(String::as_str).collect();
        expected.insert("rebake-plan");
        if !pipeline.succeeded || jobs != expected {
            self.complaints.push(format!(
                "{what}: the jobs {jobs:?} ran, not {expected:?}; succeeded: {}\n{}",
                pipeline.succeeded, pipeline.log
            ));
        }
        let content_tags = self.shop.content_tags(self.rebake)?;
        for service in built {
            let tags = self
                .expected
                .entry(format!("{directory}/{service}"))
                .or_default();
            tags.insert(tag.to_owned());
            let content_tag = content_tags
                .get(*service)
                .ok_or_else(|| format!("{service} is not in the plan"))?;
            tags.insert(content_tag.clone());
        }
        let mut found = pushed::tags(self.builder.registry(), "acme/lab/")?;
        found.remove("acme/lab/build_cache");
        if found != self.expected {
            let expected = &self.expected;
            self.complaints.push(format!(
                "{what}: the registry holds {found:#?}, not {expected:#?}"
            ));
        }
        println!(
            "  {what}: built {}, {:.1} s",
            if built.is_empty() {
                "nothing".to_owned()
            } else {
                built.join(", ")
            },
            started.elapsed().as_secs_f32()
        );
        Ok(())
    }
}
