//! One session of a server: its settings, and whether the server accepts writes.

use std::io;
use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection as _, PgConnection, Row as _};

use super::own_session::{mark, mark_of};
use super::pooler::TransactionPooling;

/// Longest wait for the answer of one server.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Settings of every session. They are set after connecting: connection poolers refuse or
/// drop what comes with the connection's start.
///
/// The server, the database or the role may have other defaults. What is set here changes the
/// meaning of statements, the text of values, or ends statements and sessions; what only
/// changes the speed or where data is stored stays as the administrator wants it.
///
/// The server ends a transaction that has been idle for a while. No program that works is
/// idle in one, as no transaction is open while it waits for the network; one that was
/// suspended, or whose machine is gone, must not keep others waiting for its rows.
const SETTINGS: &str = "set search_path = advisoryd;
    set timezone = 'UTC';
    set client_encoding = 'UTF8';
    set datestyle = 'ISO, MDY';
    set intervalstyle = 'postgres';
    set bytea_output = 'hex';
    set extra_float_digits = 1;
    set xmlbinary = 'base64';
    set xmloption = 'content';
    set lc_numeric = 'C';
    set lc_monetary = 'C';
    set lc_time = 'C';
    set default_text_search_config = 'pg_catalog.simple';
    set standard_conforming_strings = on;
    set backslash_quote = 'safe_encoding';
    set escape_string_warning = on;
    set array_nulls = on;
    set transform_null_equals = off;
    set quote_all_identifiers = off;
    set gin_fuzzy_search_limit = 0;
    set row_security = on;
    set check_function_bodies = on;
    set exit_on_error = off;
    set plan_cache_mode = 'auto';
    set default_transaction_isolation = 'read committed';
    set default_transaction_deferrable = off;
    set statement_timeout = 0;
    set lock_timeout = 0;
    set idle_session_timeout = 0;
    set idle_in_transaction_session_timeout = '25s';
    select set_config(name, '', false)
    from unnest(array['restrict_nonsystem_relation_kind']) as of_some_versions (name)
    where current_setting(name, true) <> '';
    select set_config(name, '0', false)
    from unnest(array['transaction_timeout']) as of_some_versions (name)
    where current_setting(name, true) <> '0';
    select set_config(name, needed, false)
    from (values ('session_replication_role', 'replica', 'origin'),
                 ('synchronous_commit', 'off', 'on')) as harmful (name, value, needed)
    where current_setting(name) = value";

/// Prepared statements of one connection; the driver's default.
const STATEMENTS: usize = 100;

/// Why a connection cannot be used to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    /// A standby, or a server that restores a backup.
    #[error("the server is in recovery (a standby) and accepts no writes")]
    Recovery,
    /// `default_transaction_read_only` is on.
    #[error("the server accepts no writes: default_transaction_read_only is on")]
    Setting,
    /// Its session is that of another connection.
    #[error(transparent)]
    Shared(#[from] TransactionPooling),
}

pub(super) async fn connect_to(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    set(&mut connection).await?;
    Ok(connection)
}

pub(super) async fn set(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    mark(connection, SETTINGS).await
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
        // Without the driver's cache, a connection would not know the mark of its session.
        .statement_cache_capacity(STATEMENTS)
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

/// Why this connection cannot be used to write; `None` if it can.
pub(super) async fn unusable(
    connection: &mut PgConnection,
) -> Result<Option<Unusable>, sqlx::Error> {
    let mark = mark_of(connection).await?;
    // Not prepared: one round trip, and whatever pooler is in between.
    let row = sqlx::raw_sql(
        "select pg_is_in_recovery() as is_standby,
                current_setting('default_transaction_read_only') = 'on' as is_read_only,
                current_setting('advisoryd.session', true) as mark",
    )
    .fetch_one(connection)
    .await?;
    Ok(if row.try_get::<Option<String>, _>("mark")? != Some(mark) {
        Some(Unusable::Shared(TransactionPooling))
    } else if row.try_get("is_standby")? {
        Some(Unusable::Recovery)
    } else if row.try_get("is_read_only")? {
        Some(Unusable::Setting)
    } else {
        None
    })
}
