//! Retention of alerts, verdicts and silences, a small batch at a time. Pending
//! deliveries are never removed.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::retention::BATCH;

/// Removes the verdicts for changes before `before`.
pub async fn drop_evaluations(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from evaluation
         where seq in (
             select seq
             from evaluation
             where at < $1
             order by at
             limit $2)",
        before,
        BATCH
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Removes alerts created before `before`: those that were not sent, and whole
/// messages without a pending delivery to a configured sink. Also removes expired
/// silences that suppressed none of the remaining alerts, and what is remembered of resolved
/// objects outside without alerts: one that is open would be created again, or never resolved.
pub async fn drop_alerts(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let sent = drop_messages(connection, before).await?;
    let not_sent = sqlx::query!(
        "delete from alert
         where id in (
             select id
             from alert
             where raised_at < $1
               and message_id is null
             order by raised_at
             limit $2)",
        before,
        BATCH
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if sent + not_sent > 0 {
        return Ok(sent + not_sent);
    }
    // Once, after the last batch: nothing else can lose its last alert any more.
    sqlx::query!(
        "delete from remote_object o
         where o.changed_at < $1
           and (o.is_resolved
                or not exists (select from sink s where s.name = o.sink and s.configured))
           and not exists (
               select
               from alert a
               where a.key = o.key
                 and a.rule = o.rule)",
        before
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from silence s
         where least(s.until, s.expired_at) < $1
           and not exists (
               select
               from alert a
               where a.silence_id is not null
                 and (a.silence_id = s.id or s.id = any (a.other_silences)))",
        before
    )
    .execute(connection)
    .await?;
    Ok(0)
}

async fn drop_messages(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let old = sqlx::query_scalar!(
        "select m.id
         from message m
         where m.opened_at < $1
           and m.sealed_at < $1
           and not exists (
               select
               from delivery d
               where d.message_id = m.id
                 and (d.settled_at >= $1
                      or d.state = 'waiting'
                     and exists (select from sink s where s.name = d.sink and s.configured)))
         order by m.opened_at
         limit $2
         for update skip locked",
        before,
        BATCH
    )
    .fetch_all(&mut *connection)
    .await?;
    let alerts = sqlx::query!("delete from alert where message_id = any($1)", &old)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("delete from delivery where message_id = any($1)", &old)
        .execute(&mut *connection)
        .await?;
    let messages = sqlx::query!("delete from message where id = any($1)", &old)
        .execute(connection)
        .await?;
    Ok(alerts.rows_affected().max(messages.rows_affected()))
}
