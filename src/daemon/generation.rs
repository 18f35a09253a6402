//! Everything that runs under one configuration.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::progress::{Watch, Woken};
use super::schedules::{Pulse, Schedules};
use super::{Told, alerts, health, lanes, reconcile};
use crate::config::Config;
use crate::http::Client;
use crate::job::context::Context;
use crate::job::maintain;
use crate::sink::Sink;

/// The lanes and schedules of one configuration.
pub(super) struct Generation {
    context: Context,
    schedules: Schedules,
    tasks: TaskTracker,
    watches: Vec<(String, Watch)>,
}

impl Generation {
    pub(super) async fn start(
        context: Context,
        sinks: Vec<Sink>,
        told: Told,
    ) -> anyhow::Result<Self> {
        let lanes = lanes::lanes(&context.config);
        let heartbeat = context.config.alerts.heartbeat.as_ref();
        let heartbeat = heartbeat.map(|heartbeat| Woken::by(&heartbeat.schedule));
        let woken = lanes
            .iter()
            .map(lanes::Lane::woken)
            .chain(heartbeat.clone());
        let timezone = context.config.schedule.timezone;
        let schedules = Schedules::start(woken.collect(), timezone, context.clock.now())
            .await
            .context("the schedules could not be started")?;
        let mut watches: Vec<(String, Watch)> = lanes
            .iter()
            .map(|lane| (lane.key().to_string(), lane.watch.clone()))
            .collect();
        let tasks = TaskTracker::new();
        let bell = Arc::new(Notify::new());

        health::catch_up(&context).await;
        tasks.spawn(health::keep_looking(
            context.clone(),
            Arc::clone(&bell),
            lanes.iter().map(|lane| lane.watch.clone()).collect(),
        ));
        if let Some(woken) = heartbeat {
            watches.push(("the heartbeat".to_owned(), woken.watch.clone()));
            tasks.spawn(health::keep_beating(context.clone(), woken));
        }
        tasks.spawn(reconcile::pace(context.clone(), lanes.clone()));
        for lane in lanes {
            tasks.spawn(lanes::work(context.clone(), lane, Arc::clone(&bell)));
        }
        tasks.spawn(maintain::hourly(context.clone()));
        alerts::start(&tasks, &context, sinks, told.alert_backlog);
        tasks.close();
        Ok(Self {
            context,
            schedules,
            tasks,
            watches,
        })
    }

    pub(super) fn client(&self) -> Client {
        self.context.client.clone()
    }

    pub(super) fn pulse(&self) -> Pulse {
        self.schedules.pulse()
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
        let is_held = self.context.client.held_for().is_some();
        self.watches
            .iter()
            .find_map(|(name, watch)| Some(format!("{name} {}", watch.stuck(is_held)?)))
    }

    pub(super) fn status(&self) -> String {
        let config = &self.context.config;
        format!(
            "following {} watch lists and {} extra feeds{}",
            config.watch_lists.len(),
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
