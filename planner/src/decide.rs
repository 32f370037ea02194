//! What must be rebuilt, and why.
//!
//! In: two sets of [`ImageInputs`], or one. Out: [`Verdict`]s with their [`Reason`]s as data. It must never read a
//! file or know a graph; the shortest chains behind a file come from the caller.

use crate::{
    diagnostic::Code,
    file_kind::FileKind,
    hash::{ImageKeys, Key},
    inputs::{ImageInputs, InputFile, ManifestFact, Setting, ThirdPartyModule, Tier},
    path::RepoPath,
    tree::ContentDigest,
};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

/// What happens to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It must be built.
    Rebuild,
    /// The one of the baseline serves.
    Reuse,
}

/// How something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// It is another.
    Changed,
}

/// Why a verdict is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// There is nothing to compare with.
    NoBaseline,
    /// The baseline does not have the service on this platform.
    ServiceAdded,
    /// A doubt leaves no key; the codes of the diagnostics that say why.
    Uncertain {
        /// Sorted, without repetition.
        codes: Vec<Code>,
    },
    /// The baseline had no key, so nothing equals it; the codes of the diagnostics that say why.
    BaselineUncertain {
        /// Sorted, without repetition; empty where the baseline does not say.
        codes: Vec<Code>,
    },
    /// What was asked to be compared with can't be had.
    BaselineUnavailable {
        /// Why, and what mends it.
        message: String,
    },
    /// The image key is another, and the baseline does not say what it was made of.
    Key {
        /// The key in the baseline.
        old: Key,
        /// The key now.
        new: Key,
    },
    /// An input file.
    File {
        /// Which.
        path: RepoPath,
        /// Why it counts.
        kind: FileKind,
        /// How it changed.
        change: Change,
        /// Its digest in the baseline, where it was there.
        old: Option<ContentDigest>,
        /// Its digest now, where it is there.
        new: Option<ContentDigest>,
        /// The shortest chain of packages from the one that holds the file to the main package;
        /// empty where no package holds it.
        via: Vec<String>,
    },
    /// What the build takes from a manifest.
    Manifest {
        /// The manifest.
        path: RepoPath,
        /// What is stated.
        name: String,
        /// The old value, where there was one.
        old: Option<String>,
        /// The new value, where there is one.
        new: Option<String>,
    },
    /// A third-party module.
    Module {
        /// The module path.
        module: String,
        /// The old version, replacement and checksum as text.
        old: Option<String>,
        /// The new ones.
        new: Option<String>,
    },
    /// A setting.
    Setting {
        /// Which.
        setting: Setting,
        /// The old value.
        old: Option<String>,
        /// The new value.
        new: Option<String>,
    },
    /// The version of the build recipe.
    Recipe {
        /// The old version.
        old: Option<String>,
        /// The new version.
        new: Option<String>,
    },
    /// The third-party modules are known in another way than before.
    Tier {
        /// Before.
        old: Tier,
        /// Now.
        new: Tier,
    },
    /// Everything that counts is as it was.
    Unchanged,
    /// The registry holds an image with the content tag.
    TagPresent {
        /// The image.
        image: String,
    },
    /// The registry holds no image with the content tag.
    TagMissing {
        /// The image.
        image: String,
    },
    /// The registry did not say whether it holds an image with the content tag.
    RegistryUnavailable {
        /// The image.
        image: String,
        /// What happened.
        message: String,
    },
}

/// What a registry says of a content tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagState {
    /// It holds an image with that tag.
    Present,
    /// It holds none.
    Missing,
    /// It can't be asked, or its answer is none: what happened.
    Unavailable(String),
}

/// The state of one image: its inputs, and its keys where nothing is in doubt.
#[derive(Debug, Clone, Copy)]
pub struct ImageState<'a> {
    /// Everything that can change it.
    pub inputs: &'a ImageInputs,
    /// Nothing when something is in doubt.
    pub keys: Option<&'a ImageKeys>,
    /// The codes of the diagnostics that leave it in doubt.
    pub doubts: &'a [Code],
    /// How much is known of the inputs.
    pub detail: Detail,
}

