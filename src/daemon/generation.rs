//! Everything that runs under one configuration.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::discovery::{self, Discovery};
use super::progress::Woken;
use super::schedules::Schedules;
use super::start::StartOptions;
use super::web::Working;
use super::worker::Worker;
use super::workers;
use super::{alerts, details, health, reconcile};
use crate::config::Config;
use crate::job::context::Context;
use crate::job::trust::retention;
use crate::model::SourceKey;

/// The workers and schedules of one configuration.
pub(super) struct Generation {
    context: Context,
    schedules: Schedules,
    tasks: TaskTracker,
    workers: watch::Sender<Vec<Worker>>,
    discovery: Option<Discovery>,
    found: Option<watch::Receiver<Arc<Config>>>,
    heartbeat: Option<Woken>,
    run_ended: Arc<Notify>,
}

impl Generation {
    pub(super) async fn start(context: Context, told: StartOptions) -> anyhow::Result<Self> {
        let workers = workers::workers(&context.config);
        let heartbeat = context.config.alerts.heartbeat.as_ref();
        let heartbeat = heartbeat.map(|heartbeat| Woken::by(&heartbeat.schedule));
        let timezone = context.config.schedule.timezone;
        let discovery = Discovery::of(&context.config);
        let found = discovery.as_ref().map(Discovery::found);
        let woken = woken(&workers, discovery.as_ref(), heartbeat.as_ref());
        let schedules = Schedules::start(woken, timezone, context.clock.now())
            .await
            .context("the schedules could not be started")?;
        let tasks = TaskTracker::new();
        let run_ended = Arc::new(Notify::new());

        health::catch_up(&context).await;
        tasks.spawn(health::keep_looking(
            context.clone(),
            Arc::clone(&run_ended),
            workers.iter().map(|worker| worker.watch.clone()).collect(),
        ));
        if let Some(woken) = &heartbeat {
            tasks.spawn(health::keep_beating(context.clone(), woken.clone()));
        }
        let workers = watch::Sender::new(workers);
        tasks.spawn(reconcile::pace(context.clone(), workers.subscribe()));
        for worker in workers.borrow().iter() {
            let run_ended = Arc::clone(&run_ended);
            tasks.spawn(workers::work(context.clone(), worker.clone(), run_ended));
        }
        if let Some(discovery) = &discovery {
            tasks.spawn(discovery::work(context.clone(), discovery.clone()));
        }
        tasks.spawn(details::work(context.clone()));
        tasks.spawn(retention::hourly(context.clone()));
        alerts::start(&tasks, &context, told.alert_backlog);
        tasks.close();
        Ok(Self {
            context,
            schedules,
            tasks,
            workers,
            discovery,
            found,
            heartbeat,
            run_ended,
        })
    }

    /// Waits until discovered lists come or go.
    pub(super) async fn relisted(&mut self) {
        let ended = match &mut self.found {
            Some(found) => found.changed().await.is_err(),
            None => true,
        };
        if ended {
            std::future::pending::<()>().await;
        }
    }

    /// Follows the lists that are discovered now: workers for new ones begin, those
    /// of lists that are gone end after the run they are in. All others go on.
    pub(super) async fn follow_lists(&mut self) {
        let Some(found) = &mut self.found else {
            return;
        };
        let wanted = workers::workers(&found.borrow_and_update());
        let current = self.workers.borrow().clone();
        let (kept, gone): (Vec<Worker>, Vec<Worker>) =
            current.into_iter().partition(|worker| has(&wanted, worker));
        let new: Vec<Worker> = wanted
            .into_iter()
            .filter(|worker| !has(&kept, worker))
            .collect();
        if new.is_empty() && gone.is_empty() {
            return;
        }
        let workers: Vec<Worker> = kept.into_iter().chain(new.iter().cloned()).collect();
        let woken = woken(&workers, self.discovery.as_ref(), self.heartbeat.as_ref());
        let now = self.context.clock.now();
        if let Err(error) = self.schedules.replace(woken, now).await {
            error!(%error, "the schedules could not follow the discovered watch lists; restart the daemon");
            return;
        }
        for worker in gone {
            worker.end.cancel();
        }
        for worker in new {
            let (context, run_ended) = (self.context.clone(), Arc::clone(&self.run_ended));
            self.tasks.spawn(workers::work(context, worker, run_ended));
        }
        self.workers.send_replace(workers);
    }

