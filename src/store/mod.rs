//! Where things live: model ⇄ rows of PostgreSQL. One file per noun. The
//! caller owns the transaction and the time.

pub mod advisory;
mod advisory_row;
pub mod alert;
pub mod backlog;
pub mod beside;
pub mod chain;
pub mod change;
pub mod condition;
mod copy;
pub mod cursor;
pub mod database;
pub mod delivery;
pub mod detail;
pub mod discovery;
pub mod evaluation;
pub mod feed_days;
pub mod heartbeat;
pub mod history;
pub mod hold;
pub mod listed;
mod message;
pub mod old_alerts;
mod plan;
pub mod proof;
pub mod proof_rows;
pub mod quarantine;
pub mod question;
pub mod report;
pub mod reread;
pub mod resend;
pub mod retention;
pub mod rule;
pub mod run;
mod sighting;
pub mod silence;
pub mod sink_state;
pub mod source;
pub mod subject;
pub mod ticket;
pub mod ticket_reading;
pub mod ticket_walk;
pub mod told;
pub mod turn;
pub mod wanted;

/// Whether waiting and trying again can help: the database is away, restarting
/// or busy, rather than unwilling.
pub fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            // Connection trouble; operator intervention (shutdown, starting up); out of
            // connections, memory or disk. Source: PostgreSQL documentation, appendix A.
            code.starts_with("08") || code.starts_with("57P") || code.starts_with("53")
        }
        _ => false,
    }
}

/// Whether repeating the whole transaction is the cure: two of them met.
pub fn is_conflict(error: &sqlx::Error) -> bool {
    // Unique violation, serialisation failure, deadlock.
    const CONFLICTS: [&str; 3] = ["23505", "40001", "40P01"];
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| CONFLICTS.contains(&code.as_ref()))
}
