//! Which stages of a Dockerfile hand on nothing but the program that the plan knows.
//!
//! In: a parsed Dockerfile, and the program. Out: for each stage whether Go's rules say what it takes of its context, or
//! whether all that it copies counts, and why. It must never take a stage for one that only compiles where it can't follow
//! each of its steps: commands come from a closed list, and the settings of the one `go build` are compared with the plan's.
//!
//! Known gaps: **what a base image sets** (GOFLAGS, a working directory) is not known; **build arguments** count with their
//! defaults; `-o NAME` is taken for a file, though a directory of that name would take the program under its own name.
//!
//! Source: the `go` command's flags and environment (`go help build`, `go help environment`), BuildKit's Dockerfile
//! reference for stages and working directories.

use crate::{
    diagnostic::{Located, Position},
    parse::dockerfile::{Copied, Dockerfile, Stage, Step},
    path::RepoPath,
    target::{BuildContext, Cgo},
};
use std::collections::BTreeMap;

/// The program that a service's Dockerfile is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program<'a> {
    /// The import path of its main package.
    pub(crate) import_path: &'a str,
    /// The directory of its main package.
    pub(crate) directory: &'a RepoPath,
    /// What the plan builds it for.
    pub(crate) context: &'a BuildContext,
}

/// What a stage makes of the files that it takes from the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StageUse {
    /// Nothing but the program comes out of it, or nothing at all.
    Compiles,
    /// They may end in the image: it is the image, or the image is made from it.
    Image,
    /// They may end in the image, or change the program in a way that the plan does not know: where, and why.
    Unclear(Position, String),
}

/// What each stage does, in their order.
pub(crate) fn stage_uses(
    dockerfile: &Dockerfile,
    program: Program<'_>,
    context: &RepoPath,
) -> Vec<StageUse> {
    let stages = &dockerfile.stages;
    let mut uses = vec![StageUse::Compiles; stages.len()];
    let Some(last) = stages.len().checked_sub(1) else {
        return uses;
    };
    let main = program.directory.strip_prefix(context);
    let mut pending: Vec<(usize, StageUse)> = lineage(stages, last)
        .into_iter()
        .map(|stage| (stage, StageUse::Image))
        .collect();
    while let Some((stage, how)) = pending.pop() {
        if uses[stage] != StageUse::Compiles {
            continue;
        }
        uses[stage] = how;
        for step in &stages[stage].steps {
            let Step::Copied(copied) = &step.value else {
                continue;
            };
            let Some(from) = named_stage(stages, stage, copied.from.as_deref()) else {
                continue;
            };
            let steps = Followed::of(stages, from, program, main);
            let unclear = copied
                .sources
                .iter()
                .find_map(|source| steps.why_not_the_program(source, step.position));
            let unclear = unclear.or_else(|| {
                // What the compiling stage takes from others is compiled, or is a tool: the plan knows neither.
                let inner = lineage(stages, from);
                inner
                    .into_iter()
                    .find_map(|stage| takes_from_others(stages, stage))
            });
            if let Some((position, why)) = unclear {
                let how = StageUse::Unclear(position, why);
                let reached = reached_from(stages, from);
                pending.extend(reached.into_iter().map(|stage| (stage, how.clone())));
            }
        }
    }
    uses
}

/// A stage and those that it starts from.
fn lineage(stages: &[Stage], stage: usize) -> Vec<usize> {
    let mut lineage = vec![stage];
    let mut at = stage;
    while let Some(base) = named_stage(stages, at, Some(&stages[at].base)) {
        lineage.push(base);
        at = base;
    }
    lineage
}

/// A stage, those that it starts from, and those that they copy from.
fn reached_from(stages: &[Stage], stage: usize) -> Vec<usize> {
    let mut reached: Vec<usize> = Vec::new();
    let mut pending = vec![stage];
    while let Some(at) = pending.pop() {
        if reached.contains(&at) {
            continue;
        }
        reached.push(at);
        pending.extend(named_stage(stages, at, Some(&stages[at].base)));
        for step in &stages[at].steps {
            if let Step::Copied(copied) = &step.value {
                pending.extend(named_stage(stages, at, copied.from.as_deref()));
            }
        }
    }
    reached
}

