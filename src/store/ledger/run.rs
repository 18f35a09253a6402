//! Run log: beginning and ending runs.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use sqlx::postgres::types::PgRange;

use super::chain;
use super::source::range;
use crate::model::{FingerprintSum, Mode, Outcome, Tally};

/// Begins a run and returns its id. The caller holds the source lock, so a run
/// that is still `running` belongs to a dead process and becomes `interrupted`.
pub async fn begin(
    connection: &mut PgConnection,
    source_id: i32,
    job: &str,
    mode: Mode,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    let dead = sqlx::query_scalar!(
        "update sync_run
         set outcome = 'interrupted',
             finished_at = greatest($2, started_at),
             error = 'its process ended before the run did'
         where source_id = $1
           and outcome = 'running'
         returning id",
        source_id,
        now
    )
    .fetch_all(&mut *connection)
    .await?;
    for run_id in dead {
        chain::link(connection, run_id).await?;
    }
    if mode.advances_cursor() {
        crate::store::ledger::source::attempted(connection, source_id, now).await?;
    }
    sqlx::query_scalar!(
        "insert into sync_run (source_id, job, mode, started_at)
         values ($1, $2, $3, $4)
         returning id",
        source_id,
        job,
        mode.name(),
        now
    )
    .fetch_one(connection)
    .await
}

/// Records the window that a run requests, once upstream's clock is known.
pub(crate) async fn records_window(
    connection: &mut PgConnection,
    run_id: i64,
    covers: (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sync_run
         set covers = $2
         where id = $1",
        run_id,
        range(covers)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records that a run changes its mode: a list whose feed cannot be read continues
/// with the JSON API.
pub(crate) async fn change_mode(
    connection: &mut PgConnection,
    run_id: i64,
    mode: Mode,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sync_run
         set mode = $2
         where id = $1
           and outcome = 'running'",
        run_id,
        mode.name()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The values that are stored when a run ends.
#[derive(Debug, Clone, Copy)]
pub struct RunEnd<'a> {
    /// How it ended.
    pub outcome: &'a Outcome,
    /// Its counts.
    pub tally: &'a Tally,
    /// The window that it read, if known.
    pub covers: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The number that is compared with upstream's number of records.
    pub accounted: Option<u64>,
    /// The number of records received.
    pub received: FingerprintSum,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Ends a run and appends it to the chain of its source, in the transaction that
/// moves the cursor if the run is complete.
pub async fn finish(
    connection: &mut PgConnection,
    run_id: i64,
    ended: RunEnd<'_>,
) -> Result<(), sqlx::Error> {
    let Tally {
        requests,
        bytes,
        claimed,
        seen,
        added,
        changed,
        unchanged,
        quarantined,
    } = *ended.tally;
    sqlx::query!(
        "update sync_run
         set outcome = $2,
             error = $3,
             finished_at = greatest($4, started_at),
             requests = $5,
             bytes = $6,
             claimed = $7,
             seen = $8,
             added = $9,
             changed = $10,
             unchanged = $11,
             quarantined = $12,
             covers = coalesce($13, covers),
             accounted = $14,
             received = $15
         where id = $1
           and outcome = 'running'",
        run_id,
        ended.outcome.name(),
        ended.outcome.error(),
        ended.now,
        count(requests),
        count(bytes),
        claimed.map(count),
        count(seen),
        count(added),
        count(changed),
        count(unchanged),
        count(quarantined),
        ended.covers.map(range) as Option<PgRange<DateTime<Utc>>>,
        ended.accounted.map(count),
        &ended.received.to_bytes()
    )
    .execute(&mut *connection)
    .await?;
    chain::link(connection, run_id).await
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Start and number of requests of each run of the last day: the used part of the
/// account's daily limit.
pub async fn requests_of_last_day(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, u32)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select coalesce(finished_at, started_at) as \"at!\", requests as \"requests!\"
         from sync_run
         where started_at > $1
           and requests > 0
         union all
         select at, requests
         from discovery_request
         where at > $1
         order by 1",
        now - TimeDelta::hours(36)
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.at, u32::try_from(row.requests).unwrap_or(u32::MAX)))
        .collect())
}
