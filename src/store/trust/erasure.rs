//! Erasure of tickets: their texts are replaced in all versions, alerts, deliveries and
//! quarantined copies. The rows stay, so that change log and verification hold.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::retention::BATCH;

/// Replaces every erased text.
pub const ERASED: &str = "[erased]";

/// Number of changed rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Erased {
    /// Tickets and their former versions.
    pub versions: u64,
    /// Alerts.
    pub alerts: u64,
    /// Deliveries and their attempts, whose receiver may have repeated a text.
    pub deliveries: u64,
    /// Quarantined records.
    pub quarantined: u64,
    /// Silences.
    pub silences: u64,
    /// Samples of unknown fields.
    pub samples: u64,
    /// Pending approvals.
    pub approvals: u64,
    /// Acknowledgements and assignments.
    pub acknowledgements: u64,
    /// Last errors of sources, sinks and other parts, conditions, and values that rules were
    /// compared with.
    pub errors: u64,
}

impl Erased {
    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            versions: self.versions + other.versions,
            alerts: self.alerts + other.alerts,
            deliveries: self.deliveries + other.deliveries,
            quarantined: self.quarantined + other.quarantined,
            silences: self.silences + other.silences,
            samples: self.samples + other.samples,
            approvals: self.approvals + other.approvals,
            acknowledgements: self.acknowledgements + other.acknowledgements,
            errors: self.errors + other.errors,
        }
    }
}

/// Ids of the tickets with this id or this number (`pretty_id`).
pub async fn tickets_called(
    connection: &mut PgConnection,
    number: i64,
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id
         from ticket
         where id = $1
            or pretty_id = $1
         order by id",
        number
    )
    .fetch_all(connection)
    .await
}

/// The next tickets that were deleted upstream before `before` and are not erased yet.
pub async fn gone_tickets(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id
         from ticket
         where deleted_at < $1
           and erased_at is null
         order by deleted_at, id
         limit $2
         for update skip locked",
        before,
        limit
    )
    .fetch_all(connection)
    .await
}

/// Erases tickets inside the caller's transaction. What is not personal stays: ids,
/// status, priority, advisory, watch list and times.
pub async fn erase_tickets(
    connection: &mut PgConnection,
    ids: &[i64],
    at: DateTime<Utc>,
) -> Result<Erased, sqlx::Error> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    Ok(Erased {
        versions: versions(connection, ids, at).await?,
        deliveries: deliveries(connection, &keys).await?,
        alerts: alerts(connection, &keys).await?,
        quarantined: quarantined(connection, &keys).await?,
        ..Erased::default()
    })
}

/// Erases a batch of tickets that were deleted upstream before `before`; returns how many.
pub async fn erase_gone(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let ids = gone_tickets(connection, before, BATCH).await?;
    if ids.is_empty() {
        return Ok(0);
    }
    let erased = erase_tickets(connection, &ids, now).await?;
    let tickets = ids.len() as u64;
    let detail = detail(erased, tickets);
    let by = By {
        who: "advisoryd",
        at: now,
    };
    record(connection, by, "erase_gone_tickets", None, detail).await?;
    Ok(tickets)
}

async fn versions(
    connection: &mut PgConnection,
    ids: &[i64],
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let current = sqlx::query!(
        "update ticket
         set title = $3,
             description = $3,
             assignee_id = null,
             assignee = $3,
             raw = jsonb_build_object('id', id, 'erased', true),
             erased_at = $2
         where id = any($1)",
        ids,
        at,
        ERASED
    )
    .execute(&mut *connection)
    .await?;
    let former = sqlx::query!(
        "update ticket_version
         set title = $3,
             description = $3,
             assignee_id = null,
             assignee = $3,
             raw = case when raw is null then null else jsonb_build_object('id', id, 'erased', true) end,
             erased_at = $2
         where id = any($1)",
        ids,
        at,
        ERASED
    )
    .execute(connection)
    .await?;
    Ok(current.rows_affected() + former.rows_affected())
}

async fn alerts(connection: &mut PgConnection, keys: &[String]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "update alert
         set body = body || jsonb_build_object('title', $2::text, 'summary', $2::text, 'ticket_assignee', null,
                                         'changed', '[]'::jsonb)
         where kind = 'ticket'
           and key = any($1)",
        keys,
        ERASED
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// A receiver's response may repeat what it was sent.
async fn deliveries(connection: &mut PgConnection, keys: &[String]) -> Result<u64, sqlx::Error> {
    let attempts = sqlx::query!(
        "update delivery_attempt t
         set answer = $2,
             error = case when error is null then null else $2 end
         from delivery d
         join alert a on a.message_id = d.message_id
         where t.delivery_id = d.id
           and a.kind = 'ticket'
           and a.key = any($1)",
        keys,
        ERASED
    )
    .execute(&mut *connection)
    .await?;
    let deliveries = sqlx::query!(
        "update delivery d
         set last_error = $2
         from alert a
         where a.message_id = d.message_id
           and a.kind = 'ticket'
           and a.key = any($1)
           and d.last_error is not null",
        keys,
        ERASED
    )
    .execute(connection)
    .await?;
    Ok(attempts.rows_affected() + deliveries.rows_affected())
}

async fn quarantined(connection: &mut PgConnection, keys: &[String]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "update quarantine q
         set raw = $2,
             reason = $2
         from source s
         where s.id = q.source_id
           and s.kind = 'tickets'
           and q.key = any($1)",
        keys,
        ERASED
    )
    .execute(&mut *connection)
    .await?;
    let replaced = sqlx::query!(
        "update replaced_record r
         set raw = $2,
             reason = $2
         from source s
         where s.id = r.source_id
           and s.kind = 'tickets'
           and r.key = any($1)",
        keys,
        ERASED
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() + replaced.rows_affected())
}

/// Who did something, and when.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Login name, or `advisoryd`.
    pub who: &'a str,
    /// Time by our clock.
    pub at: DateTime<Utc>,
}

/// Adds a row to the audit log.
pub async fn record(
    connection: &mut PgConnection,
    by: By<'_>,
    what: &str,
    key: Option<&str>,
    detail: Value,
) -> Result<(), sqlx::Error> {
    let By { who, at } = by;
    sqlx::query!(
        "insert into audit (at, who, what, key, detail)
         values ($1, $2, $3, $4, $5)",
        at,
        who,
        what,
        key,
        detail
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The counts as stored in the audit log.
pub fn detail(erased: Erased, tickets: u64) -> Value {
    let mut detail = json!(erased);
    if let Value::Object(detail) = &mut detail {
        detail.insert("tickets".to_owned(), json!(tickets));
    }
    detail
}
