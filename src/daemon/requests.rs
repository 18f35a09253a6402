//! Requests by signals: to stop, to reload.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::signals::StopSignals;

/// What a signal asks for.
pub(super) enum SignalRequest {
    Stop,
    Reload,
}

/// The signals that the daemon listens to.
pub(super) struct Signals {
    stop: StopSignals,
    hangup: Signal,
    /// Whether a reload was requested during the start, or during another reload.
    is_reload_due: bool,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            stop: StopSignals::listen()?,
            hangup: signal(SignalKind::hangup())?,
            is_reload_due: false,
        })
    }

    pub(super) async fn next(&mut self) -> SignalRequest {
        if std::mem::take(&mut self.is_reload_due) {
            return SignalRequest::Reload;
        }
        tokio::select! {
            () = self.stop.next() => SignalRequest::Stop,
            _ = self.hangup.recv() => SignalRequest::Reload,
        }
    }

    /// A request to reload that came at a wrong time is the next one.
    pub(super) fn reload_later(&mut self) {
        self.is_reload_due = true;
    }

    /// Waits for a stop signal during the start, which can take long. A request to reload
    /// follows the start: the configuration may have changed since it was read.
    pub(super) async fn stop_requested(&mut self) {
        loop {
            tokio::select! {
                () = self.stop.next() => return,
                _ = self.hangup.recv() => self.is_reload_due = true,
            }
        }
    }
}