/// The stage of that name or number before another.
fn named_stage(stages: &[Stage], before: usize, name: Option<&str>) -> Option<usize> {
    let name = name?.to_ascii_lowercase();
    let earlier = &stages[..before];
    let by_name = earlier
        .iter()
        .rposition(|stage| !stage.name.is_empty() && stage.name == name);
    by_name.or_else(|| {
        let number: usize = name.parse().ok()?;
        (number < before).then_some(number)
    })
}

fn takes_from_others(stages: &[Stage], stage: usize) -> Option<(Position, String)> {
    stages[stage].steps.iter().find_map(|step| {
        let Step::Copied(copied) = &step.value else {
            return None;
        };
        let from = named_stage(stages, stage, copied.from.as_deref())?;
        let takes_from_context = reached_from(stages, from)
            .into_iter()
            .any(|stage| reads_context(&stages[stage]));
        takes_from_context.then(|| {
            let why = "what another stage makes is compiled here".to_owned();
            (step.position, why)
        })
    })
}

fn reads_context(stage: &Stage) -> bool {
    stage
        .steps
        .iter()
        .any(|step| matches!(&step.value, Step::Copied(copied) if copied.from.is_none()))
}

/// What is known after all steps of a stage, and of those that it starts from.
#[derive(Debug, Default)]
struct Followed {
    /// Where the working directory of the base image is known.
    directory: String,
    variables: BTreeMap<String, String>,
    /// Where files of the context went: the sources, and the absolute destination.
    copies: Vec<(Vec<String>, String)>,
    /// The files that hold the program.
    programs: Vec<String>,
    /// The first step that can't be followed.
    unclear: Option<(Position, String)>,
}

/// What the working directory of an image is called that does not say it.
const UNKNOWN_DIRECTORY: &str = "/\u{0}";

/// Where base images keep what Go programs take along. No followed step writes there but package managers.
const SYSTEM: [&str; 7] = [
    "/etc/ssl",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
    "/usr/local/go",
];

/// Commands that bring nothing of the context anywhere: they install packages of the image's distribution, make
/// directories and users, look, or work on the program alone.
const HARMLESS: [&str; 27] = [
    "apk",
    "apt",
    "apt-get",
    "yum",
    "dnf",
    "microdnf",
    "update-ca-certificates",
    "adduser",
    "useradd",
    "addgroup",
    "groupadd",
    "mkdir",
    "chmod",
    "chown",
    "setcap",
    "strip",
    "upx",
    "file",
    "ldd",
    "ls",
    "pwd",
    "date",
    "uname",
    "true",
    "set",
    "echo",
    "rm",
];

impl Followed {
    fn of(stages: &[Stage], stage: usize, program: Program<'_>, main: Option<&str>) -> Self {
        let mut followed = Self::default();
        for stage in lineage(stages, stage).into_iter().rev() {
            let stage = &stages[stage];
            if followed.directory.is_empty() {
                followed.directory = match image_name(&stage.base) {
                    "golang" => "/go",
                    "scratch" => "/",
                    _ => UNKNOWN_DIRECTORY,
                }
                .to_owned();
            }
            for step in &stage.steps {
                if let Err(why) = followed.step(step, program, main) {
                    followed.unclear.get_or_insert((step.position, why));
                }
            }
        }
        followed
    }

