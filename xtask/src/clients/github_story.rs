//! A monorepo's days on GitHub, from its first push on.
//!
//! In: GitHub as act plays it. Out: complaints. After every event the checks, the services that were built and every tag of
//! the registry are compared with what a person would expect, written down here and not computed by what is tested; then
//! the new images run.

use super::{
    github::{Event, GitHub, Run},
    pushed::{self, Tags},
    shop::{SERVICES, Shop, UUID_1_5_0},
};
use crate::builder::Builder;
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    path::Path,
    time::Instant,
};

const ZEROS: &str = "0000000000000000000000000000000000000000";

/// The tag under which the time of the last build stands.
pub(super) const BUILD_TIME: &str = "rebake-build-time";

/// What `rebake build` says before it bakes.
const BUILD_BEGINS: &str = "below .rebake";

/// What is told of.
struct Story<'a> {
    builder: &'a Builder,
    github: &'a GitHub<'a>,
    rebake: &'a Path,
    shop: Shop,
    /// What the workflow builds for, where it says so.
    platforms: Option<&'static str>,
    /// What the registry should hold, without the cache.
    expected: Tags,
    cached: BTreeSet<String>,
    /// What the last run put into its summary.
    summary: String,
    /// What it said.
    log: String,
    /// Whether the workflow gives images that were not built the run's tag.
    retags: bool,
    complaints: Vec<String>,
}

/// Where images of an event are pushed to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pushed {
    /// Where trusted images stand, with the caches of what was built.
    WithCaches,
    /// Where trusted images stand.
    Trusted,
    /// There, taken over from where pull requests push.
    Promoted,
    /// Where pull requests push.
    PullRequest,
    /// Nowhere.
    Nowhere,
}

/// What an event should lead to.
#[derive(Clone, Copy)]
struct Expectation<'a> {
    built: &'a [&'a str],
    failed: &'a [&'a str],
    tag: &'a str,
    pushed: Pushed,
}

/// Tells the story and gives what was not as expected.
pub(super) fn tell(
    builder: &Builder,
    github: &GitHub<'_>,
    rebake: &Path,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut story = Story {
        builder,
        github,
        rebake,
        shop: Shop::new("https://github.com/acme/shop")?,
        platforms: None,
        expected: Tags::new(),
        cached: BTreeSet::new(),
        summary: String::new(),
        log: String::new(),
        retags: false,
        complaints: Vec::new(),
    };
    story.use_example("minimal.yml", "")?;
    let first = story.shop.push("The shop")?;
    story.push_to_main("the first push", ZEROS, &first, &SERVICES)?;
    story.answers("api", &first, "http://127.0.0.1:8080/articles", "tea pot")?;
    story.answers("cart", &first, "http://127.0.0.1:8081/total", "0")?;
    // Nobody gives these work, which Go notices.
    story.ends("worker", &first, "all goroutines are asleep")?;
    story.ends("mailer", &first, "all goroutines are asleep")?;

    story.shop.append("README.md", "\nMore to read.\n")?;
    let text = story.shop.push("Say more")?;
    story.push_to_main("a text", &first, &text, &[])?;

    story
        .shop
        .replace("services/api/main.go", "GET /articles", "GET /goods")?;
    story.use_example("own-jobs.yml", "")?;
    let source = story.shop.push("Rename a path")?;
    story.push_to_main("a service's source", &text, &source, &["api"])?;
    story.summary_says("services/api/main.go");
    story.summary_says("Saved: 3 builds, which last took ");
    story.answers("api", &source, "http://127.0.0.1:8080/goods", "tea pot")?;

    story
        .shop
        .append("internal/queue/queue.go", "\n// Nothing new.\n")?;
    story.use_example("public-repository.yml", "")?;
    let shared = story.shop.push("Say it")?;
    story.push_to_main(
        "a shared package",
        &source,
        &shared,
        &["cart", "mailer", "worker"],
    )?;

    story.shop.replace("go.mod", "uuid v1.6.0", "uuid v1.5.0")?;
    story.shop.append("go.sum", UUID_1_5_0)?;
    let bump = story.shop.push("Another release of a dependency")?;
    // Mails need nothing of others.
    story.push_to_main(
        "a dependency bump",
        &shared,
        &bump,
        &["api", "cart", "worker"],
    )?;

    story
        .shop
        .git(&["rm", "-r", "--quiet", "services/mailer"])?;
    let without = story.shop.push("No more mails")?;
    story.push_to_main("a deleted service", &bump, &without, &[])?;

    // The registry is not asked, so what counts is the history. Three commits in one push: a clone of depth 1 holds none of the two before the last.
    story.shop.append("services/api/main.go", "\n// One.\n")?;
    story.shop.push("One")?;
    story
        .shop
        .append("services/worker/main.go", "\n// Two.\n")?;
    story.shop.push("Two")?;
    story.use_example("public-repository.yml", "      reuse: false\n")?;
    let three = story.shop.push("Three")?;
    story.push_to_main(
        "three commits at once",
        &without,
        &three,
        &["api", "worker"],
    )?;

    story.use_example("merge-queue.yml", "")?;
    let queue = story.shop.push("Queue")?;
    story.push_to_main("another workflow", &three, &queue, &[])?;
    story.pull_request(&text, &queue)?;
    story.failed_build()?;
    story.cancelled_run()?;
    story.force_push()?;
    story.trusted_team()?;
    story.other_destinations()?;

    Ok(story.complaints)
}

