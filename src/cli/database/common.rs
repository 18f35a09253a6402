//! What the database commands share: the programs, exclusive use, comparison.

use anyhow::Context as _;
use sqlx::{PgConnection, PgPool};

use crate::cluster::{ClientPrograms, ClusterOptions, Role};
use crate::config::Config;
use crate::startup::Opened;
use crate::store::ledger::lease;
use crate::store::trust::contents::{TableContents, contents, server_major};
use crate::transfer::DatabaseServer;

/// The database's server, with the programs for it.
pub(super) async fn server(config: &Config, pool: &PgPool) -> anyhow::Result<DatabaseServer> {
    let major = server_major(&mut *pool.acquire().await?).await?;
    let search = ClusterOptions::new(Role::Client).search;
    Ok(DatabaseServer {
        programs: ClientPrograms::find(&search, major)?,
        environment: config.database.libpq(&pool.connect_options())?,
    })
}

/// Refuses a database that another process uses.
pub(super) async fn refuse_if_used(
    opened: &Opened,
    connection: &mut PgConnection,
) -> anyhow::Result<()> {
    const ADVICE: &str = "stop the daemon first: systemctl stop advisoryd";
    if let Some(cluster) = &opened.cluster
        && !cluster.is_ours()
    {
        anyhow::bail!("another advisoryd process uses the private PostgreSQL; {ADVICE}");
    }
    if let Some(holder) = lease::holders(connection).await?.first() {
        anyhow::bail!(
            "process {} on {} uses the database since {}; {ADVICE}",
            holder.pid,
            holder.host,
            holder.since
        );
    }
    Ok(())
}

/// Compares all tables; returns the number of tables and of rows.
pub(super) async fn compare(from: &PgPool, to: &PgPool) -> anyhow::Result<(usize, i64)> {
    let (mut from, mut to) = (from.acquire().await?, to.acquire().await?);
    let (expected, found) = tokio::try_join!(contents(&mut from), contents(&mut to))
        .context("the copy cannot be compared")?;
    let differing: Vec<&str> = expected
        .iter()
        .filter(|table| !found.contains(table))
        .chain(found.iter().filter(|table| !expected.contains(table)))
        .map(|table| table.name.as_str())
        .collect();
    if let Some(first) = differing.first() {
        anyhow::bail!(
            "the copy differs from the original in {first} and {} more; nothing was changed, run the command again",
            differing.len() - 1
        );
    }
    let tables = expected.iter().filter(|one| !one.checksum.is_empty());
    let rows = tables.clone().map(|TableContents { rows, .. }| rows).sum();
    Ok((tables.count(), rows))
}
