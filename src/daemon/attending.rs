//! What the daemon answers at any time, whatever it does: a request to stop, and the watchdog of
//! the service manager.

use std::pin::pin;

use tokio::time::Interval;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::requests::{SignalRequest, Signals};
use super::systemd;

/// What is to be done now.
pub(super) enum Due {
    Stop,
    Reload,
    /// The watchdog is to be notified.
    Watchdog,
}

/// The signals, the request to stop and the watchdog.
pub(super) struct Attending<'a> {
    signals: &'a mut Signals,
    stop: CancellationToken,
    watchdog: Option<Interval>,
}

impl<'a> Attending<'a> {
    pub(super) fn new(signals: &'a mut Signals, stop: CancellationToken) -> Self {
        Self {
            signals,
            stop,
            watchdog: systemd::watchdog_interval().map(tokio::time::interval),
        }
    }

    /// Waits until something is due.
    pub(super) async fn next(&mut self) -> Due {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Due::Stop,
            request = self.signals.next() => match request {
                SignalRequest::Stop => Due::Stop,
                SignalRequest::Reload => Due::Reload,
            },
            () = tick(&mut self.watchdog) => Due::Watchdog,
        }
    }

    /// Awaits `work`, however long it takes; `None` if advisoryd is asked to stop first. A
    /// request to reload follows it. `stuck` says what no longer makes progress.
    pub(super) async fn beside<T>(
        &mut self,
        stuck: impl Fn() -> Option<String>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        let mut is_reload_due = false;
        let done = loop {
            tokio::select! {
                biased;
                due = self.next() => match due {
                    Due::Stop => break None,
                    Due::Reload => is_reload_due = true,
                    Due::Watchdog => beat(stuck()),
                },
                done = &mut work => break Some(done),
            }
        };
        if is_reload_due {
            self.signals.reload_later();
        }
        done
    }

    /// Awaits `work` to its end: it is short, and a request to stop waits for it.
    pub(super) async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                () = tick(&mut self.watchdog) => systemd::alive(),
                done = &mut work => return done,
            }
        }
    }
}

/// Notifies the watchdog, unless something is stuck.
pub(super) fn beat(stuck: Option<String>) {
    match stuck {
        None => systemd::alive(),
        Some(what) => error!("{what}; not notifying the systemd watchdog"),
    }
}

async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
