//! A map that many threads fill at once.
//!
//! In: keys and a way to work out their value. Out: the value, worked out at most once a thread, or known from the beginning.
//! It must never decide an order: whoever lists its content sorts.

use std::{
    borrow::Borrow,
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher as _, Hash},
    sync::{PoisonError, RwLock},
};

use foldhash::fast::RandomState;

/// Enough shards that a handful of threads seldom meet.
const SHARDS: usize = 64;

/// A hash map split into independently locked shards. Values are cheap to clone (an [`Arc`](std::sync::Arc)).
pub(crate) struct ConcurrentMap<Key, Value> {
    hasher: RandomState,
    shards: Vec<RwLock<HashMap<Key, Value, RandomState>>>,
    /// What it began with, which needs no lock.
    known: foldhash::HashMap<Key, Value>,
}

impl<Key: Hash + Eq, Value: Clone> Default for ConcurrentMap<Key, Value> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Key: Hash + Eq, Value: Clone> ConcurrentMap<Key, Value> {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            known: foldhash::HashMap::default(),
        }
    }

    /// A map that begins with these.
    pub(crate) fn beginning_with(known: foldhash::HashMap<Key, Value>) -> Self {
        Self {
            known,
            ..Self::new()
        }
    }

    fn shard<Query: Hash + ?Sized>(
        &self,
        key: &Query,
    ) -> &RwLock<HashMap<Key, Value, RandomState>> {
        let index = self.hasher.hash_one(key) % (SHARDS as u64);
        &self.shards[usize::try_from(index).unwrap_or_default()]
    }

    /// The value of a key that is already known. A poisoned lock is no obstacle: a value is only
    /// ever inserted whole.
    pub(crate) fn get<Query: Hash + Eq + ?Sized>(&self, key: &Query) -> Option<Value>
    where
        Key: Borrow<Query>,
    {
        if let Some(value) = self.known.get(key) {
            return Some(value.clone());
        }
        self.shard(key)
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    /// Keeps the first value that any thread worked out, and returns it.
    pub(crate) fn insert_first(&self, key: Key, value: Value) -> Value {
        let mut shard = self
            .shard(&key)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        shard.entry(key).or_insert(value).clone()
    }

    /// The value of a key, worked out without holding a lock when it is not known yet.
    pub(crate) fn get_or_insert_with(&self, key: &Key, work_out: impl FnOnce() -> Value) -> Value
    where
        Key: Clone,
    {
        if let Some(value) = self.get(key) {
            return value;
        }
        let value = work_out();
        self.insert_first(key.clone(), value)
    }

    /// All entries, in one map.
    pub(crate) fn into_map(self) -> foldhash::HashMap<Key, Value> {
        let mut all = self.known;
        for shard in self.shards {
            all.extend(shard.into_inner().unwrap_or_else(PoisonError::into_inner));
        }
        all
    }

    /// Shows every entry, in no order.
    pub(crate) fn for_each(&self, mut show: impl FnMut(&Key, &Value)) {
        self.known.iter().for_each(|(key, value)| show(key, value));
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.iter().for_each(|(key, value)| show(key, value));
        }
    }

    /// Whether this is the first to name the key. Only for maps that began empty.
    pub(crate) fn claim(&self, key: Key) -> bool
    where
        Value: Default,
    {
        let mut shard = self
            .shard(&key)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match shard.entry(key) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(Value::default());
                true
            }
        }
    }
}
