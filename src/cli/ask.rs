//! Opening the database for a command.

use anyhow::Context as _;
use sqlx::Postgres;
use sqlx::pool::PoolConnection;

use crate::clock::Clock;
use crate::cluster::Role;
use crate::config::Config;
use crate::startup::{self, Opened};
use crate::store::database;

/// Opens the database as a command does: beside a running daemon its private
/// server is shared.
pub(super) async fn open(config: &Config) -> anyhow::Result<Opened> {
    Opened::open(config, Role::Client).await
}

/// A connection to ask with. Refuses a database that this program's views are
/// not in.
pub(super) async fn up_to_date(opened: &Opened) -> anyhow::Result<PoolConnection<Postgres>> {
    let mut connection = opened.pool.acquire().await?;
    if database::missing_here(&mut connection).await? > 0 {
        anyhow::bail!(
            "the database is not up to date; run `advisoryd migrate` (or the daemon) first"
        );
    }
    Ok(connection)
}

/// Brings the database up to date and writes down what the configuration names.
pub(super) async fn migrate(config: &Config, opened: &Opened) -> anyhow::Result<()> {
    database::migrate(&opened.pool).await?;
    startup::configure(config, &opened.pool, Clock::system().now())
        .await
        .context("the configuration could not be written down")
}
