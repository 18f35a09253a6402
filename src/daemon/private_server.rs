//! The private PostgreSQL beside the daemon: recovery and a full disk are waited
//! out, systemd is informed meanwhile, a request to stop ends a start at once.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::pin;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::systemd;
use crate::cluster::{Cluster, ClusterError};

/// Why the private server does not run; nothing where there is none, or it does.
#[derive(Debug, Clone)]
pub(super) struct Trouble(Option<watch::Receiver<Option<String>>>);

impl Trouble {
    pub(super) fn of(cluster: Option<&Cluster>) -> Self {
        Self(cluster.map(Cluster::failure))
    }

    /// Waits until it is another one, or gone.
    pub(super) async fn changed(&mut self) {
        match &mut self.0 {
            Some(failure) => {
                // Closed when the server is given up: there is no news any more.
                if failure.changed().await.is_err() {
                    pending::<()>().await;
                }
            }
            None => pending().await,
        }
    }

    /// In words, for the status line.
    pub(super) fn clause(&self) -> Option<String> {
        let failure = self.0.as_ref()?.borrow();
        failure
            .as_ref()
            .map(|text| format!("the private PostgreSQL cannot be started: {text}"))
    }
}

/// Starts the server, however long that takes; false when `stop` completed
/// first: then what was begun is stopped.
pub(super) async fn start(
    cluster: &mut Option<Cluster>,
    stop: impl Future<Output = ()>,
) -> Result<bool, ClusterError> {
    let Some(cluster) = cluster else {
        return Ok(true);
    };
    let mut stop = pin!(stop);
    loop {
        systemd::still_starting(&cluster.progress(), systemd::EXTEND_TIMEOUT);
        // Dropping the future of a start does not end the start.
        tokio::select! {
            biased;
            () = &mut stop => {
                cancel_start(cluster).await;
                return Ok(false);
            }
            started = timeout(systemd::REPORT_EVERY, cluster.start_patiently()) => {
                if let Ok(started) = started {
                    return started.map(|()| true);
                }
            }
        }
    }
}

/// Keeps the server running. Once `stopping` is cancelled, a start under way is
/// ended: jobs that are to stop would wait for a server that recovers for long.
pub(super) async fn keep_running(
    cluster: &mut Option<Cluster>,
    stopping: &CancellationToken,
) -> Infallible {
    if let Some(cluster) = cluster {
        stopping.run_until_cancelled(cluster.keep_running()).await;
        cancel_start(cluster).await;
    }
    pending().await
}

async fn cancel_start(cluster: &mut Cluster) {
    if let Err(error) = cluster.cancel_start().await {
        warn!(
            "the start of the private PostgreSQL could not be cancelled; its server may still run: {error}"
        );
    }
}
