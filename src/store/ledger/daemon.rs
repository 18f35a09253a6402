//! Which daemons work with the database. Times are by the clock of the database.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;

use crate::instance::Instance;

/// A daemon that has not renewed its row for this time has ended, or cannot reach the
/// database: three renewals were missed.
const SEEN_WITHIN: PgInterval = PgInterval {
    months: 0,
    days: 0,
    microseconds: 50_000_000,
};
/// Rows of daemons that have ended are kept for so long; the newest row is always kept.
const KEPT_FOR: PgInterval = PgInterval {
    months: 0,
    days: 7,
    microseconds: 0,
};

/// A daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Daemon {
    /// Name of its machine.
    pub host: String,
    /// Its process.
    pub pid: i32,
    /// Its version.
    pub version: String,
    /// Whether it runs.
    pub running: bool,
    /// When it began to work with this database.
    pub since: DateTime<Utc>,
    /// When it was last seen.
    pub seen_at: DateTime<Utc>,
    /// When it stopped in good order.
    pub stopped_at: Option<DateTime<Utc>>,
    /// Why its last reload of the configuration was refused.
    pub refused_reload: Option<String>,
}

/// Records that this process works as a daemon, and forgets those that ended long ago.
/// Returns the id of the row.
pub async fn announce(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query!(
        "delete from daemon
         where seen_at < clock_timestamp() - $1::interval",
        KEPT_FOR
    )
    .execute(&mut *connection)
    .await?;
    let Instance {
        host,
        pid,
        machine,
        started,
    } = Instance::own();
    sqlx::query_scalar!(
        "insert into daemon (host, pid, machine, started, version, started_at, seen_at)
         values ($1, $2, $3, $4, $5, clock_timestamp(), clock_timestamp())
         returning id",
        host,
        pid,
        machine.as_deref(),
        *started,
        env!("CARGO_PKG_VERSION")
    )
    .fetch_one(connection)
    .await
}

/// Records that the daemon runs, and why its last reload was refused. False if its row
/// is gone, because it was not seen for long.
pub async fn renew(
    connection: &mut PgConnection,
    id: i64,
    refused: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let renewed = sqlx::query!(
        "update daemon
         set seen_at = clock_timestamp(),
             refused = $2
         where id = $1",
        id,
        refused
    )
    .execute(connection)
    .await?;
    Ok(renewed.rows_affected() > 0)
}

/// Records that the daemon stopped in good order.
pub async fn stopped(connection: &mut PgConnection, id: i64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update daemon
         set seen_at = clock_timestamp(),
             stopped_at = clock_timestamp()
         where id = $1",
        id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The daemons that run, and those that ended lately; the one that was seen last first.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<Daemon>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select host, pid, machine, started, version, started_at, seen_at, stopped_at, refused,
                  stopped_at is null
                      and seen_at > clock_timestamp() - $1::interval as "is_recent!"
           from daemon
           order by stopped_at is null desc, seen_at desc, id desc"#,
        SEEN_WITHIN
    )
    .fetch_all(connection)
    .await?;
    let mut daemons: Vec<Daemon> = rows
        .into_iter()
        .map(|row| {
            let instance = Instance {
                host: row.host.clone(),
                pid: row.pid,
                machine: row.machine,
                started: row.started,
            };
            Daemon {
                host: row.host,
                pid: row.pid,
                version: row.version,
                running: row.is_recent && !instance.has_ended(),
                since: row.started_at,
                seen_at: row.seen_at,
                stopped_at: row.stopped_at,
                refused_reload: row.refused,
            }
        })
        .collect();
    daemons.sort_by_key(|daemon| (!daemon.running, std::cmp::Reverse(daemon.seen_at)));
    Ok(daemons)
}
