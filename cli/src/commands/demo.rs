//! `rebake demo`: an embedded sample monorepo, planned, edited and planned again.

use crate::{
    exit_code::ExitCode,
    failure::Failure,
    output::{self, Output},
    standpoint::Standpoint,
};
use rebake_fixtures::{Content, Entry, entry::Mode};
use rebake_planner::{
    path::{RepoPath, RepoPathError},
    plan::{BaselineImage, Plan, PlanOptions, plan},
    tree::memory::MemoryTree,
};

/// What the demo edits, one after the other: a title, the file, and what is added to it.
const EDITS: [(&str, &str, &str); 3] = [
    (
        "a comment in a test",
        "internal/money/money_test.go",
        "\n// Nothing that any image holds.\n",
    ),
    (
        "one embedded mail",
        "internal/templates/mails/order.txt",
        "\nThank you!\n",
    ),
    (
        "a package that most services share",
        "internal/money/money.go",
        "\n// Cents are exact.\n",
    ),
];

pub(crate) fn run(output: &mut Output) -> Result<ExitCode, Failure> {
    let mut tree = shop()?;
    let options = PlanOptions::new();
    let mut before = plan(&tree, &options)?;
    output.write("The shop: one Go module, four services. Nothing to compare with yet, so everything is built.\n\n");
    show(output, &before);
    for (title, path, addition) in EDITS {
        let path = RepoPath::new(path)?;
        append(&mut tree, &path, addition)?;
        let mut after = plan(&tree, &options)?;
        let baseline: Vec<BaselineImage> = before.images.iter().map(BaselineImage::from).collect();
        after.compare_with(&baseline);
        output.write(&format!("\nEdit {title} ({path}) and plan again:\n\n"));
        show(output, &after);
        before = after;
    }
    output.write("\nIn your own checkout: `rebake plan`, then `rebake inputs SERVICE` for everything behind a key.\n");
    Ok(ExitCode::Done)
}

fn show(output: &mut Output, plan: &Plan) {
    output.write(&output::plan::rows(plan, &Standpoint::root()));
    output.write(&output::plan::summary(plan, None, &Standpoint::root()));
}

/// The embedded sample as a tree.
fn shop() -> Result<MemoryTree, RepoPathError> {
    let mut tree = MemoryTree::new();
    for Entry { path, content } in rebake_fixtures::demo() {
        tree = match content {
            Content::File {
                bytes,
                mode: Mode::Regular,
            } => tree.with_file(&path, bytes)?,
            Content::File {
                bytes,
                mode: Mode::Executable,
            } => tree.with_executable(&path, bytes)?,
            Content::Symlink { target } => tree.with_symlink(&path, &target)?,
            Content::Directory => tree,
        };
    }
    Ok(tree)
}

fn append(tree: &mut MemoryTree, path: &RepoPath, addition: &str) -> Result<(), Failure> {
    use rebake_planner::tree::{ReadLimit, SourceTree as _};
    let mut content = tree
        .read(path, ReadLimit::Whole)
        .map_err(|error| Failure::Root {
            path: path.as_str().into(),
            error,
        })?;
    content.extend_from_slice(addition.as_bytes());
    tree.set(path, content)?;
    Ok(())
}
