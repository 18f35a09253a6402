//! What `advisoryd check` asks of a database server beyond what nothing works without: room
//! for all connections, notifications, and the read replica.

use super::ask;
use super::finding::{CheckResult, Reporter};
use crate::config::Config;
use crate::daemon::workers::MAX_RUNS;
use crate::startup::Opened;
use crate::store::database;

/// Connections of the daemon for alerts: two that evaluate and deliver, one for `LISTEN`.
const OF_ALERTS: usize = 3;

/// Tells only what is missing.
pub(super) async fn room(
    config: &Config,
    opened: &Opened,
    reporter: &mut Reporter,
) -> Result<(), sqlx::Error> {
    let mut connection = opened.pool.acquire().await?;
    let allowed = database::max_connections(&mut connection).await?;
    let needed = needed(config, opened);
    if i64::try_from(needed).is_ok_and(|needed| needed > allowed) {
        let text = format!(
            "the daemon opens up to {needed} connections with this configuration, and this role may have {allowed} in this database (max_connections without those that are reserved, and the limits of the database and the role): allow more, or lower [database] max_connections"
        );
        reporter.report(CheckResult::warning("database", text));
    }
    if let Some(reason) = database::refuses_listen(&mut connection).await? {
        let text = format!(
            "the server refuses LISTEN ({reason}), so changes and alerts are looked for every few seconds instead of at once"
        );
        reporter.report(CheckResult::warning("database", text));
    }
    // As every new database has it: no warning.
    if database::readers_take_advisory_locks(&mut connection).await? {
        let text = "members of advisoryd_reader may take advisory locks, and could fill the lock table of the server; docs/databases.md says how to prevent that";
        reporter.report(CheckResult::good("database", text));
    }
    Ok(())
}

/// The most connections that the daemon has at a time.
fn needed(config: &Config, opened: &Opened) -> usize {
    let sources = if config.discovery.watch_lists {
        MAX_RUNS
    } else {
        // And the tickets.
        (config.watch_lists.len() + config.extra_feeds.len() + 1).min(MAX_RUNS)
    };
    let pool = usize::try_from(config.database.max_connections).unwrap_or(usize::MAX);
    let alerts = if config.alerts.rules.is_empty() {
        0
    } else {
        OF_ALERTS
    };
    pool.saturating_add(sources + alerts + usize::from(opened.servers.are_several()))
}

/// Connects to the read replica, if there is one.
pub(super) async fn replica(config: &Config, reporter: &mut Reporter) {
    let finding = match ask::usable_replica(config).await {
        Ok(None) => return,
        Ok(Some((opened, lag))) => {
            opened.close().await;
            CheckResult::good("read replica", lag)
        }
        Err(error) => {
            let text = format!(
                "[database] read_url cannot be used: {error:#}; commands that only read warn and read the primary"
            );
            CheckResult::bad("read replica", text)
        }
    };
    reporter.report(finding);
}
