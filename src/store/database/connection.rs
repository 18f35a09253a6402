//! Connections to the database, and their settings.

use std::io;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use super::servers::{NoServer, Servers, use_server};
use super::session::{ANSWER_WITHIN, connect_to, name, no_answer, read_only, set};

/// Longest wait for a free or new connection. It limits a single attempt; the caller
/// handles longer outages. While a server refuses connections, the pool tries again after
/// at most a fifth of it.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(20);
/// The same for a pool with a single user, who waits for the server only.
const ALONE_TIMEOUT: Duration = Duration::from_secs(3);
/// A command reads with one connection, seldom with two.
const REPLICA_CONNECTIONS: u32 = 2;
/// Longest wait for a connection of its own.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// A connection that is not used for so long is closed: a server may serve many instances.
/// Longer than the pauses between what the daemon does by the clock, which shall not
/// connect each time.
const IDLE_FOR: Duration = Duration::from_secs(40);
/// A connection that was used a moment ago is only asked whether it is alive, not whether
/// its server was demoted.
const USED_NOW: Duration = Duration::from_secs(1);

/// A pool that connects on first use. Its connections have the schema `advisoryd`
/// first in their search path. Where there are several hosts, it must be made within a
/// runtime: a task keeps it at one that accepts writes, until it is closed.
pub fn pool(servers: impl Into<Servers>, max_connections: u32) -> PgPool {
    let servers = servers.into();
    let pool = pool_of(servers.first(), max_connections, ACQUIRE_TIMEOUT);
    if servers.are_several() {
        tokio::spawn(servers.keep(pool.clone()));
    }
    pool
}

/// A pool for reading, at the first host that answers, be it a standby or not.
///
/// # Errors
/// No host answers.
pub async fn replica_pool(servers: &Servers) -> Result<PgPool, NoServer> {
    let options = servers.first_that_answers().await?;
    Ok(PgPoolOptions::new()
        .max_connections(REPLICA_CONNECTIONS)
        .acquire_timeout(ALONE_TIMEOUT)
        .acquire_slow_threshold(ALONE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(set(connection)))
        .connect_lazy_with(options))
}

/// A pool with one connection to the same server, for long-term use.
pub fn alone(pool: &PgPool) -> PgPool {
    pool_of(pool.connect_options().as_ref().clone(), 1, ALONE_TIMEOUT)
}

/// A further pool, for those who must not wait until a connection has prepared its
/// statements: its few connections soon have, and stay. [`follow`] keeps it at the server.
pub fn beside(pool: &PgPool, max_connections: u32) -> PgPool {
    let options = pool.connect_options().as_ref().clone();
    pool_of(options, max_connections, ACQUIRE_TIMEOUT)
}

/// Lets a pool that was made by [`beside`] use the same server as `pool` from now on.
pub fn follow(beside: &PgPool, pool: &PgPool) {
    use_server(beside, &pool.connect_options());
}

/// A connection of its own to the same database.
pub async fn connect(pool: &PgPool) -> Result<PgConnection, sqlx::Error> {
    let options = pool.connect_options();
    timeout(CONNECT_WITHIN, connect_to(&options))
        .await
        .unwrap_or_else(|_| Err(no_answer()))
}

/// Limits how long each statement of the transaction waits for a lock.
pub async fn limit_locks(
    connection: &mut PgConnection,
    within: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query("select set_config('lock_timeout', $1, true)")
        .bind(format!("{}ms", within.as_millis()))
        .execute(connection)
        .await?;
    Ok(())
}

/// Checks that the database responds and accepts writes. The error says which host does
/// not, and why.
pub async fn reachable(pool: &PgPool) -> Result<(), sqlx::Error> {
    /// All connections that the server, the role or the database may have are in use.
    const TOO_MANY: &str = "53300";
    if let Some(mut idle) = pool.try_acquire() {
        if let Ok(Ok(None)) = timeout(ANSWER_WITHIN, read_only(&mut idle)).await {
            return Ok(());
        }
        // Of no use to others either.
        drop(idle.detach());
    }
    let asking = async {
        let mut connection = connect(pool).await?;
        let found = read_only(&mut connection).await?;
        connection.close().await?;
        Ok(found)
    };
    let reason = match timeout(ANSWER_WITHIN, asking).await {
        Ok(Ok(None)) => return Ok(()),
        Ok(Ok(Some(reason))) => io::Error::other(reason),
        Ok(Err(sqlx::Error::Database(error))) if error.code().as_deref() == Some(TOO_MANY) => {
            // Its own connections may be all.
            return pool.acquire().await?.ping().await;
        }
        Ok(Err(sqlx::Error::Io(error))) => error,
        Ok(Err(error)) => return Err(error),
        Err(_) => return Err(no_answer()),
    };
    let text = format!("{}: {reason}", name(&pool.connect_options()));
    Err(sqlx::Error::Io(io::Error::new(reason.kind(), text)))
}

fn pool_of(options: PgConnectOptions, max_connections: u32, acquire_timeout: Duration) -> PgPool {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(acquire_timeout)
        // The library's warning says nothing that a user could do; the timeout is an error of ours.
        .acquire_slow_threshold(acquire_timeout)
        .idle_timeout(IDLE_FOR)
        .after_connect(|connection, _| Box::pin(set(connection)))
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move {
                let is_usable = if used.idle_for < USED_NOW {
                    connection.ping().await.is_ok()
                } else {
                    matches!(read_only(connection).await, Ok(None))
                };
                Ok(is_usable)
            })
        })
        // Otherwise each connection keeps buffers for the largest record that it has carried.
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.shrink_buffers();
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}
