//! Retention: deletes (prunes) outdated data, as `[retention]` says.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Retention;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::counted;
use crate::store::budget::member as budget;
use crate::store::database;
use crate::store::trust::retention::{self, DroppedRuns};
use crate::store::trust::{alert_retention, erasure};

/// How often the daemon applies it.
const EVERY: Duration = Duration::from_hours(1);

/// The number of deleted rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Outdated versions.
    pub versions: u64,
    /// Raw texts of outdated versions.
    pub raw_texts: u64,
    /// Runs of the run log.
    pub runs: u64,
    /// Quarantined records.
    pub quarantined: u64,
    /// Erased tickets, which were deleted upstream.
    pub erased_tickets: u64,
    /// Verdicts of rules on changes.
    pub evaluations: u64,
    /// Alerts without pending deliveries.
    pub alerts: u64,
    /// Sources whose old runs are kept because verification of their run log fails.
    pub broken_ledgers: u64,
}

/// Data that is deleted in batches.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Versions,
    Raw,
    Quarantine,
    GoneTickets(DateTime<Utc>),
    Evaluations,
    Alerts,
}

/// Deletes data that is older than its retention time at `now`; each batch in its own
/// transaction.
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
        gone_tickets,
        evaluations,
        alerts,
    } = kept;
    let before = |time: &Option<Duration>| {
        let time = TimeDelta::from_std((*time)?).ok()?;
        now.checked_sub_signed(time)
    };
    let mut dropped = Dropped::default();
    // A process forgets what is older when it joins; a daemon joins once.
    let mut transaction = database::begin(pool).await?;
    budget::forget(&mut transaction).await?;
    transaction.commit().await?;
    if let Some(before) = before(versions) {
        dropped.versions = drop_all(pool, Kind::Versions, before, stop).await?;
    }
    if let Some(before) = before(raw) {
        dropped.raw_texts = drop_all(pool, Kind::Raw, before, stop).await?;
    }
    if dropped.versions + dropped.raw_texts > 0 {
        // Details that no version needs any more.
        drop_details(pool, stop).await?;
    }
    if let Some(before) = before(quarantine) {
        dropped.quarantined = drop_all(pool, Kind::Quarantine, before, stop).await?;
    }
    if let Some(before) = before(gone_tickets) {
        dropped.erased_tickets = drop_all(pool, Kind::GoneTickets(now), before, stop).await?;
    }
    if let Some(before) = before(evaluations) {
        dropped.evaluations = drop_all(pool, Kind::Evaluations, before, stop).await?;
    }
    if let Some(before) = before(alerts) {
        dropped.alerts = drop_all(pool, Kind::Alerts, before, stop).await?;
    }
    if let Some(before) = before(runs) {
        drop_runs(pool, before, stop, &mut dropped).await?;
    }
    Ok(dropped)
}

async fn drop_all(
    pool: &PgPool,
    kind: Kind,
    before: DateTime<Utc>,
    stop: &CancellationToken,
) -> Result<u64, Failure> {
    let mut dropped = 0;
    while !stop.is_cancelled() {
        let mut transaction = database::begin(pool).await?;
        let batch = drop_batch(&mut transaction, kind, before).await?;
        transaction.commit().await?;
        if batch == 0 {
            break;
        }
        dropped += batch;
    }
    Ok(dropped)
}

/// Looks at all former details once, a page at a time.
async fn drop_details(pool: &PgPool, stop: &CancellationToken) -> Result<(), Failure> {
    let mut after = None;
    while !stop.is_cancelled() {
        let mut transaction = database::begin(pool).await?;
        after = retention::drop_details(&mut transaction, after.as_ref()).await?;
        transaction.commit().await?;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

async fn drop_batch(
    transaction: &mut PgConnection,
    kind: Kind,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    match kind {
        Kind::Versions => retention::drop_versions(transaction, before).await,
        Kind::Raw => retention::drop_raw(transaction, before).await,
        Kind::Quarantine => retention::drop_quarantine(transaction, before).await,
        Kind::GoneTickets(now) => erasure::erase_gone(transaction, before, now).await,
        Kind::Evaluations => alert_retention::drop_evaluations(transaction, before).await,
        Kind::Alerts => alert_retention::drop_alerts(transaction, before).await,
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
            let mut transaction = database::begin(pool).await?;
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

/// Applies retention at the start and then every hour, until advisoryd stops.
pub(crate) async fn hourly(context: Context) {
    loop {
        let now = context.clock.now();
        let kept = &context.config.retention;
        match maintain(&context.pool, kept, now, &context.stop).await {
            Ok(dropped) => log_dropped(&dropped),
            Err(failure) => warn!(
                error = %failure.chain(),
                "applying retention failed, will retry in an hour: {}", failure.chain()
            ),
        }
        if context.or_stopped(tokio::time::sleep(EVERY)).await.is_err() {
            return;
        }
    }
}

fn log_dropped(dropped: &Dropped) {
    let Dropped {
        versions,
        raw_texts,
        runs,
        quarantined,
        erased_tickets,
        evaluations,
        alerts,
        broken_ledgers,
    } = *dropped;
    if versions + raw_texts + runs + quarantined + erased_tickets + evaluations + alerts > 0 {
        info!(
            versions,
            raw_texts,
            runs,
            quarantined,
            erased_tickets,
            evaluations,
            alerts,
            "retention: deleted {}, {}, {}, {}, {} and {}, and erased {}",
            counted(versions, "version"),
            counted(raw_texts, "raw text"),
            counted(runs, "run"),
            counted(quarantined, "quarantined record"),
            counted(evaluations, "evaluation"),
            counted(alerts, "alert"),
            counted(erased_tickets, "ticket")
        );
    }
    if broken_ledgers > 0 {
        warn!(
            broken_ledgers,
            "the run log fails verification for {}, so old runs are kept there; see `advisoryd verify`",
            counted(broken_ledgers, "source")
        );
    }
}
