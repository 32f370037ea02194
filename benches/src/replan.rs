//! How long `plan --watch` takes to answer an edit.
//!
//! In: a checkout that may be written to. Out: the time of a whole plan with its comparison and document, and that of the
//! plan that follows an edit of the Go file which most services share. It must leave the file as it was.

use crate::{
    samples::Samples,
    stages::{everything, most_shared_file},
};
use camino::Utf8Path;
use rebake_planner::{
    path::RepoPath,
    plan::{
        BaselineImage, Followed, FoundationsKept, Plan, findings_stay, inspect_work_tree, plan,
    },
    tree::{
        disk::DiskTree,
        git::{GitTree, Repository, WorkTreeState},
    },
    wire::{PlanDocument, Root},
};
use std::{
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The times of whole plans and of plans that follow.
pub struct Replans {
    /// A whole plan of the directory, with what git knows, and its JSON: without a baseline, as a run without one does.
    pub whole: Samples,
    /// What follows an edit: the plan, its comparison with HEAD, and its JSON.
    pub followed: Samples,
}

/// Measures both in turns.
///
/// # Errors
/// When the checkout can't be planned or written, or its plan can't follow.
pub fn measure(directory: &Utf8Path, runs: usize) -> Result<Replans, Failure> {
    let disk = DiskTree::open(directory)?;
    let repository = Repository::discover(directory)?.ok_or("it is no git checkout")?;
    let head = repository.head()?.ok_or("nothing is committed")?;
    let base = repository.tree_at(head, directory)?;
    let images: Vec<BaselineImage> = plan(&base, &everything())?
        .images
        .iter()
        .map(BaselineImage::from)
        .collect();
    let (mut planned, mut state) = whole(&disk, &repository, directory)?;
    let mut foundations = planned.take_foundations().ok_or("nothing to follow with")?;
    let edited = most_shared_file(&planned)?;
    let path = directory.join(edited.as_str());
    let original = fs::read_to_string(&path)?;
    let (mut wholes, mut followed) = (Vec::new(), Vec::new());
    for run in 0..runs.max(1) {
        let started = Instant::now();
        let (again, _) = whole(&disk, &repository, directory)?;
        document(&again);
        wholes.push(started.elapsed());
        fs::write(&path, format!("{original}\n// Edit {run}.\n"))?;
        let started = Instant::now();
        let answer = foundations.follow(&mut planned, &disk, std::slice::from_ref(&edited));
        let stays = state.look_again(std::slice::from_ref(&edited)).is_some()
            && findings_stay(&state, &planned, std::slice::from_ref(&edited));
        let compared = compare(&planned, &base, &images, &state)?;
        document(&compared);
        let took = started.elapsed();
        fs::write(&path, &original)?;
        if answer != Followed::Whole || !stays {
            return Err(format!("the plan can't follow an edit of {edited}").into());
        }
        followed.push(took);
        // Back to the beginning, not timed.
        restore(&mut foundations, &mut planned, &disk, &mut state, &edited)?;
    }
    Ok(Replans {
        whole: Samples::new(wholes).ok_or("at least one run")?,
        followed: Samples::new(followed).ok_or("at least one run")?,
    })
}

fn whole(
    disk: &DiskTree,
    repository: &Repository,
    directory: &Utf8Path,
) -> Result<(Plan, WorkTreeState), Failure> {
    let mut options = everything();
    options.foundations = FoundationsKept::Yes;
    let (planned, state) = rayon::join(
        || plan(disk, &options),
        || repository.work_tree_state(directory),
    );
    let (mut planned, state) = (planned?, state?);
    inspect_work_tree(&state, &mut planned);
    Ok((planned, state))
}

fn compare(
    planned: &Plan,
    base: &GitTree,
    images: &[BaselineImage],
    state: &WorkTreeState,
) -> Result<Plan, Failure> {
    let mut compared = planned.clone();
    let changed = state.changed_paths_since(base)?;
    compared.compare_with(images);
    compared.note_changes(&changed, images);
    Ok(compared)
}

fn document(plan: &Plan) {
    let document = PlanDocument::new(plan, Root::without_version_control(), None);
    let _ = black_box(serde_json::to_vec(&document));
}

fn restore(
    foundations: &mut rebake_planner::plan::Foundations,
    planned: &mut Plan,
    disk: &DiskTree,
    state: &mut WorkTreeState,
    edited: &RepoPath,
) -> Result<(), Failure> {
    let edited = std::slice::from_ref(edited);
    let followed = foundations.follow(planned, disk, edited);
    // So that no file system gives two edits the same time.
    std::thread::sleep(Duration::from_millis(20));
    match (followed, state.look_again(edited)) {
        (Followed::Whole, Some(())) => Ok(()),
        _ => Err("the plan can't follow the way back".into()),
    }
}
