//! Version history: archiving versions before they are replaced, and listing them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::row::Version;
use crate::model::{AdvisoryContent, Named, RecordKind, Severity, TicketStatement};

/// Row of a former version of an advisory.
struct Row {
    said: String,
    severity_rank: Option<i16>,
    is_rejected: bool,
    is_zero_day: Option<bool>,
    solution_status: Option<String>,
    cves: Vec<String>,
}

impl Row {
    /// Whether it lacks something that an event depends on.
    fn is_partial(&self) -> bool {
        self.severity_rank.is_none()
            || self.is_zero_day.is_none()
            || self.solution_status.is_none()
            || self.cves.is_empty()
    }

    /// Takes what it does not say from what was `last` known of each.
    fn add_last_known(&mut self, last: Self) {
        if self.severity_rank.is_none() {
            self.severity_rank = last.severity_rank;
            self.is_rejected |= last.is_rejected;
        }
        self.is_zero_day = self.is_zero_day.or(last.is_zero_day);
        self.solution_status = self.solution_status.take().or(last.solution_status);
        if self.cves.is_empty() {
            self.cves = last.cves;
        }
    }

    fn statement(self) -> (String, AdvisoryContent) {
        let Self {
            said,
            severity_rank,
            is_rejected,
            is_zero_day,
            solution_status,
            cves,
        } = self;
        let statement = AdvisoryContent {
            severity: severity_rank.and_then(Severity::from_rank),
            is_rejected,
            is_zero_day: is_zero_day.unwrap_or(false),
            solution_status,
            cves,
        };
        (said, statement)
    }
}

