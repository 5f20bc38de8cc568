//! How much of something each caller has at a time.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Locks among which callers are spread, so that requests hardly ever wait for each other here.
const SHARDS: usize = 16;

/// Counts what each caller has. Nothing is kept of one who has nothing.
#[derive(Clone, Debug)]
pub struct Shares<K>(Arc<Counts<K>>);

#[derive(Debug)]
struct Counts<K> {
    most: usize,
    hasher: RandomState,
    shards: [Mutex<HashMap<K, usize>>; SHARDS],
}

/// One of those that a caller may have, until it is dropped.
#[derive(Debug)]
pub struct Share<K: Eq + Hash> {
    of: K,
    counts: Arc<Counts<K>>,
}

impl<K: Clone + Eq + Hash> Shares<K> {
    /// At most so many for each.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Counts { most, hasher: RandomState::new(), shards: Default::default() }))
    }

    /// The most that each may have.
    pub fn most(&self) -> usize {
        self.0.most
    }

    /// Gives one more to a caller, unless that one has enough.
    pub fn take(&self, of: K) -> Option<Share<K>> {
        let mut taken = self.0.shard(&of);
        match taken.get_mut(&of) {
            Some(count) if *count >= self.0.most => return None,
            Some(count) => *count += 1,
            None if self.0.most == 0 => return None,
            None => _ = taken.insert(of.clone(), 1),
        }
        drop(taken);
        Some(Share { of, counts: self.0.clone() })
    }
}

impl<K: Eq + Hash> Counts<K> {
    fn shard(&self, of: &K) -> MutexGuard<'_, HashMap<K, usize>> {
        let hash = self.hasher.hash_one(of);
        let place = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.counts.shard(&self.of);
        match taken.get_mut(&self.of) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = taken.remove(&self.of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_share_and_nothing_is_kept_of_who_gives_it_back() {
        let shares = Shares::new(2);
        let first = shares.take(1).expect("one");
        let second = shares.take(1).expect("two");
        assert!(shares.take(1).is_none(), "three");
        assert!(shares.take(2).is_some(), "another caller's");
        drop(first);
        let third = shares.take(1).expect("one was given back");
        drop((second, third));
        let kept: usize = shares.0.shards.iter().map(|shard| shard.lock().expect("a lock").len()).sum();
        assert_eq!(kept, 0);
        assert!(Shares::new(0).take(1).is_none());
    }
}