    /// Why what is taken from the stage may be something else than the program.
    fn why_not_the_program(&self, source: &str, taken: Position) -> Option<(Position, String)> {
        if let Some(unclear) = &self.unclear {
            return Some(unclear.clone());
        }
        let source = absolute("/", source);
        let lies_in = |path: &str, above: &str| {
            path.strip_prefix(above)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || above == "/")
        };
        let holds_copies = |path: &str| {
            let mut destinations = self.copies.iter().map(|(_, destination)| destination);
            destinations.any(|destination| lies_in(destination, path))
        };
        let lies_in_copies = || {
            let mut destinations = self.copies.iter().map(|(_, destination)| destination);
            destinations.any(|destination| lies_in(&source, destination))
        };
        let is_program = self.programs.contains(&source) && !holds_copies(&source);
        let is_system = SYSTEM.iter().any(|system| lies_in(&source, system))
            && !holds_copies(&source)
            && !lies_in_copies();
        (!is_program && !is_system).then(|| {
            let why = format!(
                "`{}` is not what the one `go build` of that stage writes",
                source.escape_debug()
            );
            (taken, why)
        })
    }

    fn step(
        &mut self,
        step: &Located<Step>,
        program: Program<'_>,
        main: Option<&str>,
    ) -> Result<(), String> {
        match &step.value {
            Step::WorkingDirectory(directory) => {
                refuse_variables(directory)?;
                self.directory = absolute(&self.directory, directory.trim_matches(['"', '\'']));
                Ok(())
            }
            Step::Variables(text) => {
                // `ENV NAME the value`.
                if let Some((name, value)) = text.split_once(char::is_whitespace)
                    && !name.contains('=')
                {
                    let value = expand(value.trim(), &self.variables);
                    self.variables.insert(name.to_owned(), value);
                }
                for word in words(text)? {
                    if let Some((name, value)) = word.split_once('=') {
                        let value = expand(value, &self.variables);
                        self.variables.insert(name.to_owned(), value);
                    }
                }
                Ok(())
            }
            Step::Copied(Copied {
                from: None,
                sources,
                destination,
            }) => {
                refuse_variables(destination)?;
                let destination = absolute(&self.directory, destination);
                self.copies.push((sources.clone(), destination));
                Ok(())
            }
            Step::Copied(_) => Ok(()),
            Step::Shell => Err("another shell reads the commands".to_owned()),
            Step::Run { heredoc: true, .. } => Err("a here-document can't be followed".to_owned()),
            Step::Run { command, .. } => self.run(command, program, main),
        }
    }

    fn run(&mut self, text: &str, program: Program<'_>, main: Option<&str>) -> Result<(), String> {
        if text.starts_with('[') {
            return Err("a command in JSON form can't be followed".to_owned());
        }
        // What holds for one command line alone.
        let mut directory = self.directory.clone();
        let mut exported = self.variables.clone();
        for command in commands(text)? {
            let mut command = command.into_iter().peekable();
            let mut variables = exported.clone();
            while let Some((name, value)) = command
                .peek()
                .and_then(|word| word.split_once('='))
                .filter(|(name, _)| is_variable_name(name))
            {
                let value = expand(value, &exported);
                variables.insert(name.to_owned(), value);
                command.next();
            }
            let Some(name) = command.next() else {
                exported = variables;
                continue;
            };
            let arguments: Vec<String> = command.collect();
            match name.as_str() {
                "cd" => {
                    let [to] = arguments.as_slice() else {
                        return Err("a `cd` can't be followed".to_owned());
                    };
                    refuse_variables(to)?;
                    directory = absolute(&directory, to);
                }
                "export" => {
                    for argument in &arguments {
                        if let Some((name, value)) = argument.split_once('=') {
                            let value = expand(value, &exported);
                            exported.insert(name.to_owned(), value);
                        }
                    }
                }
                "go" => self.go(&directory, &variables, &arguments, program, main)?,
                "git" if arguments.first().is_some_and(|verb| verb == "config") => {}
                name if HARMLESS.contains(&name) => {}
                name => {
                    return Err(format!(
                        "what `{}` does can't be followed",
                        name.escape_debug()
                    ));
                }
            }
        }
        Ok(())
    }

    fn go(
        &mut self,
        directory: &str,
        variables: &BTreeMap<String, String>,
        arguments: &[String],
        program: Program<'_>,
        main: Option<&str>,
    ) -> Result<(), String> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (verb, rest) = match words.as_slice() {
            ["mod", "download" | "verify", ..] | ["version" | "vet" | "list" | "clean", ..] => {
                return Ok(());
            }
            ["env", rest @ ..] if !rest.iter().any(|word| word.starts_with("-w")) => return Ok(()),
            [verb @ ("build" | "install"), rest @ ..] => (*verb, rest),
            other => {
                let shown = other.first().copied().unwrap_or_default().escape_debug();
                return Err(format!("what `go {shown}` does can't be followed"));
            }
        };
        let build = GoCommand::read(rest)?;
        if verb == "install" && build.packages.iter().all(|package| package.contains('@')) {
            return match build.packages.is_empty() {
                // A tool of others, in a version of its own.
                false => Ok(()),
                true => self.program(verb, directory, variables, &build, program, main),
            };
        }
        self.program(verb, directory, variables, &build, program, main)
    }

    /// A command that builds the program, and says where it puts it.
    fn program(
        &mut self,
        verb: &str,
        directory: &str,
        variables: &BTreeMap<String, String>,
        build: &GoCommand,
        program: Program<'_>,
        main: Option<&str>,
    ) -> Result<(), String> {
        if !self.programs.is_empty() {
            return Err("more than one program is built".to_owned());
        }
        compare_settings(variables, build, program.context)?;
        let package = match build.packages.as_slice() {
            [] => ".",
            [package] => package.as_str(),
            _ => return Err("more than one package is built".to_owned()),
        };
        refuse_variables(package)?;
        let is_relative = package == "." || package.starts_with("./") || package.starts_with("../");
        let place = absolute(directory, package);
        let is_main = if is_relative {
            main.is_some_and(|main| self.is_at(main, &place))
        } else {
            package == program.import_path
        };
        if !is_main {
            return Err(format!(
                "`{}` can't be told to be the service's main package",
                package.escape_debug()
            ));
        }
        // Go names a program after the last element of its import path that is no major version.
        let elements: Vec<&str> = program.import_path.split('/').collect();
        let name = match elements.as_slice() {
            [.., name, version] if is_major_version(version) => name,
            [.., name] => name,
            [] => "",
        };
        let written = match (verb, &build.output) {
            ("install", _) => {
                let binaries = match variables.get("GOBIN").filter(|value| !value.is_empty()) {
                    Some(binaries) => binaries.clone(),
                    None => match variables.get("GOPATH") {
                        Some(path) => format!("{path}/bin"),
                        None => "/go/bin".to_owned(),
                    },
                };
                vec![absolute(&binaries, name)]
            }
            (_, Some(output)) => {
                let whole = absolute(directory, output);
                // An existing directory takes the program under its own name.
                vec![absolute(&whole, name), whole]
            }
            (_, None) => vec![absolute(directory, name)],
        };
        self.programs = written;
        Ok(())
    }

    /// Whether a directory of the context went to that place.
    fn is_at(&self, main: &str, place: &str) -> bool {
        self.copies.iter().any(|(sources, destination)| {
            sources.iter().any(|source| {
                let source = source.trim_start_matches("./").trim_matches('/');
                let source = if source == "." { "" } else { source };
                // Go files by name, or by a pattern, stand for their directory.
                let source = match source.rsplit_once('/') {
                    Some((directory, file)) if file.ends_with(".go") => directory,
                    None if source.ends_with(".go") => "",
                    _ => source,
                };
                let below = match source {
                    "" => Some(main),
                    source => main.strip_prefix(source).and_then(|rest| {
                        if rest.is_empty() {
                            Some(rest)
                        } else {
                            rest.strip_prefix('/')
                        }
                    }),
                };
                below.is_some_and(|below| absolute(destination, below) == place)
            })
        })
    }
}

