//! Retention of versions, raw texts, details, records and runs, a small batch at a
//! time. The current state is in other tables and is not touched.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::store::ledger::chain::{self, Chain};

/// Rows per batch: small, so that its locks are short.
pub const BATCH: i64 = 1000;

/// Removes versions that were replaced before `before`, oldest first, so that the
/// remaining versions have no gap.
pub async fn drop_versions(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let advisories = sqlx::query!(
        "delete from advisory_version v
         using (
             select said, version
             from advisory_version
             where replaced_at < $1
             order by replaced_at, changed_at, version
             limit $2) as old
         where v.said = old.said
           and v.version = old.version",
        before,
        BATCH
    )
    .execute(&mut *connection)
    .await?;
    let tickets = sqlx::query!(
        "delete from ticket_version v
         using (
             select id, version
             from ticket_version
             where replaced_at < $1
             order by replaced_at, changed_at, version
             limit $2) as old
         where v.id = old.id
           and v.version = old.version",
        before,
        BATCH
    )
    .execute(&mut *connection)
    .await?;
    let dropped = advisories.rows_affected() + tickets.rows_affected();
    if dropped > 0 {
        sqlx::query!(
            "update retained
             set versions_before = $1
             where versions_before < $1",
            before
        )
        .execute(connection)
        .await?;
    }
    Ok(dropped)
}

/// Removes the raw texts of versions that were replaced before `before`.
pub async fn drop_raw(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let advisories = sqlx::query!(
        "update advisory_version v
         set raw = null
         from (
             select said, version
             from advisory_version
             where replaced_at < $1
               and raw is not null
             order by replaced_at
             limit $2) as old
         where v.said = old.said
           and v.version = old.version",
        before,
        BATCH
    )
    .execute(&mut *connection)
    .await?;
    let tickets = sqlx::query!(
        "update ticket_version v
         set raw = null
         from (
             select id, version
             from ticket_version
             where replaced_at < $1
               and raw is not null
             order by replaced_at
             limit $2) as old
         where v.id = old.id
           and v.version = old.version",
        before,
        BATCH
    )
    .execute(connection)
    .await?;
    Ok(advisories.rows_affected() + tickets.rows_affected())
}

/// A place in the order of former details: an identifier and a hash.
pub type DetailKey = (String, Vec<u8>);

/// Removes details that belong to no version with a raw text, among the first ones after
/// `after` in the order of their keys; returns the last of those. Details of current versions
/// stay.
pub async fn drop_details(
    connection: &mut PgConnection,
    after: Option<&DetailKey>,
) -> Result<Option<DetailKey>, sqlx::Error> {
    let (said, byte_hash) = after
        .map(|(said, hash)| (said.as_str(), hash.as_slice()))
        .unzip();
    let last = sqlx::query!(
        "select said, byte_hash
         from (
             select said, byte_hash
             from former_detail
             where $1::text is null or (said, byte_hash) > ($1, $2::bytea)
             order by said, byte_hash
             limit $3) as page
         order by said desc, byte_hash desc
         limit 1",
        said,
        byte_hash,
        BATCH
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(last) = last else {
        return Ok(None);
    };
    sqlx::query!(
        "delete from former_detail o
         where ($1::text is null or (o.said, o.byte_hash) > ($1, $2::bytea))
           and (o.said, o.byte_hash) <= ($3, $4)
           and not exists (
               select
               from advisory_version v
               where v.said = o.said
                 and v.detail_hash = o.byte_hash
                 and v.raw is not null)
           and not exists (
               select
               from advisory a
               where a.said = o.said
                 and a.detail_hash = o.byte_hash)",
        said,
        byte_hash,
        &last.said,
        &last.byte_hash
    )
    .execute(connection)
    .await?;
    Ok(Some((last.said, last.byte_hash)))
}

/// Removes quarantined records that upstream last sent before `before`, and replaced ones
/// that were replaced before it.
pub async fn drop_quarantine(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from quarantine
         where id in (
             select q.id
             from quarantine q
             left join sync_run r on r.id = q.last_run_id
             where q.at < $1
               and (r.started_at is null or r.started_at < $1)
             order by q.id
             limit $2)",
        before,
        BATCH
    )
    .execute(&mut *connection)
    .await?;
    let replaced = sqlx::query!(
        "delete from replaced_record
         where id in (
             select id
             from replaced_record
             where replaced_at < $1
             order by replaced_at, id
             limit $2)",
        before,
        BATCH
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() + replaced.rows_affected())
}

/// The sources that may have old runs.
pub async fn sources(connection: &mut PgConnection) -> Result<Vec<i32>, sqlx::Error> {
    sqlx::query_scalar!("select id from source order by id")
        .fetch_all(connection)
        .await
}

/// Result of a batch of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DroppedRuns {
    /// Number of removed runs; 0 if none is left that is old enough.
    Dropped(u64),
    /// The next run is missing or was altered. Removing it would hide that.
    Broken,
}

/// Removes the oldest runs of a source that ended before `before`, and anchors its
/// chain at the newest of them. The newest run of the source always stays.
pub async fn drop_runs(
    connection: &mut PgConnection,
    source_id: i32,
    before: DateTime<Utc>,
) -> Result<DroppedRuns, sqlx::Error> {
    let row = sqlx::query!(
        "select runs, head, dropped_runs, dropped_head
         from source
         where id = $1
         for update",
        source_id
    )
    .fetch_one(&mut *connection)
    .await?;
    let chain = Chain {
        source_id,
        runs: row.runs,
        head: row.head,
        dropped_runs: row.dropped_runs,
        dropped_head: row.dropped_head,
    };
    let old = chain::oldest(connection, &chain, before, BATCH).await?;
    let Some((place, digest)) = old.last else {
        return Ok(if old.broken {
            DroppedRuns::Broken
        } else {
            DroppedRuns::Dropped(0)
        });
    };
    sqlx::query!(
        "update source
         set dropped_runs = $2,
             dropped_head = $3,
             dropped_covers = dropped_covers + coalesce((
                 select range_agg(r.covers)
                 from sync_run r
                 where r.source_id = $1
                   and r.place <= $2
                   and r.outcome = 'ok'
                   and r.covers is not null), '{}')
         where id = $1",
        source_id,
        place,
        &digest
    )
    .execute(&mut *connection)
    .await?;
    let done = sqlx::query!(
        "delete from sync_run
         where source_id = $1
           and place <= $2",
        source_id,
        place
    )
    .execute(connection)
    .await?;
    Ok(DroppedRuns::Dropped(done.rows_affected()))
}
