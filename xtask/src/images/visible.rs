//! What a build may see, asked of the code with which BuildKit's clients send a context.
//!
//! In: checkouts. Out: inputs that an ignore file hides, and paths of which the planner thinks otherwise than BuildKit. No
//! builder is needed.

use super::checkout::{Checkout, Selection};
use crate::builder::context_lister;
use camino::{Utf8Path, Utf8PathBuf};
use rebake_planner::{emit::ServiceBuild, file_kind::FileKind, path::RepoPath};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    selection: Selection,
}

pub(super) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    compare_all(&arguments.selection)
}

/// Compares every build of a selection, and says whether all is well.
pub(super) fn compare_all(selection: &Selection) -> Result<bool, Box<dyn Error>> {
    let mut lister = Lister::start()?;
    let (mut builds, mut inputs, mut faults) = (0, 0, 0);
    for source in selection.sources()? {
        let checkout = selection.prepare(&source)?;
        for build in &checkout.builds {
            builds += 1;
            let visible = lister.visible(&checkout, build)?;
            let wanted = inputs_of(&checkout, build)?;
            inputs += wanted.len();
            let mut complaints = Vec::new();
            for hidden in wanted.difference(&visible) {
                complaints.push(format!("the input {hidden} is hidden"));
            }
            for path in files_below(&checkout.root)? {
                let expected = RepoPath::new(path.as_str()).is_ok_and(|path| build.lets_in(&path));
                if expected != visible.contains(&path) {
                    complaints.push(format!(
                        "BuildKit {} {path}, unlike the planner",
                        if expected { "hides" } else { "sees" }
                    ));
                }
            }
            faults += complaints.len();
            for complaint in complaints {
                println!("{}: {}: {complaint}", source.name(), build.service);
            }
        }
    }
    println!("{builds} builds with {inputs} inputs: {faults} faults");
    Ok(faults == 0 && builds > 0)
}

/// The program that lists what an ignore file lets in.
pub(super) struct Lister {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
struct Answer {
    paths: Option<BTreeSet<String>>,
    error: Option<String>,
}

impl Drop for Lister {
    fn drop(&mut self) {
        // It ends when nothing more is asked.
        self.questions = None;
        let _ = self.child.wait();
    }
}

impl Lister {
    pub(super) fn start() -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(context_lister()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = child.stdin.take();
        let answers = child.stdout.take().ok_or("no answers can be read")?;
        Ok(Self {
            child,
            questions,
            answers: BufReader::new(answers),
        })
    }

    /// The files and links that the build of a service sees, as its emitted ignore file stands there.
    pub(super) fn visible(
        &mut self,
        checkout: &Checkout,
        build: &ServiceBuild,
    ) -> Result<BTreeSet<String>, Box<dyn Error>> {
        let ignore = checkout
            .root
            .join(build.directory().as_str())
            .join("Dockerfile.dockerignore");
        let question = serde_json::json!({
            "root": checkout.root.as_str(),
            "ignore": fs::read_to_string(ignore)?,
        });
        let questions = self.questions.as_mut().ok_or("nothing can be asked")?;
        writeln!(questions, "{question}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Answer = serde_json::from_str(&line)?;
        match answer.error {
            Some(error) => Err(error.into()),
            None => Ok(answer.paths.unwrap_or_default()),
        }
    }
}

/// Everything that the plan knows of a service, links and what they lead to included.
fn inputs_of(
    checkout: &Checkout,
    build: &ServiceBuild,
) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let images = checkout.plan.images.iter();
    let files = images
        .filter(|image| image.inputs.service == build.service)
        .flat_map(|image| &image.inputs.files)
        .filter(|file| !matches!(file.kind, FileKind::Dockerfile | FileKind::Extra))
        .map(|file| &file.path);
    let mut inputs = BTreeSet::new();
    for path in files.chain(build.layout.manifests()) {
        add_with_links(
            &checkout.root,
            Utf8Path::new(path.as_str()),
            &mut inputs,
            40,
        )?;
    }
    Ok(inputs)
}

/// Adds a path, the links on the way to it, and what they lead to.
fn add_with_links(
    root: &Utf8Path,
    path: &Utf8Path,
    inputs: &mut BTreeSet<String>,
    most: usize,
) -> Result<(), Box<dyn Error>> {
    let mut walked = Utf8PathBuf::new();
    let mut elements = path.components();
    while let Some(element) = elements.next() {
        walked.push(element);
        let absolute = root.join(&walked);
        if !fs::symlink_metadata(&absolute)?.is_symlink() {
            continue;
        }
        if most == 0 {
            return Err(format!("{path} leads in a circle").into());
        }
        inputs.insert(walked.to_string());
        let parent = absolute.parent().unwrap_or(root).canonicalize_utf8()?;
        let target = parent.join(fs::read_link(&absolute)?.to_str().ok_or("not UTF-8")?);
        let real_root = root.canonicalize_utf8()?;
        let mut plain = Utf8PathBuf::new();
        for element in target.join(elements.as_path()).components() {
            match element {
                camino::Utf8Component::ParentDir => {
                    plain.pop();
                }
                camino::Utf8Component::CurDir => {}
                other => plain.push(other),
            }
        }
        // What leads out of the tree is in no plan.
        return match plain.strip_prefix(&real_root) {
            Ok(below) => add_with_links(root, below, inputs, most - 1),
            Err(_) => Ok(()),
        };
    }
    inputs.insert(path.to_string());
    Ok(())
}

/// Every file and link below the root, without links followed.
pub(super) fn files_below(root: &Utf8Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut files = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in directory.read_dir_utf8()? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                directories.push(entry.path().to_owned());
            } else {
                files.push(entry.path().strip_prefix(root)?.to_string());
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}
