//! The files on disk against the index.
//!
//! In: the index and the work tree. Out: the tracked paths that differ. It must never run a filter,
//! follow a link, or open anything that is not a regular file.
//!
//! **Known gaps**: a file that a filter, `ident` or an encoding has converted is compared by its stat
//! data alone: it counts as unchanged when that matches, and as changed when it does not, unless its
//! bytes are those of the commit.
//!
//! Source: git's `ie_match_stat`, `ie_modified` and `is_racy_timestamp` in read-cache.c.

#[cfg(target_os = "linux")]
#[path = "status/linux.rs"]
mod look_up;
#[cfg(not(target_os = "linux"))]
#[path = "status/portable.rs"]
mod look_up;

use super::attributes::CheckoutFilter;
use super::error::WorkTreeError;
use super::work_tree::{Change, ChangeKind, Support, WorkTreeState};
use crate::path::RepoPath;
use crate::tree::FileMode;
use crate::tree::disk::DiskTree;
use gix::bstr::{BStr, ByteSlice as _};
use gix::index::entry::stat::Options;
use gix::index::entry::{Flags, Mode, Stage, Stat};
use look_up::Directories;
use rayon::iter::ParallelIterator as _;
use rayon::slice::ParallelSlice as _;
use std::path::PathBuf;
use std::time::Duration;

/// A few thousand files a second and thread are looked at; smaller pieces cost more than they share.
const CHUNK: usize = 256;

/// The tracked paths that differ from the index. What `seen` has opened, which is of the same root, is not looked at
/// again.
pub(super) fn changes(
    state: &WorkTreeState,
    seen: Option<&DiskTree>,
) -> Result<Vec<Change>, WorkTreeError> {
    let entries: Vec<&gix::index::Entry> = state.entries().collect();
    changes_of(state, &entries, seen)
}

/// What differs of some entries.
pub(super) fn changes_of(
    state: &WorkTreeState,
    entries: &[&gix::index::Entry],
    seen: Option<&DiskTree>,
) -> Result<Vec<Change>, WorkTreeError> {
    let top_level = look_up::TopLevel::open(state);
    let verdicts: Vec<(&gix::index::Entry, Verdict)> = entries
        .par_chunks(CHUNK)
        .flat_map_iter(|chunk| {
            let mut directories = Directories::new(&top_level);
            chunk
                .iter()
                .map(|entry| (*entry, verdict(state, entry, seen, &mut directories)))
                .filter(|(_, verdict)| *verdict != Verdict::Unchanged)
                .collect::<Vec<_>>()
        })
        .collect();
    let mut changes = Vec::new();
    let mut undecided = Vec::new();
    for (entry, verdict) in verdicts {
        match verdict {
            Verdict::Unchanged => {}
            Verdict::Changed(kind) => {
                changes.push(Change::new(state, entry.path(&state.index), kind));
            }
            Verdict::OtherBytes(stat) => undecided.push((entry, stat)),
        }
    }
    if !undecided.is_empty() {
        state.with_attributes(|files| {
            for (entry, stat) in undecided {
                let path = entry.path(&state.index);
                let filters = match path.to_str().ok().and_then(|path| RepoPath::new(path).ok()) {
                    Some(path) => files.filters_of(&path, state.settings.line_endings)?,
                    None => Vec::new(),
                };
                if !is_converted(state, entry, &filters, stat) {
                    changes.push(Change::new(state, path, ChangeKind::Modified));
                }
            }
            Ok(())
        })?;
    }
    Ok(changes)
}

/// Which of these entries stand on disk just as when git looked, so that nobody can have written them since.
pub(super) fn are_settled(
    state: &WorkTreeState,
    entries: &[Option<&gix::index::Entry>],
) -> Vec<bool> {
    let top_level = look_up::TopLevel::open(state);
    entries
        .par_chunks(CHUNK)
        .flat_map_iter(|chunk| {
            let mut directories = Directories::new(&top_level);
            let is_settled = |entry: &Option<&gix::index::Entry>| {
                entry.is_some_and(|entry| is_settled(state, entry, &mut directories))
            };
            chunk.iter().map(is_settled).collect::<Vec<_>>()
        })
        .collect()
}

