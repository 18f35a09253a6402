//! The rows of `sighting` that a document contains: a record can be twice in it.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Rows of `sighting` that a document contains, shared by all its writers.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashSet<i64>>);

impl Seen {
    pub(super) fn add(&self, sightings: impl IntoIterator<Item = i64>) {
        self.lock().extend(sightings);
    }

    pub(crate) fn take(&self) -> Vec<i64> {
        self.lock().drain().collect()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashSet<i64>> {
        // A set of numbers is consistent whenever its lock is free.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