/// The flags of a `go build` that matter.
#[derive(Debug, Default)]
struct GoCommand {
    output: Option<String>,
    tags: Vec<String>,
    packages: Vec<String>,
}

impl GoCommand {
    fn read(words: &[&str]) -> Result<Self, String> {
        let mut command = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix('-') else {
                command.packages.push((*word).to_owned());
                continue;
            };
            let flag = flag.strip_prefix('-').unwrap_or(flag);
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            };
            match name {
                "v" | "x" | "a" | "n" | "trimpath" | "buildvcs" | "work" | "race=false" => {}
                "o" | "tags" | "ldflags" | "gcflags" | "asmflags" | "p" | "installsuffix"
                | "buildmode" | "mod" | "pgo" => {
                    let value = match value {
                        Some(value) => value,
                        None => words.next().copied().unwrap_or_default(),
                    };
                    match name {
                        "o" => command.output = Some(value.to_owned()),
                        "tags" => {
                            refuse_variables(value)?;
                            let tags = value.split([',', ' ']).filter(|tag| !tag.is_empty());
                            command.tags = tags.map(str::to_owned).collect();
                        }
                        "mod" if !matches!(value, "readonly" | "vendor") => {
                            return Err(format!(
                                "`-mod={}` takes what it finds",
                                value.escape_debug()
                            ));
                        }
                        "pgo" if !matches!(value, "off" | "auto") => {
                            return Err("`-pgo` names a profile".to_owned());
                        }
                        "asmflags" | "gcflags" if value.contains("-I") || value.contains("pro") => {
                            return Err(format!("`-{name}` names files"));
                        }
                        "ldflags" if value.contains("-extld") => {
                            return Err("`-ldflags` names a linker or its files".to_owned());
                        }
                        _ => {}
                    }
                }
                other => {
                    return Err(format!(
                        "what `-{}` changes can't be followed",
                        other.escape_debug()
                    ));
                }
            }
        }
        Ok(command)
    }
}

