//! The row by which `status` knows that this daemon runs.

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::store::ledger::daemon;

/// How often the row is renewed. A daemon counts as ended when three renewals are missing.
const RENEW_EVERY: Duration = Duration::from_secs(15);
/// An unreachable database must not delay the end.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// Keeps the row of this daemon current.
pub(super) struct Presence {
    refused: watch::Sender<Option<String>>,
    ending: CancellationToken,
    task: JoinHandle<()>,
}

impl Presence {
    /// Announces this daemon and keeps its row current.
    pub(super) fn start(pool: PgPool) -> Self {
        let refused = watch::Sender::new(None);
        let ending = CancellationToken::new();
        let task = tokio::spawn(keep(pool, refused.subscribe(), ending.clone()));
        Self {
            refused,
            ending,
            task,
        }
    }

    /// Records why the last reload was refused; `None` after one that was not.
    pub(super) fn refused(&self, reason: Option<&str>) {
        self.refused.send_replace(reason.map(str::to_owned));
    }

    /// Records that this daemon has stopped.
    pub(super) async fn end(self) {
        self.ending.cancel();
        // Without the record, the row says a minute later that it is gone.
        let _ = timeout(LEAVE_WITHIN, self.task).await;
    }
}

async fn keep(
    pool: PgPool,
    mut refused: watch::Receiver<Option<String>>,
    ending: CancellationToken,
) {
    let mut row = None;
    loop {
        let reason = refused.borrow_and_update().clone();
        match renewed(&pool, row, reason.as_deref()).await {
            Ok(id) => row = Some(id),
            // The workers report an unreachable database.
            Err(error) => debug!(%error, "the row of this daemon could not be renewed"),
        }
        tokio::select! {
            biased;
            () = ending.cancelled() => break,
            // It is sent by whoever cancels.
            _ = refused.changed() => {}
            () = tokio::time::sleep(RENEW_EVERY) => {}
        }
    }
    if let Some(id) = row
        && let Err(error) = left(&pool, id).await
    {
        debug!(%error, "the end of this daemon could not be recorded");
    }
}

/// Renews the row, or makes it where there is none; returns its id.
async fn renewed(
    pool: &PgPool,
    row: Option<i64>,
    refused: Option<&str>,
) -> Result<i64, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    if let Some(id) = row
        && daemon::renew(&mut connection, id, refused).await?
    {
        return Ok(id);
    }
    let id = daemon::announce(&mut connection).await?;
    daemon::renew(&mut connection, id, refused).await?;
    Ok(id)
}

async fn left(pool: &PgPool, id: i64) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    daemon::stopped(&mut connection, id).await
}
