//! What a loop has given to a task of its own and must not give to a second one.
//!
//! What always holds: a key is in hand from [`InHand::take`] until what that returned is dropped:
//! by the task's end, by its panic, or because it was cut off.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keys in hand.
pub(super) struct InHand<K>(Arc<Mutex<HashSet<K>>>);

/// One key in hand, until this is dropped.
pub(super) struct Held<K: Eq + Hash>(Arc<Mutex<HashSet<K>>>, K);

impl<K: Eq + Hash + Clone> InHand<K> {
    /// Nothing in hand.
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// Takes this key; `None` while somebody has it.
    pub(super) fn take(&self, key: K) -> Option<Held<K>> {
        let fresh = locked(&self.0).insert(key.clone());
        fresh.then(|| Held(self.0.clone(), key))
    }

    /// Whether somebody has this key.
    pub(super) fn has(&self, key: &K) -> bool {
        locked(&self.0).contains(key)
    }
}

impl<K: Eq + Hash> Drop for Held<K> {
    fn drop(&mut self) {
        locked(&self.0).remove(&self.1);
    }
}

fn locked<K>(keys: &Mutex<HashSet<K>>) -> MutexGuard<'_, HashSet<K>> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::InHand;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_key_is_free_again_after_a_panic() {
        let keys = InHand::new();
        let held = keys.take(1);
        assert!(held.is_some() && keys.has(&1) && keys.take(1).is_none());
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _held = held;
            panic!("of the task");
        }));
        assert!(panicked.is_err() && !keys.has(&1) && keys.take(1).is_some());
    }
}
