//! Whether a connection still has the session of the server that it began with.
//!
//! The driver names prepared statements by a counter of each connection. Where a pooler gives
//! a transaction the session of another connection, the same name is another statement: one
//! that deletes by a number may run where another one that takes a number was meant. So each
//! session gets a mark, and each transaction begins with a comparison of the mark, in the
//! same round trip as its `begin`. Within a transaction no pooler changes the session. The
//! comparison comes first: if it fails, no transaction is open that all later statements of
//! the connection would fail in.

use sqlx::postgres::{PgDatabaseError, PgPool, PgTransaction};
use sqlx::{
    AssertSqlSafe, Column as _, Executor as _, PgConnection, SqlSafeStr as _, Statement as _,
};

use super::pooler::shared;

/// The name of its only column is the mark. The driver keeps the columns of what it has
/// prepared, so that the connection knows its mark without asking.
const MARKED: &str = "execute advisoryd_session";

/// Marks the session of a new connection, and applies `settings` in the same round trip.
///
/// # Errors
/// A session that already has a mark is that of another connection.
pub(super) async fn mark(connection: &mut PgConnection, settings: &str) -> Result<(), sqlx::Error> {
    let mark = format!("{:032x}", fastrand::u128(..));
    // Neither statement takes parameters.
    let sql = format!(
        "prepare advisoryd_session as select 1 as \"{mark}\";
         set advisoryd.session = '{mark}';
         {settings}"
    );
    let marking = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection);
    marking.await.map_err(named)?;
    if mark_of(connection).await? == mark {
        Ok(())
    } else {
        Err(shared())
    }
}

/// The mark that the session of this connection got when it was opened. Asks nothing.
pub(super) async fn mark_of(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    let prepared = connection
        .prepare(MARKED.into_sql_str())
        .await
        .map_err(named)?;
    let column = prepared.columns().first().ok_or_else(shared)?;
    Ok(column.name().to_owned())
}

/// Begins a transaction in the session of its connection.
///
/// # Errors
/// The session is that of another connection; nothing was done in it.
pub async fn begin(pool: &PgPool) -> Result<PgTransaction<'static>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    finished(async move {
        let sql = format!("{}; begin", compared(&mut connection).await?);
        let beginning = PgTransaction::begin(connection, Some(AssertSqlSafe(sql).into_sql_str()));
        beginning.await.map_err(named)
    })
    .await
}

/// The same for a transaction that writes no row which others changed since it began.
pub async fn begin_repeatable(pool: &PgPool) -> Result<PgTransaction<'static>, sqlx::Error> {
    isolated("begin isolation level repeatable read", pool).await
}

/// The same for a transaction that sees the database as it is now until it ends, and writes
/// nothing.
pub async fn begin_snapshot(pool: &PgPool) -> Result<PgTransaction<'static>, sqlx::Error> {
    isolated("begin isolation level repeatable read, read only", pool).await
}

/// The same on the caller's connection.
pub async fn begin_on(connection: &mut PgConnection) -> Result<PgTransaction<'_>, sqlx::Error> {
    let sql = format!("{}; begin", compared(connection).await?);
    let beginning = PgTransaction::begin(connection, Some(AssertSqlSafe(sql).into_sql_str()));
    beginning.await.map_err(named)
}

/// Begins a transaction whose isolation level must be set before its first query, which is
/// the comparison. One that fails there goes with its connection.
async fn isolated(
    first: &'static str,
    pool: &PgPool,
) -> Result<PgTransaction<'static>, sqlx::Error> {
    /// What the driver sends to take over the transaction that is open.
    const TAKEN_OVER: &str = "/* advisoryd: begun */";
    let mut connection = pool.acquire().await?;
    finished(async move {
        let sql = format!("{first}; {}", compared(&mut connection).await?);
        let beginning = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection);
        if let Err(error) = beginning.await {
            connection.close_on_drop();
            return Err(named(error));
        }
        PgTransaction::begin(connection, Some(TAKEN_OVER.into_sql_str())).await
    })
    .await
}

/// Begins a transaction also if the caller stops waiting for it: it is then rolled back. The
/// driver rolls back only what has begun, and would hand a connection whose transaction was
/// beginning to the next one, whose statements nobody would commit.
async fn finished(
    beginning: impl Future<Output = Result<PgTransaction<'static>, sqlx::Error>> + Send + 'static,
) -> Result<PgTransaction<'static>, sqlx::Error> {
    match tokio::spawn(beginning).await {
        Ok(begun) => begun,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => Err(sqlx::Error::Io(std::io::Error::other(cancelled))),
        },
    }
}

/// A query that fails in a session with another mark: the division is by zero there.
async fn compared(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    let mark = mark_of(connection).await?;
    Ok(format!(
        "select 1 / (current_setting('advisoryd.session', true) is not distinct from '{mark}')::int"
    ))
}

/// Names the pooler where an error can come only from a session of another connection.
fn named(error: sqlx::Error) -> sqlx::Error {
    const DIVISION_BY_ZERO: &str = "22012";
    let code = error.as_database_error();
    let code = code.and_then(sqlx::error::DatabaseError::code);
    let is_other = code.as_deref() == Some(DIVISION_BY_ZERO);
    if is_other || is_of_other_session(&error) {
        shared()
    } else {
        error
    }
}

/// Whether an error says that the connection met the prepared statements of another one.
fn is_of_other_session(error: &sqlx::Error) -> bool {
    /// A prepared statement that does not exist, and one that exists already. Source:
    /// PostgreSQL documentation, appendix A.
    const MIXED_UP: [&str; 2] = ["26000", "42P05"];
    /// Parameters that do not fit the statement. What poolers refuse has the same code, but
    /// does not name a routine of the server.
    const PROTOCOL: &str = "08P01";
    let Some(error) = error.as_database_error() else {
        return false;
    };
    let code = error.code().unwrap_or_default();
    let is_of_server = || {
        let error = error.try_downcast_ref::<PgDatabaseError>();
        error.and_then(PgDatabaseError::routine).is_some()
    };
    MIXED_UP.contains(&&*code) || (code == PROTOCOL && is_of_server())
}
