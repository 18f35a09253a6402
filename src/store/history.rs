//! Versions that are about to be replaced.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Keeps the current versions of these advisories, just before they are replaced.
pub(super) async fn keep_advisories(
    connection: &mut PgConnection,
    said: &[String],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if said.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into advisory_version
         select greatest($2, a.changed_at), a.*
         from advisory a
         where a.said = any($1)",
        said,
        at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps the current versions of these tickets, just before they are replaced.
pub(super) async fn keep_tickets(
    connection: &mut PgConnection,
    ids: &[i64],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into ticket_version
         select greatest($2, t.changed_at), t.*
         from ticket t
         where t.id = any($1)",
        ids,
        at
    )
    .execute(connection)
    .await?;
    Ok(())
}