/// Whether the settings of a command are those of the plan.
fn compare_settings(
    variables: &BTreeMap<String, String>,
    build: &GoCommand,
    context: &BuildContext,
) -> Result<(), String> {
    let value = |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
    let platform = context.platform();
    for (name, planned, argument) in [
        ("GOOS", platform.os(), "TARGETOS"),
        ("GOARCH", platform.architecture(), "TARGETARCH"),
    ] {
        let set = value(name);
        let is_target = set == format!("${argument}")
            || set == format!("${{{argument}}}")
            || set.starts_with(&format!("${{{argument}:-"));
        if !(set.is_empty() || set == planned || is_target) {
            return Err(format!(
                "{name} is `{}`, and the plan's is `{planned}`",
                set.escape_debug()
            ));
        }
    }
    let planned = match context.cgo() {
        Cgo::Disabled => "0",
        Cgo::Enabled => "1",
    };
    match value("CGO_ENABLED") {
        "" => {
            return Err(format!(
                "CGO_ENABLED is not set, so that the image decides about cgo; set CGO_ENABLED={planned}, as the plan has it"
            ));
        }
        set if set == planned => {}
        set => {
            return Err(format!(
                "CGO_ENABLED is `{}`, and the plan's is {planned}; `cgo` in rebake.toml sets it",
                set.escape_debug()
            ));
        }
    }
    for flag in value("GOFLAGS").split_whitespace() {
        if !matches!(
            flag,
            "-mod=readonly"
                | "-mod=vendor"
                | "-trimpath"
                | "-v"
                | "-buildvcs=false"
                | "-buildvcs=auto"
        ) {
            return Err(format!("GOFLAGS holds `{}`", flag.escape_debug()));
        }
    }
    let others = [
        "GOWORK",
        "GOEXPERIMENT",
        "GO386",
        "GOAMD64",
        "GOARM",
        "GOARM64",
        "GOMIPS",
        "GOMIPS64",
        "GOPPC64",
        "GORISCV64",
        "GOWASM",
        "GOFIPS140",
        "GOENV",
        "GOROOT",
        "CGO_CFLAGS",
        "CGO_CPPFLAGS",
        "CGO_CXXFLAGS",
        "CGO_LDFLAGS",
    ];
    if let Some(name) = others.iter().find(|name| !value(name).is_empty()) {
        return Err(format!("{name} is set, which the plan does not know"));
    }
    if !matches!(value("GO111MODULE"), "" | "on" | "auto") {
        return Err("GO111MODULE is set, which the plan does not know".to_owned());
    }
    let mut built: Vec<&str> = build.tags.iter().map(String::as_str).collect();
    built.sort_unstable();
    built.dedup();
    let mut planned: Vec<&str> = context.tags().collect();
    planned.sort_unstable();
    if built != planned {
        return Err(format!(
            "the tags are `{}`, and the plan's are `{}`; `tags` in rebake.toml sets them",
            built.join(",").escape_debug(),
            planned.join(",")
        ));
    }
    Ok(())
}

