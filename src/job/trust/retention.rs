//! Applies `[retention]`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Retention;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::store::trust::alert_retention;
use crate::store::trust::retention::{self, DroppedRuns};

/// How often the daemon does it.
const EVERY: Duration = Duration::from_hours(1);

/// What was dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Versions that were replaced long ago.
    pub versions: u64,
    /// Raw texts of such versions.
    pub raw_texts: u64,
    /// Runs of the ledger.
    pub runs: u64,
    /// Records of the quarantine.
    pub quarantined: u64,
    /// What rules found of changes.
    pub evaluations: u64,
    /// Alerts that wait for nothing.
    pub alerts: u64,
    /// Sources whose old runs stay, because their ledger is broken.
    pub broken_ledgers: u64,
}

/// What can be dropped in batches.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Versions,
    Raw,
    Details,
    Quarantine,
    Evaluations,
    Alerts,
}

/// Drops, as of `now`, what was kept long enough; each batch in a transaction of
/// its own.
pub async fn maintain(
    pool: &PgPool,
    kept: &Retention,
    now: DateTime<Utc>,
    stop: &CancellationToken,
) -> Result<Dropped, Failure> {
    let Retention {
        versions,
        raw,
        runs,
        quarantine,
        evaluations,
        alerts,
    } = kept;
    let before = |time: &Option<Duration>| {
        let time = TimeDelta::from_std((*time)?).ok()?;
        now.checked_sub_signed(time)
    };
    let mut dropped = Dropped::default();
    if let Some(before) = before(versions) {
        dropped.versions = all(pool, Kind::Versions, before, stop).await?;
    }
    if let Some(before) = before(raw) {
        dropped.raw_texts = all(pool, Kind::Raw, before, stop).await?;
    }
    if dropped.versions + dropped.raw_texts > 0 {
        // What only they were made with.
        all(pool, Kind::Details, now, stop).await?;
    }
    if let Some(before) = before(quarantine) {
        dropped.quarantined = all(pool, Kind::Quarantine, before, stop).await?;
    }
    if let Some(before) = before(evaluations) {
        dropped.evaluations = all(pool, Kind::Evaluations, before, stop).await?;
    }
    if let Some(before) = before(alerts) {
        dropped.alerts = all(pool, Kind::Alerts, before, stop).await?;
    }
    if let Some(before) = before(runs) {
        drop_runs(pool, before, stop, &mut dropped).await?;
    }
    Ok(dropped)
}

async fn all(
    pool: &PgPool,
    kind: Kind,
    before: DateTime<Utc>,
    stop: &CancellationToken,
) -> Result<u64, Failure> {
    let mut dropped = 0;
    while !stop.is_cancelled() {
        let mut transaction = pool.begin().await?;
        let batch = batch(&mut transaction, kind, before).await?;
        transaction.commit().await?;
        if batch == 0 {
            break;
        }
        dropped += batch;
    }
    Ok(dropped)
}

async fn batch(
    connection: &mut PgConnection,
    kind: Kind,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    match kind {
        Kind::Versions => retention::drop_versions(connection, before).await,
        Kind::Raw => retention::drop_raw(connection, before).await,
        Kind::Details => retention::drop_details(connection).await,
        Kind::Quarantine => retention::drop_quarantine(connection, before).await,
        Kind::Evaluations => alert_retention::drop_evaluations(connection, before).await,
        Kind::Alerts => alert_retention::drop_alerts(connection, before).await,
    }
}

async fn drop_runs(
    pool: &PgPool,
    before: DateTime<Utc>,
    stop: &CancellationToken,
    dropped: &mut Dropped,
) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    let sources = retention::sources(&mut connection).await?;
    drop(connection);
    for source_id in sources {
        while !stop.is_cancelled() {
            let mut transaction = pool.begin().await?;
            let batch = retention::drop_runs(&mut transaction, source_id, before).await?;
            transaction.commit().await?;
            match batch {
                DroppedRuns::Dropped(0) => break,
                DroppedRuns::Dropped(runs) => dropped.runs += runs,
                DroppedRuns::Broken => {
                    dropped.broken_ledgers += 1;
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Once at the start and then every hour, until the program stops.
pub async fn hourly(context: Context) {
    loop {
        let now = context.clock.now();
        let kept = &context.config.retention;
        match maintain(&context.pool, kept, now, &context.stop).await {
            Ok(dropped) => tell(&dropped),
            Err(failure) => warn!(
                error = %failure.chain(),
                "retention could not be applied and is tried again in an hour: {}", failure.chain()
            ),
        }
        if context.or_stopped(tokio::time::sleep(EVERY)).await.is_err() {
            return;
        }
    }
}

fn tell(dropped: &Dropped) {
    let Dropped {
        versions,
        raw_texts,
        runs,
        quarantined,
        evaluations,
        alerts,
        broken_ledgers,
    } = *dropped;
    if versions + raw_texts + runs + quarantined + evaluations + alerts > 0 {
        info!(
            versions,
            raw_texts,
            runs,
            quarantined,
            evaluations,
            alerts,
            "[retention] dropped {versions} versions, {raw_texts} raw texts, {runs} runs, {quarantined} quarantined records, {evaluations} evaluations and {alerts} alerts"
        );
    }
    if broken_ledgers > 0 {
        warn!(
            broken_ledgers,
            "the ledgers of {broken_ledgers} sources are broken and their old runs are kept; see `advisoryd prove`"
        );
    }
}
