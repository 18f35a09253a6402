//! Reconciliation: uses a share of the request budget to read covered time again.

use tokio::sync::watch;
use tracing::{debug, warn};

use super::worker::{Worker, WorkerTask};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::Ran;
use crate::job::trust::reconcile;

/// Wakes random workers, as often as `[reconcile] share` allows.
pub(super) async fn wake_workers(context: Context, workers: watch::Receiver<Vec<Worker>>) {
    let Some(pause) = context.config.reconcile.pause(&context.config.upstream) else {
        return;
    };
    while context.or_stopped(tokio::time::sleep(pause)).await.is_ok() {
        // The workers may have changed since the last time.
        let workers: Vec<Worker> = workers
            .borrow()
            .iter()
            .filter(|worker| {
                !matches!(worker.task, WorkerTask::FullScan | WorkerTask::RevisionScan)
            })
            .cloned()
            .collect();
        if let Some(worker) = fastrand::choice(&workers) {
            worker.again.notify_one();
        }
    }
}

/// Reads some covered time of the worker's source again. The worker does this itself, so
/// that no tick is skipped because of it.
pub(super) async fn read_again(context: &Context, worker: &Worker) {
    let key = worker.key();
    let chance = fastrand::u64(..);
    let ran: Result<Option<Ran>, Failure> = match &worker.task {
        WorkerTask::Feed(feed) => reconcile::feed(context, feed, chance).await,
        WorkerTask::Tickets => reconcile::tickets(context, chance).await,
        WorkerTask::FullScan | WorkerTask::RevisionScan => Ok(None),
    };
    match ran {
        Ok(Some(Ran::Ended(_))) => {}
        Ok(Some(Ran::Busy(_)) | None) => {
            debug!(source = %key, "{}: nothing to reconcile now", key.label());
        }
        Err(failure) => {
            warn!(source = %key, error = %failure.chain(), "{}: reconciliation failed: {}", key.label(), failure.chain());
        }
    }
}
