//! The lock table of a server, which all sessions share: if it is full, hardly any statement
//! works, although the server answers.

use std::time::Duration;

use sqlx::postgres::{PgDatabaseError, PgPool};
use sqlx::{Acquire as _, PgConnection};
use tokio::time::timeout;

/// Longest time to find out who holds the locks: the server may be unable to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// The session with the most locks.
#[derive(sqlx::FromRow)]
struct Holder {
    pid: i32,
    locks: i64,
    role: Option<String>,
}

/// Whether a statement failed because the lock table has no room. The message of the server may
/// be in any language; its hint names the setting.
pub(crate) fn is_lock_table_full(error: &sqlx::Error) -> bool {
    /// Also the code of a server without memory.
    const OUT_OF_MEMORY: &str = "53200";
    let error = error.as_database_error();
    let error = error.and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    error.is_some_and(|error| {
        let hint = error.hint().unwrap_or_default();
        error.code() == OUT_OF_MEMORY && hint.contains("max_locks_per_transaction")
    })
}

/// What to do about a full lock table: the session with the most locks, if a connection that is
/// open already can still ask for it.
pub async fn lock_table_advice(pool: &PgPool) -> String {
    let asking = async { holder(&mut *pool.acquire().await?.acquire().await?).await };
    let Ok(Ok(Some(holder))) = timeout(ANSWER_WITHIN, asking).await else {
        return "end the session with the most rows in pg_locks, or raise max_locks_per_transaction"
            .to_owned();
    };
    let Holder { pid, locks, role } = holder;
    let role = role.map_or_else(String::new, |role| format!(" of user {role}"));
    format!(
        "session {pid}{role} holds {locks} locks, more than any other; as a superuser, run `select pg_terminate_backend({pid})`; if it happens again, raise max_locks_per_transaction and restart the PostgreSQL server"
    )
}

/// A full lock table in words; `None` if the error is another one.
pub async fn lock_table_full(pool: &PgPool, error: &sqlx::Error) -> Option<String> {
    if !is_lock_table_full(error) {
        return None;
    }
    let advice = lock_table_advice(pool).await;
    Some(format!("{LOCK_TABLE_FULL}: {advice}"))
}

/// A full lock table, as a clause.
pub(crate) const LOCK_TABLE_FULL: &str =
    "the lock table of the PostgreSQL server is full, because sessions hold too many locks";

/// The names of roles are in a table of all databases, whose lock needs room in the lock table:
/// without it, only the number of the session is known.
async fn holder(connection: &mut PgConnection) -> Result<Option<Holder>, sqlx::Error> {
    let named = sqlx::query_as(
        "select held.pid, held.locks, a.usename::text as role
         from (select pid, count(*) as locks from pg_locks
               where pid is not null group by pid order by 2 desc limit 1) as held
         left join pg_stat_activity a using (pid)",
    );
    if let Ok(found) = named.fetch_optional(&mut *connection).await {
        return Ok(found);
    }
    sqlx::query_as(
        "select pid, count(*) as locks, null::text as role from pg_locks
         where pid is not null group by pid order by 2 desc limit 1",
    )
    .fetch_optional(connection)
    .await
}
