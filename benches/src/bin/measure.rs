//! `rebake-measure`: how long plans take, and how much memory they need.
//!
//! Programs are timed from start to exit, with a warm page cache, in turns: so what disturbs the
//! machine for a while disturbs all of them. Compare the ratios of one run, not times of two.

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Parser, Subcommand};
use rebake_benches::beside_git;
use rebake_benches::floor::{Done, Files};
use rebake_benches::go_list::GoList;
use rebake_benches::planned_files::PlannedFiles;
use rebake_benches::process;
use rebake_benches::replan;
use rebake_benches::samples::Samples;
use rebake_benches::stages;
use rebake_benches::synthetic::{Shape, generate};
use rebake_benches::table::Table;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

type Failure = Box<dyn std::error::Error>;

/// As the planner's own program has it, so that what is measured in this process is what a user gets.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure how long plans take, and how much memory they need.
#[derive(Debug, Parser)]
#[command(name = "rebake-measure")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Compare plans of checkouts with the floor program and with `go list -deps -json`
    ///
    /// `go list` may write go.work.sum, so give it copies.
    Real(Real),
    /// Compare plans of generated monorepos of growing size with the floor program
    Scale(Scale),
    /// Compare plans with a baseline with `git status` and `git diff --name-only`, with a cache and without one
    Base(Base),
    /// Say what each stage takes of a plan, on one thread
    Stages(InProcess),
    /// Compare a plan that follows an edit, as `plan --watch` does, with a whole plan
    ///
    /// It edits a file and puts it back, so give it copies.
    Watch(InProcess),
    /// Write a generated monorepo
    Generate(Generate),
    /// Run a program and print its peak resident memory in bytes
    PeakMemory(PeakMemory),
}

#[derive(Debug, Args)]
struct Programs {
    /// The planner; by default the one beside this program
    #[arg(long, value_name = "FILE")]
    rebake: Option<PathBuf>,
    /// The floor program; by default the one beside this program
    #[arg(long, value_name = "FILE")]
    floor: Option<PathBuf>,
    /// Threads of planner and floor program; all processors without it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// How often each program runs
    #[arg(long, default_value_t = 15)]
    runs: usize,
    /// Which services to plan
    #[arg(long = "services", value_name = "GLOB", default_values_t = ["**".to_owned()])]
    services: Vec<String>,
}

#[derive(Debug, Args)]
struct Real {
    /// Checkouts
    #[arg(required = true)]
    directories: Vec<PathBuf>,
    #[command(flatten)]
    programs: Programs,
    /// The go command
    #[arg(long, default_value = "go", value_name = "FILE")]
    go: PathBuf,
    /// How often `go list` runs; 0 leaves it out
    #[arg(long, default_value_t = 5)]
    go_runs: usize,
    /// Without the planner: the floor program reads every Go file
    #[arg(long)]
    floor_only: bool,
}

#[derive(Debug, Args)]
struct Scale {
    /// How many services the generated monorepos have
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1000])]
    sizes: Vec<u32>,
    #[command(flatten)]
    programs: Programs,
    #[command(flatten)]
    shape: Shape,
    /// Without the planner: the floor program reads every Go file
    #[arg(long)]
    floor_only: bool,
}

#[derive(Debug, Args)]
struct Base {
    /// Checkouts
    #[arg(required = true)]
    directories: Vec<PathBuf>,
    /// What to compare with
    #[arg(long, default_value = "HEAD~1", value_name = "REV")]
    revision: String,
    #[command(flatten)]
    programs: Programs,
}

#[derive(Debug, Args)]
struct InProcess {
    /// Checkouts
    #[arg(required = true)]
    directories: Vec<Utf8PathBuf>,
    /// How often each is measured
    #[arg(long, default_value_t = 15)]
    runs: usize,
}

#[derive(Debug, Args)]
struct Generate {
    /// An empty directory, or one to make
    directory: PathBuf,
    /// How many services the monorepo has
    #[arg(long, default_value_t = 100)]
    services: u32,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Debug, Args)]
