//! State of alerts and their deliveries, for `alerts` and `explain`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{AlertState, DeliveryState};

/// An alert in a list of alerts.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AlertLine {
    /// Derived from rule and change.
    pub id: Uuid,
    /// When a rule matched it.
    pub raised_at: DateTime<Utc>,
    /// The rule.
    pub rule: String,
    /// The event.
    pub what: String,
    /// The advisory or ticket.
    pub key: String,
    /// The number of a ticket that people use.
    pub pretty_id: Option<i64>,
    /// The state, as in the view `alerts`.
    pub state: String,
    /// Severity at that time.
    pub severity: Option<String>,
    /// Title at that time.
    pub title: Option<String>,
    /// Summary, one sentence.
    pub summary: Option<String>,
    /// The message that contains it.
    pub message_id: Option<Uuid>,
    /// Names of the sinks that it is sent to.
    pub sinks: Vec<String>,
    /// Those of them whose last attempt failed: dead letters, and what is repeated.
    pub failed_sinks: Vec<String>,
    /// Why, with the name of each such sink in front.
    pub error: Option<String>,
    /// Those that did not take this alert, while they took others of its message.
    pub passed_over: Vec<String>,
}

/// Filter for alerts.
#[derive(Debug, Clone, Default)]
pub struct AlertQuestion {
    /// Of this rule.
    pub rule: Option<String>,
    /// Of this advisory or ticket; of a ticket also by its number (`#1002`).
    pub key: Option<String>,
    /// In this state; `DeadLetter` also finds those with pending deliveries to other sinks,
    /// and so does `Dismissed`. Without a state, dismissed ones are left out.
    pub state: Option<AlertState>,
    /// Created since.
    pub since: Option<DateTime<Utc>>,
    /// Of one of these events; if empty, of any.
    pub what: Vec<String>,
    /// Sent, or to be sent, to this sink.
    pub sink: Option<String>,
    /// Maximum number.
    pub limit: i64,
}

/// Matching alerts, newest first.
#[expect(clippy::too_many_lines, reason = "one SQL statement")]
pub async fn alerts(
    connection: &mut PgConnection,
    question: &AlertQuestion,
) -> Result<Vec<AlertLine>, sqlx::Error> {
    sqlx::query_as!(
        AlertLine,
        r#"select a.id as "id!", a.raised_at as "raised_at!", a.rule as "rule!", a.what as "what!",
                  a.key as "key!",
                  case when a.kind = 'ticket' then (a.body ->> 'ticket_number')::bigint end as pretty_id,
                  a.state as "state!", a.severity, a.title, a.summary, a.message_id,
                  array(
                      select d.sink
                      from delivery d
                      where d.message_id = a.message_id
                      order by d.sink) as "sinks!",
                  coalesce(f.sinks, '{}') as "failed_sinks!", f.error,
                  array(
                      select d.sink
                      from passed_over p
                      join delivery d on d.id = p.delivery_id
                      where p.alert_id = a.id
                      order by d.sink) as "passed_over!"
           from advisoryd_v1.alerts a
           left join lateral (
               select array_agg(d.sink order by d.sink) filter (where d.last_error is not null) as sinks,
                      string_agg(d.sink || ': ' || d.last_error, '; ' order by d.sink) as error,
                      array_agg(d.state) as states
               from delivery d
               join message m on m.id = d.message_id
               where d.message_id = a.message_id
                 and d.state <> 'delivered'
                 and (d.state = 'waiting' or d.parts_done < m.alerts
                      or not exists (
                          select from passed_over p
                          where p.delivery_id = d.id)
                      or exists (
                          select from passed_over p
                          where p.delivery_id = d.id
                            and p.alert_id = a.id))) f on true
           where ($1::text is null or a.rule = $1)
             and ($2::text is null or a.key = $2
                  or a.kind = 'ticket' and a.body ->> 'ticket_number' = ltrim($2, '#'))
             and ($3::text is null or a.state = $3
                  or $3 in ('dead_letter', 'dismissed') and $3 = any(f.states))
             and ($3 is not null or a.state <> 'dismissed')
             and ($4::timestamptz is null or a.raised_at >= $4)
             and ($6::text[] = '{}' or a.what = any($6))
             and ($7::text is null or exists (
                      select from delivery d
                      where d.message_id = a.message_id
                        and d.sink = $7))
           order by a.raised_at desc, a.seq desc, a.id
           limit $5"#,
        question.rule,
        question.key,
        question.state.map(AlertState::name),
        question.since,
        question.limit,
        &question.what,
        question.sink
    )
    .fetch_all(connection)
    .await
}

