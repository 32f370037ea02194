//! What a stage of a Dockerfile holds in the end.
//!
//! In: the steps of a stage and of those that it starts from, and the program. Out: where the program is, where files of the
//! context went, and the first step that can't be followed. It must never pass over a step that it does not know.

use super::{
    command_line::{commands, expand, is_variable_name, refuse_variables, words},
    go_command::{GoCommand, compare_settings},
};
use crate::{
    diagnostic::{Located, Position},
    parse::dockerfile::{Copied, Stage, Step, lineage},
    path::RepoPath,
    target::BuildContext,
};
use std::collections::BTreeMap;

/// The program that a service's Dockerfile is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program<'a> {
    /// The import path of its main package.
    pub(crate) import_path: &'a str,
    /// The directory of its main package.
    pub(crate) directory: &'a RepoPath,
    /// The names of the Go files there that the plan compiles.
    pub(crate) go_files: &'a [&'a str],
    /// What the plan builds it for.
    pub(crate) context: &'a BuildContext,
}

/// What is known after all steps of a stage, and of those that it starts from.
#[derive(Debug, Default)]
pub(super) struct Followed {
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
    pub(super) fn of(
        stages: &[Stage],
        stage: usize,
        program: Program<'_>,
        main: Option<&str>,
    ) -> Self {
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
    pub(super) fn why_not_the_program(
        &self,
        source: &str,
        taken: Position,
    ) -> Option<(Position, String)> {
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
        let mut packages = build.packages.iter();
        // Tools of others, each in a version of its own.
        let are_tools = !build.packages.is_empty() && packages.all(|package| package.contains('@'));
        if verb == "install" && are_tools {
            return Ok(());
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
        let names = if build
            .packages
            .iter()
            .any(|package| package.ends_with(".go"))
        {
            self.named_files(directory, &build.packages, program, main)?
        } else {
            vec![self.named_package(directory, &build.packages, program, main)?]
        };
        let own_names = |place: &str| -> Vec<String> {
            let names = names.iter();
            names.map(|name| absolute(place, name)).collect()
        };
        let written = match (verb, &build.output) {
            ("install", _)
                if build
                    .packages
                    .iter()
                    .any(|package| package.ends_with(".go")) =>
            {
                return Err("where `go install` puts a program of files can't be told".to_owned());
            }
            ("install", _) => {
                let binaries = match variables.get("GOBIN").filter(|value| !value.is_empty()) {
                    Some(binaries) => binaries.clone(),
                    None => match variables.get("GOPATH") {
                        Some(path) => format!("{path}/bin"),
                        None => "/go/bin".to_owned(),
                    },
                };
                own_names(&binaries)
            }
            (_, Some(output)) => {
                let whole = absolute(directory, output);
                // An existing directory takes the program under its own name.
                let mut written = own_names(&whole);
                written.push(whole);
                written
            }
            (_, None) => own_names(directory),
        };
        self.programs = written;
        Ok(())
    }

    /// What a program is called that is built as the service's main package.
    fn named_package<'a>(
        &self,
        directory: &str,
        packages: &[String],
        program: Program<'a>,
        main: Option<&str>,
    ) -> Result<&'a str, String> {
        let package = match packages {
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
        Ok(match elements.as_slice() {
            [.., name, version] if is_major_version(version) => name,
            [.., name] => name,
            [] => "",
        })
    }

    /// What a program may be called that is built from files by their names. Where all of them are files of the service's main
    /// package that the plan compiles, it holds no more than the plan knows: other files of the package are left out, and
    /// build constraints, which are not asked then, would have taken each.
    ///
    /// Source: `go help packages`, and cmd/go/internal/load (`GoFilesPackage`, `DefaultExecName`).
    fn named_files<'a>(
        &self,
        directory: &str,
        files: &'a [String],
        program: Program<'_>,
        main: Option<&str>,
    ) -> Result<Vec<&'a str>, String> {
        let mut names = Vec::new();
        for file in files {
            refuse_variables(file)?;
            let place = absolute(directory, file);
            let (above, name) = place.rsplit_once('/').unwrap_or(("", &place));
            let above = absolute("/", above);
            if !program.go_files.contains(&name)
                || !main.is_some_and(|main| self.is_at(main, &above))
            {
                return Err(format!(
                    "`{}` can't be told to be a file of the service's main package",
                    file.escape_debug()
                ));
            }
            let name = file.rsplit('/').next().unwrap_or(file);
            names.push(name.trim_end_matches(".go"));
        }
        Ok(names)
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
