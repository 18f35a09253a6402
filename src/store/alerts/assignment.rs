//! Assignments of advisories: who is to take care of them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

/// An assignment that is in force.
#[derive(Debug, Clone, Serialize)]
pub struct Assignment {
    /// Who is to take care of the advisory.
    pub to: String,
    /// Login name of who assigned it.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// The assignment of an advisory that is in force.
pub(crate) async fn in_force(
    connection: &mut PgConnection,
    said: &str,
) -> Result<Option<Assignment>, sqlx::Error> {
    sqlx::query_as!(
        Assignment,
        r#"select assignee as "to", created_by as by, at
           from assignment
           where said = $1
             and ended_at is null"#,
        said
    )
    .fetch_optional(connection)
    .await
}

/// Adds an assignment and ends the one before.
pub(crate) async fn add(
    connection: &mut PgConnection,
    said: &str,
    new: &Assignment,
) -> Result<(), sqlx::Error> {
    end(connection, said, new.at).await?;
    sqlx::query!(
        "insert into assignment (said, assignee, created_by, at)
         values ($1, $2, $3, $4)",
        said,
        new.to,
        new.by,
        new.at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends the assignment that is in force; false if there is none.
pub(crate) async fn end(
    connection: &mut PgConnection,
    said: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update assignment
         set ended_at = $2
         where said = $1
           and ended_at is null",
        said,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}