struct PeakMemory {
    program: PathBuf,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

fn main() -> Result<(), Failure> {
    match Arguments::parse().task {
        Task::Real(real) => measure_real(&real),
        Task::Scale(scale) => measure_scale(&scale),
        Task::Base(base) => measure_base(&base),
        Task::Stages(stages) => measure_stages(&stages),
        Task::Watch(watch) => measure_watch(&watch),
        Task::Generate(Generate {
            directory,
            services,
            shape,
        }) => {
            let written = generate(&directory, services, &shape)?;
            print(format_args!(
                "{} files, {} of them Go, {} bytes\n",
                written.files, written.go_files, written.bytes
            ))
        }
        Task::PeakMemory(PeakMemory { program, arguments }) => {
            let bytes = process::peak_memory(&program, &arguments)?;
            print(format_args!("{bytes}\n"))
        }
    }
}

fn measure_real(real: &Real) -> Result<(), Failure> {
    let mut table = Table::new([
        "repository",
        "services",
        "files",
        "MiB",
        "plan ms",
        "floor ms",
        "plan ÷ floor",
        "go list ms",
        "go list ÷ plan",
        "plan's peak MiB",
    ]);
    let mut failed = Vec::new();
    for directory in &real.directories {
        let mut go_list = GoList::default();
        if real.go_runs > 0 {
            go_list = GoList::of(&real.go, directory)?;
            failed.append(&mut go_list.failed);
        }
        let contest = Contest::new(directory, &real.programs, real.floor_only)?;
        let times = contest.run(real.programs.runs, &mut go_list.commands, real.go_runs)?;
        let name = directory.canonicalize()?;
        table.add([
            name.file_name().unwrap_or_default().display().to_string(),
            contest.services.map_or_else(unmeasured, |n| n.to_string()),
            contest.done.files.to_string(),
            mebibytes(contest.done.bytes),
            milliseconds(times.plan.as_ref()),
            milliseconds(times.floor.as_ref()),
            ratio(times.plan.as_ref(), times.floor.as_ref()),
            milliseconds(times.go_list.as_ref()),
            ratio(times.go_list.as_ref(), times.plan.as_ref()),
            contest.plan_peak()?.map_or_else(unmeasured, mebibytes),
        ]);
    }
    print(format_args!("{table}"))?;
    for failure in failed {
        print(format_args!("left out of go list: {failure}\n"))?;
    }
    Ok(())
}

fn measure_base(base: &Base) -> Result<(), Failure> {
    let mut table = Table::new([
        "repository",
        "git status + diff ms",
        "plan --base, warm ms",
        "warm ÷ git",
        "plan --base, cold ms",
        "cold ÷ plan",
        "plan, cold ms",
        "plan, warm ms",
        "warm ÷ cold plan",
    ]);
    let rebake = match &base.programs.rebake {
        Some(path) => path.clone(),
        None => beside("rebake")?,
    };
    for directory in &base.directories {
        let times = beside_git::measure(
            &rebake,
            directory,
            &base.revision,
            &base.programs.services,
            base.programs.runs,
        )?;
        let name = directory.canonicalize()?;
        table.add([
            name.file_name().unwrap_or_default().display().to_string(),
            times.git.milliseconds(),
            times.warm.milliseconds(),
            times.warm.times(&times.git),
            times.cold.milliseconds(),
            times.cold.times(&times.alone),
            times.alone.milliseconds(),
            times.alone_warm.milliseconds(),
            times.alone_warm.times(&times.alone),
        ]);
    }
    print(format_args!("{table}"))
}

fn measure_stages(arguments: &InProcess) -> Result<(), Failure> {
    for directory in &arguments.directories {
        let times = stages::measure(directory, arguments.runs).map_err(boxed)?;
        let mut table = Table::new([name_of(directory), "ms", "÷ plan"]);
        for (part, samples) in stages::PARTS.iter().zip(&times.parts) {
            table.add([
                (*part).to_owned(),
                samples.milliseconds(),
                samples.times(&times.whole),
            ]);
        }
        let whole = "plan and JSON".to_owned();
        table.add([whole, times.whole.milliseconds(), unmeasured()]);
        print(format_args!("{table}\n"))?;
    }
    Ok(())
}

fn measure_watch(arguments: &InProcess) -> Result<(), Failure> {
    let mut table = Table::new([
        "repository",
        "plan ms",
        "plan after an edit ms",
        "plan ÷ after an edit",
    ]);
    for directory in &arguments.directories {
        let times = replan::measure(directory, arguments.runs).map_err(boxed)?;
        table.add([
            name_of(directory).to_owned(),
            times.whole.milliseconds(),
            times.followed.milliseconds(),
            times.whole.times(&times.followed),
        ]);
    }
    print(format_args!("{table}"))
}

fn boxed(error: Box<dyn std::error::Error + Send + Sync>) -> Failure {
    error
}

fn name_of(directory: &Utf8Path) -> &str {
    directory.file_name().unwrap_or(directory.as_str())
}

/// A program that is built with this one.
fn beside(name: &str) -> Result<PathBuf, Failure> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    Ok(std::env::current_exe()?.with_file_name(name))
}

fn measure_scale(scale: &Scale) -> Result<(), Failure> {
    let mut table = Table::new([
        "generated monorepo",
        "files",
        "read",
        "MiB",
        "plan ms",
        "floor ms",
        "plan ÷ floor",
        "plan µs per file",
        "floor µs per file",
        "plan's peak MiB",
    ]);
    for &services in &scale.sizes {
        let root = tempfile::tempdir()?;
        let written = generate(root.path(), services, &scale.shape)?;
        // What still has to reach the disk would disturb the measurement.
        process::output(&mut Command::new("sync"))?;
        let contest = Contest::new(root.path(), &scale.programs, scale.floor_only)?;
        let times = contest.run(scale.programs.runs, &mut [], 0)?;
        let per_file = |samples: Option<&Samples>| {
            samples.map_or_else(unmeasured, |samples| {
                let microseconds = samples.median().as_secs_f64() * 1e6;
                format!("{:.2}", microseconds / contest.done.files as f64)
            })
        };
        table.add([
            format!("{services} services"),
            written.files.to_string(),
            contest.done.files.to_string(),
            mebibytes(contest.done.bytes),
            milliseconds(times.plan.as_ref()),
            milliseconds(times.floor.as_ref()),
            ratio(times.plan.as_ref(), times.floor.as_ref()),
            per_file(times.plan.as_ref()),
            per_file(times.floor.as_ref()),
            contest.plan_peak()?.map_or_else(unmeasured, mebibytes),
        ]);
    }
    print(format_args!("{table}"))
}

