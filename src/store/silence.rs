//! Silences.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::model::Silence;

/// The silences that hold at this time, those that end last first.
pub async fn active(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<Silence>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, until, matchers as "matchers: Json<BTreeMap<String, String>>"
           from silence
           where until > $1
             and (expired_at is null or expired_at > $1)
           order by until desc, id"#,
        now
    )
    .fetch_all(connection)
    .await?;
    // One that a newer program wrote and this one cannot read silences nothing.
    Ok(rows
        .into_iter()
        .filter_map(|row| Silence::new(row.id, row.until, &row.matchers).ok())
        .collect())
}

/// Adds one; its number.
pub async fn add(
    connection: &mut PgConnection,
    matchers: &BTreeMap<String, String>,
    (reason, created_by): (&str, &str),
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        "insert into silence (matchers, reason, created_by, created_at, until)
         values ($1, $2, $3, $4, $5)
         returning id",
        Json(matchers) as Json<&BTreeMap<String, String>>,
        reason,
        created_by,
        now,
        until
    )
    .fetch_one(connection)
    .await
}

/// Ends one now; false when there is none of this number that still holds.
pub async fn expire(
    connection: &mut PgConnection,
    id: i64,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update silence
         set expired_at = $2
         where id = $1
           and until > $2
           and expired_at is null",
        id,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
