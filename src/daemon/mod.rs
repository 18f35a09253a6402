//! The daemon: one generation of lanes per configuration, one loop that listens
//! to signals, the watchdog and the private server.

mod alerts;
mod details;
mod discovery;
mod generation;
mod health;
pub mod lanes;
mod private_server;
pub mod progress;
mod reconcile;
pub mod schedules;
pub mod systemd;
mod web;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::PgPool;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::generation::Generation;
use crate::clock::Clock;
use crate::cluster::{Cluster, Role};
use crate::config::{Config, ConfigError};
use crate::startup::{self, Opened};
use crate::store::database;

/// How long an orderly stop may take before what is left is dropped; the next
/// start takes it up. systemd and operators expect less than ten seconds.
const STOP_WITHIN: Duration = Duration::from_secs(8);
/// How long each wait for the database extends systemd's patience.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often the time zone's offset is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How the configuration is read, again at each reload.
pub type Load = Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// What one start of the daemon is told besides its configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told {
    /// What first loads bring, and what is stored when a rule is new, is news too.
    pub alert_backlog: bool,
}

/// Runs until SIGTERM, SIGINT or `stop`.
pub async fn run(
    load: Load,
    clock: Clock,
    stop: CancellationToken,
    told: Told,
) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let config = load()?;
    for warning in config.warnings() {
        warn!("{warning}");
    }
    let health = Arc::new(web::Health::new(clock.clone()));
    let _serving = web::serve(config.http.listen, Arc::clone(&health)).await?;

    let starting = Startup {
        config: &config,
        clock: &clock,
        health: &health,
        stop: &stop,
    };
    let Some(opened) = starting.open(signals.asked_to_stop()).await? else {
        return Ok(());
    };
    let Opened {
        pool,
        mut cluster,
        psql,
    } = opened;
    let ready = tokio::select! {
        ready = starting.wait_until_migrated(&pool) => ready,
        () = signals.asked_to_stop() => Ok(false),
    };
    let result = match ready {
        Ok(true) => {
            info!("the database is ready; connect with: {psql}");
            let daemon = Daemon {
                load,
                clock,
                pool: pool.clone(),
                health,
                stop,
                told,
            };
            daemon.serve(config, &mut signals, &mut cluster).await
        }
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    systemd::stopping();
    Opened {
        pool,
        cluster,
        psql,
    }
    .close()
    .await;
    info!("stopped");
    result
}

struct Startup<'a> {
    config: &'a Config,
    clock: &'a Clock,
    health: &'a web::Health,
    stop: &'a CancellationToken,
}

impl Startup<'_> {
    /// Finds or starts the database; `None` when asked to stop first.
    async fn open(&self, stop: impl Future<Output = ()>) -> anyhow::Result<Option<Opened>> {
        let mut cluster = startup::private_server(self.config, Role::Daemon)?;
        if !private_server::start(&mut cluster, stop).await? {
            return Ok(None);
        }
        let opened = Opened::new(self.config, cluster)?;
        self.health.database_is(opened.pool.clone());
        Ok(Some(opened))
    }

    /// Waits out a database that is down, then migrates and writes the sources
    /// down; false when told to stop first.
    async fn wait_until_migrated(&self, pool: &PgPool) -> anyhow::Result<bool> {
        let mut pause = Duration::from_millis(250);
        loop {
            systemd::still_starting("bringing the database up to date", PATIENCE);
            let error = match database::migrate(pool).await {
                Ok(()) => match startup::configure(self.config, pool, self.clock.now()).await {
                    Ok(()) => return Ok(true),
                    Err(error) if crate::store::is_away(&error) => anyhow::Error::new(error),
                    Err(error) => {
                        return Err(error).context("the configuration could not be written down");
                    }
                },
                Err(error) if error.is_away() => anyhow::Error::new(error),
                Err(error) => return Err(error.into()),
            };
            warn!(
                error = format!("{error:#}"),
                "the database cannot be reached; waiting for it"
            );
            systemd::still_starting("waiting for the database", PATIENCE);
            tokio::select! {
                () = self.stop.cancelled() => return Ok(false),
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(Duration::from_secs(15));
        }
    }
}

