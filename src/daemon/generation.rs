//! Everything that runs under one configuration.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

use super::schedules::Schedules;
use super::{details, lanes, reconcile};
use crate::config::Config;
use crate::job::context::Context;
use crate::job::maintain;
use crate::web::Working;

/// The lanes and schedules of one configuration.
pub(super) struct Generation {
    context: Context,
    schedules: Schedules,
    tasks: TaskTracker,
}

impl Generation {
    pub(super) async fn start(context: Context) -> anyhow::Result<Self> {
        let lanes = lanes::lanes(&context.config);
        let timezone = context.config.schedule.timezone;
        let schedules = Schedules::start(&lanes, timezone, context.clock.now())
            .await
            .context("the schedules could not be started")?;
        let tasks = TaskTracker::new();
        tasks.spawn(reconcile::pace(context.clone(), lanes.clone()));
        for lane in lanes {
            tasks.spawn(lanes::work(context.clone(), lane));
        }
        tasks.spawn(details::work(context.clone()));
        tasks.spawn(maintain::hourly(context.clone()));
        tasks.close();
        Ok(Self {
            context,
            schedules,
            tasks,
        })
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

    pub(super) fn is_alive(&self) -> bool {
        self.schedules.pulse().is_alive()
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
