//! A monorepo's days on GitLab, from its first pipeline on.
//!
//! In: GitLab as gitlab-ci-local plays it. Out: complaints. After every pipeline the jobs of the child and every tag of the
//! registry are compared with what a person would expect, written down here and not computed by what is tested.

use super::{
    gitlab::GitLab,
    pushed::{self, Tags},
    shop::{SERVICES, Shop, UUID_1_5_0},
};
use crate::builder::Builder;
use std::{collections::BTreeSet, error::Error, path::Path, time::Instant};

const ZEROS: &str = "0000000000000000000000000000000000000000";

/// What the log of a job says before it bakes.
const BUILD_BEGINS: &str = "$ docker buildx bake";

struct Story<'a> {
    builder: &'a Builder,
    gitlab: &'a GitLab<'a>,
    rebake: &'a Path,
    shop: Shop,
    /// What the pipeline builds for, where it says so.
    platforms: Option<&'static str>,
    expected: Tags,
    cached: BTreeSet<String>,
    /// Whether the pipeline gives images that were not built the commit's tag.
    retags: bool,
    complaints: Vec<String>,
}

/// What a pipeline should lead to.
#[derive(Clone, Copy)]
struct Expectation<'a> {
    built: &'a [&'a str],
    failed: &'a [&'a str],
    /// Taken over from where merge requests push.
    promoted: &'a [&'a str],
    tag: &'a str,
    directory: &'a str,
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
        platforms: None,
        expected: Tags::new(),
        cached: BTreeSet::new(),
        retags: false,
        complaints: Vec::new(),
    };
    gitlab.use_example(&story.shop, "minimal.yml")?;
    // What children build from is committed by nobody.
    story.shop.write(
        ".gitignore",
        ".gitlab-ci-local\nrebake-pipeline.yml\nrebake.env\n.rebake\n",
    )?;

    let first = story.shop.push("The shop")?;
    story.branch("the first push", ZEROS, &first, &SERVICES)?;

    story.shop.append("README.md", "\nMore to read.\n")?;
    let text = story.shop.push("Say more")?;
    story.branch("a text", &first, &text, &[])?;

    gitlab.use_example(&story.shop, "many-services.yml")?;
    story
        .shop
        .replace("services/api/main.go", "GET /articles", "GET /goods")?;
    let source = story.shop.push("Rename a path")?;
    story.branch("a service's source", &text, &source, &["api"])?;

    gitlab.use_example(&story.shop, "rootless.yml")?;
    story
        .shop
        .append("internal/queue/queue.go", "\n// Nothing new.\n")?;
    let shared = story.shop.push("Say it")?;
    let users = ["cart", "mailer", "worker"];
    story.branch("a shared package, by buildctl", &source, &shared, &users)?;

    gitlab.use_example(&story.shop, "merge-requests.yml")?;
    story.shop.replace("go.mod", "uuid v1.6.0", "uuid v1.5.0")?;
    story.shop.append("go.sum", UUID_1_5_0)?;
    let bump = story.shop.push("Another release of a dependency")?;
    let users = ["api", "cart", "worker"];
    story.branch("a dependency bump", &shared, &bump, &users)?;

    story
        .shop
        .git(&["rm", "-r", "--quiet", "services/mailer"])?;
    let without = story.shop.push("No more mails")?;
    story.branch("a deleted service", &bump, &without, &[])?;

    story.merge_request(&shared, &without)?;
    story.failed_build()?;
    story.cancelled_pipeline()?;
    story.force_push()?;
    story.trusted_members()?;
    story.own_registry()?;
    Ok(story.complaints)
}

