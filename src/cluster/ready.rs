use std::io;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::{sleep, timeout};

use super::ClusterError;
use super::server::Server;

/// How long a server that reports recovery may take: after a crash it replays
/// up to `max_wal_size`, which takes minutes on a slow disk.
const RECOVERY_WITHIN: Duration = Duration::from_mins(30);

/// Longest wait for one answer of a server that took the connection.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// First pause between two attempts; each is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// What the server answers while it starts, recovers or stops (`cannot_connect_now`).
const CANNOT_CONNECT_NOW: &str = "57P03";

/// Waits until `server` accepts connections, and connects.
pub(super) async fn wait(
    server: &mut Server,
    options: &PgConnectOptions,
    within: Duration,
) -> Result<PgConnection, ClusterError> {
    tokio::select! {
        status = server.ended() => Err(ClusterError::Ended { status, said: String::new() }),
        connected = poll(options, within) => connected,
    }
    .map_err(|error| with_log(error, server))
}

async fn poll(options: &PgConnectOptions, within: Duration) -> Result<PgConnection, ClusterError> {
    let begun = Instant::now();
    let mut within = within;
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match connect(options).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        if is_recovering(&error) {
            within = within.max(RECOVERY_WITHIN);
        } else if !is_not_there_yet(&error) {
            return Err(ClusterError::Setup(error));
        }
        if begun.elapsed() >= within {
            return Err(ClusterError::NotReady {
                holder: std::process::id(),
                waited: within,
                said: error.to_string(),
            });
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// One attempt to connect, bounded.
pub(super) async fn connect(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    timeout(ANSWER_WITHIN, PgConnection::connect_with(options))
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

fn is_recovering(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some(CANNOT_CONNECT_NOW))
}

fn is_not_there_yet(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_))
}

fn with_log(error: ClusterError, server: &Server) -> ClusterError {
    let log = server.said();
    match error {
        ClusterError::Ended { status, .. } => ClusterError::Ended { status, said: log },
        ClusterError::NotReady {
            holder,
            waited,
            said,
        } => ClusterError::NotReady {
            holder,
            waited,
            said: format!("{said}; its log: {log}"),
        },
        other => other,
    }
}

/// Creates the daemon's own role and database, unless they exist. The role may
/// create roles: the migrations make one for readers.
pub(super) async fn set_up(connection: &mut PgConnection) -> sqlx::Result<()> {
    let (has_role, has_database): (bool, bool) = sqlx::query_as(
        "select exists (select from pg_roles where rolname = 'advisoryd'),
                exists (select from pg_database where datname = 'advisoryd')",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !has_role {
        sqlx::query("create role advisoryd login createrole")
            .execute(&mut *connection)
            .await?;
    }
    if !has_database {
        sqlx::query("create database advisoryd owner advisoryd")
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