fn is_settled(
    state: &WorkTreeState,
    entry: &gix::index::Entry,
    directories: &mut Directories<'_>,
) -> bool {
    let path = entry.path(&state.index);
    let options = whole_stat(state, entry);
    let stands = |found: Found| {
        has_kind(state, entry.mode, found.kind) && entry.stat.matches(&found.stat, options)
    };
    is_clean(path)
        && !is_racy(state, entry, options)
        && directories
            .look_up(path)
            .is_ok_and(|found| found.is_some_and(stands))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Unchanged,
    Changed(ChangeKind),
    /// The bytes are not the commit's; a conversion may be why.
    OtherBytes(StatData),
}

/// What the index's stat data says of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StatData {
    /// It matches by git's rules, but the file was written in the same moment as the index, or the configuration tells
    /// git to look at less than all of it.
    Racy,
    Differs,
}

fn verdict(
    state: &WorkTreeState,
    entry: &gix::index::Entry,
    seen: Option<&DiskTree>,
    directories: &mut Directories<'_>,
) -> Verdict {
    if entry.stage() != Stage::Unconflicted {
        return Verdict::Changed(ChangeKind::Conflicted);
    }
    if entry.mode == Mode::DIR {
        // A sparse checkout leaves it out.
        return Verdict::Unchanged;
    }
    let path = entry.path(&state.index);
    let absent = if entry.flags.contains(Flags::SKIP_WORKTREE) {
        Verdict::Unchanged
    } else {
        Verdict::Changed(ChangeKind::Deleted)
    };
    if entry.mode == Mode::COMMIT {
        return submodule_verdict(state, entry);
    }
    if !is_clean(path) {
        return absent;
    }
    let known = seen.and_then(|seen| look_up::seen(seen, below_root(state, path)?));
    let found = match known.map_or_else(|| directories.look_up(path), |found| Ok(Some(found))) {
        Ok(Some(found)) => found,
        Ok(None) => return absent,
        // What can't be looked at is not vouched for.
        Err(Unseen) => return Verdict::Changed(ChangeKind::Modified),
    };
    if !has_kind(state, entry.mode, found.kind) {
        return Verdict::Changed(ChangeKind::Retyped);
    }
    let stat = found.stat;
    let options = stat_options(state, entry);
    let data = if !entry.stat.matches(&stat, options) {
        // git sets the size to zero where it could not vouch for the stat data.
        if entry.stat.size != stat.size && entry.stat.size != 0 {
            return Verdict::Changed(ChangeKind::Modified);
        }
        StatData::Differs
    } else if is_racy(state, entry, options) || !entry.stat.matches(&stat, whole_stat(state, entry))
    {
        StatData::Racy
    } else {
        return Verdict::Unchanged;
    };
    match read(state, path, found.kind) {
        Some(content) if has_id(&content, entry) => Verdict::Unchanged,
        Some(_) => Verdict::OtherBytes(data),
        None => Verdict::Changed(ChangeKind::Modified),
    }
}

/// A path of the index below the root; nothing where it is not UTF-8.
pub(super) fn below_root<'p>(state: &WorkTreeState, path: &'p BStr) -> Option<&'p str> {
    let path = path.to_str().ok()?;
    if state.root.is_root() {
        return Some(path);
    }
    path.strip_prefix(state.root.as_tree_str())?
        .strip_prefix('/')
}

/// How to compare stat data: with parts of a second where the file system kept them when git looked, since a time without
/// them may have been cut off.
fn stat_options(state: &WorkTreeState, entry: &gix::index::Entry) -> Options {
    Options {
        use_nsec: entry.stat.mtime.nsecs != 0,
        ..state.settings.stat
    }
}

/// All of the stat data, whatever the configuration says: `core.trustCtime=false` and `core.checkStat=minimal` hide an
/// edit that keeps the length and puts the time back.
fn whole_stat(state: &WorkTreeState, entry: &gix::index::Entry) -> Options {
    Options {
        trust_ctime: true,
        check_stat: true,
        use_nsec: entry.stat.mtime.nsecs != 0 || entry.stat.ctime.nsecs != 0,
        ..state.settings.stat
    }
}

/// Two writes within this time may get the same timestamp: many times the tick of any kernel's clock.
const TICK: Duration = Duration::from_millis(100);