impl Story<'_> {
    /// A merge request that left `main` long ago; its merged result; and the merge.
    fn merge_request(&mut self, left_at: &str, main: &str) -> Result<(), Box<dyn Error>> {
        self.shop.branch("feature", left_at)?;
        self.shop
            .replace("services/cart/main.go", "GET /total", "GET /sum")?;
        self.shop.push("Rename another path")?;
        self.shop.append("services/cart/README.md", "Sums.\n")?;
        self.shop.push("Say so")?;
        let expectation = Expectation {
            built: &["cart"],
            failed: &[],
            promoted: &[],
            tag: "mr-7",
            directory: "acme/lab/merge_request",
        };
        let variables = [
            ("CI_PIPELINE_SOURCE", "merge_request_event"),
            ("CI_MERGE_REQUEST_IID", "7"),
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", left_at),
            ("CI_COMMIT_BEFORE_SHA", ZEROS),
        ];
        self.happens("a merge request", &variables, &expectation)?;

        let merged = self
            .shop
            .test_merge(main, "feature", "refs/merge-requests/7/merge")?;
        let variables = [
            ("CI_PIPELINE_SOURCE", "merge_request_event"),
            ("CI_MERGE_REQUEST_IID", "7"),
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", left_at),
            ("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", main),
            ("CI_COMMIT_BEFORE_SHA", ZEROS),
        ];
        self.happens("its merged result", &variables, &expectation)?;

        self.shop.fast_forward(&merged)?;
        // What merge requests push is not trusted.
        self.branch("the merge", main, &merged, &["cart"])
    }

    /// A build fails, and an edit that has nothing to do with it is pushed.
    fn failed_build(&mut self) -> Result<(), Box<dyn Error>> {
        let before = self.shop.head()?;
        self.shop
            .replace("services/api/main.go", "GET /goods", "GET /wares")?;
        let failing = self.shop.push("Rename a path again")?;
        let expectation = Expectation {
            built: &[],
            failed: &["api"],
            promoted: &[],
            tag: &failing,
            directory: "acme/lab",
        };
        let variables = branch_variables(&before);
        self.gitlab.set_broken(true)?;
        self.happens("a runner that can't build", &variables, &expectation)?;
        self.gitlab.set_broken(false)?;
        self.shop.append("README.md", "\nAs if nothing were.\n")?;
        let unrelated = self.shop.push("Say more")?;
        self.branch(
            "a text after a failed build",
            &failing,
            &unrelated,
            &["api"],
        )
    }

    /// A pipeline is cancelled in the middle of a build, and an edit that has nothing to do with it is pushed.
    fn cancelled_pipeline(&mut self) -> Result<(), Box<dyn Error>> {
        let before = self.shop.head()?;
        self.shop
            .append("services/worker/main.go", "\n// Three.\n")?;
        let cancelled = self.shop.push("Three")?;
        let variables = branch_variables(&before);
        self.gitlab.cancel(&self.shop, &variables, BUILD_BEGINS)?;
        self.expect_registry("a cancelled pipeline")?;
        self.shop.append("README.md", "\nNobody waited.\n")?;
        let unrelated = self.shop.push("Say more")?;
        let what = "a text after a cancelled pipeline";
        self.branch(what, &cancelled, &unrelated, &["worker"])
    }

    /// A commit is replaced by another one, and nobody has it any more.
    fn force_push(&mut self) -> Result<(), Box<dyn Error>> {
        let before = self.shop.head()?;
        self.shop
            .append("services/api/main.go", "\n// A mistake.\n")?;
        let mistake = self.shop.push("A mistake")?;
        self.shop.take_back(&before)?;
        self.shop
            .append("services/cart/main.go", "\n// No mistake.\n")?;
        let forced = self.shop.push("No mistake")?;
        self.shop.forget(&mistake)?;
        self.branch("a force push", &mistake, &forced, &["cart"])
    }

    /// A merge request whose image is taken over after the merge, and tags for images that were not built.
    fn trusted_members(&mut self) -> Result<(), Box<dyn Error>> {
        self.gitlab.use_example(&self.shop, "trusted-members.yml")?;
        let main = self.shop.push("Trust all")?;
        self.shop.branch("trusted", &main)?;
        self.shop
            .replace("services/cart/main.go", "GET /sum", "GET /due")?;
        self.shop.push("Rename a path")?;
        let expectation = Expectation {
            built: &["cart"],
            failed: &[],
            promoted: &[],
            tag: "mr-8",
            directory: "acme/lab/merge_request",
        };
        let variables = [
            ("CI_PIPELINE_SOURCE", "merge_request_event"),
            ("CI_MERGE_REQUEST_IID", "8"),
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", main.as_str()),
            ("CI_COMMIT_BEFORE_SHA", ZEROS),
        ];
        self.happens("a trusted merge request", &variables, &expectation)?;
        self.shop.fast_forward("trusted")?;
        let merged = self.shop.head()?;
        let expectation = Expectation {
            built: &[],
            promoted: &["cart"],
            tag: &merged,
            directory: "acme/lab",
            ..expectation
        };
        self.retags = true;
        self.happens("its merge", &branch_variables(&main), &expectation)?;
        self.retags = false;
        Ok(())
    }

    /// A registry, platforms and a stage of its own.
    fn own_registry(&mut self) -> Result<(), Box<dyn Error>> {
        let before = self.shop.head()?;
        self.gitlab.use_example(&self.shop, "own-registry.yml")?;
        let commit = self.shop.push("Two platforms")?;
        self.platforms = Some("linux/amd64,linux/arm64");
        // As if all but one had been built.
        for (service, tag) in self.shop.content_tags(self.rebake, self.platforms)? {
            if service != "api" {
                let repository = format!("acme/lab/own/{service}");
                pushed::put_empty_image(self.builder.registry(), &repository, &tag)?;
                self.expected.entry(repository).or_default().insert(tag);
            }
        }
        let expectation = Expectation {
            built: &["api"],
            failed: &[],
            promoted: &[],
            tag: &commit,
            directory: "acme/lab/own",
        };
        let variables = branch_variables(&before);
        self.happens(
            "a registry and platforms of one's own",
            &variables,
            &expectation,
        )
    }

    /// A pipeline of the default branch.
    fn branch(
        &mut self,
        what: &str,
        before: &str,
        after: &str,
        built: &[&str],
    ) -> Result<(), Box<dyn Error>> {
        let expectation = Expectation {
            built,
            failed: &[],
            promoted: &[],
            tag: after,
            directory: "acme/lab",
        };
        self.happens(what, &branch_variables(before), &expectation)?;
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
        expectation: &Expectation<'_>,
    ) -> Result<(), Box<dyn Error>> {
        let started = Instant::now();
        let pipeline = self.gitlab.run(&self.shop, variables)?;
        // The jobs of a child are told of with the name of what started it.
        let jobs: BTreeSet<&str> = pipeline
            .log
            .lines()
            .filter_map(|line| line.split_once(" starting "))
            .map(|(name, _)| name.rsplit("-> ").next().unwrap_or(name).trim())
            // What an example does besides.
            .filter(|name| *name != "deploy")
            .collect();
        let mut children = [expectation.built, expectation.failed].concat();
        if children.is_empty() {
            children.push("nothing-to-build");
        }
        let children: Vec<String> = children
            .iter()
            .map(|name| format!("rebake:{name}"))
            .collect();
        let mut expected: BTreeSet<&str> = children.iter().map(String::as_str).collect();
        expected.insert("rebake-plan");
        if self.retags {
            expected.insert("rebake-tag");
        }
        // The client takes a parent for good whose child has failed; GitLab does not.
        let failed: BTreeSet<&str> = pipeline
            .log
            .lines()
            .filter_map(|line| line.trim().strip_prefix("FAIL  rebake:"))
            .map(str::trim)
            .collect();
        let should_fail: BTreeSet<&str> = expectation.failed.iter().copied().collect();
        if !pipeline.succeeded || failed != should_fail || jobs != expected {
            self.complaints.push(format!(
                "{what}: the jobs {jobs:?} ran, not {expected:?}; {failed:?} failed, not {should_fail:?}; succeeded: {}\n{}",
                pipeline.succeeded, pipeline.log
            ));
        }
        let content_tags = self.shop.content_tags(self.rebake, self.platforms)?;
        for service in expectation.built.iter().chain(expectation.promoted) {
            let tags = self
                .expected
                .entry(format!("{}/{service}", expectation.directory))
                .or_default();
            tags.insert(expectation.tag.to_owned());
            let content_tag = content_tags
                .get(*service)
                .ok_or_else(|| format!("{service} is not in the plan"))?;
            tags.insert(content_tag.clone());
        }
        if self.retags {
            for service in content_tags.keys() {
                let tags = self
                    .expected
                    .entry(format!("{}/{service}", expectation.directory));
                tags.or_default().insert(expectation.tag.to_owned());
            }
        }
        self.expect_registry(what)?;
        println!(
            "  {what}: built {}, {:.1} s",
            if expectation.built.is_empty() {
                "nothing".to_owned()
            } else {
                expectation.built.join(", ")
            },
            started.elapsed().as_secs_f32()
        );
        Ok(())
    }

    /// What the registry should hold by now.
    fn expect_registry(&mut self, what: &str) -> Result<(), Box<dyn Error>> {
        let mut found = pushed::tags(self.builder.registry(), "acme/lab/")?;
        found.retain(|repository, _| !repository.ends_with("/build_cache"));
        if found != self.expected {
            let expected = &self.expected;
            self.complaints.push(format!(
                "{what}: the registry holds {found:#?}, not {expected:#?}"
            ));
        }
        Ok(())
    }
}

/// What GitLab says of a push to the default branch.
fn branch_variables(before: &str) -> [(&'static str, &str); 3] {
    [
        ("CI_PIPELINE_SOURCE", "push"),
        ("CI_COMMIT_BRANCH", "main"),
        ("CI_COMMIT_BEFORE_SHA", before),
    ]
}
