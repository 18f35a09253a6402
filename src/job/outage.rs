//! An outage of the database, which is logged once for all workers.

use std::time::Instant;

use sqlx::PgPool;
use tracing::{debug, info, warn};

use super::context::Context;
use super::failure::Failure;
use super::problems::{OngoingOutage, OutageKind};
use crate::model::chain;
use crate::store::database::{self, LOCK_TABLE_FULL};

/// Records that the worker `who` cannot go on, because the database is unavailable.
pub(crate) async fn begin(context: &Context, who: &str, failure: &Failure) {
    let (kind, what) = if failure.is_lock_table_full() {
        (OutageKind::LockTableFull, LOCK_TABLE_FULL)
    } else if failure.is_disk_full() {
        let what = "disk full: the database cannot store anything until there is space";
        (OutageKind::DiskFull, what)
    } else {
        let what = "the database is unavailable, will retry when it is back";
        (OutageKind::Unavailable, what)
    };
    let error = match kind {
        // The holder was looked for already.
        OutageKind::LockTableFull if context.problems.borrow().database.kind() == Some(kind) => {
            failure.chain()
        }
        OutageKind::LockTableFull => database::lock_table_advice(&context.pool).await,
        _ => reason(&context.pool, failure).await,
    };
    let clause = format!("{what}: {error}");
    // One line for all workers.
    let mut is_new = false;
    changed(context, |database| {
        database.begin(who, (&clause, kind));
        is_new = database.log(Instant::now());
    });
    if is_new {
        warn!(source = %who, %error, "{who}: {what}: {error}");
    } else {
        debug!(source = %who, %error, "{who}: {what}: {error}");
    }
}

/// Records that it can go on.
pub(crate) fn end(context: &Context, who: &str) {
    let mut is_over = false;
    changed(context, |database| is_over = database.end(who));
    if is_over {
        info!(source = %who, "{who}: the database is available again");
    }
}

/// Records that there is no such worker any more, whatever became of the database.
pub(crate) fn leave(context: &Context, who: &str) {
    changed(context, |database| {
        database.end(who);
    });
}

/// Changes what is known of the outage.
fn changed(context: &Context, change: impl FnOnce(&mut OngoingOutage)) {
    context.problems.send_if_modified(|problems| {
        let before = problems.database.clone();
        change(&mut problems.database);
        problems.database != before
    });
}

/// Why the database is unavailable: which host does not answer or accepts no writes, if
/// that is still so.
async fn reason(pool: &PgPool, failure: &Failure) -> String {
    match database::reachable(pool).await {
        Err(error) => chain(&error),
        Ok(()) => failure.chain(),
    }
}