/// How much is known of an image's inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// All of them.
    Inputs,
    /// None: only the keys tell whether they changed.
    KeysOnly,
}

/// What a plan is compared with.
#[derive(Debug, Clone, Copy)]
pub enum Baseline<'a> {
    /// With nothing: everything is built.
    None,
    /// With something that can't be had, and why.
    Unavailable(&'a str),
    /// With another plan, in which the image may be missing.
    Image(Option<ImageState<'a>>),
}

/// Yields, for a file that changed in a way, the packages from one that holds it to the main package: as they are now, or
/// as they were for a file that is an input no more.
pub type ChainOf<'a> = dyn Fn(&RepoPath, Change) -> Vec<String> + 'a;

/// Decides about one image.
pub fn decide(
    current: ImageState<'_>,
    baseline: Baseline<'_>,
    chain: &ChainOf<'_>,
) -> (Verdict, Vec<Reason>) {
    let Some(keys) = current.keys else {
        let codes = sorted(current.doubts);
        return (Verdict::Rebuild, vec![Reason::Uncertain { codes }]);
    };
    let old = match baseline {
        Baseline::None => return (Verdict::Rebuild, vec![Reason::NoBaseline]),
        Baseline::Unavailable(message) => {
            let message = message.to_owned();
            return (
                Verdict::Rebuild,
                vec![Reason::BaselineUnavailable { message }],
            );
        }
        Baseline::Image(None) => return (Verdict::Rebuild, vec![Reason::ServiceAdded]),
        Baseline::Image(Some(old)) => old,
    };
    let Some(old_keys) = old.keys else {
        let codes = sorted(old.doubts);
        return (Verdict::Rebuild, vec![Reason::BaselineUncertain { codes }]);
    };
    if old_keys.image == keys.image {
        return (Verdict::Reuse, vec![Reason::Unchanged]);
    }
    if old.detail == Detail::KeysOnly {
        let (old, new) = (old_keys.image, keys.image);
        return (Verdict::Rebuild, vec![Reason::Key { old, new }]);
    }
    let mut reasons = differences(old.inputs, current.inputs, chain);
    if reasons.is_empty() {
        // The baseline was written by another version, and holds what this one does not know.
        let (old, new) = (old_keys.image, keys.image);
        reasons.push(Reason::Key { old, new });
    }
    (Verdict::Rebuild, reasons)
}

fn sorted(doubts: &[Code]) -> Vec<Code> {
    let codes: BTreeSet<Code> = doubts.iter().copied().collect();
    codes.into_iter().collect()
}

/// Decides by what a registry holds. What a comparison found stays as an explanation; that there was nothing to compare
/// with explains nothing.
pub fn decide_by_tag(
    image: &str,
    state: &TagState,
    explained: Vec<Reason>,
) -> (Verdict, Vec<Reason>) {
    let image = image.to_owned();
    let (verdict, reason) = match state {
        TagState::Present => (Verdict::Reuse, Reason::TagPresent { image }),
        TagState::Missing => (Verdict::Rebuild, Reason::TagMissing { image }),
        TagState::Unavailable(message) => {
            let message = message.clone();
            let reason = Reason::RegistryUnavailable { image, message };
            (Verdict::Rebuild, reason)
        }
    };
    let explained = explained
        .into_iter()
        .filter(|reason| *reason != Reason::NoBaseline);
    (verdict, std::iter::once(reason).chain(explained).collect())
}

/// Every difference between two sets of inputs, input by input.
pub fn differences(old: &ImageInputs, new: &ImageInputs, chain: &ChainOf<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for (old, new) in pair_up(&old.files, &new.files, |file| (&file.path, file.kind)) {
        reasons.extend(file_reason(old, new, chain));
    }
    for (old, new) in pair_up(&old.facts, &new.facts, |fact| (&fact.manifest, &fact.name)) {
        let Some(fact) = new.or(old) else { continue };
        if old == new {
            continue;
        }
        reasons.push(Reason::Manifest {
            path: fact.manifest.clone(),
            name: fact.name.clone(),
            old: old.map(|fact: &ManifestFact| fact.value.clone()),
            new: new.map(|fact: &ManifestFact| fact.value.clone()),
        });
    }
    let changed = changed_modules(&old.modules, &new.modules);
    let old_modules = texts_of(&old.modules, &changed);
    let new_modules = texts_of(&new.modules, &changed);
    for path in changed {
        let (old, new) = (old_modules.get(path), new_modules.get(path));
        if old != new {
            reasons.push(Reason::Module {
                module: path.to_owned(),
                old: old.cloned(),
                new: new.cloned(),
            });
        }
    }
    for setting in Setting::ALL {
        let (old, new) = (
            old.settings.get(setting).cloned(),
            new.settings.get(setting).cloned(),
        );
        if old == new {
            continue;
        }
        reasons.push(match setting {
            Setting::Recipe => Reason::Recipe { old, new },
            _ => Reason::Setting {
                setting: *setting,
                old,
                new,
            },
        });
    }
    if old.tier != new.tier {
        reasons.push(Reason::Tier {
            old: old.tier,
            new: new.tier,
        });
    }
    reasons
}

fn file_reason(
    old: Option<&InputFile>,
    new: Option<&InputFile>,
    chain: &ChainOf<'_>,
) -> Option<Reason> {
    let file = new.or(old)?;
    // A manifest's row only repeats its facts, which are compared one by one.
    if old == new || file.kind == FileKind::Manifest {
        return None;
    }
    let change = match (old, new) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        _ => Change::Changed,
    };
    Some(Reason::File {
        path: file.path.clone(),
        kind: file.kind,
        change,
        old: old.map(|file| file.digest),
        new: new.map(|file| file.digest),
        via: chain(&file.path, change),
    })
}

