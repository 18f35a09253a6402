//! `advisoryd database move`: to another server.

use std::path::Path;

use anyhow::Context as _;
use sqlx::PgTransaction;

use super::common::{compare, refuse_if_used, server};
use super::switch::{DatabaseTarget, NextFile};
use crate::cli::ask;
use crate::cli::output::{print_error, print_line};
use crate::cluster::Role;
use crate::config::{Config, process_environment};
use crate::model::counted;
use crate::startup::Opened;
use crate::store::trust::contents::{block_writes, drop_empty_schemas, occupied};
use crate::transfer;

pub(super) async fn run(
    config: &Config,
    target: &DatabaseTarget,
    is_switched: bool,
) -> anyhow::Result<bool> {
    let file = config
        .file
        .as_deref()
        .context("there is no configuration file to change; use --config FILE")?;
    refuse_password(&target.url)?;
    let next_file = NextFile::write(file, target)?;
    let next = Config::load(Some(next_file.path()), process_environment())?;
    next.keep_secrets();
    if next.database == config.database {
        anyhow::bail!(
            "the database would stay the same: it is configured so already, or an environment variable (ADVISORYD_DATABASE__URL) overrides the file"
        );
    }
    let old = ask::open(config).await?;
    let new = match Opened::open(&next, Role::Client).await {
        Ok(new) => new,
        Err(error) => {
            old.close().await;
            return Err(error.context("the new database"));
        }
    };
    let done = copied(
        &Sides {
            config,
            old: &old,
            next: &next,
            new: &new,
        },
        is_switched.then_some(&next_file),
    )
    .await;
    new.close().await;
    let (tables, rows) = match done {
        Ok((compared, holding)) => {
            end(old, holding).await;
            compared
        }
        Err(error) => {
            old.close().await;
            return Err(error);
        }
    };
    print_result(config, file, (tables, rows), is_switched);
    Ok(true)
}

/// Says what was done and what to do next.
fn print_result(config: &Config, file: &Path, (tables, rows): (usize, i64), is_switched: bool) {
    print_line(&format!(
        "copied and compared {} with {}",
        counted(tables, "table"),
        counted(rows, "row")
    ));
    let change = format!("[database] url in {}", file.display());
    if is_switched {
        print_line(&format!(
            "changed {change}; start the daemon: systemctl start advisoryd"
        ));
    } else {
        print_line(&format!("{change} still names the old database"));
    }
    if config.database.url.is_none() {
        print_line(&format!(
            "the private database is kept; to delete it: rm -r {}",
            config.state.dir.join("postgresql").display()
        ));
    }
}

/// The database in use and the new one.
struct Sides<'a> {
    config: &'a Config,
    old: &'a Opened,
    next: &'a Config,
    new: &'a Opened,
}

/// Copies, compares, and changes the configuration while nobody can write.
async fn copied(
    sides: &Sides<'_>,
    next_file: Option<&NextFile>,
) -> anyhow::Result<((usize, i64), PgTransaction<'static>)> {
    let Sides {
        config,
        old,
        next,
        new,
    } = *sides;
    let mut connection = old.pool.acquire().await?;
    drop(ask::up_to_date(old).await?);
    refuse_if_used(old, &mut connection).await?;
    let to = server(next, &new.pool).await.context("the new database")?;
    let mut there = new.pool.acquire().await?;
    let found = occupied(&mut there).await?;
    // Left by a move that was interrupted after the copy, or the data of somebody else: the
    // comparison tells.
    let is_copied = found.has_tables;
    if is_copied {
        refuse_if_used(new, &mut there)
            .await
            .context("the new database")?;
    } else if found.has_schema {
        drop_empty_schemas(&mut there)
            .await
            .context("the new database")?;
    }
    let from = server(config, &old.pool).await?;
    drop(connection);
    let mut holding = crate::store::database::begin(&old.pool).await?;
    block_writes(&mut holding)
        .await
        .context("another process writes to the database")?;
    if !is_copied {
        print_error("copying the database");
        transfer::copy(&from, &to).await?;
    }
    print_error("comparing all tables");
    let compared = match compare(&old.pool, &new.pool).await {
        Err(_) if is_copied => anyhow::bail!(
            "the new database already has the schemas of advisoryd, with other data; give an empty one"
        ),
        compared => compared?,
    };
    drop(there);
    ask::migrate(next, new).await.context("the new database")?;
    if let Some(next_file) = next_file {
        next_file.put_in_place()?;
    }
    Ok((compared, holding))
}

/// Ends the use of the old database. A private server ends first: whoever waits to write
/// to it gets an error.
async fn end(old: Opened, holding: PgTransaction<'static>) {
    let Opened { pool, cluster, .. } = old;
    if let Some(cluster) = cluster
        && let Err(error) = cluster.stop().await
    {
        print_error(&format!("the private PostgreSQL did not stop: {error}"));
    }
    drop(holding);
    pool.close().await;
}

/// A password on a command line can be read by every user of the machine.
fn refuse_password(url: &str) -> anyhow::Result<()> {
    let has_password = url::Url::parse(url).is_ok_and(|url| {
        url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password")
    });
    anyhow::ensure!(
        !has_password,
        "a password on the command line can be read by other users; store it in a file and use --password-file FILE"
    );
    Ok(())
}
