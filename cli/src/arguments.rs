//! The command line: what can be typed. clap is confined to this module and `main`.

pub(crate) mod ci;

use camino::Utf8PathBuf;
use ci::CiArguments;
use clap::{Args, Parser, Subcommand, ValueEnum, builder::NonEmptyStringValueParser};
use rebake_ci::registry::{Encryption, ImagePrefix};
use rebake_planner::{
    diagnostic::Code,
    discover::service_name::ServiceName,
    go_version::GoVersion,
    spelling::nearest,
    target::{BuildTag, Platform},
};

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  failed: a bad tree, a bad rebake.toml, or --strict and an error or a warning
  2  wrong usage
  3  something must be rebuilt (only with --exit-code)";

/// Says which container images of a Go monorepo must be rebuilt, and why, without a Go toolchain and without a network.
#[derive(Debug, Parser)]
#[command(name = "rebake", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,

    /// When to use colours; `auto` also honours NO_COLOR.
    #[arg(long, value_enum, default_value_t, global = true, value_name = "WHEN")]
    pub(crate) color: Color,

    /// Say nothing on stderr but what made the command fail.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List every service with its image key, and what must be rebuilt.
    Plan(PlanArguments),
    /// List every file, module and setting behind a service's key.
    Inputs(InputsArguments),
    /// Show what changed for a service, and the shortest way from there to it.
    ///
    /// Without a baseline the commit that is checked out is compared with, so the answer is about the edits since.
    Why(WhyArguments),
    /// Show why changes do not matter to a service.
    ///
    /// Without a baseline the commit that is checked out is compared with.
    WhyNot(WhyNotArguments),
    /// Compare two earlier answers, input by input.
    Diff(DiffArguments),
    /// Draw the modules and packages that the services are made of.
    Graph(GraphArguments),
    /// Write a scoped Dockerfile for each service, and a bake file.
    ///
    /// A build sees only what its service needs. The files go to `.rebake`: keep them under version control, and let CI check them with the flag for that.
    Generate(GenerateArguments),
    /// Build the images that must be rebuilt, with `docker buildx bake`.
    ///
    /// Brings the files below `.rebake` up to date first. Without a baseline it builds all services, or all that are named. The bake progress goes to stderr.
    Build(BuildImagesArguments),
    /// Write the exact build context of a service, for a Dockerfile of your own.
    ///
    /// It holds the service's inputs and the manifests that Go reads, and nothing else.
    Context(ContextArguments),
    /// Plan a run of a CI service, and hand it the jobs.
    ///
    /// What to compare with follows from the event that the run is for, unless a baseline is named.
    Ci(CiArguments),
    /// Write a commented rebake.toml with what was found.
    Init(InitArguments),
    /// Plan an embedded sample monorepo, edit it, and plan it again.
    Demo,
    /// Explain a diagnostic by its code.
    Explain(ExplainArguments),
    /// Print a completion script for a shell.
    Completions(CompletionsArguments),
    /// Print the manual page, of everything or of one verb.
    Man(ManArguments),
    /// Print the JSON Schema of what `--format json` prints.
    Schema(SchemaArguments),
}

#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,

    /// End with code 3 when something must be rebuilt.
    #[arg(long)]
    pub(crate) exit_code: bool,

    /// Plan again whenever a file changes, until interrupted; as JSON, one document a line.
    #[arg(long, conflicts_with_all = ["head", "exit_code", "registry"])]
    pub(crate) watch: bool,

    #[command(flatten)]
    pub(crate) baseline: BaselineArguments,
    #[command(flatten)]
    pub(crate) registry: RegistryArguments,
    #[command(flatten)]
    pub(crate) tree: TreeArguments,
    #[command(flatten)]
    pub(crate) build: BuildArguments,
}

#[derive(Debug, Args)]
pub(crate) struct InputsArguments {
    /// The service to list whole; without it, a line a service.
    pub(crate) service: Option<ServiceName>,

    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) tree: TreeArguments,
    #[command(flatten)]
    pub(crate) build: BuildArguments,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArguments {
    /// The service; without it, every service that is rebuilt, or that the path reaches.
    pub(crate) service: Option<ServiceName>,

    /// Show how this file or directory reaches the service, or which services it reaches, whether it changed or not.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["base", "baseline"])]
    pub(crate) path: Option<Utf8PathBuf>,

    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ReportFormat,

    #[command(flatten)]
    pub(crate) baseline: BaselineArguments,
    #[command(flatten)]
    pub(crate) tree: TreeArguments,
    #[command(flatten)]
    pub(crate) build: BuildArguments,
}

#[derive(Debug, Args)]
pub(crate) struct WhyNotArguments {
    /// The service.
    pub(crate) service: ServiceName,

