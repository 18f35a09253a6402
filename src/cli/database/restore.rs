//! `advisoryd database restore`.

use std::path::Path;

use super::common::{refuse_if_used, server};
use crate::cli::ask;
use crate::cli::confirm::confirm;
use crate::cli::output::print_line;
use crate::cluster::{Cluster, ClusterOptions, Role};
use crate::config::{Config, LibpqEnvironment};
use crate::startup::Opened;
use crate::store::database;
use crate::store::ledger::daemon;
use crate::store::trust::contents::{drop_empty_schemas, occupied};
use crate::transfer::{self, DatabaseServer};

/// What the user allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    pub replace: bool,
    pub yes: bool,
}

pub(super) async fn run(config: &Config, file: &Path, ask: Ask) -> anyhow::Result<bool> {
    let opened = ask::open(config).await?;
    let restored = into(config, &opened, file, ask).await;
    match restored {
        Ok(Done::Restored) => {
            print_restored(file);
            let settled = settle(config, &opened).await;
            opened.close().await;
            settled?;
        }
        Ok(Done::Beside(next)) => {
            let kept = replace(opened, *next).await?;
            print_restored(file);
            print_line(&format!(
                "the former data is in {0}; to delete it: rm -r {0}",
                kept.display()
            ));
            ask::with_new_database(config, async |opened| settle(config, opened).await).await?;
        }
        other => {
            opened.close().await;
            return other.map(|_| false);
        }
    }
    print_line("the daemon requests what changed since the backup at its next start");
    if !config.alerts.sinks.is_empty() {
        print_line(
            "alerts go to the sinks of this configuration: remove them before the start if this is a copy for tests",
        );
    }
    Ok(true)
}

/// All data is there, whatever becomes of what is done with it then.
fn print_restored(file: &Path) {
    print_line(&format!("restored {}", file.display()));
}

/// How far the restore is.
enum Done {
    /// The user said no.
    Refused,
    /// Into the database itself.
    Restored,
    /// Into a private server that is to replace the one with data.
    Beside(Box<Cluster>),
}

async fn into(config: &Config, opened: &Opened, file: &Path, ask: Ask) -> anyhow::Result<Done> {
    let server = server(config, &opened.pool).await?;
    transfer::readable(&server, file).await?;
    let mut connection = opened.pool.acquire().await?;
    let there = occupied(&mut connection).await?;
    if there.has_tables {
        refuse_if_used(opened, &mut connection).await?;
        let Some(cluster) = &opened.cluster else {
            anyhow::bail!(
                "the database already has the schemas of advisoryd; create a new, empty database and set [database] url to it"
            );
        };
        anyhow::ensure!(
            ask.replace,
            "the private database already has data; use --replace to replace it (the old data is kept in data.old)"
        );
        if !confirm(ask.yes, "Replace all data of the private database?")? {
            return Ok(Done::Refused);
        }
        let next = Cluster::open(
            &cluster.next_state_dir()?,
            ClusterOptions::new(Role::Client),
        )
        .await?;
        let beside = DatabaseServer {
            environment: LibpqEnvironment::new(&next.connect_options()),
            ..server
        };
        transfer::restore(&beside, file).await?;
        return Ok(Done::Beside(Box::new(next)));
    }
    if there.has_schema {
        drop_empty_schemas(&mut connection).await?;
    }
    transfer::restore(&server, file).await?;
    Ok(Done::Restored)
}

/// Puts the restored data in the place of the former data; returns where that is now.
async fn replace(opened: Opened, next: Cluster) -> anyhow::Result<std::path::PathBuf> {
    let Opened { pool, cluster, .. } = opened;
    pool.close().await;
    let Some(cluster) = cluster else {
        anyhow::bail!("there is no private PostgreSQL");
    };
    Ok(cluster.replace_by(next).await?)
}

/// Makes a copy a database of its own. The daemons of the former one are forgotten before the
/// configuration is compared with theirs: none of them works with the copy.
async fn settle(config: &Config, opened: &Opened) -> anyhow::Result<()> {
    database::migrate(&opened.pool).await?;
    let mut transaction = database::begin(&opened.pool).await?;
    daemon::forget_all(&mut transaction).await?;
    transaction.commit().await?;
    ask::migrate(config, opened).await
}
