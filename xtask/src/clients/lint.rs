//! What the linters say about the action, the workflows, the templates and the examples.
//!
//! In: the files of this repository. Out: complaints. Every linter is first shown a file with a fault that it must find:
//! one that finds nothing there, for whatever reason, proves nothing elsewhere.

use super::{
    gitlab,
    install::{self, Wheels},
};
use crate::tools;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A linter with the files that it reads, and one that it must refuse.
struct Linter {
    name: &'static str,
    command: Command,
    files: Vec<PathBuf>,
    fault: (&'static str, &'static str),
}

/// A value of the repository in a shell script.
const INJECTION: (&str, &str) = (
    "injection.yml",
    "name: x\non: pull_request\npermissions: {}\njobs:\n  x:\n    runs-on: ubuntu-latest\n    steps:\n      \
     - run: echo \"${{ github.event.pull_request.title }}\"\n",
);
/// An output that no step has.
const UNKNOWN_OUTPUT: (&str, &str) = (
    "output.yml",
    "on: push\njobs:\n  x:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo x\n        \
     if: steps.plan.outputs.any == 'true'\n",
);
const UNKNOWN_JOB_KEY: (&str, &str) = (
    "key.yml",
    "on: push\njobs:\n  x:\n    runs-on: ubuntu-latest\n    step: []\n",
);
const NO_RUNS: (&str, &str) = ("action.yml", "name: x\ndescription: x\n");
/// A child pipeline that GitLab would not take for one.
const NOT_YAML: (&str, &str) = (
    "pipeline.yml",
    "x:\n  trigger:\n    include:\n      - artifact: child.json\n        job: plan\n",
);
const UNQUOTED: (&str, &str) = ("unquoted.sh", "#!/bin/bash\nrm -r $1\n");

/// Runs every linter.
pub(super) fn run(wheels: &Wheels) -> Result<Vec<String>, Box<dyn Error>> {
    let root = tools::workspace();
    let workflows: Vec<PathBuf> = [".github/workflows", "examples/github"]
        .iter()
        .map(|directory| files(&root.join(directory), "yml"))
        .collect::<Result<Vec<_>, _>>()?
        .concat();
    let action = root.join("action.yml");

    let mut zizmor = wheels.zizmor();
    zizmor
        .args(["--offline", "--no-progress", "--persona", "pedantic"])
        .args(["--collect", "all", "--config"])
        .arg(root.join(".github/zizmor.yml"));
    let mut actionlint = install::actionlint()?;
    actionlint
        .arg("-config-file")
        .arg(root.join(".github/actionlint.yaml"))
        .arg("-shellcheck=shellcheck")
        .arg("-pyflakes=");
    let schema = |name: &str| {
        let mut command = wheels.check_jsonschema();
        command.args(["--builtin-schema", name]);
        command
    };
    let scratch = tempfile::tempdir()?;
    let pipelines = pipelines(&root, scratch.path())?;
    let mut scripts = files(&root.join("ci-adapters/github"), "sh")?;
    scripts.push(template_scripts(&root, scratch.path())?);
    let linters = [
        Linter {
            name: "zizmor",
            command: zizmor,
            files: [workflows.clone(), vec![action.clone()]].concat(),
            fault: INJECTION,
        },
        Linter {
            name: "actionlint",
            command: actionlint,
            files: workflows.clone(),
            fault: UNKNOWN_OUTPUT,
        },
        Linter {
            name: "the schema of workflows",
            command: schema("vendor.github-workflows"),
            files: workflows,
            fault: UNKNOWN_JOB_KEY,
        },
        Linter {
            name: "the schema of actions",
            command: schema("vendor.github-actions"),
            files: vec![action],
            fault: NO_RUNS,
        },
        Linter {
            name: "shellcheck",
            command: {
                let mut command = Command::new("shellcheck");
                command.arg("--external-sources");
                command
            },
            files: scripts,
            fault: UNQUOTED,
        },
        Linter {
            name: "the schema of GitLab's pipelines",
            command: {
                let mut command = schema("vendor.gitlab-ci");
                command.args(["--data-transform", "gitlab-ci"]);
                command
            },
            files: pipelines,
            fault: NOT_YAML,
        },
    ];
    let mut complaints = Vec::new();
    for linter in linters {
        complaints.extend(linter.run(&root)?);
    }
    Ok(complaints)
}

