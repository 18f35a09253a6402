//! Waits until a server accepts connections. A server that reports recovery is
//! alive and is waited for; how far it is goes to the log.

use std::io;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::error::ClusterError;
use super::server::ServerProcess;

/// Longest wait for one answer of a server that accepted the connection.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// First pause between two attempts; each is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Shortest wait that is worth a line in the log, and pause between two lines.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// First line in the log about a wait.
const FIRST_REPORT_AFTER: Duration = Duration::from_secs(2);

/// What the server answers while it starts, recovers or stops (`cannot_connect_now`).
const CANNOT_CONNECT_NOW: &str = "57P03";

/// How long a server has been waited for. Kept outside of the future that
/// waits: when that one is dropped and made again, the wait goes on.
#[derive(Debug)]
pub(super) struct Wait {
    since: Instant,
    alive_at: Instant,
    report_at: Instant,
}

impl Wait {
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        Self {
            since: now,
            alive_at: now,
            report_at: now + FIRST_REPORT_AFTER,
        }
    }

    /// How long it lasts.
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// How long the server did not answer.
    pub(super) fn silent_for(&self) -> Duration {
        self.alive_at.elapsed()
    }

    /// The server answered, if only that it is not ready.
    pub(super) fn is_alive(&mut self) {
        self.alive_at = Instant::now();
    }

    /// Whether it is time for a line in the log.
    pub(super) fn report_is_due(&mut self) -> bool {
        let is_due = Instant::now() >= self.report_at;
        if is_due {
            self.report_at = Instant::now() + REPORT_EVERY;
        }
        is_due
    }

    /// The time so far, for people.
    pub(super) fn seconds(&self) -> u64 {
        self.elapsed().as_secs()
    }
}

/// Waits until `server` accepts connections, and connects. `within` limits how
/// long it may be silent. Can be dropped and called again.
pub(super) async fn connect_when_ready(
    server: &mut ServerProcess,
    wait: &mut Wait,
    options: &PgConnectOptions,
    within: Duration,
) -> Result<PgConnection, ClusterError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let attempt = tokio::select! {
            attempt = connect(options) => attempt,
            status = server.ended() => return Err(ClusterError::EndedWhileStarting {
                status,
                log: server.log().last_lines(),
            }),
        };
        let error = match attempt {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        if is_starting(&error) {
            wait.is_alive();
            if !is_about_to_answer(server) && wait.report_is_due() {
                warn!("{}", progress(server, wait));
            }
        } else if error.as_database_error().is_some() {
            return Err(ClusterError::Setup(error));
        }
        if wait.silent_for() >= within {
            return Err(ClusterError::NotReady {
                waited: within,
                reason: format!("{error}; its log: {}", server.log().last_lines()),
            });
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// Whether the server has logged that it accepts connections: the next attempt succeeds, and
/// there is nothing to say of a recovery.
fn is_about_to_answer(server: &ServerProcess) -> bool {
    let last = server.log().last_message().unwrap_or_default();
    last.ends_with("ready to accept connections")
}

/// How far a server is that does not accept connections yet.
pub(super) fn progress(server: &ServerProcess, wait: &Wait) -> String {
    let last = server.log().last_message().unwrap_or_default();
    format!(
        "the private PostgreSQL is still recovering after {} s ({last})",
        wait.seconds()
    )
}

/// One attempt to connect, bounded.
pub(super) async fn connect(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    timeout(ANSWER_WITHIN, PgConnection::connect_with(options))
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

/// Whether the server answered that it is starting, recovering or stopping.
pub(super) fn is_starting(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some(CANNOT_CONNECT_NOW))
}
