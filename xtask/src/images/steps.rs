//! Whether the steps that run are those that the planner predicts.
//!
//! In: a sample monorepo, and a table of modifications. Out: for each, in both profiles, on the builder that has built the
//! sample and on one that imports its cache from a registry: every step that ran although it was predicted to be cached,
//! or the other way round. What ran is read from BuildKit's own records.

use super::checkout::{Checkout, Selection, Source};
use crate::builder::{Builder, Outcome, Record, Request, Toolchain};
use rebake_fixtures::Case;
use rebake_planner::{
    emit::{Forecast, Prediction, ServiceBuild, ServiceState, predict},
    inputs::ImageInputs,
    path::RepoPath,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    process::Command,
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only modifications whose name holds this text.
    #[arg(long, default_value = "")]
    only: String,
    /// The profiles.
    #[arg(long, value_delimiter = ',', default_value = "layers,mounts")]
    profile: Vec<String>,
    /// Only on the builder that has built the sample.
    #[arg(long)]
    same_builder: bool,
}

const SAMPLE: &str = include_str!("steps/sample.txtar");

/// Versions of modules whose checksums stand in go.sum from the beginning.
const KNOWN: [&str; 4] = [
    "third.org/used@v1.0.0",
    "third.org/used@v1.1.0",
    "third.org/other@v1.0.0",
    "third.org/other@v1.1.0",
];

