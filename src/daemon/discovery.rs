//! Scheduled watch-list discovery; publishes the current lists to the daemon's loop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{debug, warn};

use super::abandoned;
use super::outage::until_done;
use super::progress::Woken;
use super::waking::{self, Wake};
use crate::config::Config;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::lists::discover::{self, Discovered};
use crate::model::Outcome;
use crate::store::lists::discovery;

/// First pause before a retry while no list is known.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause; a scheduled tick may come earlier.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// The schedule of discovery and its result.
#[derive(Debug, Clone)]
pub(super) struct DiscoveryTask {
    /// Its schedule and notification.
    pub(super) woken: Woken,
    found: watch::Sender<Arc<Config>>,
}

impl DiscoveryTask {
    /// `None` if discovery is not configured.
    pub(super) fn of(config: &Arc<Config>) -> Option<Self> {
        let is_on = config.discovery.watch_lists && !config.upstream.offline;
        is_on.then(|| Self {
            woken: Woken::by(&config.discovery.schedule),
            found: watch::Sender::new(Arc::clone(config)),
        })
    }

    /// The configuration with the known lists, whenever they change.
    pub(super) fn found(&self) -> watch::Receiver<Arc<Config>> {
        self.found.subscribe()
    }
}

/// Discovers until advisoryd stops: on schedule, at the start if a tick was missed, and
/// with retries while no list is known.
pub(super) async fn work(context: Context, discovery: DiscoveryTask) {
    if is_due(&context, &discovery).await {
        discovery.woken.wake();
    }
    let mut pause = None;
    while waking::next(&context, &discovery.woken, pause).await != Wake::Stop {
        discovery.woken.watch.begins();
        let discovered = run_once(&context, &discovery).await;
        discovery.woken.watch.ends();
        pause = discovered.and_then(|discovered| next_pause(&discovered, pause));
    }
}

/// How soon to retry without a tick. Only if no list is known yet: otherwise advisoryd
/// would have no data until the next tick.
fn next_pause(discovered: &Discovered, before: Option<Duration>) -> Option<Duration> {
    let is_failed = matches!(discovered.outcome, Outcome::Failed(_));
    if !is_failed || discovered.listed > 0 {
        return None;
    }
    if !discovered.is_transient {
        return Some(LONGEST_PAUSE);
    }
    Some(before.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE)))
}

/// Whether a tick was missed while no daemon ran, or discovery never succeeded.
async fn is_due(context: &Context, discovery: &DiscoveryTask) -> bool {
    let Ok(mut connection) = context.pool.acquire().await else {
        return true; // the discovery will wait for the database
    };
    let Ok(state) = discovery::state(&mut connection).await else {
        return true;
    };
    let timezone = context.config.schedule.timezone;
    state
        .last_success_at
        .and_then(|at| discovery.woken.schedule.next_after(at, timezone))
        .is_none_or(|next| next <= context.clock.now())
}

/// One discovery; repeated after an outage of the database.
async fn run_once(context: &Context, discovery: &DiscoveryTask) -> Option<Discovered> {
    let watch = &discovery.woken.watch;
    let run = || discover_and_publish(context, discovery);
    match until_done(context, Some(watch), "discovery", run).await {
        Ok(discovered) => discovered,
        Err(Failure::Stopped) => None,
        Err(failure) => {
            warn!(error = %failure.chain(), "discovery could not be recorded: {}", failure.chain());
            None
        }
    }
}

/// Queries upstream, then the database: another process may have found more.
async fn discover_and_publish(
    context: &Context,
    discovery: &DiscoveryTask,
) -> Result<Option<Discovered>, Failure> {
    let discovered = match discover::discover(context).await? {
        Ok(discovered) => Some(discovered),
        Err(holder) => {
            debug!("another process is discovering watch lists ({holder})");
            if abandoned::waited_for(context, &discovery.woken.watch, &holder).await? {
                discover::discover(context).await?.ok()
            } else {
                None
            }
        }
    };
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
    Ok(discovered)
}
