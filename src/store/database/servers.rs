//! The servers of one database: which of them accepts writes, and moving the pool there.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::session::{ANSWER_WITHIN, connect_to, name, named, no_answer, unusable};

/// How often the server in use is asked whether it still accepts writes.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Pause between searches while no server accepts writes.
const SEARCH_EVERY: Duration = Duration::from_millis(500);

/// The hosts of `[database] url`. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Servers {
    hosts: Arc<[PgConnectOptions]>,
    is_writable: bool,
}

impl From<PgConnectOptions> for Servers {
    fn from(one: PgConnectOptions) -> Self {
        Self::new(vec![one], false)
    }
}

/// None of the hosts can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NoServer {
    /// Each host with the reason.
    hosts: Vec<(String, String)>,
}

impl fmt::Display for NoServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no host of [database] url can be used")?;
        for (index, (host, reason)) in self.hosts.iter().enumerate() {
            let separator = if index == 0 { ':' } else { ';' };
            write!(f, "{separator} {host}: {reason}")?;
        }
        Ok(())
    }
}

impl Servers {
    /// The hosts in the order of the configuration. With `is_writable`, only one that
    /// accepts writes is used.
    pub fn new(hosts: Vec<PgConnectOptions>, is_writable: bool) -> Self {
        Self {
            hosts: hosts.into_iter().map(named).collect(),
            is_writable,
        }
    }

    /// The first host.
    pub(super) fn first(&self) -> PgConnectOptions {
        let first = self.hosts.first().cloned();
        first.unwrap_or_else(PgConnectOptions::new_without_pgpass)
    }

    /// Whether there is more than one host.
    pub fn are_several(&self) -> bool {
        self.hosts.len() > 1
    }

    /// Asks all hosts at once, and lets the pool use the first that answers and will do.
    /// Connections that are in use stay where they are.
    ///
    /// # Errors
    /// No host will do.
    pub async fn choose(&self, pool: &PgPool) -> Result<(), NoServer> {
        self.found(pool).await.map(drop)
    }

    async fn found(&self, pool: &PgPool) -> Result<PgConnection, NoServer> {
        let (options, connection) = self.search().await?;
        use_server(pool, &options);
        Ok(connection)
    }

    /// The first host that answers and will do.
    pub(super) async fn first_that_answers(&self) -> Result<PgConnectOptions, NoServer> {
        self.search().await.map(|(options, _)| options)
    }

    async fn search(&self) -> Result<(PgConnectOptions, PgConnection), NoServer> {
        let mut asked = JoinSet::new();
        for (index, options) in self.hosts.iter().enumerate() {
            let (options, is_writable) = (options.clone(), self.is_writable);
            asked.spawn(async move { (index, usable(&options, is_writable).await) });
        }
        let mut hosts: Vec<(String, String)> = self
            .hosts
            .iter()
            .map(|host| (name(host), "no answer".to_owned()))
            .collect();
        while let Some(answer) = asked.join_next().await {
            let Ok((index, answer)) = answer else {
                continue;
            };
            match (answer, self.hosts.get(index), hosts.get_mut(index)) {
                (Ok(connection), Some(options), _) => return Ok((options.clone(), connection)),
                (Err(error), _, Some(host)) => host.1 = reason(&error),
                _ => {}
            }
        }
        Err(NoServer { hosts })
    }

    /// Keeps the pool at a server that will do, until the pool is closed. One connection
    /// is used to notice at once that the server is gone or was demoted.
    pub(super) async fn keep(self, pool: PgPool) {
        let keeping = async {
            let mut was_lost = false;
            loop {
                match self.found(&pool).await {
                    Ok(connection) => {
                        let host = name(&pool.connect_options());
                        if was_lost {
                            info!(%host, "the database is available again, at {host}");
                        }
                        let reason = self.lost(connection).await;
                        warn!(%host, "the database at {host} is lost: {reason}; looking for a host that accepts writes");
                        was_lost = true;
                    }
                    // Whoever needs the database says so.
                    Err(error) => debug!(%error, "no server yet"),
                }
                sleep(SEARCH_EVERY).await;
            }
        };
        // `()` when the pool is closed; the search has no end of its own.
        let _: Result<std::convert::Infallible, _> = pool.close_event().do_until(keeping).await;
    }

    /// Waits until the server of this connection will no longer do; returns the reason.
    async fn lost(&self, mut connection: PgConnection) -> String {
        loop {
            sleep(ASK_EVERY).await;
            match timeout(ANSWER_WITHIN, accepts(&mut connection, self.is_writable)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return reason(&error),
                Err(_) => return reason(&no_answer()),
            }
        }
    }
}

pub(super) fn use_server(pool: &PgPool, options: &PgConnectOptions) {
    let before = pool.connect_options();
    if name(&before) != name(options) {
        pool.set_connect_options(options.clone());
    }
}

async fn usable(
    options: &PgConnectOptions,
    is_writable: bool,
) -> Result<PgConnection, sqlx::Error> {
    let asking = async {
        let mut connection = connect_to(options).await?;
        accepts(&mut connection, is_writable).await?;
        Ok(connection)
    };
    timeout(ANSWER_WITHIN, asking)
        .await
        .unwrap_or_else(|_| Err(no_answer()))
}

/// An error without the words that every failure of a connection has.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

async fn accepts(connection: &mut PgConnection, is_writable: bool) -> Result<(), sqlx::Error> {
    if !is_writable {
        return connection.ping().await;
    }
    match unusable(connection).await? {
        None => Ok(()),
        Some(reason) => Err(sqlx::Error::Io(io::Error::other(reason))),
    }
}
