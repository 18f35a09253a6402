//! Workers, one per source: a tick wakes a worker, its runs never overlap, and no failure
//! ends it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, MutexGuard, Semaphore};
use tracing::{error, info};

use super::abandoned;
use super::outage::until_done;
use super::progress::RunEnded;
use super::reconcile;
use super::worker::{Worker, WorkerTask};
use crate::config::Config;
use crate::job::context::Context;
use crate::job::details::revision_scan;
use crate::job::failure::Failure;
use crate::job::feeds::due::is_due as is_due_in_full;
use crate::job::feeds::feed::feeds;
use crate::job::feeds::full;
use crate::job::run::Ran;
use crate::job::tickets::sync::{self, TicketSync};
use crate::model::{LeaseHolder, SourceKey};
use crate::store::ledger::source;
use crate::store::reports::full_reads::{self, FailedFullRead};
use crate::store::tickets::reading;

/// Limit for concurrent runs of this process: each has its own connection and download.
/// A hundred lists at one tick wait for each other.
pub const MAX_RUNS: usize = 16;
static RUN_SLOTS: Semaphore = Semaphore::const_new(MAX_RUNS);

/// Held while one of the two workers of the tickets reads them. Both get it in the order in
/// which they ask: windows that take longer than their schedule would otherwise follow each
/// other, and a full scan would never begin.
static TICKETS_TURN: Mutex<()> = Mutex::const_new(());

/// Pause before a full scan tries again to begin while another run reads the tickets.
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// How often is looked whether a full scan that failed is due again.
const POLL_INTERVAL: Duration = Duration::from_mins(1);

/// All workers of a configuration.
pub fn workers(config: &Config) -> Vec<Worker> {
    if config.upstream.offline {
        return Vec::new(); // data comes by `import`
    }
    let mut workers: Vec<Worker> = feeds(config)
        .into_iter()
        .map(|(feed, schedule)| {
            Worker::new(WorkerTask::Feed(feed), schedule)
                .with_full_schedule(&config.schedule.full_feeds)
        })
        .collect();
    if config.feeds.sweep {
        workers.push(Worker::new(
            WorkerTask::RevisionScan,
            &config.schedule.feeds,
        ));
    }
    if config.tickets.enabled {
        workers.push(Worker::new(WorkerTask::Tickets, &config.schedule.tickets));
        workers.push(Worker::new(
            WorkerTask::FullScan,
            &config.schedule.full_walk,
        ));
    }
    workers
}

/// Runs the worker until advisoryd stops or the worker is cancelled; notifies `run_ended`
/// after each run.
pub(crate) async fn work(context: Context, worker: Worker, run_ended: RunEnded) {
    let context = Context {
        progress: worker.watch.progress(),
        ..context
    };
    if worker.watch.waits(is_due(&context, &worker)).await {
        worker.wake();
    } else {
        worker.watch.ends();
    }
    loop {
        let is_tick = tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            () = worker.end.cancelled() => return,
            () = worker.tick.notified() => true,
            () = failed_scan_is_due(&context, &worker) => true,
            () = worker.again.notified() => false,
        };
        worker.watch.begins();
        if is_tick {
            run_once(&context, &worker).await;
        } else {
            reconcile::read_again(&context, &worker).await;
        }
        worker.watch.ends();
        run_ended.notify();
    }
}

/// Whether a tick or a full pull was missed while no daemon ran, or the source was never
/// read completely.
async fn is_due(context: &Context, worker: &Worker) -> bool {
    let Ok(mut connection) = context.pool.acquire().await else {
        return true; // the run will wait for the database
    };
    let timezone = context.config.schedule.timezone;
    if matches!(worker.task, WorkerTask::FullScan) {
        // The first full scan is made by the other worker of the tickets.
        let last = reading::get(&mut connection).await;
        let last = last.ok().and_then(|reading| reading.full_walk_at);
        let next = last.and_then(|at| worker.schedule.next_after(at, timezone));
        return next.is_some_and(|next| next <= context.clock.now())
            || is_failed_scan_due(context).await;
    }
    let Ok(Some(found)) = source::find(&mut connection, &worker.key()).await else {
        return true;
    };
    let timezone = context.config.schedule.timezone;
    if matches!(worker.task, WorkerTask::Feed(_)) && is_due_in_full(context, &found) {
        return true;
    }
    found
        .last_success_at
        .and_then(|at| worker.schedule.next_after(at, timezone))
        .is_none_or(|next| next <= context.clock.now())
}

/// Waits until a full scan that failed has to be tried again: its next tick is a week away.
async fn failed_scan_is_due(context: &Context, worker: &Worker) {
    if !matches!(worker.task, WorkerTask::FullScan) {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        if is_failed_scan_due(context).await {
            return;
        }
    }
}

