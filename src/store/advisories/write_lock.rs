//! Who may write advisories beside whom.

use sqlx::PgConnection;

use crate::store::ledger::lock::LOCK_SPACE;

/// Second key of the lock; sources, which count from 1, have the others.
const WRITING: i32 = -1;

/// How a transaction that writes advisories goes about it. Lists overlap, so two
/// first loads store the same new advisories, and whoever commits later fails on
/// the unique key; with many lists it would fail again and again. Exclusive it waits
/// for all others, sees all they stored, and cannot fail so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteLock {
    /// At the same time as others: the usual way.
    Shared,
    /// When no other transaction writes advisories.
    Exclusive,
}

impl WriteLock {
    /// Waits for the turn; it ends with the transaction.
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
