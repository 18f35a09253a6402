//! Acknowledgements of advisories.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

/// An acknowledgement that is in force.
#[derive(Debug, Clone, Serialize)]
pub struct Acknowledgement {
    /// Login name of who acknowledged.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// When it expires; `None` = never.
    pub until: Option<DateTime<Utc>>,
    /// The reason.
    pub note: Option<String>,
}

/// The acknowledgement of an advisory that is in force at this time.
pub(crate) async fn in_force(
    connection: &mut PgConnection,
    said: &str,
    now: DateTime<Utc>,
) -> Result<Option<Acknowledgement>, sqlx::Error> {
    sqlx::query_as!(
        Acknowledgement,
        "select created_by as by, at, until, note
         from acknowledgement
         where said = $1
           and withdrawn_at is null
           and (until is null or until > $2)",
        said,
        now
    )
    .fetch_optional(connection)
    .await
}

/// Adds an acknowledgement and withdraws the one before.
pub(crate) async fn add(
    connection: &mut PgConnection,
    said: &str,
    new: &Acknowledgement,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update acknowledgement
         set withdrawn_at = $2
         where said = $1
           and withdrawn_at is null",
        said,
        new.at
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into acknowledgement (said, created_by, at, until, note)
         values ($1, $2, $3, $4, $5)",
        said,
        new.by,
        new.at,
        new.until,
        new.note
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Withdraws the acknowledgement that is in force; false if there is none.
pub(crate) async fn withdraw(
    connection: &mut PgConnection,
    said: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update acknowledgement
         set withdrawn_at = $2
         where said = $1
           and withdrawn_at is null
           and (until is null or until > $2)",
        said,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}