struct Daemon {
    load: Load,
    clock: Clock,
    pool: PgPool,
    health: Arc<web::Health>,
    stop: CancellationToken,
    told: Told,
}

impl Daemon {
    /// Serves one generation after the other until told to stop.
    async fn serve(
        &self,
        config: Config,
        signals: &mut Signals,
        cluster: &mut Option<Cluster>,
    ) -> anyhow::Result<()> {
        let mut generation = self.start(config).await?;
        systemd::ready(&generation.status());
        info!("{}", generation.status());
        let mut watchdog = watchdog();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                asked = signals.next() => match asked {
                    Asked::ToStop => break,
                    Asked::ToReload => {
                        systemd::reloading();
                        generation = self.reload(generation).await?;
                        systemd::ready(&generation.status());
                    }
                },
                () = tick(&mut watchdog) => {
                    match generation.stuck() {
                        None => systemd::alive(),
                        Some(what) => error!("{what}; the watchdog is left hungry"),
                    }
                }
                () = generation.relisted() => {
                    generation.follow_lists().await;
                    systemd::status(&generation.status());
                    info!("{}", generation.status());
                }
                _ = look.tick() => generation.follow_the_clock().await,
                never = keep_running(cluster) => match never {},
            }
        }
        systemd::stopping();
        info!("stopping");
        if let Some(cluster) = cluster {
            private_server::cancel_start(cluster).await;
        }
        generation.stop(STOP_WITHIN).await;
        Ok(())
    }

    async fn start(&self, config: Config) -> anyhow::Result<Generation> {
        let token = config.upstream.token()?;
        let stop = self.stop.child_token();
        let context =
            startup::context(config, token, self.pool.clone(), self.clock.clone(), stop).await?;
        let generation = Generation::start(context, self.told).await?;
        self.health.generation_is(generation.working());
        Ok(generation)
    }

    /// Reads the configuration again. One that cannot be used changes nothing.
    async fn reload(&self, current: Generation) -> anyhow::Result<Generation> {
        let config = match (self.load)() {
            Ok(config) => config,
            Err(error) => {
                error!("the configuration was not taken over: {error}");
                return Ok(current);
            }
        };
        if let Err(error) = config.upstream.token() {
            error!("the configuration was not taken over: {error}");
            return Ok(current);
        }
        if let Err(error) = startup::open_sinks(&config) {
            error!("the configuration was not taken over: {error:#}");
            return Ok(current);
        }
        current.tell_what_needs_a_restart(&config);
        let now = self.clock.now();
        if let Err(error) = startup::configure(&config, &self.pool, now).await {
            error!(%error, "the configuration was not taken over: the database failed");
            return Ok(current);
        }
        current.stop(STOP_WITHIN).await;
        let next = self.start(config).await?;
        info!("the configuration was read again: {}", next.status());
        Ok(next)
    }
}

async fn keep_running(cluster: &mut Option<Cluster>) -> std::convert::Infallible {
    match cluster {
        Some(cluster) => cluster.keep_running().await,
        None => std::future::pending().await,
    }
}

fn watchdog() -> Option<tokio::time::Interval> {
    systemd::watchdog_interval().map(tokio::time::interval)
}

async fn tick(interval: &mut Option<tokio::time::Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

enum Asked {
    ToStop,
    ToReload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::ToStop,
            _ = self.interrupt.recv() => Asked::ToStop,
            _ = self.hangup.recv() => Asked::ToReload,
        }
    }

    /// Waits for the end. A reload has no meaning before the daemon works: the
    /// configuration was read a moment ago.
    async fn asked_to_stop(&mut self) {
        while !matches!(self.next().await, Asked::ToStop) {}
    }
}
