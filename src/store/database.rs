//! Database connection and migrations.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::migrate::MigrateError as MigrateFailure;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{Connection, PgConnection};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Longest wait for a free or new connection. It limits a single attempt; the
/// caller handles longer outages.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// State of a database's schema relative to this version's migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// All are applied, possibly also some of a newer version.
    UpToDate,
    /// None is applied yet.
    Empty,
    /// Number of migrations that are not applied yet.
    Behind(usize),
    /// An applied migration differs from ours. Migrations of a release are never
    /// edited, so the database is older than the first release.
    Development(DevelopmentDatabase),
}

/// A database created before the first release; it cannot be upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this database was created by a development version of advisoryd before 0.1 and cannot be upgraded (its migration {migration} differs from this version's); create a new one: let `[database] url` name an empty database, or, if you use the private database, stop advisoryd and move the directory `postgresql` out of `[state] dir`"
)]
pub struct DevelopmentDatabase {
    /// The first migration that differs.
    pub migration: i64,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The schema could not be created or read.
    #[error("cannot create or read the schema `advisoryd`")]
    Schema(#[source] sqlx::Error),
    /// The database was migrated by a newer version.
    #[error(
        "the database belongs to a newer version of advisoryd (migration {migration} is unknown to this version); install that version or a later one"
    )]
    Newer {
        /// The first unknown migration.
        migration: i64,
    },
    /// The database was created before the first release.
    #[error(transparent)]
    Development(#[from] DevelopmentDatabase),
    /// A migration failed.
    #[error("cannot migrate the database")]
    Migration(#[source] MigrateFailure),
}

impl MigrateError {
    /// Whether the database was only unreachable.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Schema(error) | Self::Migration(MigrateFailure::Execute(error)) => {
                super::is_away(error)
            }
            Self::Migration(_) | Self::Newer { .. } | Self::Development(_) => false,
        }
    }
}

/// A pool that connects on first use. Its connections have the schema `advisoryd`
/// first in their search path.
pub fn pool(options: PgConnectOptions, max_connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(named(options))
}

/// A pool with one connection to the same database, for long-term use.
pub fn alone(pool: &PgPool) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(pool.connect_options().as_ref().clone())
}

/// The same options with our schema first and our name in `pg_stat_activity`.
pub fn named(options: PgConnectOptions) -> PgConnectOptions {
    // A server never encrypts a Unix socket; asking for it costs a round trip.
    let is_socket = options.get_socket().is_some();
    let options = match options.get_ssl_mode() {
        PgSslMode::Prefer if is_socket => options.ssl_mode(PgSslMode::Disable),
        _ => options,
    };
    options
        .application_name("advisoryd")
        .options([("search_path", "advisoryd"), ("timezone", "UTC")])
}

/// Creates the schema and applies missing migrations, under sqlx's lock, so that
/// any number of processes can do it at the same time.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    let mut connection = pool.acquire().await.map_err(MigrateError::Schema)?;
    make_schema(&mut connection)
        .await
        .map_err(MigrateError::Schema)?;
    // Checked first: to sqlx, the higher numbers of a development version look newer.
    let state = schema_state_here(&mut connection)
        .await
        .map_err(MigrateError::Schema)?;
    if let SchemaState::Development(found) = state {
        return Err(found.into());
    }
    MIGRATIONS
        .run(&mut *connection)
        .await
        .map_err(|error| match error {
            MigrateFailure::VersionMissing(migration) => MigrateError::Newer { migration },
            MigrateFailure::VersionMismatch(migration) => {
                MigrateError::Development(DevelopmentDatabase { migration })
            }
            error => MigrateError::Migration(error),
        })
}

/// `create schema if not exists` needs a right that an owner of a prepared
/// schema may lack, and two at once can collide: look first, forgive after.
async fn make_schema(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if has_schema(connection).await? {
        return Ok(());
    }
    match sqlx::query("create schema advisoryd")
        .execute(&mut *connection)
        .await
    {
        Ok(_) => Ok(()),
        Err(error) if has_schema(connection).await? => {
            tracing::debug!(%error, "another process created the schema");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

async fn has_schema(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar::<_, bool>(
        "select exists (select from pg_namespace where nspname = 'advisoryd')",
    )
    .fetch_one(connection)
    .await
}

/// State of the schema relative to this version's migrations.
pub async fn schema_state(pool: &PgPool) -> Result<SchemaState, sqlx::Error> {
    schema_state_here(&mut *pool.acquire().await?).await
}

/// The same, on the caller's connection.
pub async fn schema_state_here(connection: &mut PgConnection) -> Result<SchemaState, sqlx::Error> {
    /// The table is missing (or its schema). Source: PostgreSQL documentation, appendix A.
    const UNDEFINED_TABLE: &str = "42P01";
    let applied = sqlx::query_as::<_, (i64, Vec<u8>)>(
        "select version, checksum from advisoryd._sqlx_migrations where success",
    )
    .fetch_all(connection)
    .await;
    let applied: HashMap<i64, Vec<u8>> = match applied {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => {
            HashMap::new()
        }
        applied => applied?.into_iter().collect(),
    };
    let mut missing = 0;
    for known in MIGRATIONS.iter() {
        match applied.get(&known.version) {
            None => missing += 1,
            Some(checksum) if checksum[..] != known.checksum[..] => {
                return Ok(SchemaState::Development(DevelopmentDatabase {
                    migration: known.version,
                }));
            }
            Some(_) => {}
        }
    }
    Ok(match missing {
        0 => SchemaState::UpToDate,
        _ if applied.is_empty() => SchemaState::Empty,
        missing => SchemaState::Behind(missing),
    })
}

/// A name for the state of the migrations, for databases that are prepared in advance.
pub fn migrations_name() -> String {
    let mut all = Vec::new();
    for migration in MIGRATIONS.iter() {
        all.extend_from_slice(&migration.checksum);
    }
    hex::encode(crate::model::fingerprint(&all))
}

/// Checks that the database responds.
pub async fn reachable(pool: &PgPool) -> Result<(), sqlx::Error> {
    pool.acquire().await?.ping().await
}
