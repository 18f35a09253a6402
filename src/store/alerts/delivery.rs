//! Delivery queue: deliveries are claimed with a lease and settled once.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::model::{Alert, DeliveryOrder, Ending, MESSAGE_VERSION, Message, MessagePurpose};

/// A claimed delivery, ours until its lease ends.
#[derive(Debug, Clone)]
pub struct ClaimedDelivery {
    /// Row in `delivery`.
    pub id: i64,
    /// Name of the sink.
    pub sink: String,
    /// Number of the attempt (counts claims).
    pub fence: i32,
    /// Number of failed attempts before.
    pub failures: i32,
    /// How many of its parts were sent: all but those passed over are accepted.
    pub parts_done: usize,
    /// How many parts are sent together, if more were too large for the receiver.
    pub parts_together: Option<usize>,
    /// Ids of the alerts that were passed over.
    pub passed_over: Vec<Uuid>,
    /// The message to send.
    pub message: Message,
}

/// Result of an attempt.
#[derive(Debug, Clone)]
pub struct DeliveryAttempt {
    /// Start time.
    pub at: DateTime<Utc>,
    /// Duration.
    pub latency: TimeDelta,
    /// Status of the response.
    pub status: Option<i32>,
    /// The beginning of the response.
    pub answer: String,
    /// What happens to the delivery next.
    pub ending: Ending,
}

/// Seals the messages whose grouping time has ended. A message that an evaluator
/// is just adding to is left for the next call, so that there is no waiting.
pub(crate) async fn seal(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with due as (
             select id
             from message
             where sealed_at is null
               and (closes_at <= $1 or opened_at > $1 + interval '1 minute')
             for update skip locked),
         sealed as (
             update message
             set sealed_at = $1
             from due
             where message.id = due.id
             returning message.id)
         update delivery d
         set due_at = least(d.due_at, $1)
         from sealed s
         where d.message_id = s.id
           and d.failures = 0",
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Seals the messages that were opened since then, whatever their grouping time:
/// a single pass does not wait for more alerts.
pub(crate) async fn seal_since(
    connection: &mut PgConnection,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with sealed as (
             update message
             set sealed_at = $1
             where sealed_at is null
               and opened_at >= $2
               and not is_held
             returning id)
         update delivery d
         set due_at = least(d.due_at, $1)
         from sealed s
         where d.message_id = s.id
           and d.failures = 0",
        now,
        since
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Seals the open messages of these rules. Those that wait for a digest or the end of a mute
/// time go on waiting.
pub(crate) async fn seal_of(
    connection: &mut PgConnection,
    rules: &[String],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with sealed as (
             update message
             set sealed_at = greatest($1, case when is_held then closes_at end)
             where sealed_at is null
               and rule = any($2)
             returning id, is_held)
         update delivery d
         set due_at = least(d.due_at, $1)
         from sealed s
         where d.message_id = s.id
           and not s.is_held
           and d.failures = 0",
        now,
        rules
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Claims up to `most` due deliveries of a sink, the longest due first, for the
/// duration `lease`, in the order that the sink needs: a resolved alert is not sent
/// before the alert that it resolves, which would become active again; two alerts about
/// one object outside are not sent at the same time, which would create it twice.
/// Deliveries wait for smaller ids only, so there is no deadlock. A claim that is not settled in time is due again: a crash causes a
/// repetition, never a loss. Leases use the database's clock, which all machines
/// share, so that a machine with a wrong clock takes nothing from another.
///
/// It reads the first few rows of the queue by its index and each row by its key,
/// in a form that leaves the planner no choice: with a million rows and the
/// statistics of an empty table it sorted or read all rows for every claim.
#[expect(clippy::too_many_lines, reason = "one SQL statement")]
pub async fn claim(
    connection: &mut PgConnection,
    (sink, order): (&str, DeliveryOrder),
    most: i64,
    (now, lease): (DateTime<Utc>, TimeDelta),
) -> Result<Vec<ClaimedDelivery>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"with due as (
               select d.id
               from delivery d
               where d.id = any(array(
                   select first.id
                   from delivery first
                   where first.sink = $1
                     and first.state = 'waiting'
                     and first.due_at <= $3
                     and (first.leased_until is null or first.leased_until <= now())
                     and (
                         select m.sealed_at is not null
                            and not ($5 = 'per_object' and exists (
                                select
                                from alert later
                                join alert earlier on earlier.key = later.key and earlier.rule = later.rule
                                join delivery before on before.message_id = earlier.message_id
                                where later.message_id = m.id
                                  and before.sink = $1
                                  and before.id < first.id
                                  and before.state = 'waiting'))
                            and not (m.has_ends and $5 = 'resolved_last' and exists (
                                select
                                from alert ended
                                join alert begun on begun.key = ended.key and begun.rule = ended.rule
                                join delivery before on before.message_id = begun.message_id
                                where ended.message_id = m.id
                                  and ended.is_resolved
                                  and not begun.is_resolved
                                  and before.sink = $1
                                  and before.id < first.id
                                  and before.state = 'waiting'))
                         from message m
                         where m.id = first.message_id)
                     and ($5 <> 'strict' or first.id = (
                         select min(oldest.id)
                         from delivery oldest
                         where oldest.sink = $1
                           and oldest.state = 'waiting'))
                   order by first.due_at, first.id
                   limit 64))
                 and d.state = 'waiting'
                 and (d.leased_until is null or d.leased_until <= now())
               order by d.due_at, d.id
               limit $2
               for update skip locked),
           claimed as (
               update delivery d
               set leased_until = now() + make_interval(secs => $4),
                   fence = d.fence + 1
               where d.id = any(array(select id from due))
               returning d.id, d.fence, d.failures, d.parts_done, d.parts_together, d.message_id)
           select c.id, c.fence, c.failures, c.parts_done, c.parts_together,
                  array(
                      select p.alert_id
                      from passed_over p
                      where p.delivery_id = c.id) as "passed_over!",
                  m.id as message_id, m.rule, m.purpose, m.opened_at,
                  (select coalesce(jsonb_agg(a.body order by a.seq, a.id), '[]')
                   from alert a
                   where a.message_id = m.id) as "alerts!: Json<Vec<Alert>>"
           from claimed c
           cross join lateral (select * from message where id = c.message_id limit 1) as m
           order by c.id"#,
        sink,
        most,
        now,
        lease.as_seconds_f64(),
        order.name()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let Json(alerts) = row.alerts;
            ClaimedDelivery {
                id: row.id,
                sink: sink.to_owned(),
                fence: row.fence,
                failures: row.failures,
                parts_done: usize::try_from(row.parts_done).unwrap_or_default(),
                parts_together: row
                    .parts_together
                    .and_then(|together| usize::try_from(together).ok()),
                passed_over: row.passed_over,
                message: message(
                    row.message_id,
                    row.rule,
                    &row.purpose,
                    row.opened_at,
                    alerts,
                ),
            }
        })
        .collect())
}

