//! Leases that this process has given back while the database was unreachable. The row still
//! names this process; it does not wait for the expiry of what it no longer uses.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use sqlx::PgPool;

use super::lease::{Fence, LeaseName};

/// Database and lease, with the epoch that was given back.
type Epochs = HashMap<(String, String), i64>;

static EPOCHS: LazyLock<Mutex<Epochs>> = LazyLock::new(Mutex::default);

fn epochs() -> MutexGuard<'static, Epochs> {
    EPOCHS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of the database is the same on each of its servers.
fn key(pool: &PgPool, name: LeaseName) -> (String, String) {
    let options = pool.connect_options();
    let database = options.get_database().unwrap_or_default().to_owned();
    (database, name.to_string())
}

/// Notes that these are no longer used.
pub(super) fn note(pool: &PgPool, fences: &[Fence]) {
    let mut epochs = epochs();
    for fence in fences {
        epochs.insert(key(pool, fence.name), fence.epoch);
    }
}

/// Forgets them: the database knows.
pub(super) fn forget(pool: &PgPool, fences: &[Fence]) {
    let mut epochs = epochs();
    for fence in fences {
        let key = key(pool, fence.name);
        if epochs.get(&key) == Some(&fence.epoch) {
            epochs.remove(&key);
        }
    }
}

/// The epoch of a lease that this process gave back.
pub(super) fn epoch(pool: &PgPool, name: LeaseName) -> Option<i64> {
    epochs().get(&key(pool, name)).copied()
}
