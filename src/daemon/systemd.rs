//! Notifications to systemd (`sd_notify`). Without `NOTIFY_SOCKET` they do nothing.

use std::pin::pin;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::timeout;
use tracing::debug;

use crate::model::outgoing;

/// How long each wait for the database extends systemd's start timeout.
pub const EXTEND_TIMEOUT: Duration = Duration::from_mins(1);

/// How often the start timeout is extended: well within [`EXTEND_TIMEOUT`].
pub const REPORT_EVERY: Duration = Duration::from_secs(10);

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "could not notify systemd");
    }
}

/// Startup is complete.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(&outgoing(status))]);
}

/// One line for `systemctl status`.
pub fn status(status: &str) {
    notify(&[NotifyState::Status(&outgoing(status))]);
}

/// The configuration is being reloaded; [`ready`] must follow.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

/// advisoryd is stopping.
pub fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Extends the timeout of a start or a reload and says why, for example waiting for the
/// database.
pub fn still_starting(why: &str, at_least: Duration) {
    let microseconds = u32::try_from(at_least.as_micros()).unwrap_or(u32::MAX);
    notify(&[
        NotifyState::Status(&outgoing(why)),
        NotifyState::ExtendTimeoutUsec(microseconds),
    ]);
}

/// Awaits `work`, and meanwhile extends the timeout of the start or reload again and again.
pub async fn while_starting<T>(why: &str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        still_starting(why, EXTEND_TIMEOUT);
        if let Ok(done) = timeout(REPORT_EVERY, &mut work).await {
            return done;
        }
    }
}

/// Notifies the watchdog.
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// How often to notify the watchdog: twice per timeout. `None` without a watchdog.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| (limit / 2).max(Duration::from_millis(100)))
}
