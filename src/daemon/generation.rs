//! All tasks that run under one configuration; a reload replaces them together.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::discovery::{self, DiscoveryTask};
use super::progress::{RunEnded, Watch, Woken};
use super::schedules::Schedules;
use super::start::StartOptions;
use super::worker::Worker;
use super::workers;
use super::working::Working;
use super::{alerts, details, enrichment, health, mirror, reconcile, supervised};
use crate::config::Config;
use crate::http::Usage;
use crate::job::context::Context;
use crate::job::problems::ActiveProblems;
use crate::job::trust::retention;
use crate::model::{Catalogue, SourceKey, counted};

/// The workers and schedules of one configuration.
pub(super) struct Generation {
    context: Context,
    schedules: Schedules,
    tasks: TaskTracker,
    workers: watch::Sender<Vec<Worker>>,
    discovery: Option<DiscoveryTask>,
    found: Option<watch::Receiver<Arc<Config>>>,
    /// None if nothing is requested.
    mirror: Option<Woken>,
    files: Vec<(Catalogue, Woken)>,
    heartbeat: Option<Woken>,
    run_ended: RunEnded,
}

fn start_workers(
    tasks: &TaskTracker,
    context: &Context,
    workers: &watch::Sender<Vec<Worker>>,
    run_ended: &RunEnded,
) {
    let (on, all) = (context.clone(), workers.clone());
    supervised::spawn(tasks, &context.stop, "reconciliation", move || {
        reconcile::wake_workers(on.clone(), all.subscribe())
    });
    for worker in workers.borrow().iter() {
        start_worker(tasks, context, worker, run_ended);
    }
}

fn start_worker(tasks: &TaskTracker, context: &Context, worker: &Worker, run_ended: &RunEnded) {
    let (on, worker, run_ended) = (context.clone(), worker.clone(), run_ended.clone());
    let name = worker.key().label();
    supervised::spawn(tasks, &context.stop, name, move || {
        workers::work(on.clone(), worker.clone(), run_ended.clone())
    });
}

fn start_health(
    tasks: &TaskTracker,
    context: &Context,
    workers: &[Worker],
    run_ended: &RunEnded,
    heartbeat: Option<&Woken>,
) {
    let (on, ended) = (context.clone(), Arc::clone(&run_ended.health));
    let watches: Vec<Watch> = workers.iter().map(|worker| worker.watch.clone()).collect();
    supervised::spawn(tasks, &context.stop, "health", move || {
        health::keep_checking(on.clone(), Arc::clone(&ended), watches.clone())
    });
    if let Some(woken) = heartbeat {
        let (on, woken) = (context.clone(), woken.clone());
        supervised::spawn(tasks, &context.stop, "heartbeat", move || {
            health::keep_beating(on.clone(), woken.clone())
        });
    }
}

fn start_discovery(tasks: &TaskTracker, context: &Context, discovery: Option<&DiscoveryTask>) {
    if let Some(discovery) = discovery {
        let (on, discovery) = (context.clone(), discovery.clone());
        supervised::spawn(tasks, &context.stop, "discovery", move || {
            discovery::work(on.clone(), discovery.clone())
        });
    }
}

fn start_others(tasks: &TaskTracker, context: &Context, run_ended: &RunEnded, is_online: bool) {
    if is_online {
        let (on, ended) = (context.clone(), Arc::clone(&run_ended.details));
        supervised::spawn(tasks, &context.stop, "details", move || {
            details::work(on.clone(), Arc::clone(&ended))
        });
    }
    let on = context.clone();
    supervised::spawn(tasks, &context.stop, "retention", move || {
        retention::hourly(on.clone())
    });
}

fn start_mirrors(
    tasks: &TaskTracker,
    context: &Context,
    mirror: Option<&Woken>,
    files: &[(Catalogue, Woken)],
) {
    let stop = &context.stop;
    if let Some(mirror) = mirror {
        let (on, mirror) = (context.clone(), mirror.clone());
        supervised::spawn(tasks, stop, "list contents", move || {
            mirror::work(on.clone(), mirror.clone())
        });
    }
    for (catalogue, woken) in files {
        let (on, catalogue, woken) = (context.clone(), *catalogue, woken.clone());
        supervised::spawn(tasks, stop, catalogue.label(), move || {
            enrichment::work(on.clone(), catalogue, woken.clone())
        });
    }
}