fn message(
    id: Uuid,
    rule: String,
    purpose: &str,
    at: DateTime<Utc>,
    alerts: Vec<Alert>,
) -> Message {
    // Those of an older version were stored as they came.
    let alerts: Vec<Alert> = alerts.into_iter().map(Alert::bounded).collect();
    Message {
        schema: MESSAGE_VERSION,
        id: id.to_string(),
        purpose: MessagePurpose::from_name(purpose).unwrap_or(MessagePurpose::Alert),
        at,
        title: Message::title_of(&rule, &alerts),
        rule,
        alerts,
    }
}

/// Settles an attempt; false if the claim is no longer ours, because its lease
/// ended and another worker claimed it.
pub async fn settle(
    connection: &mut PgConnection,
    claim: &ClaimedDelivery,
    attempt: &DeliveryAttempt,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let error = attempt.ending.error();
    let until = match &attempt.ending {
        Ending::Postponed { until, .. } => Some(*until),
        Ending::Delivered | Ending::Abandoned { .. } => None,
    };
    let settled = sqlx::query!(
        "update delivery
         set state = $3,
             leased_until = null,
             due_at = coalesce($4, due_at),
             failures = failures + case when $5::text is null then 0 else 1 end,
             settled_at = case when $4::timestamptz is null then $6::timestamptz end,
             last_status = $7,
             last_error = $5
         where id = $1
           and fence = $2
           and state = 'waiting'",
        claim.id,
        claim.fence,
        attempt.ending.state().name(),
        until,
        error,
        now,
        attempt.status
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into delivery_attempt (delivery_id, attempt, at, latency, outcome, status, answer, error)
         values ($1, $2, $3, make_interval(secs => $4), $5, $6, $7, $8)
         on conflict (delivery_id, attempt) do nothing",
        claim.id,
        claim.fence,
        attempt.at,
        attempt.latency.as_seconds_f64(),
        attempt.ending.name(),
        attempt.status,
        attempt.answer,
        error
    )
    .execute(connection)
    .await?;
    Ok(settled.rows_affected() == 1)
}

/// When the next delivery of a sink is due between these times; `None` if none
/// is. Limited, because many more may be due later.
pub(crate) async fn next_due(
    connection: &mut PgConnection,
    sink: &str,
    (after, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select min(due_at)
         from delivery
         where sink = $1
           and state = 'waiting'
           and due_at > $2
           and due_at <= $3
           and leased_until is null",
        sink,
        after,
        until
    )
    .fetch_one(connection)
    .await
}
