//! What emitted builds cost beside the Dockerfiles that people write today.
//!
//! In: a checkout, one of its services, and edits. Out: for each edit what the builder spent on it: CPU time, which hardly
//! depends on what else the machine does, wall time, bytes of the context, steps that ran. The other Dockerfiles are the
//! usual ones, at their best: of the service's module alone where that holds all that it needs, with the checkout's own
//! ignore file, and `go build` with the same flags.

use super::checkout::{Checkout, Selection, Source};
use crate::builder::{Builder, CpuTime, Outcome, Record, Request, Toolchain};
use camino::Utf8PathBuf;
use rebake_planner::emit::{Layout, ServiceBuild};
use std::{
    collections::BTreeMap,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The checkout.
    directory: PathBuf,
    /// The name of the service.
    #[arg(long)]
    service: String,
    /// A Go file of its main package.
    #[arg(long, value_name = "FILE")]
    source: Utf8PathBuf,
    /// A Go file of a package that it imports.
    #[arg(long, value_name = "FILE")]
    shared: Utf8PathBuf,
    /// Another version of a module that it links.
    #[arg(long, value_name = "MODULE@VERSION")]
    linked: String,
    /// A version of a module that it does not link.
    #[arg(long, value_name = "MODULE@VERSION")]
    unlinked: String,
    /// Only these ways to build.
    #[arg(long, value_delimiter = ',')]
    ways: Vec<Way>,
    /// Only edits whose name holds this text.
    #[arg(long, default_value = "")]
    edits: String,
}

/// A way to build the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    Copied,
    CopiedWithMounts,
    Layers,
    Mounts,
}

impl Way {
    const ALL: [Self; 4] = [
        Self::Copied,
        Self::CopiedWithMounts,
        Self::Layers,
        Self::Mounts,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Copied => "COPY . .",
            Self::CopiedWithMounts => "COPY . . with cache mounts",
            Self::Layers => "layers",
            Self::Mounts => "mounts",
        }
    }

    /// The name of its images and caches.
    fn slug(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::CopiedWithMounts => "copied-with-mounts",
            Self::Layers => "layers",
            Self::Mounts => "mounts",
        }
    }

    /// The profile of the emitted build; the ways of today need none of it.
    fn profile(self) -> &'static str {
        match self {
            Self::Mounts => "mounts",
            _ => "layers",
        }
    }

    /// Whether it is made for runners that start empty.
    fn travels(self) -> bool {
        matches!(self, Self::Copied | Self::Layers)
    }
}

/// Files as they are after an edit, by path.
type Edited = BTreeMap<Utf8PathBuf, String>;

/// What a build took.
struct Cost {
    cpu: CpuTime,
    took: Duration,
    sent: u64,
    ran: Vec<String>,
    digest: String,
}

/// The costs of an edit, or of the first build.
struct Row {
    name: String,
    costs: Vec<Option<Cost>>,
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let base = Builder::start_with(Toolchain::Fresh)?;
    let mut rows: Vec<Row> = Vec::new();
    let mut exports = Vec::new();
    let ways: Vec<Way> = Way::ALL
        .into_iter()
        .filter(|way| arguments.ways.is_empty() || arguments.ways.contains(way))
        .collect();
    let mut all_well = true;
    for (column, way) in ways.iter().enumerate() {
        let mut put = |name: String, cost: Cost| {
            println!(
                "{}: {name}: {} s CPU, {} of them in steps, {} s, {} kB sent, ran {}",
                way.name(),
                seconds(cost.cpu.total()),
                seconds(cost.cpu.steps),
                seconds(cost.took),
                cost.sent / 1000,
                if cost.ran.is_empty() {
                    "nothing".to_owned()
                } else {
                    cost.ran.join(", ")
                }
            );
            let row = match rows.iter().position(|row| row.name == name) {
                Some(row) => row,
                None => {
                    let costs = Vec::new();
                    rows.push(Row { name, costs });
                    rows.len() - 1
                }
            };
            rows[row].costs.resize_with(column, || None);
            rows[row].costs.push(Some(cost));
        };
        let mut service = Service::prepare(arguments, *way)?;
        let builder = base.fresh()?;
        let cold = service.build(&builder, None)?;
        let (digest, cold_cpu) = (cold.digest.clone(), cold.cpu.total());
        put("cold".to_owned(), cold);
        let (export, size) = service.export(&builder)?;
        println!(
            "{}: cache export: {} s CPU, {} MB",
            way.name(),
            seconds(export),
            megabytes(size)
        );
        exports.push((export, size));
        let edits = EDITS.into_iter();
        for edit in edits.filter(|edit| edit.name().contains(&arguments.edits)) {
            let edited = service.edited(arguments, edit)?;
            let saved = service.apply(&edited)?;
            let everywhere = matches!(edit, Edit::Unrelated | Edit::Source);
            if everywhere || !way.travels() {
                let cost = service.build(&builder, None)?;
                all_well &= service.is_as_promised(edit, &cost, &digest, cold_cpu);
                put(format!("{}, same builder", edit.name()), cost);
            }
            if way.travels() || edit == Edit::Source {
                let fresh = base.fresh()?;
                let import = format!("type=registry,ref={}", service.cache(&fresh));
                let cost = service.build(&fresh, Some(&import))?;
                all_well &= service.is_as_promised(edit, &cost, &digest, cold_cpu);
                put(format!("{}, fresh builder", edit.name()), cost);
            }
            service.apply(&saved)?;
            service.checkout.plan_again()?;
        }
    }
    print!("{}", tables(&ways, &rows, &exports));
    Ok(all_well)
}

