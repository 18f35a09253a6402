//! Sending an alert again.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::alert::CHANNEL;
use crate::store::notify::notify;

/// To which of the sinks of a message.
#[derive(Debug, Clone, Copy)]
pub enum To<'a> {
    /// Those that have not accepted it.
    Undelivered,
    /// All of them.
    All,
    /// This one.
    Sink(&'a str),
}

impl<'a> To<'a> {
    /// The sink, if it is one.
    fn sink(self) -> Option<&'a str> {
        match self {
            Self::Sink(sink) => Some(sink),
            Self::Undelivered | Self::All => None,
        }
    }
}

/// Makes the deliveries of an alert's message due again, with the same id, and returns their
/// number. An alert that was not sent (silenced, shadow, without sinks) gets its own message
/// for `sinks`.
pub async fn resend(
    connection: &mut PgConnection,
    id: Uuid,
    to: To<'_>,
    sinks: &[String],
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let carried = sqlx::query_scalar!("select message_id from alert where id = $1", id)
        .fetch_optional(&mut *connection)
        .await?
        .flatten();
    let due = match carried {
        Some(message) => again(connection, message, to, now).await?,
        None => carry(connection, id, sinks, now).await?,
    };
    notify(connection, CHANNEL).await?;
    Ok(due)
}

/// Forgets the objects outside of an alert's message whose ids are not known, at one sink if
/// it is named: they will be created again. All alerts of the message are then sent again to
/// their sinks, also if those have accepted it. Returns whether there are any.
pub async fn forget_nameless(
    connection: &mut PgConnection,
    id: Uuid,
    to: To<'_>,
) -> Result<bool, sqlx::Error> {
    let forgotten = sqlx::query!(
        "with forgotten as (
             delete from remote_object o
             using alert one
             join alert a on a.message_id = one.message_id
             where one.id = $1
               and o.rule = a.rule
               and o.key = a.key
               and o.id is null
               and ($2::text is null or o.sink = $2)
             returning o.sink, one.message_id)
         update delivery d
         set parts_done = 0,
             parts_together = null,
             state = 'waiting'
         from (select distinct sink, message_id from forgotten) as f
         where d.sink = f.sink
           and d.message_id = f.message_id",
        id,
        to.sink()
    )
    .execute(connection)
    .await?;
    Ok(forgotten.rows_affected() > 0)
}

/// Which dead letters.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeadLetters<'a> {
    /// To this sink.
    pub sink: Option<&'a str>,
    /// Of this rule.
    pub rule: Option<&'a str>,
    /// Of messages created since.
    pub since: Option<DateTime<Utc>>,
}

/// Makes dead letters due again, each with the id of its message; returns one message id
/// for each delivery. What was delivered to other sinks is not sent again.
pub async fn dead_letters(
    connection: &mut PgConnection,
    wanted: DeadLetters<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let due = sqlx::query_scalar!(
        "update delivery d
         set state = 'waiting',
             failures = 0,
             due_at = $4,
             settled_at = null
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
        now
    )
    .fetch_all(&mut *connection)
    .await?;
    notify(connection, CHANNEL).await?;
    Ok(due)
}

async fn again(
    connection: &mut PgConnection,
    message: Uuid,
    to: To<'_>,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let due = sqlx::query!(
        "update delivery
         set state = 'waiting',
             failures = 0,
             parts_done = case state when 'delivered' then 0 else parts_done end,
             parts_together = case state when 'delivered' then null else parts_together end,
             due_at = $3,
             settled_at = null,
             dismissed_at = null,
             dismissed_by = null,
             dismissed_note = null
         where message_id = $1
           and ($2::text is null or sink = $2)
           and ($4 or state <> 'delivered')
           and (leased_until is null or leased_until <= now())",
        message,
        to.sink(),
        now,
        !matches!(to, To::Undelivered)
    )
    .execute(connection)
    .await?;
    Ok(due.rows_affected())
}

async fn carry(
    connection: &mut PgConnection,
    id: Uuid,
    sinks: &[String],
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let made = sqlx::query!(
        "insert into message (id, rule, purpose, alerts, opened_at, closes_at, sealed_at, has_ends)
         select a.id, a.rule, case a.kind when 'advisoryd' then 'health' else 'alert' end, 1, $2, $3, $2, a.is_resolved
         from alert a
         where a.id = $1
         on conflict (id) do nothing",
        id,
        now,
        now
    )
    .execute(&mut *connection)
    .await?;
    if made.rows_affected() == 0 {
        return Ok(0);
    }
    sqlx::query!(
        "update alert
         set message_id = id,
             silence_id = null,
             other_silences = '{}',
             is_shadow = false
         where id = $1",
        id
    )
    .execute(&mut *connection)
    .await?;
    let due = sqlx::query!(
        "insert into delivery (message_id, sink, due_at)
         select $1, n.sink, $3
         from unnest($2::text[]) as n (sink)",
        id,
        sinks,
        now
    )
    .execute(connection)
    .await?;
    Ok(due.rows_affected())
}
