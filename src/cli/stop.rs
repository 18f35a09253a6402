//! Stopping a command by Ctrl-C or SIGTERM.

use tokio_util::sync::CancellationToken;

use crate::signals::StopSignals;

/// Ctrl-C and SIGTERM end the pass at its next safe point.
pub(super) fn stop_on_signals() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    let asked = asked_to_stop()?;
    tokio::spawn(async move {
        asked.await;
        token.cancel();
    });
    Ok(stop)
}

/// Listens from now on; what it returns ends with Ctrl-C or SIGTERM.
pub(super) fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut signals = StopSignals::listen()?;
    Ok(async move { signals.next().await })
}
