//! What the database says about itself, for whoever doubts it. Each question
//! asks for what should not be there; at most [`EXAMPLES`] rows of each are told.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::SourceKey;
use crate::store::ledger::chain::Chain;

/// More rows of one kind would tell nobody more.
pub const EXAMPLES: i64 = 20;

/// One source, as far as proving concerns it.
#[derive(Debug, Clone)]
pub struct ProofSource {
    /// Which.
    pub key: SourceKey,
    /// Whether the configuration names it: only then holes in it matter.
    pub configured: bool,
    /// Its runs.
    pub chain: Chain,
    /// Beginning of the covered time.
    pub covered_from: Option<DateTime<Utc>>,
    /// End of the covered time.
    pub covered_to: Option<DateTime<Utc>>,
    /// Whether it covers time that no complete run of the ledger read.
    pub covers_too_much: bool,
}

/// All sources.
pub async fn sources(connection: &mut PgConnection) -> Result<Vec<ProofSource>, sqlx::Error> {
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
        .map(|row| ProofSource {
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

/// Ended runs of a source that stand outside of its chain.
pub async fn outside_of_chain(
    connection: &mut PgConnection,
    source: &ProofSource,
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

/// A run whose counts do not agree.
#[derive(Debug, Clone)]
pub struct Miscount {
    /// Row in `sync_run`.
    pub run_id: i64,
    /// Whether it counts as complete.
    pub is_ok: bool,
    /// What upstream said there is.
    pub claimed: i64,
    /// What came.
    pub accounted: i64,
}

/// Runs that hold fewer records than upstream claimed: complete ones, which must
/// not exist, and others that no complete run has made up for.
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
                                and n.outcome = 'ok')
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

/// A version whose former one is gone.
#[derive(Debug, Clone)]
pub struct LostVersion {
    /// The advisory's identifier or the ticket's id.
    pub key: String,
    /// The version that is missing.
    pub version: i32,
}

/// Versions of advisories that are missing though retention did not drop them.
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

/// The same of tickets.
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

/// Advisories of which something is stored (an old version, a sighting, a
/// change) and not the current version.
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

/// The same of tickets.
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

/// Numbers that are missing among the changes: first and last of each hole.
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

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Extent {
    /// Advisories.
    pub advisories: i64,
    /// Tickets, gone ones included.
    pub tickets: i64,
    /// Versions before the current ones.
    pub former_versions: i64,
    /// Changes.
    pub changes: i64,
}

/// Counts it.
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

/// Lets a transaction see one moment, whatever others commit meanwhile.
pub async fn see_one_moment(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("set transaction isolation level repeatable read, read only")
        .execute(connection)
        .await?;
    Ok(())
}
