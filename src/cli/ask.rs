//! Opening the database for a command.

use anyhow::Context as _;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};

use crate::clock::Clock;
use crate::cluster::Role;
use crate::config::{Config, DEFAULT_PATH};
use crate::startup::{self, Opened};
use crate::store::database::{self, SchemaState};

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

/// The same for who only asks, of a database that is up to date.
pub(super) async fn with_connection<T>(
    config: &Config,
    work: impl AsyncFnOnce(&mut PgConnection) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    with_database(config, async |opened| {
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

/// Brings the database up to date and writes down what the configuration names.
pub(super) async fn migrate(config: &Config, opened: &Opened) -> anyhow::Result<()> {
    database::migrate(&opened.pool).await?;
    startup::configure(config, &opened.pool, Clock::system().now())
        .await
        .context("the configuration could not be written down")
}
