//! Connections to the database, and their settings.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection};

/// Longest wait for a free or new connection. It limits a single attempt; the
/// caller handles longer outages.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// Settings of every session. They are set after connecting: connection poolers refuse or
/// drop what comes with the connection's start.
///
/// The server ends a transaction that has been idle for a while. No program that works is
/// idle in one, as no transaction is open while it waits for the network; one that was
/// suspended, or whose machine is gone, must not keep others waiting for its rows.
const SETTINGS: &str = "set search_path = advisoryd;
    set timezone = 'UTC';
    set idle_in_transaction_session_timeout = '25s'";

/// A pool that connects on first use. Its connections have the schema `advisoryd`
/// first in their search path.
pub fn pool(options: PgConnectOptions, max_connections: u32) -> PgPool {
    pool_of(named(options), max_connections)
}

/// A pool with one connection to the same database, for long-term use.
pub fn alone(pool: &PgPool) -> PgPool {
    pool_of(pool.connect_options().as_ref().clone(), 1)
}

/// A connection of its own to the same database.
pub async fn connect(pool: &PgPool) -> Result<PgConnection, sqlx::Error> {
    let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
    set(&mut connection).await?;
    Ok(connection)
}

/// Checks that the database responds.
pub async fn reachable(pool: &PgPool) -> Result<(), sqlx::Error> {
    pool.acquire().await?.ping().await
}

fn pool_of(options: PgConnectOptions, max_connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(set(connection)))
        .connect_lazy_with(options)
}

async fn set(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SETTINGS).execute(connection).await?;
    Ok(())
}

/// The same options with our name in `pg_stat_activity`.
fn named(options: PgConnectOptions) -> PgConnectOptions {
    // A server never encrypts a Unix socket; asking for it costs a round trip.
    let is_socket = options.get_socket().is_some();
    let options = match options.get_ssl_mode() {
        PgSslMode::Prefer if is_socket => options.ssl_mode(PgSslMode::Disable),
        _ => options,
    };
    options.application_name("advisoryd")
}