impl Generation {
    pub(super) async fn start(context: Context, options: StartOptions) -> anyhow::Result<Self> {
        let workers = workers::workers(&context.config);
        let heartbeat = context.config.alerts.heartbeat.as_ref();
        let heartbeat = heartbeat.map(|heartbeat| Woken::by(&heartbeat.schedule));
        let timezone = context.config.schedule.timezone;
        let discovery = DiscoveryTask::of(&context.config);
        let found = discovery.as_ref().map(DiscoveryTask::found);
        let is_online = !context.config.upstream.offline;
        let mirror = is_online.then(|| Woken::by(&context.config.schedule.list_contents));
        let files = enrichment::files(&context.config);
        let others = others([
            discovery.as_ref().map(|one| &one.woken),
            mirror.as_ref(),
            heartbeat.as_ref(),
        ]);
        let others = others.chain(files.iter().map(|(_, woken)| woken.clone()));
        let woken = woken(&workers, others);
        let schedules = Schedules::start(woken, timezone, context.clock.now())
            .await
            .context("the schedules could not be started")?;
        let tasks = TaskTracker::new();
        let run_ended = RunEnded::default();

        health::catch_up(&context).await;
        start_health(&tasks, &context, &workers, &run_ended, heartbeat.as_ref());
        let workers = watch::Sender::new(workers);
        start_workers(&tasks, &context, &workers, &run_ended);
        start_discovery(&tasks, &context, discovery.as_ref());
        start_mirrors(&tasks, &context, mirror.as_ref(), &files);
        start_others(&tasks, &context, &run_ended, is_online);
        alerts::start(&tasks, &context, options.alert_backlog);
        tasks.close();
        Ok(Self {
            context,
            schedules,
            tasks,
            workers,
            discovery,
            found,
            mirror,
            files,
            heartbeat,
            run_ended,
        })
    }

    /// Waits until the discovered lists change.
    pub(super) async fn lists_changed(&mut self) {
        let ended = match &mut self.found {
            Some(found) => found.changed().await.is_err(),
            None => true,
        };
        if ended {
            std::future::pending::<()>().await;
        }
    }

    /// Starts workers for newly discovered lists and ends those of lists that are gone,
    /// after their current run. All others continue.
    pub(super) async fn follow_lists(&mut self) {
        let Some(found) = &mut self.found else {
            return;
        };
        let followed = workers::workers(&found.borrow_and_update());
        let current = self.workers.borrow().clone();
        let (kept, gone): (Vec<Worker>, Vec<Worker>) = current
            .into_iter()
            .partition(|worker| has(&followed, worker));
        let new: Vec<Worker> = followed
            .into_iter()
            .filter(|worker| !has(&kept, worker))
            .collect();
        if new.is_empty() && gone.is_empty() {
            return;
        }
        let workers: Vec<Worker> = kept.into_iter().chain(new.iter().cloned()).collect();
        let discovery = self.discovery.as_ref().map(|one| &one.woken);
        let others = others([discovery, self.mirror.as_ref(), self.heartbeat.as_ref()]);
        let files = self.files.iter().map(|(_, woken)| woken.clone());
        let woken = woken(&workers, others.chain(files));
        let now = self.context.clock.now();
        if let Err(error) = self.schedules.replace(woken, now).await {
            error!(%error, "could not schedule the discovered watch lists: {error}; restart advisoryd");
            return;
        }
        for worker in gone {
            worker.end.cancel();
        }
        for worker in new {
            start_worker(&self.tasks, &self.context, &worker, &self.run_ended);
        }
        self.workers.send_replace(workers);
    }

    /// What runs; `fingerprint` is that of the loaded configuration.
    pub(super) fn working(&self, fingerprint: u64) -> Working {
        Working {
            client: self.context.client.clone(),
            pulse: self.schedules.pulse(),
            config: Arc::clone(&self.context.config),
            fingerprint,
            used_before: Usage::default(),
            problems: self.problems(),
            account: self.context.budget.account().map(str::to_owned),
        }
    }

    /// Adjusts the schedules when the offset of the time zone changes.
    pub(super) async fn follow_the_clock(&mut self) {
        let now = self.context.clock.now();
        if let Err(error) = self.schedules.follow(now).await {
            error!(%error, "could not adjust the schedules to the time zone: {error}; restart advisoryd");
        }
    }

