//! Discovers watch lists at their schedule, and tells the daemon's loop which
//! there are now.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tracing::{debug, warn};

use super::lanes::wait_for_database;
use super::schedules::Tick;
use crate::config::{Config, CronExpression};
use crate::job::context::Context;
use crate::job::discover::{self, Discovered};
use crate::job::failure::Failure;
use crate::store::discovery;

/// First pause before another attempt while no list is known at all.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause; a schedule that comes earlier comes earlier.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// When lists are discovered, and what was found.
#[derive(Debug, Clone)]
pub(super) struct Discovery {
    schedule: CronExpression,
    tick: Arc<Notify>,
    found: watch::Sender<Arc<Config>>,
}

impl Discovery {
    /// `None` where the configuration does not ask for it.
    pub(super) fn of(config: &Arc<Config>) -> Option<Self> {
        config.discovery.watch_lists.then(|| Self {
            schedule: config.discovery.schedule.clone(),
            tick: Arc::new(Notify::new()),
            found: watch::Sender::new(Arc::clone(config)),
        })
    }

    /// For the schedules.
    pub(super) fn as_tick(&self) -> Tick {
        (self.schedule.clone(), Arc::clone(&self.tick))
    }

    /// The configuration with the lists that are known, whenever they change.
    pub(super) fn found(&self) -> watch::Receiver<Arc<Config>> {
        self.found.subscribe()
    }
}

/// Discovers until the context is told to stop: at its schedule, at once when it
/// is due, and again and again while nothing is known.
pub(super) async fn work(context: Context, discovery: Discovery) {
    if is_due(&context, &discovery).await {
        discovery.tick.notify_one();
    }
    let mut pause = None;
    loop {
        let again = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            () = discovery.tick.notified() => {}
            () = again => {}
        }
        let told = run_once(&context, &discovery).await;
        pause = told.and_then(|told| next_pause(&told, pause));
    }
}

/// How soon to ask again although no tick comes: only where a first start found
/// upstream away, else an hour without any data would follow.
fn next_pause(told: &Discovered, before: Option<Duration>) -> Option<Duration> {
    if told.error.is_none() || told.listed > 0 {
        return None;
    }
    if !told.is_transient {
        return Some(LONGEST_PAUSE);
    }
    Some(before.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE)))
}

/// Whether a tick was missed while no daemon ran, or there never was a success.
async fn is_due(context: &Context, due: &Discovery) -> bool {
    let Ok(mut connection) = context.pool.acquire().await else {
        return true; // running will wait for the database
    };
    let Ok(state) = discovery::state(&mut connection).await else {
        return true;
    };
    let timezone = context.config.schedule.timezone;
    state
        .last_success_at
        .and_then(|at| due.schedule.next_after(at, timezone))
        .is_none_or(|next| next <= context.clock.now())
}

/// One discovery; after an outage of the database, again.
async fn run_once(context: &Context, discovery: &Discovery) -> Option<Discovered> {
    loop {
        match perform(context, discovery).await {
            Ok(told) => return told,
            Err(failure) if failure.is_database_away() => {
                warn!(error = %failure.chain(), "discovery: the database is away; it is repeated when it is back");
                if !wait_for_database(context).await {
                    return None;
                }
            }
            Err(failure) => {
                warn!(error = %failure.chain(), "discovery could not be written down: {}", failure.chain());
                return None;
            }
        }
    }
}

/// Asks upstream, then the database: another process may have found more.
async fn perform(context: &Context, discovery: &Discovery) -> Result<Option<Discovered>, Failure> {
    let told = discover::discover(context).await?;
    if told.is_none() {
        debug!("another process is discovering watch lists; this tick is left out");
    }
    let mut connection = context.pool.acquire().await?;
    let config = discover::followed(&mut connection, &context.config).await?;
    drop(connection);
    discovery.found.send_if_modified(|known| {
        let ids = |config: &Config| -> Vec<i64> {
            config.watch_lists.iter().map(|list| list.id).collect()
        };
        let is_new = ids(known) != ids(&config);
        if is_new {
            *known = Arc::new(config);
        }
        is_new
    });
    Ok(told)
}
