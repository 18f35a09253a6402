//! The daemon: one generation of workers per configuration, and one loop for signals, the
//! systemd watchdog and the private PostgreSQL server.

mod abandoned;
mod access;
mod alerts;
mod attending;
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
mod reload;
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
use tracing::info;

use self::attending::{Attending, Due, beat};
use self::generation::Generation;
use self::outage::{ReconnectBackoff, is_away, is_of_database};
use self::presence::Presence;
use self::private_server::Trouble;
use self::reload::{Usable, announced, refuse, warn_about};
use self::requests::Signals;
pub use self::start::StartOptions;
use self::starting::Startup;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::job::account::bind;
use crate::startup;

/// How long a graceful stop may take before remaining runs are dropped; the next start
/// resumes them. systemd and operators expect less than ten seconds.
const STOP_WITHIN: Duration = Duration::from_secs(8);
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
    warn_about(&config);
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
        let mut attending = Attending::new(signals, self.stop.clone());
        let first = Usable::new(config, &self.clock)?;
        let starting = Box::pin(self.start_patiently(first, is_away));
        let Some(started) = attending.beside(|| None, starting).await else {
            return Ok(());
        };
        let mut generation = started?;
        systemd::ready(&generation.status());
        info!("{}", generation.status());
        let mut refused: Option<String> = None;
        let mut problems = generation.problems();
        let mut trouble = self.trouble.clone();
        let mut clock = tokio::time::interval(CLOCK_EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                due = attending.next() => match due {
                    Due::Stop => break,
                    Due::Watchdog => beat(generation.stuck()),
                    Due::Reload => {
                        systemd::reloading();
                        let reload = Box::pin(self.reload(generation, presence, &mut attending));
                        (generation, refused) = match reload.await? {
                            Reloaded::Replaced(next) => (next, None),
                            Reloaded::Refused(current, reason) => (current, Some(reason)),
                            Reloaded::Stopping(current) => {
                                self.end(current).await;
                                return Ok(());
                            }
                        };
                        problems = generation.problems();
                        self.fallback.outage(&problems.borrow().database);
                        presence.refused(refused.as_deref());
                        systemd::ready(&self.status(refused.as_deref(), &generation));
                    }
                },
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
        self.end(Some(generation)).await;
        Ok(())
    }

    async fn end(&self, generation: Option<Generation>) {
        systemd::stopping();
        info!("stopping");
        self.stopping.cancel();
        if let Some(generation) = generation {
            generation.stop(STOP_WITHIN).await;
        }
    }

    /// Starts a generation, and waits out an error for as long as `waits` says so of it.
    async fn start_patiently(
        &self,
        usable: Usable,
        waits: fn(&anyhow::Error) -> bool,
    ) -> anyhow::Result<Generation> {
        let mut pauses = ReconnectBackoff::new();
        loop {
            let starting = Box::pin(self.start(usable.clone()));
            let error = match systemd::while_starting("starting", starting).await {
                Err(error) if waits(&error) => error,
                started => return started,
            };
            outage::wait_to_start(&self.pool, &mut pauses, &error).await;
        }
    }

    async fn start(&self, usable: Usable) -> anyhow::Result<Generation> {
        let Usable { config, token, .. } = usable;
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

    /// Reloads the configuration. One that is invalid, or that the database does not store in
    /// time, changes nothing.
    async fn reload(
        &self,
        current: Generation,
        presence: &Presence,
        attending: &mut Attending<'_>,
    ) -> anyhow::Result<Reloaded> {
        let accepting = Box::pin(reload::accept(
            &self.load,
            current.config(),
            (&self.pool, presence),
            &self.clock,
        ));
        let accepted = attending.beside(|| current.stuck(), accepting).await;
        let usable = match accepted {
            None => return Ok(Reloaded::Stopping(Some(current))),
            Some(Err(error)) => return Ok(Reloaded::Refused(current, refuse(&error))),
            Some(Ok(usable)) => usable,
        };
        current.warn_about_changes(&usable.config);
        self.fallback.configure(&usable.config);
        attending.meanwhile(current.stop(STOP_WITHIN)).await;
        // The database has the new configuration, so the former one cannot go on.
        let starting = Box::pin(self.start_patiently(usable, is_of_database));
        let Some(started) = attending.beside(|| None, starting).await else {
            return Ok(Reloaded::Stopping(None));
        };
        let next = started?;
        info!("configuration reloaded: {}", next.status());
        Ok(Reloaded::Replaced(next))
    }

    /// One line for the service manager: a refused reload stays visible until one succeeds.
    fn status(&self, refused: Option<&str>, generation: &Generation) -> String {
        let refused = refused.map(|reason| format!("the configuration was not reloaded: {reason}"));
        let clauses = self.trouble.clause().into_iter().chain(refused);
        let clauses: Vec<String> = clauses.chain([generation.status()]).collect();
        clauses.join("; ")
    }
}

/// How a reload ended.
enum Reloaded {
    Replaced(Generation),
    /// The former configuration stays; why.
    Refused(Generation, String),
    /// advisoryd was asked to stop meanwhile.
    Stopping(Option<Generation>),
}
