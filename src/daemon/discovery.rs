//! Discovers watch lists at their schedule, and tells the daemon's loop which
//! there are now.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, warn};

use super::outage::until_done;
use super::progress::Woken;
use crate::config::Config;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::lists::discover::{self, Discovered};
use crate::model::Outcome;
use crate::store::lists::discovery;

/// First pause before another attempt while no list is known at all.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause; a schedule that comes earlier comes earlier.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// When lists are discovered, and what was found.
#[derive(Debug, Clone)]
pub(super) struct Discovery {
    /// How its schedule wakes it.
    pub(super) woken: Woken,
    found: watch::Sender<Arc<Config>>,
}

impl Discovery {
    /// `None` where the configuration does not ask for it.
    pub(super) fn of(config: &Arc<Config>) -> Option<Self> {
        config.discovery.watch_lists.then(|| Self {
            woken: Woken::by(&config.discovery.schedule),
            found: watch::Sender::new(Arc::clone(config)),
        })
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
        discovery.woken.wake();
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
            () = discovery.woken.tick.notified() => {}
            () = again => {}
        }
        discovery.woken.watch.begins();
        let told = run_once(&context, &discovery).await;
        discovery.woken.watch.ends();
        pause = told.and_then(|told| next_pause(&told, pause));
    }
}

/// How soon to ask again although no tick comes: only where a first start found
/// upstream away, else an hour without any data would follow.
fn next_pause(told: &Discovered, before: Option<Duration>) -> Option<Duration> {
    let is_failed = matches!(told.outcome, Outcome::Failed(_));
    if !is_failed || told.listed > 0 {
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
        .and_then(|at| due.woken.schedule.next_after(at, timezone))
        .is_none_or(|next| next <= context.clock.now())
}

/// One discovery; after an outage of the database, again.
async fn run_once(context: &Context, discovery: &Discovery) -> Option<Discovered> {
    let watch = &discovery.woken.watch;
    let run = || perform(context, discovery);
    match until_done(context, Some(watch), "discovery", run).await {
        Ok(told) => told,
        Err(Failure::Stopped) => None,
        Err(failure) => {
            warn!(error = %failure.chain(), "discovery could not be written down: {}", failure.chain());
            None
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
