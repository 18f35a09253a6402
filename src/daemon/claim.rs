//! One configuration per database: a daemon does not start beside one that works with another
//! configuration, because it would replace what that one follows, its rules and its sinks.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tracing::{info, warn};

use super::systemd;
use crate::store::ledger::daemon::{self, Announced, RecordedDaemon};

/// What a start does that waits for a lock.
pub(super) const RECORDING: &str = "recording the configuration in the database";
/// How often the rows of the others are read while it is not known whether they still run.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Another daemon works with the database and with another configuration.
#[derive(Debug, thiserror::Error)]
#[error(
    "another daemon works with this database and with another configuration ({other}); two configurations would replace each other's watch lists, rules and sinks. Stop that daemon, or give both the same configuration; to replace its configuration nevertheless: `advisoryd run --replace-configuration`"
)]
pub(crate) struct OtherConfiguration {
    other: String,
}

/// Announces this daemon; returns the id of its row. If another one works with another
/// configuration, waits until it is known whether that one still runs: one that was killed
/// on another machine is seen for a while.
pub(super) async fn claim(
    pool: &PgPool,
    announced: &Announced,
    replaces: bool,
) -> anyhow::Result<i64> {
    let mut first_seen: HashMap<String, DateTime<Utc>> = HashMap::new();
    let mut status = RECORDING;
    loop {
        let attempt = attempt(pool, announced, replaces);
        let other = match systemd::while_starting(status, attempt).await? {
            Attempt::Announced(id) => return Ok(id),
            Attempt::Other(other) => other,
        };
        let name = other.in_words();
        let is_new = !first_seen.contains_key(&name);
        let since = *first_seen.entry(name.clone()).or_insert(other.seen_at);
        if runs(&other, since) {
            return Err(OtherConfiguration { other: name }.into());
        }
        if is_new {
            info!(
                "another daemon worked with this database and with another configuration ({name}); waiting until it is known whether it still runs"
            );
        }
        status = "waiting until it is known whether another daemon still runs";
        systemd::still_starting(status, systemd::EXTEND_TIMEOUT);
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

enum Attempt {
    /// The id of the row.
    Announced(i64),
    /// A daemon with another configuration.
    Other(RecordedDaemon),
}

async fn attempt(
    pool: &PgPool,
    announced: &Announced,
    replaces: bool,
) -> Result<Attempt, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    daemon::lock(&mut transaction).await?;
    let mut others = daemon::differing(&mut transaction, &announced.configuration).await?;
    if !replaces && !others.is_empty() {
        transaction.rollback().await?;
        return Ok(Attempt::Other(others.swap_remove(0)));
    }
    let id = daemon::announce(&mut transaction, announced).await?;
    transaction.commit().await?;
    for other in &others {
        warn!(
            "the configuration of another daemon is replaced ({})",
            other.in_words()
        );
    }
    Ok(Attempt::Announced(id))
}

/// Whether it certainly runs: its process is here, or it has renewed its row since.
fn runs(other: &RecordedDaemon, since: DateTime<Utc>) -> bool {
    other.is_here || other.seen_at > since
}
