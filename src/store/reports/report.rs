//! Status of the stored data for `status`, the health endpoints and the metrics.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::missing;
use crate::model::{CoverageGap, IngestedVia, LeaseHolder, RunFailure, SourceKey};
use crate::store::ledger::lease::{self, LeaseName};

/// Status of a source.
#[derive(Debug, Clone)]
pub struct SourceReport {
    /// The source.
    pub key: SourceKey,
    /// The configured name.
    pub name: Option<String>,
    /// Whether it is configured.
    pub configured: bool,
    /// When a run last began.
    pub last_attempt_at: Option<DateTime<Utc>>,
    /// When the last complete run ended.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Error of the last run.
    pub last_error: Option<String>,
    /// Category of the last failure.
    pub last_failure: Option<RunFailure>,
    /// End of the covered time. Where windows show new tickets only, end of the time whose
    /// changes are stored.
    pub covered_to: Option<DateTime<Utc>>,
    /// Number of stored records.
    pub records: i64,
    /// Number of quarantined records.
    pub quarantined: i64,
    /// Whether a run is marked as running.
    pub running: bool,
    /// The process that has locked the source.
    pub holder: Option<LeaseHolder>,
    /// Gaps in the covered time.
    pub gaps: Vec<CoverageGap>,
    /// The API that a watch list's advisories are read from.
    pub ingested_via: IngestedVia,
    /// Why they are read from the JSON API.
    pub ingested_via_reason: Option<String>,
    /// Advisories that the JSON API lists and that cannot be fetched from it, if the list is
    /// read from there.
    pub missing_details: i64,
    /// After a rejection by upstream, no requests before this time.
    pub paused_until: Option<DateTime<Utc>>,
    /// Start of the last complete full pull of a feed.
    pub full_at: Option<DateTime<Utc>>,
    /// Start of the current uninterrupted time in which it is followed.
    pub followed_since: Option<DateTime<Utc>>,
    /// Newest release or modification of a member of a feed, according to upstream.
    pub news_at: Option<DateTime<Utc>>,
}

impl SourceReport {
    /// Since when its data ages: the end of the covered time, or when it was followed if
    /// it was never read completely.
    pub fn data_from(&self) -> Option<DateTime<Utc>> {
        self.covered_to.or(self.followed_since)
    }
}

/// All sources: watch lists by id, extra feeds by name, the tickets, and the
/// revision scan if it is configured. The status of the details is their backlog.
pub async fn sources(connection: &mut PgConnection) -> Result<Vec<SourceReport>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select s.id, s.kind, s.watch_list_id, s.extra_feed, s.name, s.configured,
                  s.last_attempt_at, s.last_success_at, s.last_error, s.last_failure,
                  least(upper(s.covered), (select r.changes_until from ticket_reading r where s.kind = 'tickets' and r.filter = 'created')) as covered_to,
                  s.served_by, s.served_why, s.rests_until, s.full_at,
                  s.followed_since, s.news_at,
                  case s.kind
                      when 'sweep' then 0
                      when 'tickets' then (select count(*) from ticket t where t.deleted_at is null)
                      else (select count(*) from sighting g where g.source_id = s.id and g.left_at is null)
                  end as "records!",
                  (select count(*) from quarantine q where q.source_id = s.id) as "quarantined!",
                  exists (
                      select
                      from sync_run r
                      where r.source_id = s.id
                        and r.outcome = 'running') as "running!"
           from source s
           where s.kind <> 'details'
             and (s.kind <> 'sweep' or s.configured)
           order by s.kind desc, s.watch_list_id, s.extra_feed"#
    )
    .fetch_all(&mut *connection)
    .await?;
    let missing = missing::of_lists(connection).await?.failed;
    let holders = lease::holders(connection).await?;
    let holder = |id| {
        let name = LeaseName::Source(id).to_string();
        holders.iter().find(|holder| holder.lease == name).cloned()
    };
    let mut reports = Vec::with_capacity(rows.len());
    for row in rows {
        let key = SourceKey::of_columns(&row.kind, row.watch_list_id, row.extra_feed);
        let ingested_via = IngestedVia::from_name(&row.served_by);
        reports.push(SourceReport {
            key,
            name: row.name,
            configured: row.configured,
            last_attempt_at: row.last_attempt_at,
            last_success_at: row.last_success_at,
            last_error: row.last_error,
            last_failure: row.last_failure.as_deref().and_then(RunFailure::from_name),
            covered_to: row.covered_to,
            records: row.records,
            quarantined: row.quarantined,
            running: row.running,
            holder: holder(row.id),
            gaps: crate::store::ledger::source::gaps(connection, row.id).await?,
            ingested_via,
            ingested_via_reason: row.served_why,
            missing_details: missing_of(ingested_via, missing),
            paused_until: row.rests_until,
            full_at: row.full_at,
            followed_since: row.followed_since,
            news_at: row.news_at,
        });
    }
    Ok(reports)
}

/// Of a list that is read from its feed, none is missing.
fn missing_of(ingested_via: IngestedVia, missing: i64) -> i64 {
    match ingested_via {
        IngestedVia::Json => missing,
        IngestedVia::Feed => 0,
    }
}

/// Number of stored advisories.
pub async fn advisories(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from advisory"#)
        .fetch_one(connection)
        .await
}

/// Size of a table.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TableSize {
    /// Its name.
    pub name: String,
    /// Bytes, including indexes and TOAST.
    pub bytes: i64,
}

/// All tables, largest first.
pub async fn table_sizes(connection: &mut PgConnection) -> Result<Vec<TableSize>, sqlx::Error> {
    sqlx::query_as!(
        TableSize,
        r#"select c.relname::text as "name!", pg_total_relation_size(c.oid) as "bytes!"
           from pg_class c
           join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = 'advisoryd'
             and c.relkind = 'r'
             and c.relname <> '_sqlx_migrations'
           order by 2 desc, 1"#
    )
    .fetch_all(connection)
    .await
}

/// The source of a row of `source`.
pub async fn key_of(
    connection: &mut PgConnection,
    source_id: i32,
) -> Result<SourceKey, sqlx::Error> {
    let row = sqlx::query!(
        "select kind, watch_list_id, extra_feed
         from source
         where id = $1",
        source_id
    )
    .fetch_one(connection)
    .await?;
    Ok(SourceKey::of_columns(
        &row.kind,
        row.watch_list_id,
        row.extra_feed,
    ))
}