/// An edit of the checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    Unrelated,
    Source,
    Shared,
    Linked,
    Unlinked,
}

const EDITS: [Edit; 5] = [
    Edit::Unrelated,
    Edit::Source,
    Edit::Shared,
    Edit::Linked,
    Edit::Unlinked,
];

impl Edit {
    fn name(self) -> &'static str {
        match self {
            Self::Unrelated => "README",
            Self::Source => "source file",
            Self::Shared => "shared package",
            Self::Linked => "linked module",
            Self::Unlinked => "module that is not linked",
        }
    }
}

/// A service in a copy of the checkout, with the Dockerfile of a way to build it.
struct Service {
    way: Way,
    checkout: Checkout,
    build: ServiceBuild,
    /// Where the Dockerfile of today is.
    dockerfile: tempfile::TempDir,
}

impl Service {
    fn prepare(arguments: &Arguments, way: Way) -> Result<Self, Box<dyn Error>> {
        let config = format!("profile = {:?}\n", way.profile());
        let selection = Selection::of_service(&arguments.service, &config);
        let checkout = selection.prepare(&Source::Directory(arguments.directory.clone()))?;
        // Whoever copies everything keeps the history out.
        let git = checkout.root.join(".git");
        if git.is_dir() {
            fs::remove_dir_all(git)?;
        }
        // A service whose name holds this one is prepared too.
        let mut builds = checkout.builds.iter();
        let build = builds
            .find(|build| build.service.as_str() == arguments.service)
            .ok_or_else(|| format!("there is no service {}", arguments.service))?
            .clone();
        let service = Self {
            way,
            checkout,
            build,
            dockerfile: tempfile::tempdir()?,
        };
        let own = service.context().join(".dockerignore");
        let ignored = fs::read_to_string(own).unwrap_or_default();
        let at = |name: &str| service.dockerfile.path().join(name);
        fs::write(
            at("Dockerfile.dockerignore"),
            format!("{ignored}\n.rebake\nrebake.toml\n"),
        )?;
        fs::write(at("Dockerfile"), service.dockerfile_of_today()?)?;
        Ok(service)
    }

    /// The context of the Dockerfile of today: the module, where that is all.
    fn context(&self) -> PathBuf {
        let root = self.checkout.root.as_std_path();
        match &self.build.layout {
            Layout::Module { linked, .. } if linked.is_empty() => {
                root.join(self.build.module_directory.as_str())
            }
            _ => root.to_owned(),
        }
    }

    fn dockerfile_of_today(&self) -> Result<String, Box<dyn Error>> {
        let Layout::Module { linked, .. } = &self.build.layout else {
            return Err("only single modules without vendored sources are measured".into());
        };
        if !linked.is_empty() {
            return Err("only modules that need no other of the checkout are measured".into());
        }
        let package = self
            .build
            .main_directory
            .strip_prefix(&self.build.module_directory);
        let package = package.unwrap_or_default();
        let name = &self.build.service;
        let (modules, build) = match self.way {
            Way::CopiedWithMounts => (
                "--mount=type=cache,target=/go/pkg/mod ",
                "--mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build ",
            ),
            _ => ("", ""),
        };
        Ok(format!(
            "FROM golang:{release} AS build\n\
             ENV GOCACHE=/root/.cache/go-build\n\
             WORKDIR /src\n\
             COPY go.mod go.sum ./\n\
             RUN {modules}go mod download\n\
             COPY . .\n\
             RUN {build}CGO_ENABLED=0 go build -trimpath -ldflags=\"-s -w\" -o /out/{name} ./{package}\n\
             FROM gcr.io/distroless/static-debian13:nonroot AS final\n\
             COPY --from=build /out/{name} /usr/local/bin/{name}\n\
             USER nonroot:nonroot\n\
             ENTRYPOINT [\"/usr/local/bin/{name}\"]\n",
            release = crate::tools::GO_RELEASE,
        ))
    }

