//! Transactions of whoever has locked a source. They check that the lock is still theirs.

use std::sync::Arc;

use sqlx::{PgPool, PgTransaction};

use super::failure::Failure;
use crate::store::advisories::write_lock::WriteLock;
use crate::store::database;
use crate::store::ledger::lease::{Fence, are_ours};
use crate::store::ledger::lock::SourceLock;

/// Begins transactions that write only while a source lock is ours. A process that was
/// suspended, or cut off from the database, for longer than its lock is valid may wake up
/// when another one has taken over.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pool: PgPool,
    fences: Arc<[Fence]>,
}

impl Guard {
    /// For transactions that rely on `lock`.
    pub(crate) fn new(pool: &PgPool, lock: &SourceLock) -> Self {
        Self {
            pool: pool.clone(),
            fences: Arc::clone(lock.fences()),
        }
    }

    /// For transactions that rely on several locks.
    pub(crate) fn of_all<'l>(pool: &PgPool, locks: impl Iterator<Item = &'l SourceLock>) -> Self {
        Self {
            pool: pool.clone(),
            fences: locks
                .flat_map(|lock| lock.fences().iter().copied())
                .collect(),
        }
    }

    /// Begins a transaction. Fails with [`Failure::Lost`] if another process has taken the
    /// lock; until the transaction ends, none can.
    pub(crate) async fn begin(&self) -> Result<PgTransaction<'static>, Failure> {
        self.check(database::begin(&self.pool).await?).await
    }

    /// Begins a transaction in which a row that others changed since it began cannot be
    /// written: that is an error, and the row keeps what they wrote.
    pub(crate) async fn begin_repeatable(&self) -> Result<PgTransaction<'static>, Failure> {
        self.check(database::begin_repeatable(&self.pool).await?)
            .await
    }

    /// Begins a transaction that writes advisories, after waiting for the write lock. The
    /// source lock is checked after the wait, which may be long enough to lose it.
    pub(crate) async fn begin_with_lock(
        &self,
        lock: WriteLock,
    ) -> Result<PgTransaction<'static>, Failure> {
        let mut transaction = database::begin(&self.pool).await?;
        lock.take(&mut transaction).await?;
        self.check(transaction).await
    }

    async fn check(
        &self,
        mut transaction: PgTransaction<'static>,
    ) -> Result<PgTransaction<'static>, Failure> {
        if are_ours(&mut transaction, &self.fences).await? {
            Ok(transaction)
        } else {
            Err(Failure::Lost)
        }
    }
}
