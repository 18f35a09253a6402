//! Opening the database for a command.

use anyhow::Context as _;
use chrono::TimeDelta;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};

use super::output::print_error;
use crate::clock::Clock;
use crate::cluster::Role;
use crate::config::{Config, DEFAULT_PATH};
use crate::model::chain;
use crate::startup::{self, Opened};
use crate::store::database::{self, ReplicaState, SchemaState};
use crate::store::ledger::daemon;

/// Opens the database, does `work` with it, and closes it however that went.
pub(super) async fn with_database<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Opened) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let opened = open(config).await?;
    let result = work(&opened).await;
    opened.close().await;
    result
}

/// The same for who only reads: the read replica, where `[database] read_url` names one.
/// It is told how far that is behind. If it cannot be used, the database itself is asked,
/// with a warning.
pub(super) async fn with_reader<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Opened) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let Some(replica) = replica(config).await else {
        return with_database(config, work).await;
    };
    let result = work(&replica).await;
    replica.close().await;
    result
}

async fn replica(config: &Config) -> Option<Opened> {
    let opened = match Opened::open_replica(config).await {
        Ok(opened) => opened?,
        Err(error) => {
            print_error(&format!(
                "[database] read_url cannot be used, the primary is read instead (--primary does so without asking): {error:#}"
            ));
            return None;
        }
    };
    let asking = async {
        let mut connection = opened.pool.acquire().await?;
        database::replica_state(&mut connection).await
    };
    match asking.await {
        Ok(state) => print_error(&lag(&database::server_name(&opened.pool), &state)),
        Err(error) => {
            print_error(&format!(
                "[database] read_url cannot be used, the primary is read instead (--primary does so without asking): {}",
                chain(&error)
            ));
            opened.close().await;
            return None;
        }
    }
    Some(opened)
}

/// How far a replica is behind. On a primary without writes, the last transaction grows old
/// although nothing is missing.
fn lag(host: &str, state: &ReplicaState) -> String {
    let ReplicaState {
        now,
        is_standby,
        replayed_at,
    } = state;
    match (is_standby, replayed_at) {
        (false, _) => format!("reading from {host}, which is no standby: no lag"),
        (true, None) => format!("reading from the standby {host}; its lag is unknown"),
        (true, Some(at)) => format!(
            "reading from the standby {host}; the last transaction that it has is {:.1} s old",
            (*now - *at).max(TimeDelta::zero()).as_seconds_f64()
        ),
    }
}

/// The same for who only asks, of a database that is up to date.
pub(super) async fn with_connection<T>(
    config: &Config,
    work: impl AsyncFnOnce(&mut PgConnection) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    with_reader(config, async |opened| {
        work(&mut *up_to_date(opened).await?).await
    })
    .await
}

/// Opens the database as a command does: beside a running daemon its private
/// server is shared.
///
/// Where nothing was configured at all, somebody forgot `--config`: a private
/// database would be made for nothing.
pub(super) async fn open(config: &Config) -> anyhow::Result<Opened> {
    let names_nothing = config.watch_lists.is_empty()
        && config.extra_feeds.is_empty()
        && !config.discovery.watch_lists
        && config.database.url.is_none();
    if config.file.is_none() && names_nothing && !config.state.dir.join("postgresql").exists() {
        anyhow::bail!(
            "no configuration at {DEFAULT_PATH} and no database in {}; use --config FILE",
            config.state.dir.display()
        );
    }
    Opened::open(config, Role::Client).await
}

/// A connection to ask with. Refuses a database that this program's views are
/// not in.
pub(super) async fn up_to_date(opened: &Opened) -> anyhow::Result<PoolConnection<Postgres>> {
    let mut connection = opened.pool.acquire().await?;
    match database::schema_state_here(&mut connection).await? {
        SchemaState::UpToDate => Ok(connection),
        SchemaState::Empty | SchemaState::Behind(_) => anyhow::bail!(
            "the database schema is not up to date; run `advisoryd migrate` or start the daemon"
        ),
        SchemaState::Development(found) => Err(found.into()),
        SchemaState::Foreign(found) => Err(found.into()),
    }
}

/// Brings the database up to date and writes down what the configuration names. That belongs
/// to the daemon, if one runs: a command with another configuration would replace it.
pub(super) async fn migrate(config: &Config, opened: &Opened) -> anyhow::Result<()> {
    database::migrate(&opened.pool).await?;
    let mut connection = opened.pool.acquire().await?;
    let others = daemon::differing(&mut connection, &config.recorded()).await?;
    drop(connection);
    if let Some(other) = others.first() {
        anyhow::bail!(
            "the daemon that works with this database has another configuration ({}); this command would replace its watch lists, rules and sinks. Use its configuration (--config FILE), or reload the daemon if the file was changed (`systemctl reload advisoryd`)",
            other.in_words()
        );
    }
    startup::configure(config, &opened.pool, Clock::system().now())
        .await
        .context("the configuration could not be recorded")
}
