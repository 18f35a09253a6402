//! Receipts: what was received of an advisory or ticket besides its stored version, and
//! the quarantined records that nothing has replaced.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::{
    DetailsMode, PendingFetch, QuarantinedRecord, RecordKind, RecordReceipt, SourceCoverage,
};

/// Maximum number of quarantined records in one receipt; more would not help.
const MOST_RECORDS: i64 = 20;

/// Which quarantined records; `None` matches everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuarantineFilter<'a> {
    /// Identifiers of advisories, or ids of tickets.
    pub keys: Option<&'a [String]>,
    /// Advisories or tickets.
    pub kind: Option<RecordKind>,
    /// First or last received since.
    pub since: Option<DateTime<Utc>>,
    /// Maximum number.
    pub limit: Option<i64>,
}

/// Quarantined records that no later version of the same advisory or ticket has
/// replaced, oldest first.
///
/// A version replaces a record if it was stored by a later run than the one that first
/// received the record, or if newer details were fetched. What has no identifier is replaced
/// by newer details of all advisories that it may be.
pub async fn unreplaced(
    connection: &mut PgConnection,
    filter: QuarantineFilter<'_>,
) -> Result<Vec<QuarantinedRecord>, sqlx::Error> {
    let QuarantineFilter {
        keys,
        kind,
        since,
        limit,
    } = filter;
    sqlx::query_as!(
        QuarantinedRecord,
        r#"select q.id, q.at, source_in_words(s.kind, s.watch_list_id, s.extra_feed) as "source!",
                  q.key, q.reason
           from quarantine q
           join source s on s.id = q.source_id
           left join sync_run r on r.id = q.last_run_id
           where ($1::text[] is null or q.key = any($1) or q.mentioned && $1)
             and ($2::boolean is null or (s.kind = 'tickets') = $2)
             and ($3::timestamptz is null or q.at >= $3 or r.started_at >= $3)
             and case
                     when s.kind = 'tickets' then not exists (
                         select
                         from ticket t
                         where t.id::text = q.key
                           and t.run_id > q.run_id
                           and t.changed_at > q.at)
                     else not exists (
                             select
                             from advisory a
                             where a.said = q.key
                               and a.run_id > q.run_id
                               and a.changed_at > q.at)
                         and not exists (
                             select
                             from detail d
                             where d.said = q.key
                               and d.fetched_at > q.at)
                 end
           order by q.id
           limit $4"#,
        keys,
        kind.map(|kind| kind == RecordKind::Ticket),
        since,
        limit
    )
    .fetch_all(connection)
    .await
}

/// What is known of an advisory or ticket. `details` decides which entries of the
/// fetch queue will be fetched.
pub async fn receipt(
    connection: &mut PgConnection,
    kind: RecordKind,
    key: &str,
    details: DetailsMode,
) -> Result<RecordReceipt, sqlx::Error> {
    let is_ticket = kind == RecordKind::Ticket;
    let row = sqlx::query!(
        r#"select case when $1::boolean
                      then exists (select from ticket t where t.id::text = $2::text)
                      else exists (select from advisory a where a.said = $2)
                  end as "is_stored!",
                  (select d.fetched_at
                   from detail d
                   where not $1
                     and d.said = $2) as unlisted_at"#,
        is_ticket,
        key
    )
    .fetch_one(&mut *connection)
    .await?;
    let keys = [key.to_owned()];
    let filter = QuarantineFilter {
        keys: Some(&keys),
        kind: Some(kind),
        limit: Some(MOST_RECORDS),
        ..QuarantineFilter::default()
    };
    let pending = if is_ticket {
        None
    } else {
        pending(connection, &keys, details).await?.remove(key)
    };
    Ok(RecordReceipt {
        is_stored: row.is_stored,
        quarantined: unreplaced(connection, filter).await?,
        pending,
        unlisted_at: row.unlisted_at.filter(|_| !row.is_stored),
        sources: coverage(connection, is_ticket).await?,
    })
}

/// The entries of the fetch queue for these advisories that will be fetched.
pub async fn pending(
    connection: &mut PgConnection,
    keys: &[String],
    details: DetailsMode,
) -> Result<HashMap<String, PendingFetch>, sqlx::Error> {
    let rows = sqlx::query!(
        "select said, wanted_since, next_at, attempts, last_error
         from wanted_detail
         where said = any($1)
           and ($2 or reason in ('sweep', 'json'))",
        keys,
        details != DetailsMode::Never
    )
    .fetch_all(connection)
    .await?;
    let entries = rows.into_iter().map(|row| {
        let entry = PendingFetch {
            since: row.wanted_since,
            due_at: row.next_at,
            attempts: row.attempts,
            last_error: row.last_error,
        };
        (row.said, entry)
    });
    Ok(entries.collect())
}

/// How far the configured sources of advisories, or the tickets, were read.
async fn coverage(
    connection: &mut PgConnection,
    of_tickets: bool,
) -> Result<Vec<SourceCoverage>, sqlx::Error> {
    sqlx::query_as!(
        SourceCoverage,
        r#"select case kind
                      when 'tickets' then 'the collection of tickets'
                      else source_in_words(kind, watch_list_id, extra_feed)
                  end as "source!",
                  upper(covered) as complete_to
           from source
           where configured
             and case when $1::boolean then kind = 'tickets' else kind in ('watch_list', 'extra_feed') end
           order by kind desc, watch_list_id, extra_feed"#,
        of_tickets
    )
    .fetch_all(connection)
    .await
}

/// Advisories that are known and in no list of advisories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlisted {
    /// Quarantined records of advisories that are not stored, or without an identifier.
    pub quarantined: i64,
    /// Advisories in the fetch queue that are not stored.
    pub pending: i64,
}

/// Counts advisories that are known and not stored.
pub async fn unlisted(
    connection: &mut PgConnection,
    details: DetailsMode,
) -> Result<Unlisted, sqlx::Error> {
    sqlx::query_as!(
        Unlisted,
        r#"select (select count(*)
                   from quarantine q
                   join source s on s.id = q.source_id
                   where s.kind <> 'tickets'
                     and not exists (select from advisory a where a.said = q.key)
                     and not exists (select from detail d where d.said = q.key)) as "quarantined!",
                  (select count(*)
                   from wanted_detail w
                   where ($1 or w.reason in ('sweep', 'json'))
                     and not exists (select from advisory a where a.said = w.said)
                     and not exists (select from detail d where d.said = w.said)) as "pending!""#,
        details != DetailsMode::Never
    )
    .fetch_one(connection)
    .await
}
