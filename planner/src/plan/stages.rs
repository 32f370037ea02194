//! The stages of a plan, told to whoever wants to know how far it is, or what takes long.
//!
//! In: the work of a stage. Out: its result, with a word to the observer before and after. It must never change what is
//! worked out, and it knows no time: the observer has a clock if it wants one.

use std::sync::Arc;

/// A part of the work of a plan. Files are read, hashed and parsed by the stage that needs them first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The modules of the tree and its services.
    Discover,
    /// Build lists and package graphs.
    Graph,
    /// Everything that can change each image.
    Inputs,
    /// The digests of files that no other stage has read, and the keys.
    Hash,
    /// Verdicts and reasons.
    Decide,
}

/// Is told when stages begin and end: from many threads, the same stage many times, and one within another.
pub trait StageObserver: Send + Sync {
    /// A piece of work begins on this thread.
    fn begins(&self, stage: Stage);

    /// It has ended.
    fn ends(&self, stage: Stage);
}

/// The observer, where there is one.
#[derive(Clone, Default)]
pub(super) struct Observed(pub(super) Option<Arc<dyn StageObserver>>);

impl Observed {
    pub(super) fn during<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let Some(observer) = &self.0 else {
            return work();
        };
        observer.begins(stage);
        let result = work();
        observer.ends(stage);
        result
    }
}
