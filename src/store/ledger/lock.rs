//! That a source is read by one run at a time, across processes.

use sqlx::{Connection as _, PgConnection, PgPool};

/// First key of our advisory locks, so that they meet nobody else's ("advs").
pub(crate) const LOCK_SPACE: i32 = 0x6164_7673;

/// Holds a source for one run, or all of them for a replay: a session-level lock on a connection of its own,
/// which the server releases when the connection or the process ends. It is
/// not one of the pool's connections: as many runs as the pool has connections
/// would otherwise wait for each other for ever, and a connection that went
/// back to the pool with the lock would keep every later run out.
pub struct SourceLock(PgConnection);

impl SourceLock {
    /// Takes the source, unless another run has it.
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

    /// Takes every source, unless a run has one of them: then its row in `source`.
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

    /// Gives the source back and waits until it is: the server answers an unlock,
    /// while of a closed connection it learns when it gets to it, and a run that
    /// began at once would be told that the source is taken. A connection that
    /// cannot be closed in good order is dropped, which does the same a moment later.
    pub async fn release(mut self) {
        let unlocked = sqlx::query!("select pg_advisory_unlock_all()")
            .execute(&mut self.0)
            .await;
        if let Err(error) = unlocked {
            tracing::debug!(%error, "the connection that held a source is gone before it");
        }
        if let Err(error) = self.0.close().await {
            tracing::debug!(%error, "the connection that held a source did not close cleanly");
        }
    }
}
