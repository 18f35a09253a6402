//! Requests by signals: to stop, to reload.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::signals::StopSignals;

/// What a signal asks for.
pub(super) enum Request {
    Stop,
    Reload,
}

/// The signals that the daemon listens to.
pub(super) struct Signals {
    stop: StopSignals,
    hangup: Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            stop: StopSignals::listen()?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Request {
        tokio::select! {
            () = self.stop.next() => Request::Stop,
            _ = self.hangup.recv() => Request::Reload,
        }
    }

    /// Waits for a stop signal. Reload requests are ignored during the start: the
    /// configuration was read a moment ago.
    pub(super) async fn stop_requested(&mut self) {
        while !matches!(self.next().await, Request::Stop) {}
    }
}
