//! The ledger of runs.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use sqlx::postgres::types::PgRange;

use super::chain;
use super::source::range;
use crate::model::FingerprintSum;

/// What a run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A feed's last days.
    Window,
    /// All there is.
    Full,
    /// What changed since the cursor.
    Incremental,
    /// Old time again, to see whether upstream changed it without telling.
    Reconcile,
    /// A saved document.
    Import,
    /// A watch list's advisories from the JSON API.
    Json,
    /// Details that are wanted.
    Details,
}

impl Mode {
    /// The name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Full => "full",
            Self::Incremental => "incremental",
            Self::Reconcile => "reconcile",
            Self::Import => "import",
            Self::Json => "json",
            Self::Details => "details",
        }
    }

    /// Whether the run speaks for its source: moves its cursor, its last success
    /// and its last error. Reading old time again says nothing about new data, and neither does a file.
    pub fn leads(self) -> bool {
        !matches!(self, Self::Reconcile | Self::Import)
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Complete.
    Ok,
    /// Not complete, and why.
    Failed(String),
    /// Stopped by us before its end, and why.
    Interrupted(String),
}

/// What a run counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Requests sent, retries included.
    pub requests: u64,
    /// Bytes received, after decompression.
    pub bytes: u64,
    /// Records upstream said there are.
    pub claimed: Option<u64>,
    /// Records received and understood.
    pub seen: u64,
    /// New ones.
    pub added: u64,
    /// New versions.
    pub changed: u64,
    /// Those that said nothing new.
    pub unchanged: u64,
    /// Records received and not understood.
    pub quarantined: u64,
}

/// Begins a run and returns its id. The caller holds the source, so a run that
/// is still `running` is one of a dead process: it becomes `interrupted`.
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
    if mode.leads() {
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

/// Notes the window that a run asks for, once upstream's clock is known.
pub async fn asks(
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

/// Notes that a run reads otherwise than it began: a list whose feed cannot be
/// read goes on with the JSON API.
pub async fn change_mode(
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

/// Fails unless the run is still ours: a run whose hold on the source was lost
/// (its connection died) may have been declared dead by another process, which
/// then reads the same source.
pub async fn still_ours(connection: &mut PgConnection, run_id: i64) -> Result<bool, sqlx::Error> {
    let row = sqlx::query_scalar!(
        "select id
         from sync_run
         where id = $1
           and outcome = 'running'
         for share",
        run_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// What is written down of a run that ends.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// How it ended.
    pub outcome: &'a Outcome,
    /// What it counted.
    pub tally: &'a Tally,
    /// The window it read, where it came so far.
    pub covers: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// What is set against the number of records that upstream claims.
    pub accounted: Option<u64>,
    /// All that it received.
    pub received: FingerprintSum,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Ends a run and puts it into the chain of its source, in the transaction that
/// moves the cursor if the run is complete.
pub async fn finish(
    connection: &mut PgConnection,
    run_id: i64,
    ended: Ended<'_>,
) -> Result<(), sqlx::Error> {
    let (name, error) = match ended.outcome {
        Outcome::Ok => ("ok", None),
        Outcome::Failed(error) => ("failed", Some(error.as_str())),
        Outcome::Interrupted(error) => ("interrupted", Some(error.as_str())),
    };
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
        name,
        error,
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

/// When each run of the last day began and how many requests it sent: what the
/// account's daily limit has already been charged.
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
