//! Heartbeat: the last scheduled time, and undelivered heartbeats of earlier times.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// The scheduled time that was last handled. The caller that advances it holds
/// the evaluation lock.
pub async fn last(connection: &mut PgConnection) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select heartbeat_at from alerting")
        .fetch_one(connection)
        .await
}

/// Records that this time is handled. Undelivered earlier heartbeats become dead
/// letters: a late heartbeat says nothing about now.
pub async fn seen_to(
    connection: &mut PgConnection,
    scheduled_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update alerting set heartbeat_at = $1", scheduled_at)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "update delivery d
         set state = 'dead_letter',
             settled_at = $1,
             leased_until = null,
             last_error = concat_ws('; ', last_error, 'given up: the time of the next heartbeat has come')
         from message m
         where m.id = d.message_id
           and m.purpose = 'heartbeat'
           and d.state = 'waiting'
           and (d.leased_until is null or d.leased_until <= $1)",
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The advisory that was stored last.
pub async fn newest_advisory(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select key
         from change
         where kind = 'advisory'
           and what = 'appeared'
         order by seq desc
         limit 1"
    )
    .fetch_optional(connection)
    .await
}