/// Whether the file may have been written after git looked, without a trace in its stat data: git's rule for racy
/// timestamps. A fresh clone writes its files and the index within a second or two; where the file system keeps parts of
/// a second, these tell most of the order, and the files need not be read again.
fn is_racy(state: &WorkTreeState, entry: &gix::index::Entry, options: Options) -> bool {
    if !options.use_nsec {
        return entry.stat.is_racy(state.index.timestamp(), options);
    }
    let written = Duration::new(u64::from(entry.stat.mtime.secs), entry.stat.mtime.nsecs);
    let index = state.index.timestamp();
    let index = u64::try_from(index.unix_seconds()).map_or(Duration::ZERO, |seconds| {
        Duration::new(seconds, index.nanoseconds())
    });
    index <= written.saturating_add(TICK)
}

/// Whether a conversion on checkout explains that the bytes are not the commit's.
fn is_converted(
    state: &WorkTreeState,
    entry: &gix::index::Entry,
    filters: &[CheckoutFilter],
    stat: StatData,
) -> bool {
    let lines_only = filters
        .iter()
        .all(|filter| *filter == CheckoutFilter::CarriageReturns);
    if filters.is_empty() {
        return false;
    }
    if !lines_only {
        return stat == StatData::Racy;
    }
    let content = path_on_disk(state, entry.path(&state.index))
        .and_then(|on_disk| std::fs::read(on_disk).ok());
    content.is_some_and(|content| has_id(&content.replace("\r\n", "\n"), entry))
}

fn submodule_verdict(state: &WorkTreeState, entry: &gix::index::Entry) -> Verdict {
    let Some(path) = state.path_from_root(entry.path(&state.index)) else {
        return Verdict::Unchanged;
    };
    let submodule = state
        .submodules
        .binary_search_by(|(directory, _)| directory.cmp(&path))
        .ok()
        .and_then(|index| state.submodules.get(index))
        .and_then(|(_, submodule)| submodule.as_ref());
    let Some(submodule) = submodule else {
        // Not checked out.
        return Verdict::Unchanged;
    };
    match submodule.head() {
        Some(head) if head.0 == entry.id => Verdict::Unchanged,
        _ => Verdict::Changed(ChangeKind::Submodule),
    }
}

/// What stands at a path on disk, no link followed.
struct Found {
    kind: FoundKind,
    stat: Stat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FoundKind {
    File(FileMode),
    Symlink,
    Other,
}

/// The system refuses to say what stands there.
struct Unseen;

fn has_kind(state: &WorkTreeState, mode: Mode, found: FoundKind) -> bool {
    match (mode, found) {
        (Mode::SYMLINK, FoundKind::Symlink) => true,
        (Mode::SYMLINK, FoundKind::File(_)) => state.settings.symlinks == Support::Absent,
        (Mode::FILE | Mode::FILE_EXECUTABLE, FoundKind::File(found)) => {
            state.settings.executable_bit == Support::Absent
                || (found == FileMode::Executable) == (mode == Mode::FILE_EXECUTABLE)
        }
        _ => false,
    }
}

fn has_id(content: &[u8], entry: &gix::index::Entry) -> bool {
    gix::objs::compute_hash(entry.id.kind(), gix::objs::Kind::Blob, content)
        .is_ok_and(|id| id == entry.id)
}

fn read(state: &WorkTreeState, path: &BStr, kind: FoundKind) -> Option<Vec<u8>> {
    let path = path_on_disk(state, path)?;
    if kind == FoundKind::Symlink {
        let target = std::fs::read_link(path).ok()?;
        return Some(gix::path::into_bstr(target).ok()?.into_owned().into());
    }
    std::fs::read(path).ok()
}

/// Whether a path of the index stays in the work tree.
fn is_clean(path: &BStr) -> bool {
    // Only an element that is empty or begins with a dot is in question, which nearly no path has.
    let in_question = |byte: Option<&u8>| matches!(byte, None | Some(b'.' | b'/'));
    let any_in_question = in_question(path.first())
        || memchr::memchr_iter(b'/', path).any(|slash| in_question(path.get(slash + 1)));
    if !any_in_question {
        return true;
    }
    path.split_str("/")
        .all(|element| !element.is_empty() && element != b"." && element != b"..")
}

/// The file behind an index path; nothing for a path that would leave the work tree.
fn path_on_disk(state: &WorkTreeState, path: &BStr) -> Option<PathBuf> {
    if !is_clean(path) {
        return None;
    }
    let below = gix::path::from_bstr(path).ok()?;
    Some(state.top_level.as_std_path().join(below))
}
