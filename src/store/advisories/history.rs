//! Versions: kept just before they are replaced, and which there are.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use crate::model::RecordKind;

/// Keeps the current versions of these advisories, just before they are replaced.
pub(crate) async fn keep_advisories(
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
pub(crate) async fn keep_tickets(
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

/// One version that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredVersion {
    /// Its number.
    pub version: i32,
    /// When we learned it.
    pub at: DateTime<Utc>,
}

/// The versions of an advisory or ticket that are stored, oldest first; those that
/// retention has dropped are not.
pub async fn versions(
    connection: &mut PgConnection,
    kind: RecordKind,
    key: &str,
) -> Result<Vec<StoredVersion>, sqlx::Error> {
    sqlx::query_as!(
        StoredVersion,
        r#"select version as "version!", changed_at as "at!"
           from (
               select version, changed_at
               from every_advisory_version
               where $1 = 'advisory'
                 and said = $2
               union all
               select version, changed_at
               from every_ticket_version
               where $1 = 'ticket'
                 and id::text = $2) as every
           order by version"#,
        kind.name(),
        key
    )
    .fetch_all(connection)
    .await
}
