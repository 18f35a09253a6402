//! Query of `advisoryd tickets`: a filtered list of tickets.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

/// Lower limits of times; `None` is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeLimits {
    /// Created or modified upstream.
    pub any: Option<DateTime<Utc>>,
    /// Modified upstream.
    pub modified: Option<DateTime<Utc>>,
    /// First stored in the database.
    pub first_seen: Option<DateTime<Utc>>,
    /// Changed in the database.
    pub changed: Option<DateTime<Utc>>,
}

/// Filter for tickets.
#[derive(Debug, Clone, Default)]
pub struct TicketQuestion {
    /// Names of the status, case-insensitive; empty matches all.
    pub statuses: Vec<String>,
    /// Names of statuses that it does not have.
    pub other_statuses: Vec<String>,
    /// It exists since this time or before.
    pub open_since: Option<DateTime<Utc>>,
    /// Name of the assignee, case-insensitive.
    pub assignee: Option<String>,
    /// The watch list that created it.
    pub watch_list_id: Option<i64>,
    /// Its advisory.
    pub said: Option<String>,
    /// How recent.
    pub since: TimeLimits,
    /// Those that were stored last come first, not those that were modified last.
    pub newest_first: bool,
    /// Tickets that no longer exist upstream, instead of those that do.
    pub gone: bool,
    /// Maximum number.
    pub limit: i64,
}

/// A ticket in a list of tickets.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TicketLine {
    /// Upstream's id.
    pub id: i64,
    /// The ticket number.
    pub pretty_id: Option<i64>,
    /// Title, one line.
    pub title: Option<String>,
    /// Name of the status.
    pub status: Option<String>,
    /// Name of the priority.
    pub priority: Option<String>,
    /// Assignee.
    pub assignee: Option<String>,
    /// Its advisory.
    pub said: Option<String>,
    /// When it was created upstream.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was first stored.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// When upstream last modified it.
    pub modified_at: Option<DateTime<Utc>>,
    /// When it last changed in the database.
    pub changed_at: Option<DateTime<Utc>>,
    /// The current version.
    pub version: Option<i32>,
}

/// Matching tickets, the latest first; with `open_since`, those that exist longest.
pub async fn tickets(
    connection: &mut PgConnection,
    question: &TicketQuestion,
) -> Result<Vec<TicketLine>, sqlx::Error> {
    sqlx::query_as!(
        TicketLine,
        r#"select t.id as "id!", t.pretty_id, t.status, t.priority, t.assignee, t.said,
                  t.created_at, t.first_seen_at, t.modified_at, t.changed_at, t.version, t.title
           from advisoryd_v1.tickets t
           where (cardinality($1::text[]) = 0
                  or lower(t.status) in (select lower(s.name) from unnest($1) as s (name)))
             and (t.status is null
                  or lower(t.status) not in (select lower(s.name) from unnest($12::text[]) as s (name)))
             and ($13::timestamptz is null or coalesce(t.created_at, t.first_seen_at) <= $13)
             and ($2::text is null or lower(t.assignee) = lower($2))
             and ($3::bigint is null or t.watch_list_id = $3)
             and ($4::text is null or t.said in ($4, upper($4)))
             and ($5::timestamptz is null or t.modified_at >= $5 or t.created_at >= $5)
             and ($8::timestamptz is null or t.modified_at >= $8)
             and ($9::timestamptz is null or t.first_seen_at >= $9)
             and ($10::timestamptz is null or t.changed_at >= $10)
             and (t.deleted_at is not null) = $6
           order by case when $13 is not null then coalesce(t.created_at, t.first_seen_at) end,
                    case when $11 then t.first_seen_at else t.modified_at end desc nulls last,
                    t.id desc
           limit $7"#,
        &question.statuses,
        question.assignee,
        question.watch_list_id,
        question.said,
        question.since.any,
        question.gone,
        question.limit,
        question.since.modified,
        question.since.first_seen,
        question.since.changed,
        question.newest_first,
        &question.other_statuses,
        question.open_since
    )
    .fetch_all(connection)
    .await
}

/// The names of all statuses that tickets have.
pub async fn statuses(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select distinct t.status as "status!"
           from ticket t
           where t.status is not null
           order by 1"#
    )
    .fetch_all(connection)
    .await
}
