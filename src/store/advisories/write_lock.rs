//! Lock for transactions that write advisories: shared or exclusive.

use sqlx::PgConnection;

use crate::store::ledger::lock::LOCK_SPACE;

/// Second key of the lock; positive keys belong to sources.
const WRITING: i32 = -1;

/// Lock mode of a transaction that writes advisories. Lists overlap, so two first
/// loads store the same new advisories, and the later commit fails on the unique
/// key; with many lists it would fail repeatedly. In exclusive mode a transaction
/// waits for all others, sees what they stored, and cannot fail this way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteLock {
    /// At the same time as others: the default.
    Shared,
    /// While no other transaction writes advisories.
    Exclusive,
}

impl WriteLock {
    /// Waits for the lock; it is released with the transaction.
    pub async fn take(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        match self {
            Self::Shared => {
                sqlx::query!(
                    "select pg_advisory_xact_lock_shared($1, $2)",
                    LOCK_SPACE,
                    WRITING
                )
                .execute(connection)
                .await?;
            }
            Self::Exclusive => {
                sqlx::query!("select pg_advisory_xact_lock($1, $2)", LOCK_SPACE, WRITING)
                    .execute(connection)
                    .await?;
            }
        }
        Ok(())
    }
}
