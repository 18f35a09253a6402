//! Connection poolers that give each transaction another session of the server.

use std::io;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool, Row as _};
use tokio::time::timeout;

/// Longest wait for the answers. A pooler whose sessions are all in use lets its clients
/// wait.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How often the first connection is asked for its session: a pooler may hand its sessions
/// out in turn.
const ASKED: usize = 8;

/// A pooler that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "[database] url leads through a connection pooler that gives each transaction another session of the server; advisoryd needs a session for each of its connections: write `pool_mode = session` into the pooler's line of this database (pgbouncer.ini: `advisoryd = host=… pool_mode=session`) and reload the pooler, or let the url name PostgreSQL itself"
)]
pub struct TransactionPooling;

/// Whether a pooler gives each transaction, or each statement, another session.
///
/// Nothing is prepared or set for it, so that it works through every pooler and leaves
/// nothing there. A session is recognised by its process: as long as the first connection lasts,
/// its process is its own, unless sessions are shared.
pub async fn shares_sessions(pool: &PgPool) -> Result<bool, sqlx::Error> {
    let options = pool.connect_options();
    timeout(ANSWER_WITHIN, ask(&options))
        .await
        .unwrap_or_else(|_| {
            let reason = format!(
                "no second session within {} s: the server or the pooler gives this user too few",
                ANSWER_WITHIN.as_secs()
            );
            Err(sqlx::Error::Io(io::Error::new(
                io::ErrorKind::TimedOut,
                reason,
            )))
        })
}

async fn ask(options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut first = PgConnection::connect_with(options).await?;
    let own = session(&mut first).await?;
    let mut second = PgConnection::connect_with(options).await?;
    // While the transaction lasts, its session is nobody else's.
    match sqlx::raw_sql("begin").execute(&mut second).await {
        Err(error) if is_refused_transaction(&error) => return Ok(true),
        begun => begun?,
    };
    let mut is_shared = session(&mut second).await? == own;
    is_shared |= session(&mut first).await? != own;
    sqlx::raw_sql("commit").execute(&mut second).await?;
    // Now a pooler has at least two sessions to choose from.
    for _ in 0..ASKED {
        is_shared = is_shared || session(&mut first).await? != own;
    }
    second.close().await?;
    first.close().await?;
    Ok(is_shared)
}

/// PgBouncer in statement mode refuses transactions.
fn is_refused_transaction(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.message().contains("statement pooling"))
}

async fn session(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = sqlx::raw_sql("select pg_backend_pid() as process")
        .fetch_one(connection)
        .await?;
    row.try_get("process")
}
