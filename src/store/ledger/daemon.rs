//! Which daemons work with the database. Times are by the clock of the database.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;

use crate::instance::ProcessIdentity;

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
pub struct RecordedDaemon {
    /// Row in `daemon`.
    #[serde(skip)]
    pub id: i64,
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
    /// Hash of what it has recorded of its configuration: what is followed, rules and sinks.
    pub configuration: Option<String>,
    /// Whether its process is known to exist: it is one of this machine.
    #[serde(skip)]
    pub is_here: bool,
}

/// What a daemon says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Announced {
    /// Why its last reload was refused.
    pub refused: Option<String>,
    /// Hash of what it has recorded of its configuration.
    pub configuration: String,
    /// Hash of its account of upstream; `None` if it sends no requests.
    pub account: Option<String>,
}

/// Forgets the processes that worked with the database of which this one is a copy: none of
/// them works with this one.
pub(crate) async fn forget_all(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with daemons as (delete from daemon)
         update lease
         set expires_at = null
         where expires_at is not null"
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps other daemons from being announced until the transaction ends.
pub async fn lock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("lock table daemon in share row exclusive mode")
        .execute(connection)
        .await?;
    Ok(())
}

/// Records that this process works as a daemon, and forgets those that ended long ago.
/// Returns the id of the row.
pub(crate) async fn announce(
    connection: &mut PgConnection,
    announced: &Announced,
) -> Result<i64, sqlx::Error> {
    let ProcessIdentity {
        host,
        pid,
        machine,
        started,
    } = ProcessIdentity::own();
    // A row of this process is left where its start was repeated.
    sqlx::query!(
        "delete from daemon
         where seen_at < clock_timestamp() - $1::interval
            or (host = $2 and pid = $3 and machine is not distinct from $4)",
        KEPT_FOR,
        host,
        pid,
        machine.as_deref()
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar!(
        "insert into daemon (host, pid, machine, started, version, started_at, seen_at, refused, configuration, account)
         values ($1, $2, $3, $4, $5, clock_timestamp(), clock_timestamp(), $6, $7, $8)
         returning id",
        host,
        pid,
        machine.as_deref(),
        *started,
        env!("CARGO_PKG_VERSION"),
        announced.refused,
        announced.configuration,
        announced.account
    )
    .fetch_one(connection)
    .await
}

/// Records that the daemon runs, and what it says of itself. False if its row is gone,
/// because it was not seen for long.
pub(crate) async fn renew(
    connection: &mut PgConnection,
    id: i64,
    announced: &Announced,
) -> Result<bool, sqlx::Error> {
    let renewed = sqlx::query!(
        "update daemon
         set seen_at = clock_timestamp(),
             refused = $2,
             configuration = $3,
             account = $4
         where id = $1",
        id,
        announced.refused,
        announced.configuration,
        announced.account
    )
    .execute(connection)
    .await?;
    Ok(renewed.rows_affected() > 0)
}

/// Records that the daemon of this process works with another configuration. A row that is
/// gone is made again by the next renewal.
pub(crate) async fn reconfigured(
    connection: &mut PgConnection,
    configuration: &str,
) -> Result<(), sqlx::Error> {
    let ProcessIdentity {
        host, pid, machine, ..
    } = ProcessIdentity::own();
    sqlx::query!(
        "update daemon
         set configuration = $4
         where host = $1
           and pid = $2
           and machine is not distinct from $3",
        host,
        pid,
        machine.as_deref(),
        configuration
    )
    .execute(connection)
    .await?;
    Ok(())
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

/// Other daemons of this version that run with another configuration than this one. What
/// another version has recorded cannot be compared.
pub async fn differing(
    connection: &mut PgConnection,
    configuration: &str,
) -> Result<Vec<RecordedDaemon>, sqlx::Error> {
    let mut daemons = list(connection).await?;
    daemons.retain(|daemon| {
        let other = daemon.configuration.as_ref();
        daemon.running
            && daemon.version == env!("CARGO_PKG_VERSION")
            && other.is_some_and(|other| other != configuration)
            && !daemon.is_own()
    });
    Ok(daemons)
}

impl RecordedDaemon {
    /// Whether it is this process.
    fn is_own(&self) -> bool {
        let ProcessIdentity { host, pid, .. } = ProcessIdentity::own();
        self.is_here && self.pid == *pid && self.host == *host
    }

    /// Its process, in words.
    pub fn in_words(&self) -> String {
        let Self {
            host, pid, since, ..
        } = self;
        format!(
            "process {pid} on {host}, since {}",
            since.format("%Y-%m-%d %H:%M:%S UTC")
        )
    }
}

/// The daemons that run, and those that ended lately; the one that was seen last first.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<RecordedDaemon>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, host, pid, machine, started, version, started_at, seen_at, stopped_at, refused, configuration,
                  stopped_at is null
                      and seen_at > clock_timestamp() - $1::interval as "is_recent!"
           from daemon
           order by stopped_at is null desc, seen_at desc, id desc"#,
        SEEN_WITHIN
    )
    .fetch_all(connection)
    .await?;
    let mut daemons: Vec<RecordedDaemon> = rows
        .into_iter()
        .map(|row| {
            let instance = ProcessIdentity {
                host: row.host.clone(),
                pid: row.pid,
                machine: row.machine,
                started: row.started,
            };
            RecordedDaemon {
                id: row.id,
                host: row.host,
                pid: row.pid,
                version: row.version,
                running: row.is_recent && !instance.has_ended(),
                since: row.started_at,
                seen_at: row.seen_at,
                stopped_at: row.stopped_at,
                refused_reload: row.refused,
                configuration: row.configuration,
                is_here: instance.is_running(),
            }
        })
        .collect();
    daemons.sort_by_key(|daemon| (!daemon.running, std::cmp::Reverse(daemon.seen_at)));
    Ok(daemons)
}
