//! Locks that ignore poisoning.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A task that panicked while it held the lock (a failing test) does not take the others with it.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
