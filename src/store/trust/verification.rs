//! Queries of `verify`: each one selects rows that should not exist, at most
//! [`EXAMPLES`] of each kind.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::SourceKey;
use crate::store::ledger::chain::Chain;

/// Maximum number of rows of one kind; more would not help.
pub const EXAMPLES: i64 = 20;

/// A source, as `verify` needs it.
#[derive(Debug, Clone)]
pub struct VerifiedSource {
    /// The source.
    pub key: SourceKey,
    /// Whether it is configured; gaps matter only then.
    pub configured: bool,
    /// Number of runs.
    pub chain: Chain,
    /// Start of the covered time.
    pub covered_from: Option<DateTime<Utc>>,
    /// End of the covered time.
    pub covered_to: Option<DateTime<Utc>>,
    /// Whether the covered time includes time that no complete run in the run log read.
    pub covers_too_much: bool,
}

/// All sources.
pub async fn sources(connection: &mut PgConnection) -> Result<Vec<VerifiedSource>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select s.id, s.kind, s.watch_list_id, s.extra_feed, s.configured, s.runs, s.head,
                  s.dropped_runs, s.dropped_head,
                  lower(s.covered) as covered_from, upper(s.covered) as covered_to,
                  not s.covered <@ s.dropped_covers + coalesce((
                      select range_agg(r.covers)
                      from sync_run r
                      where r.source_id = s.id
                        and r.outcome = 'ok'
                        and r.covers is not null), '{}') as "covers_too_much!"
           from source s
           order by s.kind desc, s.watch_list_id, s.extra_feed"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| VerifiedSource {
            key: SourceKey::of_columns(&row.kind, row.watch_list_id, row.extra_feed),
            configured: row.configured,
            chain: Chain {
                source_id: row.id,
                runs: row.runs,
                head: row.head,
                dropped_runs: row.dropped_runs,
                dropped_head: row.dropped_head,
            },
            covered_from: row.covered_from,
            covered_to: row.covered_to,
            covers_too_much: row.covers_too_much,
        })
        .collect())
}

/// Ended runs of a source that are not in its chain.
pub async fn outside_of_chain(
    connection: &mut PgConnection,
    source: &VerifiedSource,
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id
         from sync_run
         where source_id = $1
           and place is null
           and outcome <> 'running'
         order by id
         limit $2",
        source.chain.source_id,
        EXAMPLES
    )
    .fetch_all(connection)
    .await
}

/// A run with inconsistent counts.
#[derive(Debug, Clone)]
pub struct Miscount {
    /// Row in `sync_run`.
    pub run_id: i64,
    /// Whether it is marked as complete.
    pub is_ok: bool,
    /// Number of records according to upstream.
    pub claimed: i64,
    /// Number of records received.
    pub accounted: i64,
}