/// The number of alerts that [`alerts`] leaves out because they were dismissed.
pub async fn dismissed(
    connection: &mut PgConnection,
    question: &AlertQuestion,
) -> Result<i64, sqlx::Error> {
    if question.state.is_some() {
        return Ok(0);
    }
    sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from advisoryd_v1.alerts a
           where a.message_id in (select d.message_id from delivery d where d.state = 'dismissed')
             and a.state = 'dismissed'
             and ($1::text is null or a.rule = $1)
             and ($2::text is null or a.key = $2
                  or a.kind = 'ticket' and a.body ->> 'ticket_number' = ltrim($2, '#'))
             and ($3::timestamptz is null or a.raised_at >= $3)
             and ($4::text[] = '{}' or a.what = any($4))
             and ($5::text is null or exists (
                      select from delivery d
                      where d.message_id = a.message_id
                        and d.sink = $5))"#,
        question.rule,
        question.key,
        question.since,
        &question.what,
        question.sink
    )
    .fetch_one(connection)
    .await
}

/// The ids of at most two alerts from `first` to `last`.
pub async fn ids_between(
    connection: &mut PgConnection,
    first: Uuid,
    last: Uuid,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id
         from alert
         where id between $1 and $2
         limit 2",
        first,
        last
    )
    .fetch_all(connection)
    .await
}

/// One alert as JSON: the columns of the view, its deliveries and their attempts.
pub async fn alert(connection: &mut PgConnection, id: Uuid) -> Result<Option<Value>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select to_jsonb(a) || jsonb_build_object(
               'deliveries', (
                   select coalesce(jsonb_agg(to_jsonb(d) || jsonb_build_object(
                       'attempts', (
                           select coalesce(jsonb_agg(to_jsonb(t) - array['delivery_id', 'message_id', 'sink'] order by t.attempt), '[]')
                           from advisoryd_v1.delivery_attempts t
                           where t.delivery_id = d.id)) order by d.sink), '[]')
                   from advisoryd_v1.deliveries d
                   where d.message_id = a.message_id)) as "document!"
           from advisoryd_v1.alerts a
           where a.id = $1"#,
        id
    )
    .fetch_optional(connection)
    .await
}

/// The outcome of an alert for one sink.
#[derive(Debug, Clone)]
pub struct AlertOutcome {
    /// Id of the alert.
    pub alert_id: Uuid,
    /// The rule.
    pub rule: String,
    /// The change that it reports; `None` if there is no change behind it.
    pub seq: Option<i64>,
    /// State over all sinks.
    pub state: AlertState,
    /// End and reason of the silence that suppresses it.
    pub silence: Option<(DateTime<Utc>, String)>,
    /// The message that contains it.
    pub message: Option<CarryingMessage>,
    /// The delivery and its state.
    pub delivery: Option<Delivery>,
}

/// The message that contains an alert.
#[derive(Debug, Clone)]
pub struct CarryingMessage {
    /// Id of the message.
    pub id: Uuid,
    /// Number of alerts in it.
    pub alerts: i32,
    /// When it is sealed.
    pub closes_at: DateTime<Utc>,
    /// The digest or the mute times for which it waits, in words.
    pub held_by: Option<String>,
}

/// The delivery to one sink.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Name of the sink.
    pub sink: String,
    /// State.
    pub state: DeliveryState,
    /// Number of failed attempts.
    pub failures: i32,
    /// Time of the next attempt.
    pub due_at: DateTime<Utc>,
    /// When it was settled.
    pub settled_at: Option<DateTime<Utc>>,
    /// Status of the last response.
    pub status: Option<i32>,
    /// Error of the last attempt.
    pub error: Option<String>,
    /// Whether the sink took this alert, although not all of its message.
    pub is_taken: bool,
}

