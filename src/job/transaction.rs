//! Transactions of runs. They check that the run still has its source lock.

use sqlx::{PgPool, PgTransaction};

use super::failure::Failure;
use crate::store::advisories::write_lock::WriteLock;
use crate::store::ledger::run::still_ours;

/// Begins a transaction of the run `run_id`. Fails with [`Failure::Lost`] if another
/// process took over the run: such a run must not write any more.
pub(crate) async fn begin(pool: &PgPool, run_id: i64) -> Result<PgTransaction<'static>, Failure> {
    let transaction = pool.begin().await?;
    check_still_ours(transaction, run_id).await
}

/// Begins a transaction that writes advisories, after waiting for the write lock. The
/// run is checked after the wait, which may be long enough to lose it.
pub(crate) async fn begin_with_lock(
    lock: WriteLock,
    pool: &PgPool,
    run_id: i64,
) -> Result<PgTransaction<'static>, Failure> {
    let mut transaction = pool.begin().await?;
    lock.take(&mut transaction).await?;
    check_still_ours(transaction, run_id).await
}

async fn check_still_ours(
    mut transaction: PgTransaction<'static>,
    run_id: i64,
) -> Result<PgTransaction<'static>, Failure> {
    if still_ours(&mut transaction, run_id).await? {
        Ok(transaction)
    } else {
        Err(Failure::Lost)
    }
}
