//! What each stage of a plan costs.
//!
//! In: a checkout. Out: the time of every stage in several plans of one process, on one thread, so that times add up. It
//! must never count time twice: what a stage spends in the tree is the tree's, and a stage within another is its own.
//! Files are parsed and hashed by the stage that needs them first; what that takes is measured once more by itself.

use crate::samples::Samples;
use camino::Utf8Path;
use rebake_planner::{
    emit::{Build, emit_service, emit_shared},
    file_kind::FileKind,
    parse::{
        go_file::{parse_go_file, parse_header_within},
        go_mod::{Strictness, parse_go_mod},
        go_sum::parse_go_sum,
    },
    path::RepoPath,
    plan::{BaselineImage, Plan, PlanOptions, Stage, StageObserver, plan},
    tree::{ContentDigest, FileMode, Listing, ReadLimit, SourceTree, TreeError, disk::DiskTree},
    wire::{PlanDocument, Root},
};
use std::{
    collections::BTreeMap,
    hint::black_box,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The parts of a plan, in the order in which they are shown.
pub const PARTS: [&str; 10] = [
    "tree: list and read",
    "discover, with what it parses and hashes",
    "graph, with what it parses and hashes",
    "of these two: parse",
    "of these two: hash contents",
    "inputs",
    "keys",
    "decide, against an edit",
    "emit",
    "JSON",
];

/// The time of each part, and of a whole plan with its document.
pub struct Stages {
    /// In the order of [`PARTS`].
    pub parts: Vec<Samples>,
    /// The plan with everything that it reads, and its JSON.
    pub whole: Samples,
}

/// Measures the stages of a plan of every main package of a checkout.
///
/// # Errors
/// When it can't be planned.
pub fn measure(directory: &Utf8Path, runs: usize) -> Result<Stages, Failure> {
    // The times of one thread add up to the whole.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    one.install(|| measure_here(directory, runs.max(1)))
}

fn measure_here(directory: &Utf8Path, runs: usize) -> Result<Stages, Failure> {
    let disk = DiskTree::open(directory)?;
    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let mut wholes = Vec::new();
    let before = baseline_of_an_edit(&disk)?;
    for _ in 0..runs {
        let clock = Arc::new(Clock::default());
        let timed = Timed {
            tree: &disk,
            clock: &clock,
            read: Mutex::default(),
        };
        let mut options = everything();
        options.observer = Some(Arc::clone(&clock) as Arc<dyn StageObserver>);
        let started = Instant::now();
        let mut planned = plan(&timed, &options)?;
        let planning = started.elapsed();
        let spent = clock.spent();
        let of = |part: Part| spent.get(&part).copied().unwrap_or_default();

        // What the stages did with the files, once more and by itself.
        let read = timed.read();
        let hashing = timed_over(&read, |path, content, _| {
            // Of a test file the beginning is enough, and manifests count by their meaning.
            let name = path.file_name().unwrap_or_default();
            if !name.ends_with(".go") || name.ends_with("_test.go") {
                return;
            }
            black_box(ContentDigest::of(content));
        });
        let parsing = timed_over(&read, parse);

        let json = time(|| {
            let root = Root::without_version_control();
            black_box(serde_json::to_vec(&PlanDocument::new(&planned, root, None)).map(|_| ()))
        });
        let deciding = time(|| planned.compare_with(&before));
        let emitting = time(|| emit(&planned));
        for (part, time) in PARTS.into_iter().zip([
            of(Part::Tree),
            of(Part::Stage(Stage::Discover)),
            of(Part::Stage(Stage::Graph)),
            parsing,
            hashing,
            of(Part::Stage(Stage::Inputs)),
            of(Part::Stage(Stage::Hash)),
            deciding,
            emitting,
            json,
        ]) {
            times.entry(part).or_default().push(time);
        }
        wholes.push(planning + json);
    }
    let parts = PARTS
        .iter()
        .filter_map(|part| Samples::new(times.remove(part)?));
    Ok(Stages {
        parts: parts.collect(),
        whole: Samples::new(wholes).ok_or("at least one run")?,
    })
}

/// Options that choose every main package.
pub fn everything() -> PlanOptions {
    let mut options = PlanOptions::new();
    options.services = vec!["**".to_owned()];
    options
}

/// The Go file that is an input of most images.
///
/// # Errors
/// When no image has one.
pub fn most_shared_file(plan: &Plan) -> Result<RepoPath, Failure> {
    let mut counts: BTreeMap<&RepoPath, usize> = BTreeMap::new();
    for image in &plan.images {
        let files = image.inputs.files.iter();
        for file in files.filter(|file| file.kind == FileKind::Go) {
            *counts.entry(&file.path).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    Ok(most.ok_or("no image has a Go file")?.0.clone())
}

fn baseline_of_an_edit(disk: &DiskTree) -> Result<Vec<BaselineImage>, Failure> {
    let edited = most_shared_file(&plan(disk, &everything())?)?;
    let before = plan(&Edited { tree: disk, edited }, &everything())?;
    Ok(before.images.iter().map(BaselineImage::from).collect())
}

fn emit(plan: &Plan) {
    let builds = plan.builds();
    black_box(emit_shared(&builds, plan.groups()));
    for build in &builds {
        if let Build::Emitted(build) = build {
            let _ = black_box(emit_service(build));
        }
    }
}

fn parse(path: &RepoPath, content: &[u8], limit: ReadLimit) {
    match (path.file_name(), limit) {
        (Some("go.mod"), _) => {
            black_box(parse_go_mod(content, Strictness::Strict));
        }
        (Some("go.sum" | "go.work.sum"), _) => {
            black_box(parse_go_sum(content));
        }
        (Some(name), ReadLimit::Bytes(limit)) if name.ends_with("_test.go") => {
            black_box(parse_header_within(&content[..content.len().min(limit)]));
        }
        (Some(name), _) if name.ends_with(".go") => {
            black_box(parse_go_file(content));
        }
        _ => {}
    }
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    black_box(work());
    started.elapsed()
}

fn timed_over(
    read: &[(RepoPath, Vec<u8>, ReadLimit)],
    work: impl Fn(&RepoPath, &[u8], ReadLimit),
) -> Duration {
    time(|| {
        for (path, content, limit) in read {
            work(path, content, *limit);
        }
    })
}

/// What time is spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Tree,
    Stage(Stage),
}

/// Counts the time of what is innermost at each moment.
#[derive(Default)]
struct Clock(Mutex<Running>);

#[derive(Default)]
struct Running {
    spent: BTreeMap<Part, Duration>,
    within: Vec<Part>,
    since: Option<Instant>,
}

impl Clock {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Part>)) {
        let mut running = self.running();
        let now = Instant::now();
        if let (Some(part), Some(since)) = (running.within.last().copied(), running.since) {
            *running.spent.entry(part).or_default() += now - since;
        }
        change(&mut running.within);
        running.since = Some(Instant::now());
    }

    fn during<T>(&self, part: Part, work: impl FnOnce() -> T) -> T {
        self.change(|within| within.push(part));
        let result = work();
        self.change(|within| {
            within.pop();
        });
        result
    }

    fn spent(&self) -> BTreeMap<Part, Duration> {
        self.running().spent.clone()
    }
}

