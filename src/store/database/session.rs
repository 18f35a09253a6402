//! One session of a server: its settings, and whether the server accepts writes.

use std::io;
use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection, Row as _};

/// Longest wait for the answer of one server.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Settings of every session. They are set after connecting: connection poolers refuse or
/// drop what comes with the connection's start.
///
/// The server ends a transaction that has been idle for a while. No program that works is
/// idle in one, as no transaction is open while it waits for the network; one that was
/// suspended, or whose machine is gone, must not keep others waiting for its rows.
const SETTINGS: &str = "set search_path = advisoryd;
    set timezone = 'UTC';
    set idle_in_transaction_session_timeout = '25s'";

/// Why a server does not accept writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadOnly {
    /// A standby, or a server that restores a backup.
    #[error("the server is in recovery (a standby) and accepts no writes")]
    Recovery,
    /// `default_transaction_read_only` is on.
    #[error("the server accepts no writes: default_transaction_read_only is on")]
    Setting,
}

pub(super) async fn connect_to(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    set(&mut connection).await?;
    Ok(connection)
}

pub(super) async fn set(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SETTINGS).execute(connection).await?;
    Ok(())
}

/// The same options with our name in `pg_stat_activity`, and without what connection
/// poolers refuse.
pub(super) fn named(options: PgConnectOptions) -> PgConnectOptions {
    // A server never encrypts a Unix socket; asking for it costs a round trip.
    let is_socket = options.get_socket().is_some();
    let options = match options.get_ssl_mode() {
        PgSslMode::Prefer if is_socket => options.ssl_mode(PgSslMode::Disable),
        _ => options,
    };
    options
        .application_name("advisoryd")
        .extra_float_digits(None)
}

/// The host as a person names it: address and port, or the path of the socket.
pub(super) fn name(options: &PgConnectOptions) -> String {
    let socket = options.get_socket().map(|path| path.display().to_string());
    let host = socket.unwrap_or_else(|| options.get_host().to_owned());
    if Path::new(&host).is_absolute() {
        return host;
    }
    format!("{host}:{}", options.get_port())
}

pub(super) fn no_answer() -> sqlx::Error {
    let reason = format!("no answer within {} s", ANSWER_WITHIN.as_secs());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, reason))
}

/// Why the server of this connection accepts no writes; `None` if it does.
pub(super) async fn read_only(
    connection: &mut PgConnection,
) -> Result<Option<ReadOnly>, sqlx::Error> {
    // Not prepared: one round trip, and whatever pooler is in between.
    let row = sqlx::raw_sql(
        "select pg_is_in_recovery() as is_standby,
                current_setting('default_transaction_read_only') = 'on' as is_read_only",
    )
    .fetch_one(connection)
    .await?;
    Ok(if row.try_get("is_standby")? {
        Some(ReadOnly::Recovery)
    } else if row.try_get("is_read_only")? {
        Some(ReadOnly::Setting)
    } else {
        None
    })
}