async fn is_failed_scan_due(context: &Context) -> bool {
    let scan = failed_scan(context).await;
    scan.is_some_and(|scan| scan.again_at() <= context.clock.now())
}

/// The full scans that failed since the last complete one. `None` also if the database does
/// not say: it is asked again.
async fn failed_scan(context: &Context) -> Option<FailedFullRead> {
    let mut connection = context.pool.acquire().await.ok()?;
    let failed = full_reads::failed(&mut connection).await.ok()?;
    failed.into_iter().find(|one| one.key == SourceKey::Tickets)
}

/// One run; repeated after an outage of the database.
async fn run_once(context: &Context, worker: &Worker) {
    let key = worker.key();
    let run = || run_task(context, worker);
    match until_done(context, Some(&worker.watch), &key, run).await {
        Ok(()) | Err(Failure::Stopped) => {}
        Err(failure) => {
            error!(source = %key, error = %failure.chain(), "{}: the run could not be recorded: {}", key.label(), failure.chain());
        }
    }
}

async fn run_task(context: &Context, worker: &Worker) -> Result<(), Failure> {
    if matches!(worker.task, WorkerTask::FullScan) {
        return full_scan(context, worker).await;
    }
    let _turn = match worker.task {
        WorkerTask::Tickets => Some(tickets_turn(worker).await),
        _ => None,
    };
    let Ok(slot) = worker.watch.waits(RUN_SLOTS.acquire()).await else {
        return Err(Failure::Stopped); // the semaphore is never closed
    };
    let Some(holder) = run_tick(context, worker).await? else {
        return Ok(());
    };
    drop(slot);
    if !abandoned::waited_for(context, &worker.watch, &holder).await? {
        log_skipped(worker, &holder);
        return Ok(());
    }
    let Ok(_slot) = worker.watch.waits(RUN_SLOTS.acquire()).await else {
        return Err(Failure::Stopped); // the semaphore is never closed
    };
    if let Some(holder) = run_tick(context, worker).await? {
        log_skipped(worker, &holder);
    }
    Ok(())
}

/// What a tick requires; if another run is in progress, returns its process.
async fn run_tick(context: &Context, worker: &Worker) -> Result<Option<LeaseHolder>, Failure> {
    let ran = match &worker.task {
        WorkerTask::Feed(feed) => full::pull_due(context, feed).await?,
        WorkerTask::Tickets => sync::sync(context, TicketSync::Differences).await?,
        WorkerTask::FullScan => Vec::new(),
        WorkerTask::RevisionScan => revision_scan::scan_revisions(context)
            .await?
            .into_iter()
            .collect(),
    };
    Ok(ran.into_iter().find_map(|ran| match ran {
        Ran::Busy(holder) => Some(holder),
        Ran::Ended(_) => None,
    }))
}

fn log_skipped(worker: &Worker, holder: &LeaseHolder) {
    info!(source = %worker.key(), "{}: another run is in progress ({holder}); this scheduled run is skipped", worker.key().label());
}

async fn tickets_turn(worker: &Worker) -> MutexGuard<'static, ()> {
    worker.watch.waits(TICKETS_TURN.lock()).await
}

/// A full scan of the tickets. It waits for a run of another process, because its next tick
/// is a week away, but not if that run was the full scan of that process.
async fn full_scan(context: &Context, worker: &Worker) -> Result<(), Failure> {
    let began = last_full_scan(context).await?;
    let failed_at = failed_scan(context).await.map(|scan| scan.last_at);
    let mut is_reported = false;
    loop {
        let turn = tickets_turn(worker).await;
        let Ok(slot) = worker.watch.waits(RUN_SLOTS.acquire()).await else {
            return Err(Failure::Stopped); // the semaphore is never closed
        };
        let ran = sync::sync(context, TicketSync::FullScan).await?;
        drop((slot, turn));
        let Some(Ran::Busy(holder)) = ran.first() else {
            return Ok(());
        };
        if !is_reported {
            is_reported = true;
            info!(source = %worker.key(), "{}: another run is in progress ({holder}); the full scan waits for it", worker.key());
        }
        let pause = context.or_stopped(tokio::time::sleep(BUSY_PAUSE));
        worker.watch.waits(pause).await?;
        // That of the other process may have failed, too.
        let fails_again = failed_scan(context).await.map(|scan| scan.last_at) > failed_at;
        if fails_again || last_full_scan(context).await? > began {
            return Ok(());
        }
    }
}

async fn last_full_scan(context: &Context) -> Result<Option<DateTime<Utc>>, Failure> {
    let mut connection = context.pool.acquire().await?;
    Ok(reading::get(&mut connection).await?.full_walk_at)
}
