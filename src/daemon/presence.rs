//! The row by which `status` knows that this daemon runs.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::config::Config;
use crate::job::coverage;
use crate::startup;
use crate::store::database;
use crate::store::ledger::account;
use crate::store::ledger::daemon::{self, Announced};

/// How long the database may take to store the configuration of a reload, for example because
/// another session holds a lock.
pub(super) const STORED_WITHIN: Duration = Duration::from_secs(20);
/// How long the server waits for each lock: longer, since its error would say less. Without a
/// limit, a statement that was given up would keep its connection until the lock is free.
const LOCKED_WITHIN: Duration = Duration::from_secs(25);
/// How often the row is renewed. A daemon counts as ended when three renewals are missing.
const RENEW_EVERY: Duration = Duration::from_secs(15);
/// An unreachable database must not delay the end.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// Keeps the row of this daemon current.
pub(super) struct Presence {
    announced: watch::Sender<Announced>,
    /// Held while the row is written: a renewal with the former configuration must not follow
    /// the change.
    turn: Arc<Mutex<()>>,
    ending: CancellationToken,
    task: JoinHandle<()>,
}

impl Presence {
    /// Keeps the row `id` of this daemon current, and watches for daemons that work with
    /// another configuration.
    pub(super) fn start(pool: PgPool, id: i64, announced: Announced) -> Self {
        let announced = watch::Sender::new(announced);
        let ending = CancellationToken::new();
        let turn = Arc::default();
        let row = Row {
            pool,
            id,
            announced: announced.subscribe(),
            turn: Arc::clone(&turn),
        };
        let task = tokio::spawn(keep(row, ending.clone()));
        Self {
            announced,
            turn,
            ending,
            task,
        }
    }

    /// Records why the last reload was refused; `None` after one that was not.
    pub(super) fn refused(&self, reason: Option<&str>) {
        self.announced
            .send_modify(|announced| announced.refused = reason.map(str::to_owned));
    }

    /// Records another configuration, and that this daemon works with it from now on, in one
    /// transaction: a command that compares its own with it sees both or neither. It also waits
    /// for what the start that follows would wait for. False if the database takes longer
    /// than [`STORED_WITHIN`] before the commit: then nothing is recorded.
    pub(super) async fn reconfigure(
        &self,
        pool: &PgPool,
        announced: Announced,
        config: &Config,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        let _turn = self.turn.lock().await;
        let recording = async {
            let mut transaction = database::begin(pool).await?;
            // Whoever waits for this no longer is not waited for by the server either.
            database::limit_locks(&mut transaction, LOCKED_WITHIN).await?;
            let cut = coverage::cut(&mut transaction, now).await?;
            daemon::lock(&mut transaction).await?;
            if announced.account.is_some() {
                account::lock_current(&mut transaction).await?;
            }
            daemon::reconfigured(&mut transaction, &announced.configuration).await?;
            startup::record(&mut transaction, config, now).await?;
            Ok::<_, sqlx::Error>((transaction, cut))
        };
        let Ok(recorded) = timeout(STORED_WITHIN, recording).await else {
            return Ok(false);
        };
        let (transaction, cut) = recorded?;
        // It is not given up: what is committed would be in force all the same.
        transaction.commit().await?;
        coverage::report(cut, now);
        self.announced.send_modify(|current| {
            current.configuration = announced.configuration;
            current.account = announced.account;
        });
        Ok(true)
    }

    /// Records that this daemon has stopped.
    pub(super) async fn end(self) {
        self.ending.cancel();
        // Without the record, the row says a minute later that it is gone.
        let _ = timeout(LEAVE_WITHIN, self.task).await;
    }
}

struct Row {
    pool: PgPool,
    id: i64,
    announced: watch::Receiver<Announced>,
    turn: Arc<Mutex<()>>,
}

async fn keep(mut row: Row, ending: CancellationToken) {
    let mut others = Vec::new();
    loop {
        match row.renewed().await {
            Ok(differing) => {
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
            _ = row.announced.changed() => {}
            () = tokio::time::sleep(RENEW_EVERY) => {}
        }
    }
    if let Err(error) = left(&row.pool, row.id).await {
        debug!(%error, "the end of this daemon could not be recorded");
    }
}

impl Row {
    /// Renews the row, or makes it where there is none; returns the daemons that work with
    /// another configuration.
    async fn renewed(&mut self) -> Result<Vec<String>, sqlx::Error> {
        let _turn = self.turn.lock().await;
        let announced = self.announced.borrow_and_update().clone();
        let mut transaction = database::begin(&self.pool).await?;
        let mut id = self.id;
        if !daemon::renew(&mut transaction, id, &announced).await? {
            id = daemon::announce(&mut transaction, &announced).await?;
        }
        let others = daemon::differing(&mut transaction, &announced.configuration).await?;
        transaction.commit().await?;
        self.id = id;
        Ok(others
            .iter()
            .map(daemon::RecordedDaemon::in_words)
            .collect())
    }
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
    let mut transaction = database::begin(pool).await?;
    daemon::stopped(&mut transaction, id).await?;
    transaction.commit().await
}
