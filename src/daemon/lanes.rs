//! One lane per source: ticks wake it, it runs, it never overlaps itself, and
//! nothing stops it for good.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};
use tracing::{error, info};

use super::lane::{Duty, Lane};
use super::outage::until_done;
use super::reconcile;
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

/// All lanes of a configuration.
pub fn lanes(config: &Config) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = feeds(config)
        .into_iter()
        .map(|(feed, schedule)| Lane::new(Duty::Feed(feed), schedule))
        .collect();
    if config.feeds.sweep {
        lanes.push(Lane::new(Duty::Sweep, &config.schedule.feeds));
    }
    if config.tickets.enabled {
        lanes.push(Lane::new(Duty::Tickets, &config.schedule.tickets));
        lanes.push(Lane::new(Duty::SlowWalk, &config.schedule.full_walk));
    }
    lanes
}

/// Works until the context is told to stop, or the lane to end; `bell` is rung when a run has ended.
pub async fn work(context: Context, lane: Lane, bell: Arc<Notify>) {
    let context = Context {
        progress: lane.watch.progress(),
        ..context
    };
    if lane.watch.waits(is_due(&context, &lane)).await {
        lane.woken().wake();
    } else {
        lane.watch.ends();
    }
    loop {
        let is_tick = tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            () = lane.end.cancelled() => return,
            () = lane.tick.notified() => true,
            () = lane.again.notified() => false,
        };
        lane.watch.begins();
        if is_tick {
            run_once(&context, &lane).await;
        } else {
            reconcile::read_again(&context, &lane).await;
        }
        lane.watch.ends();
        bell.notify_one();
    }
}

/// Whether a tick was missed while no daemon ran, or there never was a success.
async fn is_due(context: &Context, lane: &Lane) -> bool {
    if matches!(lane.duty, Duty::SlowWalk) {
        return false;
    }
    let Ok(mut connection) = context.pool.acquire().await else {
        return true; // running will wait for the database
    };
    let Ok(Some(found)) = source::find(&mut connection, &lane.key()).await else {
        return true;
    };
    let timezone = context.config.schedule.timezone;
    found
        .last_success_at
        .and_then(|at| lane.schedule.next_after(at, timezone))
        .is_none_or(|next| next <= context.clock.now())
}

/// One run; after an outage of the database, again.
async fn run_once(context: &Context, lane: &Lane) {
    let key = lane.key();
    let run = || perform(context, lane);
    match until_done(context, Some(&lane.watch), &key, run).await {
        Ok(()) | Err(Failure::Stopped) => {}
        Err(failure) => {
            error!(source = %key, error = %failure.chain(), "{key}: the run could not be written down: {}", failure.chain());
        }
    }
}

async fn perform(context: &Context, lane: &Lane) -> Result<(), Failure> {
    let Ok(_turn) = lane.watch.waits(TURNS.acquire()).await else {
        return Err(Failure::Stopped); // the semaphore is never closed
    };
    let ran = match &lane.duty {
        Duty::Feed(feed) => vec![pull::pull(context, feed, LookBack::Missing).await?],
        Duty::Tickets => sync::sync(context, Ask::Differences).await?,
        Duty::Sweep => revision_scan::sweep(context).await?.into_iter().collect(),
        Duty::SlowWalk => sync::sync(context, Ask::SlowWalk).await?,
    };
    if ran.iter().any(|ran| matches!(ran, Ran::Busy)) {
        info!(source = %lane.key(), "{}: another run is under way; this tick is left out", lane.key());
    }
    Ok(())
}
