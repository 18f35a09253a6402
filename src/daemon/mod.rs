//! The daemon: one generation of workers per configuration, and one loop for signals, the
//! systemd watchdog and the private PostgreSQL server.

mod abandoned;
mod access;
mod alerts;
mod claim;
mod details;
mod discovery;
mod enrichment;
mod fallback;
mod generation;
mod health;
mod listener;
mod mirror;
mod open_files;
mod outage;
mod presence;
mod private_server;
pub mod progress;
mod reconcile;
mod requests;
pub mod schedules;
mod scrape;
mod start;
mod starting;
mod supervised;
pub(crate) mod systemd;
mod waking;
mod web;
pub mod worker;
pub mod workers;
mod working;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::generation::Generation;
use self::outage::{ReconnectBackoff, is_away};
use self::presence::Presence;
use self::private_server::Trouble;
use self::requests::{SignalRequest, Signals};
pub use self::start::StartOptions;
use self::starting::Startup;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::http::account;
use crate::job::account::bind;
use crate::measures;
use crate::model::{chain, shortened};
use crate::startup;
use crate::store::ledger::daemon::Announced;

/// How long a graceful stop may take before remaining runs are dropped; the next start
/// resumes them. systemd and operators expect less than ten seconds.
const STOP_WITHIN: Duration = Duration::from_secs(8);
/// Maximum length of the reason of a refused reload in the status line, in characters.
const MAX_REFUSAL_CHARS: usize = 300;
/// How often the offset of the time zone is checked.
const CLOCK_EVERY: Duration = Duration::from_secs(1);

/// Loads the configuration, at the start and at each reload.
pub(crate) type Load = Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// Runs until SIGTERM, SIGINT or `stop`.
pub async fn run(
    load: Load,
    clock: Clock,
    stop: CancellationToken,
    options: StartOptions,
) -> anyhow::Result<()> {
    open_files::raise_limit();
    let mut signals = Signals::listen()?;
    let config = load()?;
    config.require_something()?;
    // Before anything is created: without a token there is nothing to do.
    let announced = announced(&config)?;
    let unmatched = config.rules_of_unknown_lists();
    for warning in config.warnings().into_iter().chain(unmatched) {
        warn!("{warning}");
    }
    let health = Arc::new(web::EndpointState::new(clock.clone()));
    let _serving = web::serve(&config.http, Arc::clone(&health)).await?;

    let stopping = CancellationToken::new();
    let starting = Startup {
        config,
        clock,
        health,
        stop,
        stopping: stopping.clone(),
    };
    let Some(mut opened) = starting.open(signals.stop_requested()).await? else {
        return Ok(());
    };
    let (pool, psql) = (opened.pool.clone(), opened.psql.clone());
    let servers = opened.servers.clone();
    let trouble = Trouble::of(opened.cluster.as_ref());
    let (clock, watching) = (starting.clock.clone(), stopping.clone());
    let fallback = fallback::start(pool.clone(), &starting.config, clock, watching);
    // Boxed because the future is large.
    let working = Box::pin(async {
        let ready = tokio::select! {
            ready = starting.wait_until_migrated(&pool, &servers, &announced, options) => ready?,
            () = signals.stop_requested() => None,
        };
        let Some(row) = ready else {
            return Ok(());
        };
        let presence = Presence::start(pool.clone(), row, announced);
        info!("the database is ready; connect with: {psql}");
        let (daemon, config) = starting.daemon(load, pool, options, (trouble, fallback));
        let served = Box::pin(daemon.serve(config, &presence, &mut signals)).await;
        presence.end().await;
        served
    });
    // `keep_running` is polled as one future to the end: if it were dropped and created
    // again, a slow restart of the server would never complete.
    let result = tokio::select! {
        result = working => result,
        never = private_server::keep_running(&mut opened.cluster, &stopping) => match never {},
    };
    systemd::stopping();
    opened.close().await;
    info!("stopped");
    result
}

impl Startup {
    /// The daemon and its first configuration.
    fn daemon(
        self,
        load: Load,
        pool: PgPool,
        options: StartOptions,
        (trouble, fallback): (Trouble, fallback::FallbackInput),
    ) -> (Daemon, Config) {
        let Self {
            config,
            clock,
            health,
            stop,
            stopping,
        } = self;
        let daemon = Daemon {
            load,
            clock,
            pool,
            health,
            stop,
            options,
            stopping,
            trouble,
            fallback,
        };
        (daemon, config)
    }
}

struct Daemon {
    load: Load,
    clock: Clock,
    pool: PgPool,
    health: Arc<web::EndpointState>,
    stop: CancellationToken,
    options: StartOptions,
    /// Cancelled when the daemon begins to stop, for whatever reason.
    stopping: CancellationToken,
    trouble: Trouble,
    /// Notifies a sink of an outage of the database.
    fallback: fallback::FallbackInput,
}

