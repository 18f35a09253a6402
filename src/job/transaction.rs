//! The transactions in which runs write.

use sqlx::{PgPool, PgTransaction};

use super::failure::Failure;
use crate::store::advisories::write_lock::WriteLock;
use crate::store::ledger::run::still_ours;

/// Begins a transaction of the run `run_id`. It fails where another process has
/// taken the run over: such a run writes nothing any more.
pub(crate) async fn begin(pool: &PgPool, run_id: i64) -> Result<PgTransaction<'static>, Failure> {
    let transaction = pool.begin().await?;
    guarded(transaction, run_id).await
}

/// The same for one that writes advisories, once its turn has come. The run is
/// looked at after the wait, which may be long enough to lose it.
pub(crate) async fn begin_at(
    turn: WriteLock,
    pool: &PgPool,
    run_id: i64,
) -> Result<PgTransaction<'static>, Failure> {
    let mut transaction = pool.begin().await?;
    turn.take(&mut transaction).await?;
    guarded(transaction, run_id).await
}

async fn guarded(
    mut transaction: PgTransaction<'static>,
    run_id: i64,
) -> Result<PgTransaction<'static>, Failure> {
    if still_ours(&mut transaction, run_id).await? {
        Ok(transaction)
    } else {
        Err(Failure::Lost)
    }
}