/// The paths of the modules of which one list has a row that the other one has not, sorted. There may be hundreds of
/// modules, and nearly always few of them change.
fn changed_modules<'a>(
    old: &'a [ThirdPartyModule],
    new: &'a [ThirdPartyModule],
) -> BTreeSet<&'a str> {
    pair_up(old, new, |module| module)
        .filter_map(|pair| match pair {
            (Some(module), None) | (None, Some(module)) => Some(module.path.as_str()),
            _ => None,
        })
        .collect()
}

/// These modules as text by path. A superset may hold one module at several versions.
fn texts_of<'a>(
    modules: &'a [ThirdPartyModule],
    paths: &BTreeSet<&str>,
) -> BTreeMap<&'a str, String> {
    let mut by_path: BTreeMap<&str, String> = BTreeMap::new();
    if paths.is_empty() {
        return by_path;
    }
    let modules = modules.iter();
    let modules = modules.filter(|module| paths.contains(module.path.as_str()));
    for module in modules {
        let text = by_path.entry(&module.path).or_default();
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&module.version);
        if let Some(replacement) = &module.replacement {
            text.push_str(" => ");
            text.push_str(replacement);
        }
        if let Some(sum) = &module.sum {
            text.push(' ');
            text.push_str(sum);
        }
    }
    by_path
}

/// Merges two sorted lists into pairs of equal keys.
fn pair_up<'a, Row, SortKey: Ord>(
    old: &'a [Row],
    new: &'a [Row],
    key: impl Fn(&'a Row) -> SortKey,
) -> impl Iterator<Item = (Option<&'a Row>, Option<&'a Row>)> {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => key(old).cmp(&key(new)),
        };
        Some(match order {
            Ordering::Less => (old.next(), None),
            Ordering::Greater => (None, new.next()),
            Ordering::Equal => (old.next(), new.next()),
        })
    })
}
