//! The private PostgreSQL at the start of the daemon: recovery and a full disk
//! are waited out, systemd is told, a request to stop is obeyed at once.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;

use super::{PATIENCE, systemd};
use crate::cluster::{Cluster, ClusterError};

/// How often systemd is told that the start goes on: well within [`PATIENCE`].
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Starts `cluster`, however long that takes; false when `stop` completed first:
/// then what was begun is stopped.
pub(super) async fn start(
    cluster: &mut Option<Cluster>,
    stop: impl Future<Output = ()>,
) -> Result<bool, ClusterError> {
    let mut stop = pin!(stop);
    let Some(cluster) = cluster else {
        return Ok(true);
    };
    loop {
        systemd::still_starting(&cluster.progress(), PATIENCE);
        // Dropping the future of a start does not end the start.
        tokio::select! {
            biased;
            () = &mut stop => {
                cancel_start(cluster).await;
                return Ok(false);
            }
            started = timeout(REPORT_EVERY, cluster.start_patiently()) => {
                if let Ok(started) = started {
                    return started.map(|()| true);
                }
            }
        }
    }
}

/// Ends a start that is under way when the daemon is asked to stop: its jobs
/// wait for connections to a server that would take long to accept them.
pub(super) async fn cancel_start(cluster: &mut Cluster) {
    if let Err(error) = cluster.cancel_start().await {
        warn!("the private PostgreSQL is left behind: {error}");
    }
}