    /// The file or directory; without it, everything that changed.
    pub(crate) path: Option<Utf8PathBuf>,

    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) baseline: BaselineArguments,
    #[command(flatten)]
    pub(crate) tree: TreeArguments,
    #[command(flatten)]
    pub(crate) build: BuildArguments,
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Print the file and write nothing.
    #[arg(long)]
    pub(crate) print: bool,

    #[command(flatten)]
    pub(crate) tree: TreeArguments,
    #[command(flatten)]
    pub(crate) build: BuildArguments,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArguments {
    /// Write nothing; end with code 1 when a file is missing, stale or left over.
    #[arg(long)]
    pub(crate) check: bool,

    /// Write nothing; show which steps of each build run on a builder that has built the baseline, as on a fresh one that
    /// imports its cache.
    #[arg(long, requires = "base", conflicts_with = "check")]
    pub(crate) predict: bool,

    /// How to print a prediction.
    #[arg(long, value_enum, default_value_t, requires = "predict")]
    pub(crate) format: Format,

    /// Predict from the best common ancestor of this revision and what is planned.
    #[arg(long, value_name = "REV", value_parser = NonEmptyStringValueParser::new(), requires = "predict")]
    pub(crate) base: Option<String>,

    #[command(flatten)]
    pub(crate) tree: TreeArguments,
    #[command(flatten)]
    pub(crate) build: BuildArguments,
}

#[derive(Debug, Args)]
pub(crate) struct BuildImagesArguments {
    /// The services; without any, all of them. Those that the baseline shows to be as they were are not built.
    #[arg(id = "service", value_name = "SERVICE")]
    pub(crate) services: Vec<ServiceName>,

    /// What stands before the services' names in the images' names, such as `ghcr.io/acme/shop/`. Default: where the
    /// registry is asked, else nothing.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) images: Option<String>,

    /// The images' tag, beside the content tag. Default: latest.
    #[arg(long)]
    pub(crate) tag: Option<String>,

    /// What binaries are stamped with, where rebake.toml names a variable for it. Default: dev.
    #[arg(long = "image-version", value_name = "TEXT")]
    pub(crate) image_version: Option<String>,

    /// Push the images.
    #[arg(long)]
    pub(crate) push: bool,

    /// Keep in the registry how long the build took, for the summaries of later runs. Of several services in one build
    /// nobody knows which took how long, so nothing is kept of those.
    #[arg(long, requires_all = ["push", "images"])]
    pub(crate) record_time: bool,

    /// Load the images into the local engine.
    #[arg(long, conflicts_with = "push")]
    pub(crate) load: bool,

    /// Build the images with a shell, a debugger and symbols, under the tag `debug`.
    #[arg(long, conflicts_with = "record_time")]
    pub(crate) debug: bool,

    /// Where caches are imported from, up to the service's scope: `type=registry,ref=ghcr.io/acme/cache:`.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) cache_from: Option<String>,

    /// Where caches are exported to, up to the service's scope. Trusted branches alone should.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) cache_to: Option<String>,

    /// The builder; any driver of buildx serves.
    #[arg(long, value_name = "NAME")]
    pub(crate) builder: Option<String>,

    /// Print the command, and neither write nor build anything.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// How to print what was built.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) registry: RegistryArguments,
    #[command(flatten)]
    pub(crate) baseline: BaselineArguments,
    #[command(flatten)]
    pub(crate) tree: TreeArguments,
    #[command(flatten)]
    pub(crate) build: BuildArguments,

