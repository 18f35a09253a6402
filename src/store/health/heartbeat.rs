//! When the last sign of life was due, and what became of those before.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// The time of the schedule that was last seen to. Whoever moves it holds the
/// place of the one evaluator.
pub async fn last(connection: &mut PgConnection) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select heartbeat_at from alerting")
        .fetch_one(connection)
        .await
}

/// Notes that this time is seen to. What was not delivered of those before is
/// given up: a sign of life that comes late says nothing of now.
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

/// The advisory that came last.
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