impl Daemon {
    /// Runs one generation after the other until advisoryd stops.
    async fn serve(
        &self,
        config: Config,
        presence: &Presence,
        signals: &mut Signals,
    ) -> anyhow::Result<()> {
        let Some(mut generation) = self.start_first(config, signals).await? else {
            return Ok(());
        };
        systemd::ready(&generation.status());
        info!("{}", generation.status());
        let mut refused: Option<String> = None;
        let mut problems = generation.problems();
        let mut trouble = self.trouble.clone();
        let mut watchdog = watchdog();
        let mut clock = tokio::time::interval(CLOCK_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                request = signals.next() => match request {
                    SignalRequest::Stop => break,
                    SignalRequest::Reload => {
                        systemd::reloading();
                        (generation, refused) = Box::pin(self.reload(generation, presence)).await?;
                        problems = generation.problems();
                        self.fallback.outage(&problems.borrow().database);
                        presence.refused(refused.as_deref());
                        systemd::ready(&self.status(refused.as_deref(), &generation));
                    }
                },
                () = tick(&mut watchdog) => {
                    match generation.stuck() {
                        None => systemd::alive(),
                        Some(what) => error!("{what}; not notifying the systemd watchdog"),
                    }
                }
                () = generation.lists_changed() => {
                    generation.follow_lists().await;
                    systemd::status(&self.status(refused.as_deref(), &generation));
                    info!("{}", generation.status());
                }
                // The generation holds the sender.
                _ = problems.changed() => {
                    self.fallback.outage(&problems.borrow().database);
                    systemd::status(&self.status(refused.as_deref(), &generation));
                }
                () = trouble.changed() => {
                    systemd::status(&self.status(refused.as_deref(), &generation));
                }
                _ = clock.tick() => generation.follow_the_clock().await,
            }
        }
        systemd::stopping();
        info!("stopping");
        self.stopping.cancel();
        generation.stop(STOP_WITHIN).await;
        Ok(())
    }

    /// Starts the first generation, and waits out a database that is unavailable again;
    /// `None` if advisoryd is asked to stop first.
    async fn start_first(
        &self,
        config: Config,
        signals: &mut Signals,
    ) -> anyhow::Result<Option<Generation>> {
        let mut pauses = ReconnectBackoff::new();
        loop {
            let started = tokio::select! {
                started = Box::pin(self.start(config.clone())) => started,
                () = signals.stop_requested() => return Ok(None),
            };
            let error = match started {
                Err(error) if is_away(&error) => error,
                started => return started.map(Some),
            };
            warn!(
                error = chain(&*error),
                "the database is unreachable; waiting for it"
            );
            systemd::still_starting("waiting for the database", systemd::EXTEND_TIMEOUT);
            tokio::select! {
                () = outage::wait_to_start(&self.pool, &mut pauses) => {}
                () = signals.stop_requested() => return Ok(None),
            }
        }
    }

    async fn start(&self, config: Config) -> anyhow::Result<Generation> {
        let token = config.upstream.token()?;
        let fingerprint = config.fingerprint();
        let stop = self.stop.child_token();
        let now = self.clock.now();
        bind(&self.pool, &config.upstream, &token, now).await?;
        let context =
            startup::daemon_context(config, token, self.pool.clone(), self.clock.clone(), stop)
                .await?;
        let generation = Generation::start(context, self.options).await?;
        self.health.set_working(generation.working(fingerprint));
        Ok(generation)
    }

    /// Reloads the configuration. An invalid one changes nothing; the second value is then
    /// the reason.
    async fn reload(
        &self,
        current: Generation,
        presence: &Presence,
    ) -> anyhow::Result<(Generation, Option<String>)> {
        let config = match self.loaded() {
            Ok(config) => config,
            Err(error) => return Ok((current, Some(refuse(&error)))),
        };
        current.warn_about_restart(&config);
        let announced = announced(&config)?;
        if let Err(error) = presence
            .reconfigure(&self.pool, announced, &config, self.clock.now())
            .await
        {
            let error = anyhow::Error::new(error).context("database error");
            return Ok((current, Some(refuse(&error))));
        }
        self.fallback.configure(&config);
        current.stop(STOP_WITHIN).await;
        let next = self.start(config).await?;
        info!("configuration reloaded: {}", next.status());
        Ok((next, None))
    }

    /// One line for the service manager: a refused reload stays visible until one succeeds.
    fn status(&self, refused: Option<&str>, generation: &Generation) -> String {
        let refused = refused.map(|reason| format!("the configuration was not reloaded: {reason}"));
        let clauses = self.trouble.clause().into_iter().chain(refused);
        let clauses: Vec<String> = clauses.chain([generation.status()]).collect();
        clauses.join("; ")
    }

    /// The configuration as it is now, if everything that it names can be used.
    fn loaded(&self) -> anyhow::Result<Config> {
        let config = (self.load)()?;
        config.require_something()?;
        config.upstream.token()?;
        startup::open_sinks(&config)?;
        Ok(config)
    }
}

/// What this daemon says of itself to others.
fn announced(config: &Config) -> anyhow::Result<Announced> {
    let token = config.upstream.token()?;
    let is_online = !config.upstream.offline;
    Ok(Announced {
        refused: None,
        configuration: config.recorded(),
        account: is_online.then(|| account(&config.upstream.base_url, &token)),
    })
}

/// Logs why a reload was refused, a line per error; returns the first one.
fn refuse(error: &anyhow::Error) -> String {
    measures::reloaded(false);
    let errors = match error.downcast_ref::<ConfigError>() {
        Some(error) => error.errors.iter().map(ToString::to_string).collect(),
        None => vec![chain(&**error)],
    };
    for error in &errors {
        error!("the configuration was not reloaded: {error}");
    }
    shortened(errors.first().map_or("", String::as_str), MAX_REFUSAL_CHARS)
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
