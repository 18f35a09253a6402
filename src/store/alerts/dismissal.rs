//! Dismissing dead letters: nobody has to send them again.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::resend::DeadLetters;

/// Who dismisses, when and why.
#[derive(Debug, Clone, Copy)]
pub struct Dismissal<'a> {
    /// Login name.
    pub by: &'a str,
    /// Time by our clock.
    pub at: DateTime<Utc>,
    /// The reason.
    pub note: Option<&'a str>,
}

/// Dismisses the dead letters of an alert's message, to one sink if it is named, and returns
/// their number.
pub async fn of_alert(
    connection: &mut PgConnection,
    id: Uuid,
    only: Option<&str>,
    dismissal: Dismissal<'_>,
) -> Result<u64, sqlx::Error> {
    let Dismissal { by, at, note } = dismissal;
    let done = sqlx::query!(
        "update delivery d
         set state = 'dismissed',
             dismissed_at = $3,
             dismissed_by = $4,
             dismissed_note = $5
         from alert a
         where a.id = $1
           and d.message_id = a.message_id
           and d.state = 'dead_letter'
           and ($2::text is null or d.sink = $2)",
        id,
        only,
        at,
        by,
        note
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Dismisses dead letters; returns one message id for each delivery.
pub async fn of_all(
    connection: &mut PgConnection,
    wanted: DeadLetters<'_>,
    dismissal: Dismissal<'_>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let Dismissal { by, at, note } = dismissal;
    sqlx::query_scalar!(
        "update delivery d
         set state = 'dismissed',
             dismissed_at = $4,
             dismissed_by = $5,
             dismissed_note = $6
         from message m
         where m.id = d.message_id
           and d.state = 'dead_letter'
           and ($1::text is null or d.sink = $1)
           and ($2::text is null or m.rule = $2)
           and ($3::timestamptz is null or m.opened_at >= $3)
         returning d.message_id",
        wanted.sink,
        wanted.rule,
        wanted.since,
        at,
        by,
        note
    )
    .fetch_all(connection)
    .await
}