/// Runs with fewer records than upstream reported: complete ones, which must not
/// exist, and others that no later complete run settles: a full one, or one whose window ends
/// later and is as long.
pub async fn miscounts(
    connection: &mut PgConnection,
    source_id: i32,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<Miscount>, sqlx::Error> {
    sqlx::query_as!(
        Miscount,
        r#"select r.id as run_id, r.outcome = 'ok' as "is_ok!", r.claimed as "claimed!",
                  coalesce(r.accounted, 0) as "accounted!"
           from sync_run r
           where r.source_id = $1
             and r.place is not null
             and r.claimed is not null
             and ($2::timestamptz is null or r.finished_at >= $2)
             and case
                     when r.outcome = 'ok' and r.mode in ('incremental', 'json') then r.accounted is distinct from r.claimed
                     when r.outcome = 'ok' then coalesce(r.accounted, 0) < r.claimed
                     else r.accounted < r.claimed
                          and not exists (
                              select
                              from sync_run n
                              where n.source_id = r.source_id
                                and n.place > r.place
                                and n.outcome = 'ok'
                                and case
                                        when n.mode = 'full' then true
                                        when r.covers is null then r.mode <> 'full'
                                        else upper(n.covers) >= upper(r.covers)
                                             and upper(n.covers) - lower(n.covers)
                                                 >= upper(r.covers) - lower(r.covers)
                                    end)
                 end
           order by r.id
           limit $3"#,
        source_id,
        since,
        EXAMPLES
    )
    .fetch_all(connection)
    .await
}

/// A missing version.
#[derive(Debug, Clone)]
pub struct LostVersion {
    /// The advisory's identifier or the ticket's id.
    pub key: String,
    /// The missing version.
    pub version: i32,
}

/// Versions of advisories that are missing although retention did not remove them.
pub async fn lost_advisory_versions(
    connection: &mut PgConnection,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<LostVersion>, sqlx::Error> {
    sqlx::query_as!(
        LostVersion,
        r#"select v.said as "key!", v.version - 1 as "version!"
           from (
               select said, version, changed_at from advisory
               union all
               select said, version, changed_at from advisory_version) as v
           where v.version > 1
             and v.changed_at >= coalesce((select versions_before from retained), '-infinity')
             and ($1::timestamptz is null or v.changed_at >= $1)
             and not exists (
                 select
                 from advisory_version o
                 where o.said = v.said
                   and o.version = v.version - 1)
           order by v.said, v.version
           limit $2"#,
        since,
        EXAMPLES
    )
    .fetch_all(connection)
    .await
}

/// The same for tickets.
pub async fn lost_ticket_versions(
    connection: &mut PgConnection,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<LostVersion>, sqlx::Error> {
    sqlx::query_as!(
        LostVersion,
        r#"select v.id::text as "key!", v.version - 1 as "version!"
           from (
               select id, version, changed_at from ticket
               union all
               select id, version, changed_at from ticket_version) as v
           where v.version > 1
             and v.changed_at >= coalesce((select versions_before from retained), '-infinity')
             and ($1::timestamptz is null or v.changed_at >= $1)
             and not exists (
                 select
                 from ticket_version o
                 where o.id = v.id
                   and o.version = v.version - 1)
           order by v.id, v.version
           limit $2"#,
        since,
        EXAMPLES
    )
    .fetch_all(connection)
    .await
}

/// Advisories with an old version, a sighting or a change, but without a current
/// version.
pub async fn lost_advisories(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select said as "said!"
           from (
               select said, version from advisory_version
               union all
               select said, 0 from sighting
               union all
               select key, version - 1 from change where kind = 'advisory') as known
           where not exists (
               select
               from advisory a
               where a.said = known.said
                 and a.version > known.version)
           group by said
           order by said
           limit $1"#,
        EXAMPLES
    )
    .fetch_all(connection)
    .await
}

/// The same for tickets.
pub async fn lost_tickets(connection: &mut PgConnection) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select id as "id!"
           from (
               select id, version from ticket_version
               union all
               select key::bigint, version - 1 from change where kind = 'ticket') as known
           where not exists (
               select
               from ticket t
               where t.id = known.id
                 and t.version > known.version)
           group by id
           order by id
           limit $1"#,
        EXAMPLES
    )
    .fetch_all(connection)
    .await
}

/// Missing numbers in the change log: first and last of each gap.
pub async fn lost_changes(connection: &mut PgConnection) -> Result<Vec<(i64, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select before + 1 as "first!", seq - 1 as "last!"
           from (
               select seq, lag(seq, 1, 0::bigint) over (order by seq) as before
               from (
                   select seq from change
                   union all
                   select last + 1 from change_counter) as every) as pair
           where seq <> before + 1
           order by 1
           limit $1"#,
        EXAMPLES
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.first, row.last)).collect())
}

/// Number of checked rows.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Extent {
    /// Advisories.
    pub advisories: i64,
    /// Tickets, including deleted ones.
    pub tickets: i64,
    /// Versions before the current ones.
    pub former_versions: i64,
    /// Changes.
    pub changes: i64,
}

/// Counts the rows.
pub async fn extent(connection: &mut PgConnection) -> Result<Extent, sqlx::Error> {
    sqlx::query_as!(
        Extent,
        r#"select (select count(*) from advisory) as "advisories!",
                  (select count(*) from ticket) as "tickets!",
                  (select count(*) from advisory_version)
                      + (select count(*) from ticket_version) as "former_versions!",
                  (select count(*) from change) as "changes!""#
    )
    .fetch_one(connection)
    .await
}