impl Story<'_> {
    /// A pull request that left `main` long ago, from a branch and from a fork; then the queue, and the merge.
    fn pull_request(&mut self, left_at: &str, main: &str) -> Result<(), Box<dyn Error>> {
        self.shop.branch("feature", left_at)?;
        self.shop
            .replace("services/cart/main.go", "GET /total", "GET /sum")?;
        self.shop.push("Rename another path")?;
        self.shop.append("services/cart/README.md", "Sums.\n")?;
        let head = self.shop.push("Say so")?;
        let merge = self.shop.test_merge(main, "feature", "refs/pull/7/merge")?;
        let expectation = Expectation {
            built: &["cart"],
            failed: &[],
            tag: "pr-7",
            pushed: Pushed::Nowhere,
        };
        let fork = Event::pull_request(7, left_at, &head, "stranger/shop");
        self.happens("a pull request from a fork", &fork, &expectation, &[])?;
        let own = Event::pull_request(7, left_at, &head, "acme/shop");
        let expectation = Expectation {
            pushed: Pushed::PullRequest,
            ..expectation
        };
        self.happens("a pull request", &own, &expectation, &[])?;
        self.answers(
            "pull_request/cart",
            "pr-7",
            "http://127.0.0.1:8081/sum",
            "0",
        )?;

        let queue = "gh-readonly-queue/main/pr-7";
        self.shop.git(&["checkout", "--quiet", "-b", queue])?;
        self.shop.push_as("HEAD")?;
        let expectation = Expectation {
            tag: &merge,
            pushed: Pushed::Trusted,
            ..expectation
        };
        let event = Event::merge_group(main, &merge);
        self.happens("the merge queue", &event, &expectation, &[])?;

        self.shop.fast_forward(queue)?;
        self.push_to_main("the merge", main, &merge, &[])
    }

    /// A tag, a branch that is not the default one, and a workflow with platforms and a registry of its own.
    fn other_destinations(&mut self) -> Result<(), Box<dyn Error>> {
        let head = self.shop.head()?;
        self.shop.git(&["checkout", "--quiet", "-b", "try"])?;
        self.shop
            .replace("services/api/main.go", "GET /wares", "GET /things")?;
        let tried = self.shop.push("Try a path")?;
        let expectation = Expectation {
            built: &["api"],
            failed: &[],
            tag: &tried,
            pushed: Pushed::PullRequest,
        };
        let event = Event::push("refs/heads/try", ZEROS, &tried);
        self.happens("another branch", &event, &expectation, &[])?;

        self.shop.git(&["checkout", "--quiet", "main"])?;
        self.use_example("minimal.yml", "")?;
        let release = self.shop.push("Release")?;
        self.shop.git(&["tag", "v1.0.0"])?;
        self.shop.push_as("refs/tags/v1.0.0")?;
        let expectation = Expectation {
            built: &["api", "cart", "worker"],
            failed: &[],
            tag: "v1.0.0",
            pushed: Pushed::Trusted,
        };
        let event = Event::push("refs/tags/v1.0.0", ZEROS, &release);
        self.happens("a release", &event, &expectation, &[])?;
        self.answers("api", "v1.0.0", "http://127.0.0.1:8080/wares", "tea pot")?;
        self.push_to_main("the commit of the release", &head, &release, &[])?;

        // Built for two platforms, so the content tags are others. As if all but one had been built.
        self.use_example("registry-cache.yml", "")?;
        let platforms = self.shop.push("Two platforms")?;
        self.platforms = Some("linux/amd64,linux/arm64");
        for (service, tag) in self.shop.content_tags(self.rebake, self.platforms)? {
            if service != "api" {
                let repository = format!("acme/shop/{service}");
                pushed::put_empty_image(self.builder.registry(), &repository, &tag)?;
                self.expected.entry(repository).or_default().insert(tag);
            }
        }
        self.push_to_main("two platforms", &release, &platforms, &["api"])
    }

    /// Puts an example into the sample, with further inputs.
    fn use_example(&self, name: &str, inputs: &str) -> Result<(), Box<dyn Error>> {
        let mut workflow = self.github.example(name)?;
        workflow.push_str(inputs);
        self.shop.write(".github/workflows/images.yml", &workflow)
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
            tag: &failing,
            pushed: Pushed::WithCaches,
        };
        let event = Event::push("refs/heads/main", &before, &failing);
        let settings = [("STAND_IN_NO_BUILDER", "true")];
        self.happens("a runner that can't build", &event, &expectation, &settings)?;
        self.shop.append("README.md", "\nAs if nothing were.\n")?;
        let unrelated = self.shop.push("Say more")?;
        self.push_to_main(
            "a text after a failed build",
            &failing,
            &unrelated,
            &["api"],
        )?;
        self.answers("api", &unrelated, "http://127.0.0.1:8080/wares", "tea pot")
    }

    /// A run is cancelled in the middle of a build, and an edit that has nothing to do with it is pushed.
    fn cancelled_run(&mut self) -> Result<(), Box<dyn Error>> {
        let before = self.shop.head()?;
        self.shop
            .append("services/worker/main.go", "\n// Three.\n")?;
        let cancelled = self.shop.push("Three")?;
        let event = Event::push("refs/heads/main", &before, &cancelled);
        self.github.cancel(&self.shop, &event, BUILD_BEGINS)?;
        self.expect_registry("a cancelled run")?;
        self.shop.append("README.md", "\nNobody waited.\n")?;
        let unrelated = self.shop.push("Say more")?;
        self.push_to_main(
            "a text after a cancelled run",
            &cancelled,
            &unrelated,
            &["worker"],
        )
    }

    /// A commit is replaced by another one, and no clone can have it any more.
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
        // What stood there before the mistake stands there still.
        self.push_to_main("a force push", &mistake, &forced, &["cart"])?;
        self.use_example("public-repository.yml", "      reuse: false\n")?;
        let alone = self.shop.push("Ask no registry")?;
        let all = ["api", "cart", "worker"];
        self.push_to_main("a force push without a registry", &mistake, &alone, &all)?;
        self.summary_says("Everything is built");
        Ok(())
    }

    /// A pull request whose image is taken over after the merge, and tags for images that were not built.
    fn trusted_team(&mut self) -> Result<(), Box<dyn Error>> {
        let before = self.shop.head()?;
        self.use_example("trusted-team.yml", "")?;
        self.retags = true;
        let main = self.shop.push("Trust all")?;
        self.push_to_main("tags without a build", &before, &main, &[])?;
        self.answers("api", &main, "http://127.0.0.1:8080/wares", "tea pot")?;

        self.shop.branch("trusted", &main)?;
        self.shop
            .replace("services/cart/main.go", "GET /sum", "GET /due")?;
        let head = self.shop.push("Rename a path")?;
        let merge = self
            .shop
            .test_merge(&main, "trusted", "refs/pull/8/merge")?;
        let expectation = Expectation {
            built: &["cart"],
            failed: &[],
            tag: "pr-8",
            pushed: Pushed::PullRequest,
        };
        let event = Event::pull_request(8, &main, &head, "acme/shop");
        self.happens("a trusted pull request", &event, &expectation, &[])?;
        self.shop.fast_forward(&merge)?;
        let expectation = Expectation {
            tag: &merge,
            pushed: Pushed::Promoted,
            ..expectation
        };
        let event = Event::push("refs/heads/main", &main, &merge);
        self.happens("its merge", &event, &expectation, &[])?;
        self.log_says("cart was taken over from ");
        self.answers("cart", &merge, "http://127.0.0.1:8081/due", "0")?;
        self.retags = false;
        self.use_example("merge-queue.yml", "")
    }

    /// A push to `main` with the commit that the work tree is on.
    fn push_to_main(
        &mut self,
        what: &str,
        before: &str,
        after: &str,
        built: &[&str],
    ) -> Result<(), Box<dyn Error>> {
        let event = Event::push("refs/heads/main", before, after);
        let expectation = Expectation {
            built,
            failed: &[],
            tag: after,
            pushed: Pushed::WithCaches,
        };
        self.happens(what, &event, &expectation, &[])
    }

    /// An event, and what it should lead to.
    fn happens(
        &mut self,
        what: &str,
        event: &Event,
        expectation: &Expectation<'_>,
        settings: &[(&str, &str)],
    ) -> Result<(), Box<dyn Error>> {
        let started = Instant::now();
        let run = self.github.run(&self.shop, event, settings)?;
        self.expect_jobs(what, &run, expectation);
        self.summary = run
            .commands
            .iter()
            .filter(|command| command.name == "summary")
            .map(|command| command.value.as_str())
            .collect();
        self.log = run.log;
        let content_tags = self.shop.content_tags(self.rebake, self.platforms)?;
        let directory = match expectation.pushed {
            Pushed::WithCaches | Pushed::Trusted | Pushed::Promoted => Some("acme/shop"),
            Pushed::PullRequest => Some("acme/shop/pull_request"),
            Pushed::Nowhere => None,
        };
        for service in expectation.built {
            let Some(directory) = directory else { continue };
            let tags = self
                .expected
                .entry(format!("{directory}/{service}"))
                .or_default();
            tags.insert(expectation.tag.to_owned());
            let content_tag = content_tags
                .get(*service)
                .ok_or_else(|| format!("{service} is not in the plan"))?;
            tags.insert(content_tag.clone());
            if matches!(expectation.pushed, Pushed::WithCaches | Pushed::Trusted) {
                tags.insert(BUILD_TIME.to_owned());
            }
            if expectation.pushed == Pushed::WithCaches {
                self.cached.insert((*service).to_owned());
            }
        }
        if self.retags && matches!(expectation.pushed, Pushed::WithCaches | Pushed::Promoted) {
            for service in content_tags.keys() {
                let tags = self.expected.entry(format!("acme/shop/{service}"));
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
        let mut found = pushed::tags(self.builder.registry(), "acme/")?;
        let caches = found.remove("acme/shop/build_cache").unwrap_or_default();
        self.expect(what, "the registry holds", &found, &self.expected.clone());
        self.expect(what, "there are caches of", &caches, &self.cached.clone());
        Ok(())
    }

    /// The checks that should have reported, and how.
    fn expect_jobs(&mut self, what: &str, run: &Run, expectation: &Expectation<'_>) {
        let ends_well = expectation.failed.is_empty();
        let built = expectation.built.iter().map(|service| (service, "success"));
        let failed = expectation
            .failed
            .iter()
            .map(|service| (service, "failure"));
        let tagged = self.retags && expectation.pushed != Pushed::PullRequest;
        let gate = if ends_well { "success" } else { "failure" };
        let expected: BTreeMap<String, String> = built
            .chain(failed)
            .map(|(service, result)| (format!("images/build {service}"), result.to_owned()))
            .chain([
                ("images/plan".to_owned(), "success".to_owned()),
                ("images/rebake".to_owned(), gate.to_owned()),
            ])
            .chain(tagged.then(|| ("images/tag".to_owned(), "success".to_owned())))
            .collect();
        // act puts the place in the matrix behind the name.
        let found: BTreeMap<String, String> = run
            .jobs
            .iter()
            .map(|(name, result)| {
                let name = name
                    .replacen("images/rebake/", "images/", 1)
                    .replace("images/all images", "images/rebake");
                let plain = name
                    .rsplit_once('-')
                    .filter(|(_, number)| number.chars().all(|c| c.is_ascii_digit()))
                    .map_or(name.as_str(), |(plain, _)| plain);
                (plain.to_owned(), result.clone())
            })
            .collect();
        if run.succeeded != ends_well || found != expected {
            self.complaints.push(format!(
                "{what}: expected {expected:?}, found {found:?}, succeeded: {}\n{}",
                run.succeeded, run.log
            ));
        }
    }

    fn expect<Value: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        which: &str,
        found: &Value,
        expected: &Value,
    ) {
        if found != expected {
            self.complaints.push(format!(
                "{what}: {which} {found:#?}\nexpected {expected:#?}"
            ));
        }
    }

    /// Whether the last summary holds a text.
    fn summary_says(&mut self, expected: &str) {
        if !self.summary.contains(expected) {
            self.complaints.push(format!(
                "the summary does not say {expected:?}:\n{}",
                self.summary
            ));
        }
    }

    /// Whether the last run said a text.
    fn log_says(&mut self, expected: &str) {
        if !self.log.contains(expected) {
            self.complaints
                .push(format!("the run does not say {expected:?}:\n{}", self.log));
        }
    }

    fn answers(
        &mut self,
        service: &str,
        tag: &str,
        address: &str,
        expected: &str,
    ) -> Result<(), Box<dyn Error>> {
        let repository = format!("acme/shop/{service}");
        let answer = pushed::ask(self.builder, &repository, tag, address)?;
        if !answer.contains(expected) {
            self.complaints.push(format!(
                "{service}:{tag} answers {answer:?}, not {expected:?}"
            ));
        }
        Ok(())
    }

    fn ends(&mut self, service: &str, tag: &str, expected: &str) -> Result<(), Box<dyn Error>> {
        let repository = format!("acme/shop/{service}");
        let said = pushed::run(self.builder, &repository, tag)?;
        if !said.contains(expected) {
            self.complaints
                .push(format!("{service}:{tag} says {said:?}, not {expected:?}"));
        }
        Ok(())
    }
}
