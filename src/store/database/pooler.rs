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
/// The same before each command. What this does not see, each connection does that gets a
/// session with a mark.
const ASKED_QUICKLY: usize = 1;

/// A pooler that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the url of the database leads through a connection pooler that gives each transaction another session of the server; advisoryd needs a session for each of its connections: write `pool_mode = session` into the pooler's line of this database (pgbouncer.ini: `advisoryd = host=… pool_mode=session`) and reload the pooler, or let the url name PostgreSQL itself"
)]
pub struct TransactionPooling;

impl TransactionPooling {
    /// The same, if it is why a connection cannot be used.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// Whether a pooler gives each transaction, or each statement, another session.
///
/// Nothing is prepared or set for it, so that it works through every pooler and leaves
/// nothing there. A session is recognised by its process: as long as the first connection lasts,
/// its process is its own, unless sessions are shared.
pub async fn shares_sessions(pool: &PgPool) -> Result<bool, sqlx::Error> {
    asked(&pool.connect_options(), ASKED).await
}

/// The same in few round trips.
///
/// # Errors
/// The pooler shares sessions, or the server cannot be reached.
pub async fn own_sessions(pool: &PgPool) -> Result<(), sqlx::Error> {
    match asked(&pool.connect_options(), ASKED_QUICKLY).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(shared()),
        Err(error) => Err(error),
    }
}

async fn asked(options: &PgConnectOptions, times: usize) -> Result<bool, sqlx::Error> {
    timeout(ANSWER_WITHIN, ask(options, times))
        .await
        .unwrap_or_else(|_| {
            let reason = format!(
                "no second session within {} s: the server or the pooler allows this role too few connections",
                ANSWER_WITHIN.as_secs()
            );
            Err(sqlx::Error::Io(io::Error::new(
                io::ErrorKind::TimedOut,
                reason,
            )))
        })
}

/// As an error of the connection: whoever waits for the database waits until the pooler is
/// set up otherwise.
pub(super) fn shared() -> sqlx::Error {
    sqlx::Error::Io(io::Error::other(TransactionPooling))
}

async fn ask(options: &PgConnectOptions, times: usize) -> Result<bool, sqlx::Error> {
    let mut first = PgConnection::connect_with(options).await?;
    let own = session(&mut first).await?;
    let mut second = match PgConnection::connect_with(options).await {
        Ok(second) => second,
        // All connections that there may be: no pooler shares this one then.
        Err(error) if has_none_left(&error) => {
            first.close().await?;
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    // While the transaction lasts, its session is nobody else's.
    match sqlx::raw_sql("begin").execute(&mut second).await {
        Err(error) if is_refused_transaction(&error) => return Ok(true),
        begun => begun?,
    };
    let mut is_shared = session(&mut second).await? == own;
    is_shared |= session(&mut first).await? != own;
    sqlx::raw_sql("commit").execute(&mut second).await?;
    // Now a pooler has at least two sessions to choose from.
    for _ in 0..times {
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

/// All connections that the server, the role or the database may have are in use.
fn has_none_left(error: &sqlx::Error) -> bool {
    const TOO_MANY: &str = "53300";
    let error = error.as_database_error();
    error.and_then(sqlx::error::DatabaseError::code).as_deref() == Some(TOO_MANY)
}

async fn session(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = sqlx::raw_sql("select pg_backend_pid() as process")
        .fetch_one(connection)
        .await?;
    row.try_get("process")
}