/// Archives the current versions of advisories before these replace them.
/// Returns what each new version has to be compared with ([`advisory_facts`]).
///
/// [`advisory_facts`]: crate::model::advisory_facts
pub(crate) async fn keep_advisories(
    connection: &mut PgConnection,
    next: &[Version<'_>],
    at: DateTime<Utc>,
) -> Result<HashMap<String, Vec<AdvisoryContent>>, sqlx::Error> {
    if next.is_empty() {
        return Ok(HashMap::new());
    }
    let said: Vec<&str> = next.iter().map(|next| next.whole.said.as_str()).collect();
    let mut rows = sqlx::query_as!(
        Row,
        r#"insert into advisory_version
           select greatest($2, a.changed_at), a.*
           from advisory a
           where a.said = any($1)
           returning said, severity_rank, is_rejected, is_zero_day, solution_status, cves"#,
        &said as &[&str],
        at
    )
    .fetch_all(&mut *connection)
    .await?;
    add_last_known(connection, &mut rows).await?;
    let mut replaced: HashMap<String, AdvisoryContent> =
        rows.into_iter().map(Row::statement).collect();
    let mut before = before(connection, next).await?;
    let former = next.iter().filter_map(|next| {
        let said = &next.whole.said;
        let replaced = replaced.remove(said)?;
        let former = match (next.completes, before.remove(said)) {
            (false, _) => vec![replaced],
            (true, Some(before)) => vec![before, replaced],
            (true, None) => Vec::new(),
        };
        Some((said.clone(), former))
    });
    Ok(former.collect())
}

/// Adds what these versions do not say as earlier ones said it last: a value that comes back is
/// no event.
async fn add_last_known(
    connection: &mut PgConnection,
    replaced: &mut [Row],
) -> Result<(), sqlx::Error> {
    let partial = replaced.iter().filter(|row| row.is_partial());
    let said: Vec<String> = partial.map(|row| row.said.clone()).collect();
    if said.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query_as!(
        Row,
        r#"select n.said as "said!", s.severity_rank, coalesce(s.is_rejected, false) as "is_rejected!",
                  z.is_zero_day, o.solution_status, coalesce(c.cves, '{}') as "cves!"
           from unnest($1::text[]) as n (said)
           left join lateral (
               select v.severity_rank, v.is_rejected
               from advisory_version v
               where v.said = n.said and v.severity_rank is not null
               order by v.version desc
               limit 1) as s on true
           left join lateral (
               select v.is_zero_day
               from advisory_version v
               where v.said = n.said and v.is_zero_day is not null
               order by v.version desc
               limit 1) as z on true
           left join lateral (
               select v.solution_status
               from advisory_version v
               where v.said = n.said and v.solution_status is not null
               order by v.version desc
               limit 1) as o on true
           left join lateral (
               select v.cves
               from advisory_version v
               where v.said = n.said and v.cves <> '{}'
               order by v.version desc
               limit 1) as c on true"#,
        &said
    )
    .fetch_all(connection)
    .await?;
    let mut last: HashMap<String, Row> = rows
        .into_iter()
        .map(|row| (row.said.clone(), row))
        .collect();
    for row in replaced {
        if let Some(last) = last.remove(&row.said) {
            row.add_last_known(last);
        }
    }
    Ok(())
}

/// The newest revision before the one that a completing version completes.
async fn before(
    connection: &mut PgConnection,
    next: &[Version<'_>],
) -> Result<HashMap<String, AdvisoryContent>, sqlx::Error> {
    let (said, modified_at): (Vec<&str>, Vec<Option<DateTime<Utc>>>) = next
        .iter()
        .filter(|next| next.completes)
        .map(|next| (next.whole.said.as_str(), next.whole.modified_at))
        .unzip();
    if said.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query_as!(
        Row,
        r#"select b.said, b.severity_rank, b.is_rejected, b.is_zero_day, b.solution_status, b.cves
           from unnest($1::text[], $2::timestamptz[]) as n (said, modified_at)
           cross join lateral (
               select *
               from advisory_version v
               where v.said = n.said
                 and v.modified_at < n.modified_at
               order by v.version desc
               limit 1) as b"#,
        &said as &[&str],
        &modified_at as &[Option<DateTime<Utc>>]
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Row::statement).collect())
}

/// An archived version of a ticket.
pub(crate) struct KeptTicket {
    pub version: i32,
    pub modified_at: Option<DateTime<Utc>>,
    pub statement: TicketStatement,
}

/// Archives the current versions of these tickets before they are replaced.
pub(crate) async fn keep_tickets(
    connection: &mut PgConnection,
    ids: &[i64],
    at: DateTime<Utc>,
) -> Result<HashMap<i64, KeptTicket>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query!(
        r#"insert into ticket_version
           select greatest($2, t.changed_at), t.*
           from ticket t
           where t.id = any($1)
           returning id, version, modified_at, status_id, status, priority_id, priority,
                     assignee_id, assignee, deleted_at is not null as "is_gone!""#,
        ids,
        at
    )
    .fetch_all(connection)
    .await?;
    let kept = rows.into_iter().map(|row| {
        let named = |id, name| Named { id, name };
        let statement = TicketStatement {
            status: named(row.status_id, row.status),
            priority: named(row.priority_id, row.priority),
            assignee: named(row.assignee_id, row.assignee),
            is_gone: row.is_gone,
        };
        let kept = KeptTicket {
            version: row.version,
            modified_at: row.modified_at,
            statement,
        };
        (row.id, kept)
    });
    Ok(kept.collect())
}

/// A stored version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredVersion {
    /// Version number.
    pub version: i32,
    /// When it was detected.
    pub at: DateTime<Utc>,
}

/// The stored versions of an advisory or ticket, oldest first, without those that
/// retention has removed.
pub async fn versions(
    connection: &mut PgConnection,
    kind: RecordKind,
    key: &str,
) -> Result<Vec<StoredVersion>, sqlx::Error> {
    sqlx::query_as!(
        StoredVersion,
        r#"select version as "version!", changed_at as "at!"
           from (
               select version, changed_at
               from every_advisory_version
               where $1 = 'advisory'
                 and said = $2
               union all
               select version, changed_at
               from every_ticket_version
               where $1 = 'ticket'
                 and id::text = $2) as every
           order by version"#,
        kind.name(),
        key
    )
    .fetch_all(connection)
    .await
}
