//! One lane per source: ticks wake it, it runs, it never overlaps itself, and
//! nothing stops it for good.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::progress::{Watch, Woken};
use super::reconcile;
use crate::config::{Config, CronExpression, ListSource};
use crate::job::context::Context;
use crate::job::details::revision_scan;
use crate::job::failure::Failure;
use crate::job::feeds::pull::{self, Feed, LookBack};
use crate::job::run::Ran;
use crate::job::tickets::sync::{self, Ask};
use crate::model::SourceKey;
use crate::store::database;
use crate::store::ledger::source;

/// Longest pause between two looks whether the database is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Runs of this process at the same time: each holds a connection of its own and
/// a download; a hundred lists at one tick take turns.
static TURNS: Semaphore = Semaphore::const_new(16);
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// What one lane does when it is woken.
#[derive(Debug, Clone)]
pub enum Duty {
    /// Pulls a feed.
    Feed(Feed),
    /// Reads the tickets' differences.
    Tickets,
    /// Compares the modification times of all advisories with what is stored.
    Sweep,
    /// Walks the tickets in full, where upstream offers no filter.
    SlowWalk,
}

/// A lane and when it is woken.
#[derive(Debug, Clone)]
pub struct Lane {
    /// What it does.
    pub duty: Duty,
    /// When.
    pub schedule: CronExpression,
    /// Woken by its ticks; ticks during a run fold into one.
    pub tick: Arc<Notify>,
    /// Woken when old time may be read again.
    pub again: Arc<Notify>,
    /// Cancelled when the source is no longer followed; a run under way ends first.
    pub end: CancellationToken,
    /// Whether its runs come back.
    pub watch: Watch,
}

impl Lane {
    fn new(duty: Duty, schedule: &CronExpression) -> Self {
        Self {
            duty,
            schedule: schedule.clone(),
            tick: Arc::new(Notify::new()),
            again: Arc::new(Notify::new()),
            end: CancellationToken::new(),
            watch: Watch::default(),
        }
    }

    /// How its schedule wakes it.
    pub fn woken(&self) -> Woken {
        Woken {
            schedule: self.schedule.clone(),
            tick: Arc::clone(&self.tick),
            watch: self.watch.clone(),
        }
    }

    /// The source it reads.
    pub fn key(&self) -> SourceKey {
        match &self.duty {
            Duty::Feed(feed) => feed.key.clone(),
            Duty::Tickets | Duty::SlowWalk => SourceKey::Tickets,
            Duty::Sweep => SourceKey::Sweep,
        }
    }
}

/// The feeds that a configuration names: watch lists, then extra feeds.
pub fn feeds(config: &Config) -> Vec<(Feed, &CronExpression)> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let lists = config.watch_lists.iter().map(|list| {
        let mut query = vec![
            pair("feed_type", "asset_list"),
            pair("asset_list_id", &list.id.to_string()),
        ];
        query.extend(list.query.iter().cloned());
        let feed = Feed {
            key: SourceKey::WatchList(list.id),
            query,
            source: list.source,
        };
        (feed, config.feed_schedule(list.schedule.as_ref()))
    });
    let extra = config.extra_feeds.iter().map(|feed| {
        let schedule = config.feed_schedule(feed.schedule.as_ref());
        let key = SourceKey::ExtraFeed(feed.name.clone());
        (
            Feed {
                key,
                query: feed.query.clone(),
                source: ListSource::Feed,
            },
            schedule,
        )
    });
    lists.chain(extra).collect()
}

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
    loop {
        match perform(context, lane).await {
            Ok(()) => return,
            Err(failure) if failure.is_database_away() => {
                warn!(source = %lane.key(), error = %failure.chain(), "{}: the database is away; the run is repeated when it is back", lane.key());
                if !lane.watch.waits(wait_for_database(context)).await {
                    return;
                }
            }
            Err(failure) => {
                error!(source = %lane.key(), error = %failure.chain(), "{}: the run could not be written down: {}", lane.key(), failure.chain());
                return;
            }
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

/// Waits until the database answers; false when the program is to stop first.
pub async fn wait_for_database(context: &Context) -> bool {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            biased;
            () = context.stop.cancelled() => return false,
            () = tokio::time::sleep(pause) => {}
        }
        match database::reachable(&context.pool).await {
            Ok(()) => return true,
            Err(error) => debug!(%error, "the database is still away"),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