/// A value with the variables that are known put in; the others stay as they are written.
fn expand(value: &str, variables: &BTreeMap<String, String>) -> String {
    let name = value
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .or_else(|| value.strip_prefix('$'));
    match name.and_then(|name| variables.get(name)) {
        Some(known) if !known.is_empty() => known.clone(),
        _ => value.to_owned(),
    }
}

fn refuse_variables(text: &str) -> Result<(), String> {
    if text.contains(['$', '*', '?', '[', '~']) {
        return Err(format!("`{}` can't be told", text.escape_debug()));
    }
    Ok(())
}

/// The commands of a line, each as words without quotes. What is more than a sequence is refused.
fn commands(text: &str) -> Result<Vec<Vec<String>>, String> {
    if text.contains('`') || text.contains("$(") {
        return Err("what a command prints is used".to_owned());
    }
    let mut commands = vec![Vec::new()];
    for word in words(text)? {
        match word.as_str() {
            "\u{0}&&" | "\u{0}||" | "\u{0};" => commands.push(Vec::new()),
            operator if operator.starts_with('\u{0}') => {
                return Err(format!("`{}` can't be followed", &operator[1..]));
            }
            _ => commands
                .last_mut()
                .into_iter()
                .for_each(|command| command.push(word.clone())),
        }
    }
    Ok(commands)
}

/// The words of a line without their quotes; what means something to a shell is a word behind a NUL.
fn words(text: &str) -> Result<Vec<String>, String> {
    if text.contains('\u{0}') {
        return Err("a NUL byte".to_owned());
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), character) if open == character => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(characters.next()),
            (Some(_), character) => word.get_or_insert_default().push(character),
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ';' | '&' | '|' | '<' | '>' | '(' | ')' | '\n') => {
                words.extend(word.take());
                let mut operator = format!("\u{0}{character}");
                while let Some(next @ ('&' | '|' | '<' | '>')) = characters.peek().copied() {
                    operator.push(next);
                    characters.next();
                }
                words.push(operator);
            }
            (None, '#') if word.is_none() => return Err("a comment in a command".to_owned()),
            (None, character) if character.is_whitespace() => words.extend(word.take()),
            (None, character) => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

fn is_variable_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_')
}

fn is_major_version(element: &str) -> bool {
    element.strip_prefix('v').is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The last element of an image's name, without tag and digest.
fn image_name(base: &str) -> &str {
    let name = base.split('@').next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    name.split(':').next().unwrap_or_default()
}

/// A path below a directory, without `.` and `..`; what begins with `/` is as it is.
fn absolute(directory: &str, path: &str) -> String {
    let mut elements: Vec<&str> = Vec::new();
    let start = if path.starts_with('/') { "" } else { directory };
    for element in start.split('/').chain(path.split('/')) {
        match element {
            "" | "." => {}
            ".." => {
                elements.pop();
            }
            element => elements.push(element),
        }
    }
    format!("/{}", elements.join("/"))
}