    pub(super) fn working(&self) -> Working {
        Working {
            client: self.context.client.clone(),
            pulse: self.schedules.pulse(),
            config: Arc::clone(&self.context.config),
        }
    }

    /// Keeps the schedules right when the time zone's offset changes.
    pub(super) async fn follow_the_clock(&mut self) {
        let now = self.context.clock.now();
        if let Err(error) = self.schedules.follow(now).await {
            error!(%error, "the schedules could not follow the time zone; restart the daemon");
        }
    }

    /// What no longer makes progress: the scheduler, or something that it wakes.
    /// Waiting for upstream, the database or a turn is none of that.
    pub(super) fn stuck(&self) -> Option<String> {
        if !self.schedules.pulse().is_alive() {
            return Some("the schedules no longer tick".to_owned());
        }
        let is_held = self.context.client.paused_for().is_some();
        let workers = self.workers.borrow();
        let workers = workers
            .iter()
            .map(|worker| (worker.key().to_string(), &worker.watch));
        let discovery = self.discovery.iter().map(|one| &one.woken.watch);
        let heartbeat = self.heartbeat.iter().map(|one| &one.watch);
        workers
            .chain(discovery.map(|watch| ("discovery".to_owned(), watch)))
            .chain(heartbeat.map(|watch| ("the heartbeat".to_owned(), watch)))
            .find_map(|(name, watch)| Some(format!("{name} {}", watch.stuck(is_held)?)))
    }

    pub(super) fn status(&self) -> String {
        let config = &self.context.config;
        let workers = self.workers.borrow();
        let is_list = |worker: &&Worker| matches!(worker.key(), SourceKey::WatchList(_));
        format!(
            "following {} watch lists and {} extra feeds{}",
            workers.iter().filter(is_list).count(),
            config.extra_feeds.len(),
            if config.tickets.enabled {
                ", and tickets"
            } else {
                ""
            }
        )
    }

    /// Settings that only a new process can take over.
    pub(super) fn tell_what_needs_a_restart(&self, next: &Config) {
        let current = &self.context.config;
        let urls = [current, next].map(|config| {
            config
                .database
                .url
                .as_ref()
                .map(|url| url.expose().to_owned())
        });
        let changed = [
            (
                "[database]",
                urls[0] != urls[1]
                    || current.database.max_connections != next.database.max_connections,
            ),
            ("[state] dir", current.state.dir != next.state.dir),
            ("[http] listen", current.http.listen != next.http.listen),
            (
                "[log]",
                current.log.filter != next.log.filter || current.log.format != next.log.format,
            ),
        ];
        for (section, changed) in changed {
            if changed {
                warn!("{section} changed; restart the daemon to take it over");
            }
        }
    }

    /// Stops the ticks, lets every run reach its next safe point, and drops what
    /// takes longer than `within`: the next start takes it up.
    pub(super) async fn stop(self, within: Duration) {
        self.schedules.stop().await;
        self.context.stop.cancel();
        if tokio::time::timeout(within, self.tasks.wait())
            .await
            .is_err()
        {
            warn!(
                "a run did not stop within {} s; it is dropped and taken up later",
                within.as_secs()
            );
        }
    }
}

/// Everything that is to be woken.
fn woken(
    workers: &[Worker],
    discovery: Option<&Discovery>,
    heartbeat: Option<&Woken>,
) -> Vec<Woken> {
    let discovery = discovery.map(|discovery| discovery.woken.clone());
    let workers = workers.iter().map(Worker::woken);
    workers.chain(discovery).chain(heartbeat.cloned()).collect()
}

/// Whether there is a worker for the same source among `workers`. Tickets have two,
/// which come and go together.
fn has(workers: &[Worker], worker: &Worker) -> bool {
    let key = worker.key();
    workers.iter().any(|other| other.key() == key)
}