impl StageObserver for Clock {
    fn begins(&self, stage: Stage) {
        self.change(|within| within.push(Part::Stage(stage)));
    }

    fn ends(&self, _stage: Stage) {
        self.change(|within| {
            within.pop();
        });
    }
}

/// A directory whose listing and reading is counted for itself, and which notes what is read.
struct Timed<'t> {
    tree: &'t DiskTree,
    clock: &'t Clock,
    read: Mutex<Vec<(RepoPath, ReadLimit)>>,
}

impl Timed<'_> {
    fn note(&self, file: &RepoPath, limit: ReadLimit) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.push((file.clone(), limit));
    }

    /// What was read, and how much of it.
    fn read(&self) -> Vec<(RepoPath, Vec<u8>, ReadLimit)> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.iter()
            .filter_map(|(path, limit)| {
                let content = self.tree.read(path, *limit).ok()?;
                Some((path.clone(), content, *limit))
            })
            .collect()
    }
}

impl SourceTree for Timed<'_> {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        self.clock.during(Part::Tree, || self.tree.list(directory))
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        self.note(file, limit);
        self.clock
            .during(Part::Tree, || self.tree.read(file, limit))
    }

    fn read_into(
        &self,
        file: &RepoPath,
        limit: ReadLimit,
        content: &mut Vec<u8>,
    ) -> Result<(), TreeError> {
        self.note(file, limit);
        self.clock
            .during(Part::Tree, || self.tree.read_into(file, limit, content))
    }

    fn digest(&self, file: &RepoPath) -> Result<ContentDigest, TreeError> {
        self.clock.during(Part::Tree, || self.tree.digest(file))
    }

    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError> {
        self.clock.during(Part::Tree, || self.tree.read_link(link))
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        self.clock.during(Part::Tree, || self.tree.mode(file))
    }
}

/// A directory in which one file has a line more.
struct Edited<'t> {
    tree: &'t DiskTree,
    edited: RepoPath,
}

impl SourceTree for Edited<'_> {
    fn list(&self, directory: &RepoPath) -> Result<Listing, TreeError> {
        self.tree.list(directory)
    }

    fn read(&self, file: &RepoPath, limit: ReadLimit) -> Result<Vec<u8>, TreeError> {
        let mut content = self.tree.read(file, limit)?;
        if *file == self.edited {
            content.extend_from_slice(b"\n// Edited.\n");
        }
        Ok(content)
    }

    fn read_link(&self, link: &RepoPath) -> Result<String, TreeError> {
        self.tree.read_link(link)
    }

    fn mode(&self, file: &RepoPath) -> Result<FileMode, TreeError> {
        self.tree.mode(file)
    }
}
