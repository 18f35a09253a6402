//! Source lock: a source is read by one run at a time, across processes.

use sqlx::{Connection as _, PgConnection, PgPool};

/// First key of our advisory locks ("advs"), to avoid conflicts with other programs.
pub(crate) const LOCK_SPACE: i32 = 0x6164_7673;

/// Locks a source for one run, or all sources for a replay: a session-level lock on
/// its own connection, which the server releases when the connection or the process
/// ends. It is not one of the pool's connections: as many runs as the pool has
/// connections would otherwise deadlock, and a connection returned to the pool with
/// the lock would block every later run.
pub struct SourceLock(PgConnection);

impl SourceLock {
    /// Locks the source; `None` if another run has it.
    pub async fn take(pool: &PgPool, source_id: i32) -> Result<Option<Self>, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
        let taken = sqlx::query_scalar!(
            r#"select pg_try_advisory_lock($1, $2) as "taken!""#,
            LOCK_SPACE,
            source_id
        )
        .fetch_one(&mut connection)
        .await?;
        if taken {
            return Ok(Some(Self(connection)));
        }
        connection.close().await?;
        Ok(None)
    }

    /// Locks every source; if a run has one of them, returns its row in `source`.
    pub async fn take_all(pool: &PgPool) -> Result<Result<Self, i32>, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
        let ids = sqlx::query_scalar!("select id from source order by id")
            .fetch_all(&mut connection)
            .await?;
        for id in ids {
            let taken = sqlx::query_scalar!(
                r#"select pg_try_advisory_lock($1, $2) as "taken!""#,
                LOCK_SPACE,
                id
            )
            .fetch_one(&mut connection)
            .await?;
            if !taken {
                Self(connection).release().await;
                return Ok(Err(id));
            }
        }
        Ok(Ok(Self(connection)))
    }

    /// Unlocks the source and waits for it: the server confirms an unlock, but it
    /// notices a closed connection only later, and a run that begins at once would
    /// find the source locked. A connection that cannot be closed cleanly is dropped,
    /// which unlocks a moment later.
    pub async fn release(mut self) {
        let unlocked = sqlx::query!("select pg_advisory_unlock_all()")
            .execute(&mut self.0)
            .await;
        if let Err(error) = unlocked {
            tracing::debug!(%error, "the connection of a source lock was lost before the unlock");
        }
        if let Err(error) = self.0.close().await {
            tracing::debug!(%error, "the connection of a source lock did not close cleanly");
        }
    }
}
