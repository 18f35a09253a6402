//! One worker per source: ticks wake it, it runs, it never overlaps itself, and
//! nothing stops it for good.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};
use tracing::{error, info};

use super::outage::until_done;
use super::reconcile;
use super::worker::{Worker, WorkerTask};
use crate::config::Config;
use crate::job::context::Context;
use crate::job::details::revision_scan;
use crate::job::failure::Failure;
use crate::job::feeds::feed::LookBack;
use crate::job::feeds::feed::feeds;
use crate::job::feeds::pull;
use crate::job::run::Ran;
use crate::job::tickets::sync::{self, Ask};
use crate::store::ledger::source;

/// Runs of this process at the same time: each holds a connection of its own and
/// a download; a hundred lists at one tick take turns.
static TURNS: Semaphore = Semaphore::const_new(16);

/// All workers of a configuration.
pub fn workers(config: &Config) -> Vec<Worker> {
    let mut workers: Vec<Worker> = feeds(config)
        .into_iter()
        .map(|(feed, schedule)| Worker::new(WorkerTask::Feed(feed), schedule))
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

/// Works until the context is told to stop, or the worker to end; `run_ended` is rung when a run has ended.
pub async fn work(context: Context, worker: Worker, run_ended: Arc<Notify>) {
    let context = Context {
        progress: worker.watch.progress(),
        ..context
    };
    if worker.watch.waits(is_due(&context, &worker)).await {
        worker.woken().wake();
    } else {
        worker.watch.ends();
    }
    loop {
        let is_tick = tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            () = worker.end.cancelled() => return,
            () = worker.tick.notified() => true,
            () = worker.again.notified() => false,
        };
        worker.watch.begins();
        if is_tick {
            run_once(&context, &worker).await;
        } else {
            reconcile::read_again(&context, &worker).await;
        }
        worker.watch.ends();
        run_ended.notify_one();
    }
}

/// Whether a tick was missed while no daemon ran, or there never was a success.
async fn is_due(context: &Context, worker: &Worker) -> bool {
    if matches!(worker.task, WorkerTask::FullScan) {
        return false;
    }
    let Ok(mut connection) = context.pool.acquire().await else {
        return true; // running will wait for the database
    };
    let Ok(Some(found)) = source::find(&mut connection, &worker.key()).await else {
        return true;
    };
    let timezone = context.config.schedule.timezone;
    found
        .last_success_at
        .and_then(|at| worker.schedule.next_after(at, timezone))
        .is_none_or(|next| next <= context.clock.now())
}

/// One run; after an outage of the database, again.
async fn run_once(context: &Context, worker: &Worker) {
    let key = worker.key();
    let run = || perform(context, worker);
    match until_done(context, Some(&worker.watch), &key, run).await {
        Ok(()) | Err(Failure::Stopped) => {}
        Err(failure) => {
            error!(source = %key, error = %failure.chain(), "{key}: the run could not be written down: {}", failure.chain());
        }
    }
}

async fn perform(context: &Context, worker: &Worker) -> Result<(), Failure> {
    let Ok(_turn) = worker.watch.waits(TURNS.acquire()).await else {
        return Err(Failure::Stopped); // the semaphore is never closed
    };
    let ran = match &worker.task {
        WorkerTask::Feed(feed) => vec![pull::pull(context, feed, LookBack::Missing).await?],
        WorkerTask::Tickets => sync::sync(context, Ask::Differences).await?,
        WorkerTask::RevisionScan => revision_scan::scan_revisions(context)
            .await?
            .into_iter()
            .collect(),
        WorkerTask::FullScan => sync::sync(context, Ask::FullScan).await?,
    };
    if ran.iter().any(|ran| matches!(ran, Ran::Busy)) {
        info!(source = %worker.key(), "{}: another run is under way; this tick is left out", worker.key());
    }
    Ok(())
}