impl Linter {
    fn run(self, root: &Path) -> Result<Vec<String>, Box<dyn Error>> {
        let Self {
            name,
            command,
            files,
            fault: (file, text),
        } = self;
        if files.is_empty() {
            return Err(format!("{name} has nothing to read").into());
        }
        let scratch = tempfile::tempdir()?;
        let faulty = scratch.path().join(file);
        fs::write(&faulty, text)?;
        let mut complaints = Vec::new();
        if say(&command, &[faulty], scratch.path())?.is_none() {
            complaints.push(format!("{name} finds no fault in what has one: {text}"));
        }
        let count = files.len();
        match say(&command, &files, root)? {
            Some(complaint) => complaints.push(format!("{name}:\n{complaint}")),
            None => println!("{name}: nothing found in {count} files"),
        }
        Ok(complaints)
    }
}

/// What a linter has against files; nothing when it ends well.
fn say(
    command: &Command,
    files: &[PathBuf],
    directory: &Path,
) -> Result<Option<String>, Box<dyn Error>> {
    let mut again = Command::new(command.get_program());
    again
        .args(command.get_args())
        .args(files)
        .current_dir(directory);
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            again.env(name, value);
        }
    }
    let output = again.output().map_err(|error| {
        let program = command.get_program().to_string_lossy();
        format!("{program}: {error}")
    })?;
    if output.status.success() {
        return Ok(None);
    }
    Ok(Some(format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )))
}

/// The examples for GitLab as pipelines, with the template, as a component, expanded by the client that plays GitLab; and the template's
/// header, which is a document of its own.
fn pipelines(root: &Path, scratch: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let template = fs::read_to_string(root.join(gitlab::TEMPLATE))?;
    let (header, _) = template
        .split_once("\n---\n")
        .ok_or("the template has no header")?;
    let header_file = scratch.join("header.yml");
    fs::write(&header_file, header)?;
    let mut pipelines = vec![header_file];
    for example in files(&root.join("examples/gitlab"), "yml")? {
        let name = example.file_name().ok_or("an example without a name")?;
        let project = scratch.join("projects").join(name);
        let templates = project.join(gitlab::TEMPLATE);
        fs::create_dir_all(templates.parent().unwrap_or(&project))?;
        fs::write(&templates, &template)?;
        for arguments in [
            &["init", "--quiet"] as &[&str],
            &["remote", "add", "origin", "https://gitlab.com/acme/lab.git"],
            &[
                "-c",
                "user.name=A person",
                "-c",
                "user.email=person@example.com",
                "commit",
                "--quiet",
                "--allow-empty",
                "--message=Begin",
            ],
        ] {
            install::must(Command::new("git").arg("-C").arg(&project).args(arguments))?;
        }
        // A component of the project itself, at the commit that is checked out.
        let commit = Command::new("git")
            .arg("-C")
            .arg(&project)
            .args(["rev-parse", "HEAD"])
            .output()?;
        let commit = String::from_utf8(commit.stdout)?;
        let component = format!("component: gitlab.com/acme/lab/rebake@{}", commit.trim());
        let text = fs::read_to_string(&example)?.replace(gitlab::COMPONENT, &component);
        fs::write(project.join(".gitlab-ci.yml"), text)?;
        let output = install::gitlab_ci_local()?
            .arg("--preview")
            .current_dir(&project)
            .output()?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {complaint}", example.display()).into());
        }
        let expanded = scratch.join(name);
        fs::write(&expanded, output.stdout)?;
        pipelines.push(expanded);
    }
    Ok(pipelines)
}

/// The scripts of the template as a file.
fn template_scripts(root: &Path, scratch: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let template = fs::read_to_string(root.join(gitlab::TEMPLATE))?;
    let mut script = "#!/bin/sh\n".to_owned();
    let blocks = template.split("\n    - |\n").skip(1);
    for block in blocks {
        let lines = block.lines().map_while(|line| line.strip_prefix("      "));
        for line in lines {
            script.push_str(line);
            script.push('\n');
        }
    }
    let file = scratch.join("template.sh");
    fs::write(&file, script)?;
    Ok(file)
}

/// The files of a directory with an extension, sorted.
fn files(directory: &Path, extension: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
