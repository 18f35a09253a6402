//! `advisoryd status`: which daemons run.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::output::rough;
use super::times::Times;
use crate::model::LeaseHolder;
use crate::store::ledger::daemon::{self, RecordedDaemon};

/// The daemons of the database, those that run first.
pub(super) struct Daemons(Vec<RecordedDaemon>);

impl Daemons {
    pub(super) async fn query(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        daemon::list(connection).await.map(Self)
    }

    pub(super) fn all(&self) -> &[RecordedDaemon] {
        &self.0
    }

    /// Whether one runs: otherwise nothing happens by schedule.
    pub(super) fn is_running(&self) -> bool {
        self.running().next().is_some()
    }

    fn running(&self) -> impl Iterator<Item = &RecordedDaemon> {
        self.0.iter().filter(|daemon| daemon.running)
    }

    /// Whether a process is one of those that run.
    pub(super) fn has(&self, holder: &LeaseHolder) -> bool {
        let mut running = self.running();
        running.any(|one| one.pid == holder.pid && one.host == holder.host)
    }

    /// What `status` begins with.
    pub(super) fn lines(&self, times: Times, now: DateTime<Utc>) -> Vec<String> {
        let running: Vec<String> = self.running().map(|one| described(one, times)).collect();
        match &running[..] {
            [] => vec![
                format!("daemon: not running ({})", self.last(times, now)),
                "Nothing runs on schedule until it is started: `systemctl start advisoryd` or `advisoryd run`."
                    .to_owned(),
            ],
            [one] => vec![format!("daemon: running, {one}")],
            several => {
                let mut lines = vec![format!("daemon: {} are running", several.len())];
                lines.extend(several.iter().map(|one| format!("  {one}")));
                lines
            }
        }
    }

    /// What is known of the last one.
    fn last(&self, times: Times, now: DateTime<Utc>) -> String {
        let Some(last) = self.0.first() else {
            return "none has been seen yet".to_owned();
        };
        let RecordedDaemon { host, pid, .. } = last;
        match last.stopped_at {
            Some(at) => format!(
                "stopped {} ago, {}; it was pid {pid} on {host}",
                rough(now - at),
                times.full(at)
            ),
            None => format!(
                "last seen {} ago, {}; it was pid {pid} on {host} and did not stop cleanly",
                rough(now - last.seen_at),
                times.full(last.seen_at)
            ),
        }
    }

    /// Reloads that were refused, by daemons that run.
    pub(super) fn refused(&self) -> Vec<String> {
        self.running()
            .filter_map(|daemon| {
                let reason = daemon.refused_reload.as_ref()?;
                Some(format!(
                    "pid {} on {} did not reload its configuration, and works with the former one: {reason}",
                    daemon.pid, daemon.host
                ))
            })
            .collect()
    }

    /// Daemons that run with different configurations.
    pub(super) fn differing(&self, times: Times) -> Option<String> {
        let known = |one: &&RecordedDaemon| one.configuration.is_some();
        let first = self.running().find(known)?;
        let is_other = |one: &RecordedDaemon| {
            one.version == first.version && one.configuration != first.configuration
        };
        let is_any = self.running().filter(known).any(is_other);
        is_any.then(|| {
            let all: Vec<String> = self.running().map(|one| described(one, times)).collect();
            format!(
                "the daemons work with different configurations ({}): what is followed, the rules and the sinks are those of the one that was started or reloaded last; give all the same configuration and reload them",
                all.join("; ")
            )
        })
    }

    /// The last daemon, if none runs and nothing else has read a source since it ended.
    pub(super) fn missing(
        &self,
        last_success: Option<DateTime<Utc>>,
        times: Times,
        now: DateTime<Utc>,
    ) -> Option<String> {
        let last = self.0.first().filter(|last| !last.running)?;
        let ended_at = last.stopped_at.unwrap_or(last.seen_at);
        let is_replaced = last_success.is_some_and(|at| at > ended_at);
        (!is_replaced).then(|| format!("the daemon is not running ({})", self.last(times, now)))
    }
}

fn described(daemon: &RecordedDaemon, times: Times) -> String {
    let RecordedDaemon {
        host, pid, since, ..
    } = daemon;
    format!("pid {pid} on {host}, since {}", times.full(*since))
}