    /// Where a builder finds the cache that another has exported.
    fn cache(&self, builder: &Builder) -> String {
        format!("{}/cache:{}", builder.registry(), self.way.slug())
    }

    fn request(&self, builder: &Builder) -> Request {
        let request = match self.way {
            Way::Layers | Way::Mounts => self.checkout.request(&self.build, "final"),
            Way::Copied | Way::CopiedWithMounts => {
                Request::new(&self.context(), self.dockerfile.path(), "final")
            }
        };
        let image = format!("{}/beside/{}", builder.registry(), self.way.slug());
        request
            .option("build-arg:SOURCE_DATE_EPOCH", "0")
            .argument("--output", &format!("type=image,name={image},push=true"))
    }

    /// Builds and pushes, with a cache from elsewhere.
    fn build(&self, builder: &Builder, import: Option<&str>) -> Result<Cost, Box<dyn Error>> {
        let metadata = self.dockerfile.path().join("metadata.json");
        let mut request = self
            .request(builder)
            .argument("--metadata-file", &metadata.display().to_string());
        if let Some(import) = import {
            request = request.argument("--import-cache", import);
        }
        let before = builder.cpu_time()?;
        let record = builder.build(&request)?.or_failure()?;
        let cpu = builder.cpu_time()?.since(before);
        Ok(Cost {
            cpu,
            took: record.took,
            sent: record.sent,
            ran: ran(&record),
            digest: digest(&metadata)?,
        })
    }

    /// Exports the cache of what was built; tells what that took, and how large the cache is.
    fn export(&self, builder: &Builder) -> Result<(Duration, u64), Box<dyn Error>> {
        let export = format!(
            "type=registry,ref={},mode=max,compression=zstd",
            self.cache(builder)
        );
        let request = self.request(builder).argument("--export-cache", &export);
        let before = builder.cpu_time()?;
        builder.build(&request)?.or_failure()?;
        let cpu = builder.cpu_time()?.since(before).total();
        let cache = builder.pushed().digest("cache", self.way.slug())?;
        let cache = builder.pushed().document(&cache)?;
        let layers = cache["layers"]
            .as_array()
            .ok_or("the cache has no layers")?;
        let sizes = layers.iter().filter_map(|layer| layer["size"].as_u64());
        Ok((cpu, sizes.sum()))
    }

    /// The files that an edit changes.
    fn edited(&self, arguments: &Arguments, edit: Edit) -> Result<Edited, Box<dyn Error>> {
        let read = |path: &Utf8PathBuf| -> Result<String, Box<dyn Error>> {
            let text = fs::read_to_string(self.checkout.root.join(path));
            Ok(text.map_err(|error| format!("{path}: {error}"))?)
        };
        let with = |path: Utf8PathBuf, more: &str| -> Result<Edited, Box<dyn Error>> {
            let text = read(&path)?;
            Ok(BTreeMap::from([(path, format!("{text}{more}"))]))
        };
        let code = "\nfunc init() { println(\"measured\") }\n";
        let module = match edit {
            Edit::Unrelated => {
                let directory = self.build.module_directory.as_str();
                return with(Utf8PathBuf::from(directory).join("README.md"), "\nMore.\n");
            }
            Edit::Source => return with(arguments.source.clone(), code),
            Edit::Shared => return with(arguments.shared.clone(), code),
            Edit::Linked => &arguments.linked,
            Edit::Unlinked => &arguments.unlinked,
        };
        // The toolchain makes the edit, and what it changed is taken back until it is wanted.
        let directory = self
            .checkout
            .root
            .join(self.build.module_directory.as_str());
        let files = ["go.mod", "go.sum"]
            .map(|name| Utf8PathBuf::from(self.build.module_directory.as_str()).join(name));
        let before = files.iter().map(&read).collect::<Result<Vec<_>, _>>()?;
        let output = self
            .checkout
            .go_in(&directory)
            .args(["get", module])
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        let after = files.iter().map(&read).collect::<Result<Vec<_>, _>>()?;
        for (path, text) in files.iter().zip(before) {
            fs::write(self.checkout.root.join(path), text)?;
        }
        Ok(files.into_iter().zip(after).collect())
    }