/// All columns of a row.
struct Row {
    alert_id: Uuid,
    rule: String,
    seq: Option<i64>,
    state: String,
    until: Option<DateTime<Utc>>,
    reason: Option<String>,
    message_id: Option<Uuid>,
    alerts: Option<i32>,
    closes_at: Option<DateTime<Utc>>,
    held_by: Option<String>,
    sink: Option<String>,
    delivery_state: Option<String>,
    failures: Option<i32>,
    due_at: Option<DateTime<Utc>>,
    settled_at: Option<DateTime<Utc>>,
    last_status: Option<i32>,
    last_error: Option<String>,
    is_taken: bool,
}

/// The outcomes of the alerts of an advisory or ticket, one for each sink.
pub async fn of_key(
    connection: &mut PgConnection,
    key: &str,
) -> Result<Vec<AlertOutcome>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select a.id as "alert_id!", a.rule as "rule!", a.seq, a.state as "state!",
                  least(s.until, s.expired_at) as until, s.reason as "reason?",
                  m.id as "message_id?", m.alerts as "alerts?", m.closes_at as "closes_at?",
                  m.held_by as "held_by?",
                  d.sink as "sink?", d.state as "delivery_state?", d.failures as "failures?",
                  d.due_at as "due_at?", d.settled_at as "settled_at?",
                  d.last_status as "last_status?", d.last_error as "last_error?",
                  coalesce(
                      d.state in ('dead_letter', 'dismissed')
                      and d.parts_done >= m.alerts
                      and not exists (
                          select from passed_over p
                          where p.delivery_id = d.id
                            and p.alert_id = a.id), false) as "is_taken!"
           from advisoryd_v1.alerts a
           left join silence s on s.id = a.silence_id
           left join message m on m.id = a.message_id
           left join delivery d on d.message_id = m.id
           where a.key = $1
           order by a.raised_at, a.id, d.sink"#,
        key
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(outcome).collect())
}

/// `None` for a state that a newer version wrote.
fn outcome(row: Row) -> Option<AlertOutcome> {
    let Row {
        alert_id,
        rule,
        seq,
        state,
        until,
        reason,
        message_id,
        alerts,
        closes_at,
        held_by,
        sink,
        delivery_state,
        failures,
        due_at,
        settled_at,
        last_status,
        last_error,
        is_taken,
    } = row;
    let message = || {
        Some(CarryingMessage {
            id: message_id?,
            alerts: alerts?,
            closes_at: closes_at?,
            held_by: held_by.clone(),
        })
    };
    let delivery = || {
        Some(Delivery {
            sink: sink?,
            state: DeliveryState::from_name(&delivery_state?)?,
            failures: failures?,
            due_at: due_at?,
            settled_at,
            status: last_status,
            error: last_error,
            is_taken,
        })
    };
    Some(AlertOutcome {
        alert_id,
        rule,
        seq,
        state: AlertState::from_name(&state)?,
        silence: until.zip(reason),
        message: message(),
        delivery: delivery(),
    })
}

/// Status of a sink.
#[derive(Debug, Clone, Serialize)]
pub struct SinkLine {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Whether it is configured now.
    pub configured: bool,
    /// Failed attempts since the last success.
    pub failures: i32,
    /// Time of the first of them.
    pub failing_since: Option<DateTime<Utc>>,
    /// Error of the last one.
    pub last_error: Option<String>,
    /// When it last accepted a message.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Number of waiting deliveries.
    pub waiting: i64,
    /// Number of dead letters.
    pub dead_letters: i64,
}

/// All sinks that are or were configured.
pub async fn sinks(connection: &mut PgConnection) -> Result<Vec<SinkLine>, sqlx::Error> {
    sqlx::query_as!(
        SinkLine,
        r#"select name as "name!", kind as "kind!", configured as "configured!", failures as "failures!", failing_since,
                  last_error, last_success_at, waiting as "waiting!", dead_letters as "dead_letters!"
           from advisoryd_v1.alert_sinks
           order by name"#
    )
    .fetch_all(connection)
    .await
}
