//! The row by which `status` knows that this daemon runs.

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::store::ledger::daemon::{self, Announced};

/// How often the row is renewed. A daemon counts as ended when three renewals are missing.
const RENEW_EVERY: Duration = Duration::from_secs(15);
/// An unreachable database must not delay the end.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// Keeps the row of this daemon current.
pub(super) struct Presence {
    announced: watch::Sender<Announced>,
    ending: CancellationToken,
    task: JoinHandle<()>,
}

impl Presence {
    /// Keeps the row `id` of this daemon current, and watches for daemons that work with
    /// another configuration.
    pub(super) fn start(pool: PgPool, id: i64, announced: Announced) -> Self {
        let announced = watch::Sender::new(announced);
        let ending = CancellationToken::new();
        let task = tokio::spawn(keep(pool, id, announced.subscribe(), ending.clone()));
        Self {
            announced,
            ending,
            task,
        }
    }

    /// Records why the last reload was refused; `None` after one that was not.
    pub(super) fn refused(&self, reason: Option<&str>) {
        self.announced
            .send_modify(|announced| announced.refused = reason.map(str::to_owned));
    }

    /// Records with which configuration and account this daemon works from now on.
    pub(super) fn works_with(&self, configuration: String, account: Option<String>) {
        self.announced.send_modify(|announced| {
            announced.configuration = configuration;
            announced.account = account;
        });
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
    id: i64,
    mut announced: watch::Receiver<Announced>,
    ending: CancellationToken,
) {
    let mut row = id;
    let mut others = Vec::new();
    loop {
        let current = announced.borrow_and_update().clone();
        match renewed(&pool, row, &current).await {
            Ok((id, differing)) => {
                row = id;
                log_others(&others, &differing);
                others = differing;
            }
            // The workers report an unreachable database.
            Err(error) => debug!(%error, "the row of this daemon could not be renewed"),
        }
        tokio::select! {
            biased;
            () = ending.cancelled() => break,
            // It is sent by whoever cancels.
            _ = announced.changed() => {}
            () = tokio::time::sleep(RENEW_EVERY) => {}
        }
    }
    if let Err(error) = left(&pool, row).await {
        debug!(%error, "the end of this daemon could not be recorded");
    }
}

/// Renews the row, or makes it where there is none; returns its id, and the daemons that
/// work with another configuration.
async fn renewed(
    pool: &PgPool,
    row: i64,
    announced: &Announced,
) -> Result<(i64, Vec<String>), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let id = if daemon::renew(&mut connection, row, announced).await? {
        row
    } else {
        daemon::announce(&mut connection, announced).await?
    };
    let others = daemon::differing(&mut connection, &announced.configuration).await?;
    let others = others.iter().map(daemon::Daemon::in_words).collect();
    Ok((id, others))
}

fn log_others(before: &[String], now: &[String]) {
    for other in now.iter().filter(|other| !before.contains(other)) {
        warn!(
            "another daemon works with this database and with another configuration ({other}): what is followed, the rules and the sinks are those of the daemon that was started or reloaded last; reload the other one, or stop it"
        );
    }
    if now.is_empty() && !before.is_empty() {
        info!("all daemons work with the same configuration again");
    }
}

async fn left(pool: &PgPool, id: i64) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    daemon::stopped(&mut connection, id).await
}