    /// What no longer makes progress: the scheduler, or something that it wakes.
    /// Waiting for upstream, the database or a run slot is not being stuck.
    pub(super) fn stuck(&self) -> Option<String> {
        if !self.schedules.pulse().is_alive() {
            return Some("the scheduler has stopped".to_owned());
        }
        let is_paused = self.context.client.paused_for().is_some();
        let workers = self.workers.borrow();
        let workers = workers
            .iter()
            .map(|worker| (worker.key().label(), &worker.watch));
        let discovery = self.discovery.iter().map(|one| &one.woken.watch);
        let mirror = self.mirror.iter().map(|one| &one.watch);
        let files = self.files.iter();
        let files = files.map(|(one, woken)| (one.label().to_owned(), &woken.watch));
        let heartbeat = self.heartbeat.iter().map(|one| &one.watch);
        workers
            .chain(discovery.map(|watch| ("discovery".to_owned(), watch)))
            .chain(mirror.map(|watch| ("list contents".to_owned(), watch)))
            .chain(files)
            .chain(heartbeat.map(|watch| ("the heartbeat".to_owned(), watch)))
            .find_map(|(name, watch)| Some(format!("{name} {}", watch.stuck(is_paused)?)))
    }

    /// Notified when what is wrong changes.
    pub(super) fn problems(&self) -> watch::Receiver<ActiveProblems> {
        self.context.problems.subscribe()
    }

    /// What is wrong, then what is followed, in one line.
    pub(super) fn status(&self) -> String {
        let mut clauses = self.context.problems.borrow().clauses();
        clauses.push(self.following());
        clauses.join("; ")
    }

    fn following(&self) -> String {
        let config = &self.context.config;
        if config.upstream.offline {
            return "offline: data comes by `advisoryd import BUNDLE`".to_owned();
        }
        let workers = self.workers.borrow();
        let is_list = |worker: &&Worker| matches!(worker.key(), SourceKey::WatchList(_));
        format!(
            "following {} and {}{}",
            counted(workers.iter().filter(is_list).count(), "watch list"),
            counted(config.extra_feeds.len(), "extra feed"),
            if config.tickets.enabled {
                ", and tickets"
            } else {
                ""
            }
        )
    }

    /// Warns about changed settings that need a restart, and if nothing is followed any more.
    pub(super) fn config(&self) -> &Config {
        &self.context.config
    }

    pub(super) fn warn_about_changes(&self, next: &Config) {
        let current = &self.context.config;
        if current.follows_advisories() && !next.follows_advisories() {
            error!(
                "no advisories are synced after this reload: the configuration has no watch list and no extra feed (before: {}). If that is not intended, correct the configuration and reload",
                self.following()
            );
        }
        let changed = [
            ("[database]", current.database != next.database),
            ("[state] dir", current.state.dir != next.state.dir),
            ("[http]", current.http != next.http),
            (
                "[log]",
                current.log.filter != next.log.filter || current.log.format != next.log.format,
            ),
        ];
        for (section, changed) in changed {
            if changed {
                warn!("{section} changed; restart advisoryd to apply it");
            }
        }
    }

    /// Stops the schedules, lets every run reach its next safe point, and drops runs that
    /// take longer than `within`: the next start resumes them.
    pub(super) async fn stop(self, within: Duration) {
        self.schedules.stop().await;
        self.context.stop.cancel();
        if tokio::time::timeout(within, self.tasks.wait())
            .await
            .is_err()
        {
            warn!(
                "a run did not stop within {} s; it is aborted and resumed later",
                within.as_secs()
            );
        }
        self.context.budget.give_back().await;
    }
}

/// Everything that has a schedule.
fn woken(workers: &[Worker], others: impl Iterator<Item = Woken>) -> Vec<Woken> {
    let workers = workers.iter().flat_map(Worker::woken);
    workers.chain(others).collect()
}

/// What has a schedule and is no worker.
fn others(others: [Option<&Woken>; 3]) -> impl Iterator<Item = Woken> {
    others.into_iter().flatten().cloned()
}

/// Whether `workers` has a worker for the same source. Tickets have two, which start and
/// end together.
fn has(workers: &[Worker], worker: &Worker) -> bool {
    let key = worker.key();
    workers.iter().any(|other| other.key() == key)
}