    /// Writes files, plans again, and returns the files as they were.
    fn apply(&mut self, files: &Edited) -> Result<Edited, Box<dyn Error>> {
        let mut saved = Edited::new();
        for (path, text) in files {
            let file = self.checkout.root.join(path);
            saved.insert(path.clone(), fs::read_to_string(&file)?);
            fs::write(file, text)?;
        }
        self.checkout.plan_again()?;
        Ok(saved)
    }

    /// Whether an emitted build keeps what is promised of it.
    fn is_as_promised(&self, edit: Edit, cost: &Cost, digest: &str, cold: Duration) -> bool {
        if self.way != Way::Layers {
            return true;
        }
        let stages = cost.ran.iter().map(String::as_str);
        let mut is_well = match edit {
            Edit::Unrelated => cost.ran.is_empty(),
            Edit::Source | Edit::Shared => stages
                .into_iter()
                .all(|stage| ["sources", "build", "final"].contains(&stage)),
            Edit::Linked => true,
            Edit::Unlinked => stages
                .into_iter()
                .all(|stage| ["manifests", "resolve"].contains(&stage)),
        };
        if matches!(edit, Edit::Unrelated | Edit::Unlinked) {
            is_well &= cost.digest == digest && cost.cpu.total() < cold;
        }
        if !is_well {
            println!("{}: NOT AS PROMISED: {}", edit.name(), cost.ran.join(", "));
        }
        is_well
    }
}

/// The stages of which steps ran.
fn ran(record: &Record) -> Vec<String> {
    let mut stages: Vec<String> = Vec::new();
    for step in &record.steps {
        if let (Some((stage, _)), Outcome::Ran) = (step.place(), step.outcome)
            && !stages.iter().any(|known| known == stage)
        {
            stages.push(stage.to_owned());
        }
    }
    stages
}

fn digest(metadata: &Path) -> Result<String, Box<dyn Error>> {
    let metadata: serde_json::Value = serde_json::from_slice(&fs::read(metadata)?)?;
    let digest = metadata["containerimage.digest"].as_str();
    Ok(digest.ok_or("the image has no digest")?.to_owned())
}

fn seconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f32())
}

fn megabytes(bytes: u64) -> u64 {
    bytes / 1_000_000
}

/// The tables as Markdown: CPU seconds first, then the rest.
fn tables(ways: &[Way], rows: &[Row], exports: &[(Duration, u64)]) -> String {
    let mut text = String::new();
    let mut table = |title: &str, cell: &dyn Fn(&Cost) -> String, exported: Option<Vec<String>>| {
        let names: Vec<&str> = ways.iter().map(|way| way.name()).collect();
        let _ = writeln!(text, "\n| {title} | {} |", names.join(" | "));
        let _ = writeln!(text, "| --- |{}", " --: |".repeat(ways.len()));
        for row in rows {
            let mut cells: Vec<String> = row
                .costs
                .iter()
                .map(|cost| cost.as_ref().map_or_else(|| "–".to_owned(), cell))
                .collect();
            cells.resize(ways.len(), "–".to_owned());
            let _ = writeln!(text, "| {} | {} |", row.name, cells.join(" | "));
        }
        if let Some(exported) = exported {
            let _ = writeln!(text, "| cache, exported | {} |", exported.join(" | "));
        }
    };
    let cpu = exports.iter().map(|(cpu, _)| seconds(*cpu)).collect();
    table("CPU seconds", &|cost| seconds(cost.cpu.total()), Some(cpu));
    table("seconds", &|cost| seconds(cost.took), None);
    let sizes = exports
        .iter()
        .map(|(_, size)| megabytes(*size).to_string())
        .collect();
    table(
        "MB sent",
        &|cost| {
            #[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
            let megabytes = cost.sent as f64 / 1e6;
            format!("{megabytes:.2}")
        },
        Some(sizes),
    );
    table("stages that ran", &|cost| cost.ran.len().to_string(), None);
    text
}