/// A plan and the floor program, over the same files of one tree.
struct Contest<'a> {
    root: &'a Path,
    programs: &'a Programs,
    rebake: Option<PathBuf>,
    floor: PathBuf,
    services: Option<usize>,
    files: Option<tempfile::NamedTempFile>,
    done: Done,
}

struct Times {
    plan: Option<Samples>,
    floor: Option<Samples>,
    go_list: Option<Samples>,
}

impl<'a> Contest<'a> {
    /// Asks the planner which files it reads, and reads them once, so that they are in memory.
    fn new(root: &'a Path, programs: &'a Programs, floor_only: bool) -> Result<Self, Failure> {
        let floor = match &programs.floor {
            Some(path) => path.clone(),
            None => beside("rebake-floor")?,
        };
        let mut contest = Self {
            root,
            programs,
            rebake: None,
            floor,
            services: None,
            files: None,
            done: rebake_benches::floor::run(root, Files::EveryGoFile)?,
        };
        if !floor_only {
            let rebake = match &programs.rebake {
                Some(path) => path.clone(),
                None => beside("rebake")?,
            };
            let document = process::output(&mut contest.planner(&rebake, "inputs"))?;
            let planned = PlannedFiles::parse(&document)?;
            let mut list = tempfile::NamedTempFile::new()?;
            list.write_all(planned.files.join("\n").as_bytes())?;
            contest.services = Some(planned.services);
            contest.done = rebake_benches::floor::run(root, Files::Listed(planned.files))?;
            contest.rebake = Some(rebake);
            contest.files = Some(list);
        }
        Ok(contest)
    }

    fn planner(&self, rebake: &Path, verb: &str) -> Command {
        let mut command = Command::new(rebake);
        command.args([verb, "--format", "json", "--no-cache", "--root"]);
        command.arg(self.root);
        for glob in &self.programs.services {
            command.args(["--services", glob]);
        }
        self.limit_threads(&mut command);
        command
    }

    fn floor(&self) -> Command {
        let mut command = Command::new(&self.floor);
        command.arg(self.root);
        match &self.files {
            Some(list) => command.arg("--files").arg(list.path()),
            None => command.arg("--all-go"),
        };
        self.limit_threads(&mut command);
        command
    }

    fn limit_threads(&self, command: &mut Command) {
        if let Some(threads) = self.programs.threads {
            command.env("RAYON_NUM_THREADS", threads.to_string());
        }
    }

    /// Runs the programs in turns, after one run of each that doesn't count.
    fn run(&self, runs: usize, go_list: &mut [Command], go_runs: usize) -> Result<Times, Failure> {
        let mut plan = self.rebake.as_ref().map(|path| self.planner(path, "plan"));
        let mut floor = self.floor();
        let (mut plans, mut floors, mut lists) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(plan) = &mut plan {
            process::output(plan)?;
        }
        process::output(&mut floor)?;
        for run in 0..runs.max(go_runs) {
            if run < runs {
                if let Some(plan) = &mut plan {
                    plans.push(process::time(plan)?);
                }
                floors.push(process::time(&mut floor)?);
            }
            if run < go_runs && !go_list.is_empty() {
                let mut all = Duration::ZERO;
                for command in &mut *go_list {
                    all += process::time(command)?;
                }
                lists.push(all);
            }
        }
        Ok(Times {
            plan: Samples::new(plans),
            floor: Samples::new(floors),
            go_list: Samples::new(lists),
        })
    }

    /// The planner's peak resident memory, measured by another process of this program.
    fn plan_peak(&self) -> Result<Option<u64>, Failure> {
        let Some(rebake) = &self.rebake else {
            return Ok(None);
        };
        let plan = self.planner(rebake, "plan");
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["peak-memory", "--"]);
        command.arg(plan.get_program()).args(plan.get_args());
        self.limit_threads(&mut command);
        let printed = String::from_utf8(process::output(&mut command)?)?;
        Ok(Some(printed.trim().parse()?))
    }
}

fn milliseconds(samples: Option<&Samples>) -> String {
    samples.map_or_else(unmeasured, Samples::milliseconds)
}

fn ratio(one: Option<&Samples>, other: Option<&Samples>) -> String {
    one.zip(other)
        .map_or_else(unmeasured, |(one, other)| one.times(other))
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

fn unmeasured() -> String {
    "–".to_owned()
}

fn print(text: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    Ok(std::io::stdout().write_fmt(text)?)
}