    /// Further flags for `docker buildx bake`, behind `--`.
    #[arg(last = true, value_name = "FLAG")]
    pub(crate) bake_flags: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ContextArguments {
    /// The service.
    pub(crate) service: ServiceName,

    /// Where to: a directory that is made, a file whose name ends with `.tar`, or `-` for an archive on stdout.
    #[arg(long, short, value_name = "PATH")]
    pub(crate) output: Utf8PathBuf,

    /// Add the files below `.rebake` that the service's emitted Dockerfile needs.
    #[arg(long)]
    pub(crate) build_files: bool,

    /// Replace a directory that an earlier run has written.
    #[arg(long)]
    pub(crate) replace: bool,

    #[command(flatten)]
    pub(crate) tree: TreeArguments,
    #[command(flatten)]
    pub(crate) build: BuildArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The older answer: what `rebake inputs --format json` or `rebake plan --format json` printed.
    pub(crate) old: Utf8PathBuf,

    /// The newer answer.
    pub(crate) new: Utf8PathBuf,

    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,

    /// End with code 3 when something differs.
    #[arg(long)]
    pub(crate) exit_code: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GraphArguments {
    /// The service to draw; without it, all of them.
    pub(crate) service: Option<ServiceName>,

    /// What the nodes are.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) nodes: Nodes,

    /// Draw only what lies on a way from a change to a service. Without a baseline the commit that is checked out is
    /// compared with.
    #[arg(long)]
    pub(crate) affected: bool,

    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: GraphFormat,

    #[command(flatten)]
    pub(crate) baseline: BaselineArguments,
    #[command(flatten)]
    pub(crate) tree: TreeArguments,
    #[command(flatten)]
    pub(crate) build: BuildArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The code, as a diagnostic shows it; without it, all of them.
    #[arg(value_parser = parse_code)]
    pub(crate) code: Option<Code>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// The verb, such as `plan` or `ci github`; without it, the whole program.
    #[arg(id = "verb", value_name = "VERB")]
    pub(crate) verbs: Vec<String>,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct SchemaArguments {
    /// Which document.
    #[arg(value_enum)]
    pub(crate) document: Document,
}

/// Where the sources come from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tree")]
pub(crate) struct TreeArguments {
    /// The root of the tree; nothing above it is read. Default: the top level of the git checkout, else the nearest
    /// directory up with a go.work, else with a go.mod.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<Utf8PathBuf>,

    /// Plan this commit, straight from git's objects, and not the directory.
    #[arg(long, value_name = "REV", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) head: Option<String>,

    /// How many threads to use. Default: one a core.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,

    /// Use nothing that an earlier run saved in the user's cache directory, and save nothing. The answer is the same.
    #[arg(long)]
    pub(crate) no_cache: bool,
}

/// What is compared with.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Baseline")]
pub(crate) struct BaselineArguments {
    /// Compare with the best common ancestor of this revision and what is planned, straight from git's objects.
    #[arg(long, value_name = "REV", value_parser = NonEmptyStringValueParser::new(), conflicts_with = "baseline")]
    pub(crate) base: Option<String>,

    /// Compare with an earlier answer: what `rebake inputs --format json` printed, which tells every difference, or
    /// `rebake plan --format json`, which tells only whether there is one.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<Utf8PathBuf>,
}

impl BaselineArguments {
    /// Whether anything was named.
    pub(crate) fn is_named(&self) -> bool {
        self.base.is_some() || self.baseline.is_some()
    }
}

/// The registry that is asked for images.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Registry")]
pub(crate) struct RegistryArguments {
    /// Ask the registry for each service's image, `PREFIX<SERVICE>:k-<KEY>`: one that is there is reused, every other is
    /// rebuilt. Credentials are those of docker. With a baseline too, the registry decides and the baseline explains.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) registry: Option<ImagePrefix>,

    /// Speak to the registry without TLS. One on this machine is spoken to so anyway.
    #[arg(long, requires = "registry")]
    pub(crate) registry_insecure: bool,
}

impl RegistryArguments {
    /// Whether the registry is spoken to with TLS.
    pub(crate) fn encryption(&self) -> Encryption {
        encryption(self.registry_insecure)
    }
}

/// Whether a registry is spoken to with TLS.
pub(crate) fn encryption(insecure: bool) -> Encryption {
    if insecure {
        Encryption::Absent
    } else {
        Encryption::Required
    }
}

/// How the images are built.
#[derive(Debug, Args)]
#[command(next_help_heading = "Build")]
pub(crate) struct BuildArguments {
    /// Choose services by a glob over directories, anchored at the root; repeatable. One that begins with `!` leaves out
    /// what it matches. Default: services/**, cmd/**, apps/**, or every main package when these match none.
    #[arg(long, value_name = "GLOB")]
    pub(crate) services: Vec<String>,

    /// The platforms of the images, separated by commas. Default: linux/amd64.
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    pub(crate) platform: Vec<Platform>,

    /// Build with cgo. Default: without.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) cgo: Option<bool>,

    /// Build tags, separated by commas.
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    pub(crate) tags: Vec<BuildTag>,

    /// The Go release that builds the images. Default: the highest go or toolchain line that the build reads.
    #[arg(long, value_name = "VERSION")]
    pub(crate) go: Option<GoVersion>,

    /// End with code 1 when there is an error or a warning.
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs: the contract, version 1.
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people.
    #[default]
    Human,
    /// For programs: the contract, version 1.
    Json,
    /// For a pull request or a job's summary.
    Markdown,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For people.
    #[default]
    Human,
    /// For programs: the contract, version 1.
    Json,
    /// For Graphviz.
    Dot,
    /// For Markdown pages.
    Mermaid,
    /// One page for a browser, with the services, their reasons and packages.
    Html,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Nodes {
    /// Packages.
    #[default]
    Packages,
    /// Modules.
    Modules,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Document {
    /// Of `rebake plan`.
    Plan,
    /// Of `rebake inputs`.
    Inputs,
    /// Of `rebake graph`.
    Graph,
    /// Of `rebake why --path` and `rebake why-not`.
    Standings,
    /// Of `rebake build`.
    Built,
    /// Of `rebake generate --predict`.
    Prediction,
    /// Of `rebake diff`.
    Diff,
    /// Of `rebake.toml`, for editors.
    Config,
}

fn parse_code(text: &str) -> Result<Code, String> {
    Code::ALL
        .iter()
        .find(|code| code.as_str() == text)
        .copied()
        .ok_or_else(
            || match nearest(text, Code::ALL.iter().map(|code| code.as_str())) {
                Some(meant) => format!("no diagnostic has that code; did you mean `{meant}`?"),
                None => "no diagnostic has that code; `rebake explain` lists them".to_owned(),
            },
        )
}