/// A change of the sample.
struct Modification {
    name: &'static str,
    edits: &'static [Edit],
    /// Whether the modules that `api` links, or what its build takes from manifests, are others afterwards.
    resolves: Yield,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Yield {
    Same,
    Other,
}

enum Edit {
    Append(&'static str, &'static str),
    Replace(&'static str, &'static str, &'static str),
    Prepend(&'static str, &'static str),
}

use Edit::{Append, Prepend, Replace};

const MODIFICATIONS: [Modification; 17] = [
    same("nothing", &[]),
    same("a README", &[Append("services/api/README.md", "More.\n")]),
    same("a test", &[Append("lib/lib_test.go", "// More.\n")]),
    same(
        "another service",
        &[Append("services/worker/main.go", "var more = 1\n")],
    ),
    same(
        "a source file",
        &[Append("services/api/main.go", "var more = 1\n")],
    ),
    same(
        "a shared package that is used",
        &[Append("lib/lib.go", "func More() {}\n")],
    ),
    same(
        "a comment at the end of a shared package",
        &[Append("lib/lib.go", "// More.\n")],
    ),
    same(
        "a shared package that is not used",
        &[Append("unused/unused.go", "func More() {}\n")],
    ),
    same(
        "a file for another system",
        &[Append("services/api/main_windows.go", "// More.\n")],
    ),
    same("an embedded file", &[Append("lib/hello.txt", "more\n")]),
    same("an asset", &[Append("services/api/motd", "more\n")]),
    same("a comment in go.mod", &[Append("go.mod", "// More.\n")]),
    same(
        "a line of go.sum that nothing needs",
        &[Append(
            "go.sum",
            "third.org/nobody v1.0.0/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        )],
    ),
    same(
        "another version of a module that is not linked",
        &[Replace(
            "go.mod",
            "third.org/other v1.0.0",
            "third.org/other v1.1.0",
        )],
    ),
    Modification {
        name: "another version of a module that is linked",
        edits: &[Replace(
            "go.mod",
            "third.org/used v1.0.0",
            "third.org/used v1.1.0",
        )],
        resolves: Yield::Other,
    },
    same(
        "another Go image",
        &[Prepend("rebake.toml", "go-image = \"golang:other\"\n")],
    ),
    same(
        "a build tag",
        &[Prepend("rebake.toml", "tags = [\"more\"]\n")],
    ),
];

const fn same(name: &'static str, edits: &'static [Edit]) -> Modification {
    Modification {
        name,
        edits,
        resolves: Yield::Same,
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let builder = Builder::start_with(Toolchain::Warm)?;
    let profiles: Vec<&str> = arguments.profile.iter().map(String::as_str).collect();
    let is_chosen = |name: &str| name.contains(&arguments.only);
    compare_all(&builder, &profiles, &is_chosen, &|_| {
        !arguments.same_builder
    })
}

/// Compares the modifications that are chosen, those that `imports` names on a fresh builder too.
pub(super) fn compare_all(
    builder: &Builder,
    profiles: &[&str],
    is_chosen: &dyn Fn(&str) -> bool,
    imports: &dyn Fn(&str) -> bool,
) -> Result<bool, Box<dyn Error>> {
    other_go_image(builder)?;
    let (mut compared, mut faults) = (0, 0);
    for profile in profiles {
        // What another profile has built is the same content, and would be found.
        let builder = &builder.fresh()?;
        let mut sample = Sample::new(builder, profile)?;
        for modification in MODIFICATIONS.iter().filter(|one| is_chosen(one.name)) {
            let name = format!("{profile}: {}", modification.name);
            let predicted = sample.modify(modification)?;
            let same = sample.observe(builder, &[])?;
            faults += sample.compare(
                &format!("{name}, same builder"),
                modification,
                &predicted,
                &same,
            );
            compared += 1;
            if imports(modification.name) {
                let fresh = builder.fresh()?;
                let import = format!("type=registry,ref={}", sample.cache);
                let observed = sample.observe(&fresh, &[("--import-cache", &import)])?;
                faults += sample.compare(
                    &format!("{name}, fresh builder"),
                    modification,
                    &predicted,
                    &observed,
                );
                compared += 1;
            }
            sample.restore()?;
        }
    }
    println!("{compared} builds compared with their predictions: {faults} steps differ");
    Ok(faults == 0 && compared > 0)
}

/// A Go image that differs from the usual one.
fn other_go_image(builder: &Builder) -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let release = crate::tools::GO_RELEASE;
    fs::write(
        scratch.path().join("Dockerfile"),
        format!("FROM golang:{release} AS other\nRUN touch /other\n"),
    )?;
    let registry = builder.registry();
    let request = Request::new(scratch.path(), scratch.path(), "other").argument(
        "--output",
        &format!("type=image,name={registry}/library/golang:other,push=true"),
    );
    builder.build(&request)?.or_failure()?;
    Ok(())
}

/// The sample, built once.
struct Sample {
    checkout: Checkout,
    build: ServiceBuild,
    inputs: Vec<ImageInputs>,
    binary: Vec<u8>,
    cache: String,
    /// Files as they were, by path.
    saved: BTreeMap<&'static str, String>,
}

/// What a build did.
struct Observed {
    record: Record,
    binary: Vec<u8>,
}

impl Sample {
    fn new(builder: &Builder, profile: &str) -> Result<Self, Box<dyn Error>> {
        let case = Case::parse("steps", "sample", SAMPLE)?;
        let selection = Selection::of_service("api", &format!("profile = \"{profile}\"\n"));
        let mut checkout = selection.prepare(&Source::Case(Box::new(case)))?;
        let sums = sums(&checkout)?;
        fs::write(checkout.root.join("go.sum"), sums)?;
        checkout.plan_again()?;
        let build =
            checkout.builds.first().cloned().ok_or_else(|| {
                format!("the sample has no build: {:?}", checkout.plan.diagnostics)
            })?;
        let mut sample = Self {
            inputs: inputs(&checkout),
            build,
            checkout,
            binary: Vec::new(),
            cache: format!("{}/cache:{profile}", builder.registry()),
            saved: BTreeMap::new(),
        };
        let export = format!("type=registry,ref={},mode=max", sample.cache);
        sample.binary = sample
            .observe(builder, &[("--export-cache", &export)])?
            .binary;
        Ok(sample)
    }

    /// Applies a modification, and predicts what a build runs.
    fn modify(&mut self, modification: &Modification) -> Result<Prediction, Box<dyn Error>> {
        let mut changed = BTreeSet::new();
        for edit in modification.edits {
            let (Append(path, _) | Replace(path, ..) | Prepend(path, _)) = edit;
            let file = self.checkout.root.join(path);
            let text = fs::read_to_string(&file)?;
            let edited = match edit {
                Append(_, more) => format!("{text}{more}"),
                Prepend(_, more) => format!("{more}{text}"),
                Replace(_, from, to) => text.replace(from, to),
            };
            if edited == text {
                return Err(format!("{}: nothing changed", modification.name).into());
            }
            fs::write(&file, edited)?;
            self.saved.insert(path, text);
            changed.insert(RepoPath::new(path)?);
        }
        self.checkout.plan_again()?;
        let build = self
            .checkout
            .builds
            .first()
            .ok_or_else(|| format!("no build: {:?}", self.checkout.plan.diagnostics))?;
        let before = ServiceState {
            build: &self.build,
            inputs: self.inputs.iter().collect(),
        };
        let now = inputs(&self.checkout);
        let after = ServiceState {
            build,
            inputs: now.iter().collect(),
        };
        Ok(predict(&before, &after, &changed)?)
    }

    fn restore(&mut self) -> Result<(), Box<dyn Error>> {
        for (path, text) in std::mem::take(&mut self.saved) {
            fs::write(self.checkout.root.join(path), text)?;
        }
        Ok(())
    }

    fn observe(
        &self,
        builder: &Builder,
        arguments: &[(&str, &str)],
    ) -> Result<Observed, Box<dyn Error>> {
        let output = self.checkout.scratch.path().join("observed");
        let build = self.checkout.builds.first().ok_or("no build")?;
        let mut request = self
            .checkout
            .request(build, "final")
            .into_directory(&output);
        for (name, value) in arguments {
            request = request.argument(name, value);
        }
        let record = builder.build(&request)?.or_failure()?;
        let binary = fs::read(output.join("usr/local/bin").join(build.service.as_str()))?;
        fs::remove_dir_all(&output)?;
        Ok(Observed { record, binary })
    }

    /// Counts the steps that did something else than was predicted.
    fn compare(
        &self,
        name: &str,
        modification: &Modification,
        predicted: &Prediction,
        observed: &Observed,
    ) -> usize {
        let mut outcomes: BTreeMap<(&str, usize), Outcome> = BTreeMap::new();
        for step in &observed.record.steps {
            if let Some(place) = step.place() {
                outcomes.insert(place, step.outcome);
            }
        }
        let mut faults = 0;
        let mut ran = Vec::new();
        for step in &predicted.steps {
            let expected = match step.forecast {
                Forecast::Cached => Outcome::Cached,
                Forecast::Runs => Outcome::Ran,
                Forecast::Follows("resolve") => match modification.resolves {
                    Yield::Same => Outcome::Cached,
                    Yield::Other => Outcome::Ran,
                },
                Forecast::Follows(_) if observed.binary == self.binary => Outcome::Cached,
                Forecast::Follows(_) => Outcome::Ran,
            };
            // `sources` begins as `deps` does, which BuildKit does once. What it does not speak of it did not need.
            let place = (step.stage, step.number);
            let twin = (place == ("sources", 1)).then_some(("deps", 1));
            let outcome = outcomes
                .get(&place)
                .or_else(|| outcomes.get(&twin?))
                .copied()
                .unwrap_or(Outcome::Cached);
            if outcome == Outcome::Ran && ran.last() != Some(&step.stage) {
                ran.push(step.stage);
            }
            if outcome != expected {
                faults += 1;
                println!(
                    "{name}: {} {}: predicted {}, observed {outcome:?}",
                    step.stage, step.number, step.forecast
                );
            }
        }
        let ran = if ran.is_empty() {
            "nothing".to_owned()
        } else {
            ran.join(", ")
        };
        println!(
            "{name}: ran {ran} in {:.1} s",
            observed.record.took.as_secs_f32()
        );
        faults
    }
}

fn inputs(checkout: &Checkout) -> Vec<ImageInputs> {
    let images = checkout.plan.images.iter();
    let build = checkout.builds.first();
    images
        .filter(|image| build.is_some_and(|build| build.service == image.inputs.service))
        .map(|image| image.inputs.clone())
        .collect()
}

/// The lines of go.sum for all modules of the proxy.
fn sums(checkout: &Checkout) -> Result<String, Box<dyn Error>> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Downloaded {
        path: String,
        version: String,
        sum: String,
        go_mod_sum: String,
    }
    let mut command: Command = checkout.go_in(&checkout.root);
    let output = command
        .args(["mod", "download", "-json"])
        .args(KNOWN)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let mut lines = BTreeSet::new();
    for one in serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Downloaded>() {
        let one = one?;
        lines.insert(format!("{} {} {}\n", one.path, one.version, one.sum));
        lines.insert(format!(
            "{} {}/go.mod {}\n",
            one.path, one.version, one.go_mod_sum
        ));
    }
    Ok(lines.into_iter().collect())
}
