//! PostgreSQL storage: maps the model to rows. One file per noun. The caller
//! owns the transaction and passes the time.

pub(crate) mod advisories;
pub mod alerts;
pub(crate) mod budget;
pub(crate) mod bundle;
pub mod change;
pub mod database;
pub(crate) mod enrichment;
pub(crate) mod health;
pub mod ledger;
pub(crate) mod lists;
pub(crate) mod notify;
pub mod origin;
pub(crate) mod reports;
pub mod tickets;
pub(crate) mod trust;
pub(crate) mod wanted;

use sqlx::postgres::PgDatabaseError;

/// Whether a retry can help: the database is unreachable, restarting or busy, as
/// opposed to an error that would repeat.
pub fn is_away(error: &sqlx::Error) -> bool {
    /// The server ended a transaction that was idle: this process was suspended.
    const IDLE_IN_TRANSACTION: &str = "25P03";
    /// The server is a standby, perhaps one that was demoted: another one takes over.
    const READ_ONLY: &str = "25006";
    if database::is_refusal(error) {
        // While advisoryd works, somebody has changed the server, and will again.
        return true;
    }
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            // Connection error; operator intervention (shutdown, starting up); out of
            // connections, memory or disk. Source: PostgreSQL documentation, appendix A.
            code.starts_with("08")
                || code.starts_with("57P")
                || code.starts_with("53")
                || code == IDLE_IN_TRANSACTION
                || code == READ_ONLY
        }
        _ => false,
    }
}

/// Whether the server's disk is full: it answers, and stores nothing.
pub(crate) fn is_disk_full(error: &sqlx::Error) -> bool {
    const DISK_FULL: &str = "53100";
    let error = error.as_database_error();
    error.and_then(sqlx::error::DatabaseError::code).as_deref() == Some(DISK_FULL)
}

/// Whether the whole transaction has to be repeated: it conflicted with another one.
pub(crate) fn is_conflict(error: &sqlx::Error) -> bool {
    // Unique violation, serialisation failure, deadlock.
    const CONFLICTS: [&str; 3] = ["23505", "40001", "40P01"];
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| CONFLICTS.contains(&code.as_ref()))
}

/// What PostgreSQL says if it refuses a value, and would refuse it at each attempt: the
/// value is out of range, or too large for its type or an index.
pub(crate) fn refused_value(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    let code = error.code()?;
    // A full queue of notifications has the code of a value that is too large.
    let is_queue = error
        .try_downcast_ref::<PgDatabaseError>()
        .and_then(PgDatabaseError::routine)
        .is_some_and(|routine| routine.contains("Notify"));
    // Data exception; program limit exceeded. Source: PostgreSQL documentation, appendix A.
    (!is_queue && (code.starts_with("22") || code.starts_with("54")))
        .then(|| format!("PostgreSQL refused it: {} ({code})", error.message()))
}
