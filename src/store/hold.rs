//! That a source is read by one run at a time, across processes.

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};

/// First key of our advisory locks, so that they meet nobody else's ("advs").
const LOCK_SPACE: i32 = 0x6164_7673;

/// Holds a source for one run: a session-level lock on a connection of its own,
/// which the server releases when the process dies. However the value ends, the
/// lock ends with it: a connection that went back to the pool with the lock
/// would keep every later run out.
pub struct Hold {
    /// `None` once the lock was given back in good order.
    connection: Option<PoolConnection<Postgres>>,
    source_id: i32,
}

impl Hold {
    /// Takes the source, unless another run has it.
    pub async fn take(pool: &PgPool, source_id: i32) -> Result<Option<Self>, sqlx::Error> {
        // From here on whatever happens to the lock happens to this value.
        let mut hold = Self {
            connection: None,
            source_id,
        };
        let connection = hold.connection.insert(pool.acquire().await?);
        let taken = sqlx::query_scalar!(
            r#"select pg_try_advisory_lock($1, $2) as "taken!""#,
            LOCK_SPACE,
            source_id
        )
        .fetch_one(&mut **connection)
        .await?;
        if !taken {
            // Nothing is held: the connection is as good as any other.
            hold.connection = None;
            return Ok(None);
        }
        Ok(Some(hold))
    }

    /// Gives the source back. When that fails the connection is closed, which
    /// does the same.
    pub async fn release(mut self) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let released = sqlx::query_scalar!(
            r#"select pg_advisory_unlock($1, $2) as "released!""#,
            LOCK_SPACE,
            self.source_id
        )
        .fetch_one(&mut **connection)
        .await;
        if matches!(released, Ok(true)) {
            self.connection = None;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
    }
}
