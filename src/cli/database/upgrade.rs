//! `advisoryd database upgrade`: the private database under a newer PostgreSQL.
//!
//! By dump and restore into a second server, not by pg_upgrade: the old data stays as it
//! is until the copy was compared.

use anyhow::Context as _;
use sqlx::PgTransaction;

use super::common::compare;
use crate::cli::output::{print_error, print_line};
use crate::cluster::{ClientPrograms, Cluster, ClusterOptions, Role, ServerSearch, ServerVersions};
use crate::config::{Config, LibpqEnvironment};
use crate::model::counted;
use crate::startup;
use crate::store::database::{self, Servers};
use crate::store::trust::contents::block_writes;
use crate::transfer::{self, DatabaseServer};

/// Connections to each of the two servers: one for the comparison, one that holds writes.
const CONNECTIONS: u32 = 2;

pub(super) async fn run(config: &Config, rewrite: bool) -> anyhow::Result<bool> {
    let Some(mut cluster) = startup::private_server(config, Role::Daemon)? else {
        anyhow::bail!(
            "[database] url names your own PostgreSQL; upgrade it with its own tools, such as pg_upgradecluster"
        );
    };
    let ServerVersions {
        data,
        newest,
        newest_directory,
    } = cluster.versions()?;
    let Some(data) = data else {
        anyhow::bail!(
            "there is no private database in {} yet",
            config.state.dir.display()
        );
    };
    if data == newest.to_string() && !rewrite {
        print_line(&format!(
            "the private database is of PostgreSQL {data}, the newest version installed"
        ));
        return Ok(true);
    }
    cluster.start().await?;
    let next_dir = cluster.next_state_dir()?;
    let options = ClusterOptions {
        search: ServerSearch {
            path: newest_directory.clone().into(),
            versions: newest_directory,
        },
        ..ClusterOptions::new(Role::Daemon)
    };
    let next = Cluster::open(&next_dir, options).await?;
    let Copied {
        compared: (tables, rows),
        holding,
    } = copy(&cluster, &next, newest).await?;
    let kept = cluster.replace_by(next).await?;
    // Held until now: whoever waited to write has got an error from the old server.
    drop(holding);
    print_line(&format!(
        "moved the private database from PostgreSQL {data} to {newest}; copied and compared {} with {}",
        counted(tables, "table"),
        counted(rows, "row")
    ));
    print_line(&format!(
        "the former data is in {0}; to delete it: rm -r {0}",
        kept.display()
    ));
    Ok(true)
}

/// A copy that was compared.
struct Copied {
    /// Tables and rows.
    compared: (usize, i64),
    /// Nobody can write to the old server as long as this lives.
    holding: PgTransaction<'static>,
}

/// Copies and compares.
async fn copy(from: &Cluster, to: &Cluster, newest: u32) -> anyhow::Result<Copied> {
    let search = ClusterOptions::new(Role::Client).search;
    let programs = ClientPrograms::find(&search, newest)?;
    let server = |cluster: &Cluster| DatabaseServer {
        programs: programs.clone(),
        environment: LibpqEnvironment::new(&cluster.connect_options()),
    };
    let pool =
        |cluster: &Cluster| database::pool(Servers::from(cluster.connect_options()), CONNECTIONS);
    let (old, new) = (pool(from), pool(to));
    let mut holding = database::begin(&old).await?;
    block_writes(&mut holding)
        .await
        .context("another process writes to the database")?;
    print_error("copying the database");
    transfer::copy(&server(from), &server(to)).await?;
    print_error("comparing all tables");
    let compared = compare(&old, &new).await?;
    new.close().await;
    Ok(Copied { compared, holding })
}
