//! What the service manager is told. Without `NOTIFY_SOCKET` nothing is.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::debug;

/// How long each wait for the database extends systemd's patience.
pub const PATIENCE: Duration = Duration::from_mins(1);

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "the service manager could not be told");
    }
}

/// The program works.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// One line for `systemctl status`.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// The configuration is being read again; [`ready`] must follow.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The program is ending.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Starting takes longer, and why: waiting for the database is not hanging.
pub fn still_starting(why: &str, at_least: Duration) {
    let microseconds = u32::try_from(at_least.as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Status(why),
        NotifyState::ExtendTimeoutUsec(microseconds),
    ]);
}

/// Feeds the watchdog.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often the watchdog wants to be fed, at least twice in its time.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| (limit / 2).max(Duration::from_millis(100)))
}
