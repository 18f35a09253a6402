//! Lock for transactions that write advisories: shared or exclusive.

use sqlx::PgConnection;

/// Lock mode of a transaction that writes advisories. Lists overlap, so two first
/// loads store the same new advisories, and the later commit fails on the unique
/// key; with many lists it would fail repeatedly. In exclusive mode a transaction
/// waits for all others, sees what they stored, and cannot fail this way.
///
/// It is a lock of the table `write_lock`, which stays empty. Locks of tables queue, so
/// that whoever wants it exclusively has its turn; locks of a row that many share do not.
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
                sqlx::query!("lock table write_lock in row exclusive mode")
                    .execute(connection)
                    .await?;
            }
            Self::Exclusive => {
                sqlx::query!("lock table write_lock in share row exclusive mode")
                    .execute(connection)
                    .await?;
            }
        }
        Ok(())
    }
}
