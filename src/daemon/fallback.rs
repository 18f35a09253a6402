//! `[alerts.health] fallback`: notifies one sink that the database is unavailable, or that its
//! disk is full, and when it is back. All that it needs is in memory.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::config::Config;
use crate::files::replace;
use crate::job;
use crate::model::{Message, Outage, RemoteObject, chain};
use crate::sink::{PartsState, Refused, Sink};
use crate::store::database;

/// How often the database is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Pause after a failed attempt; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// In the state directory while an outage lasts that was reported: a daemon that is started again
/// during the outage does not report it again.
const MARK: &str = "database-outage.json";
/// Largest such file.
const MAX_MARK_BYTES: u64 = 4096;

/// What the daemon passes to the fallback.
pub(super) struct FallbackInput {
    /// The configuration of a reload.
    settings: watch::Sender<Arc<Config>>,
    /// Why the database cannot store anything although it answers.
    full: watch::Sender<Option<String>>,
}

impl FallbackInput {
    /// The configuration of a reload.
    pub(super) fn configure(&self, config: &Config) {
        self.settings.send_replace(Arc::new(config.clone()));
    }

    /// What the workers know of the database.
    pub(super) fn outage(&self, outage: &job::problems::OngoingOutage) {
        self.full.send_replace(outage.full().map(str::to_owned));
    }
}

/// Watches the database until `stop`.
pub(super) fn start(
    pool: PgPool,
    config: &Config,
    clock: Clock,
    stop: CancellationToken,
) -> FallbackInput {
    let input = FallbackInput {
        settings: watch::Sender::new(Arc::new(config.clone())),
        full: watch::Sender::new(None),
    };
    let watching = Fallback {
        pool,
        clock,
        settings: input.settings.subscribe(),
        full: input.full.subscribe(),
        outage: None,
        changed_at: Instant::now(),
        is_away: false,
        pause: FIRST_PAUSE,
        next: Instant::now(),
    };
    tokio::spawn(async move { stop.run_until_cancelled(Box::pin(watching.watch())).await });
    input
}

struct Fallback {
    pool: PgPool,
    clock: Clock,
    settings: watch::Receiver<Arc<Config>>,
    full: watch::Receiver<Option<String>>,
    /// The outage that lasts, or whose end is not reported yet.
    outage: Option<Outage>,
    /// Since when the database is as it is, available or not.
    changed_at: Instant,
    is_away: bool,
    /// Before another attempt to send.
    pause: Duration,
    next: Instant,
}

impl Fallback {
    async fn watch(mut self) {
        self.outage = self.read_mark();
        loop {
            let config = Arc::clone(&self.settings.borrow_and_update());
            let health = &config.alerts.health;
            if health.enabled && health.fallback.is_some() {
                self.step(&config).await;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Whether the database can be reached, and stores what the workers write; the error
    /// says why not.
    async fn ask(&self) -> Result<(), String> {
        let reachable = database::reachable(&self.pool).await;
        reachable.map_err(|error| chain(&error))?;
        match &*self.full.borrow() {
            Some(reason) => Err(reason.clone()),
            None => Ok(()),
        }
    }

    /// Asks the database, and sends what is due.
    async fn step(&mut self, config: &Config) {
        let found = self.ask().await;
        if found.is_err() != self.is_away {
            self.is_away = found.is_err();
            self.changed_at = Instant::now();
            (self.pause, self.next) = (FIRST_PAUSE, Instant::now());
        }
        let is_settled = self.changed_at.elapsed() >= config.alerts.health.fallback_after;
        let now = self.clock.now();
        let mut outage = match (self.outage.clone(), &found) {
            (Some(outage), _) => outage,
            (None, Ok(())) => return,
            (None, Err(_)) => Outage::since(now),
        };
        if !is_settled {
            // Reported or not, it is the same outage until the database is back for a while.
            self.outage = Some(outage).filter(|outage| found.is_err() || outage.is_notified);
            if self.outage.is_none() {
                self.write_mark();
            }
            return;
        }
        let message = match &found {
            Err(_) if outage.is_notified => return,
            Err(error) => outage.begins(error, now),
            Ok(()) => outage.ends(now),
        };
        if Instant::now() >= self.next {
            // A crash after this costs a repeat with the same id.
            self.outage = Some(outage.clone());
            self.write_mark();
            let known = outage.object.clone();
            match self.send(config, &message, known).await {
                Ok(object) => {
                    outage.is_notified = found.is_err();
                    outage.object = object;
                    self.outage = Some(outage).filter(|_| found.is_err());
                    self.write_mark();
                    return;
                }
                Err(reason) => {
                    warn!(
                        "cannot notify the fallback sink of the database outage; trying again: {reason}"
                    );
                    self.next = Instant::now() + self.pause;
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        self.outage = Some(outage);
    }

    /// Sends a message; returns the id of the object outside, if the sink remembers one.
    async fn send(
        &self,
        config: &Config,
        message: &Message,
        known: Option<String>,
    ) -> Result<Option<String>, String> {
        let name = config.alerts.health.fallback.as_deref();
        let mut sinks = config.alerts.sinks.iter();
        let settings = sinks.find(|sink| Some(sink.name.as_str()) == name);
        let settings = settings.ok_or("no such sink")?;
        let sink = Sink::open(settings).map_err(|error| chain(&error))?;
        let mut known = known.map(|id| RemoteObject {
            id: Some(id),
            is_resolved: false,
        });
        let mut division = sink.division(message, &PartsState::default());
        while !division.is_done() {
            let now = self.clock.now();
            let parts = (message, division.next());
            match sink.send_part(parts, known.as_ref(), now).await {
                Ok(sent) => known = sent.object.or(known),
                // Another attempt would create a second object.
                Err(Refused {
                    is_created: true,
                    reason,
                    ..
                }) => warn!("sink `{}`: {reason}", sink.name()),
                Err(refused) if division.divides(&refused) => continue,
                Err(Refused { reason, .. }) => return Err(reason),
            }
            division.advance();
        }
        info!("delivered to sink `{}`: {}", sink.name(), message.title);
        Ok(known.and_then(|object| object.id))
    }

    fn mark(&self) -> PathBuf {
        self.settings.borrow().state.dir.join(MARK)
    }

    /// The outage that an earlier process reported, or tried to.
    fn read_mark(&self) -> Option<Outage> {
        let path = self.mark();
        let found = std::fs::symlink_metadata(&path).ok()?;
        let is_ours = found.is_file() && found.len() <= MAX_MARK_BYTES;
        let text = is_ours.then(|| std::fs::read(&path).ok())??;
        serde_json::from_slice(&text).ok()
    }

    /// Without a state directory, an outage is reported again after a restart.
    fn write_mark(&self) {
        let path = self.mark();
        let written = match &self.outage {
            Some(outage) => serde_json::to_vec(outage)
                .map_err(std::io::Error::from)
                .and_then(|text| replace(&path, &text, 0o600)),
            None => std::fs::remove_file(&path),
        };
        if let Err(error) = written {
            debug!(%error, "{} cannot be written", path.display());
        }
    }
}
