//! Connecting to the database and bringing it up to date.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::migrate::MigrateError as MigrateFailure;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{Connection, PgConnection};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Longest wait for a free or new connection. Waiting out an outage is the
/// caller's business; this only ends a single attempt.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// How the schema of a database relates to this program's migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// All are applied, and perhaps some of a newer version.
    UpToDate,
    /// So many are not applied yet.
    Behind(usize),
    /// One is applied whose text differs from ours. A migration of a release is
    /// never edited, so the database is older than the first release.
    Development(DevelopmentDatabase),
}

/// A database that no release has made and none can upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this database was made by a development version of advisoryd before 0.1 and cannot be upgraded (its migration {migration} is not the one of this version); create a new one: let `[database] url` name an empty database, or, where the private database is used, stop advisoryd and move the directory `postgresql` out of `[state] dir`"
)]
pub struct DevelopmentDatabase {
    /// The first migration that differs.
    pub migration: i64,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The schema could not be made or looked at.
    #[error("the schema `advisoryd` could not be prepared")]
    Schema(#[source] sqlx::Error),
    /// The database was made by a newer program.
    #[error(
        "the database is of a newer advisoryd (it has migration {migration}, which this one does not know); install that version again, or one after it"
    )]
    Newer {
        /// The first migration that is not known here.
        migration: i64,
    },
    /// The database was made before the first release.
    #[error(transparent)]
    Development(#[from] DevelopmentDatabase),
    /// A migration failed.
    #[error("the database could not be brought up to date")]
    Migration(#[source] MigrateFailure),
}

impl MigrateError {
    /// Whether the database was only away.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Schema(error) | Self::Migration(MigrateFailure::Execute(error)) => {
                super::is_away(error)
            }
            Self::Migration(_) | Self::Newer { .. } | Self::Development(_) => false,
        }
    }
}

/// A pool that connects when it is first used. Its connections see the schema
/// `advisoryd` before any other.
pub fn pool(options: PgConnectOptions, max_connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(named(options))
}

/// A pool of one connection to the same database, for who keeps it.
pub fn alone(pool: &PgPool) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(pool.connect_options().as_ref().clone())
}

/// The same options with our schema first and our name in `pg_stat_activity`.
pub fn named(options: PgConnectOptions) -> PgConnectOptions {
    // A server never encrypts a unix socket: asking costs a round trip.
    let is_socket = options.get_socket().is_some();
    let options = match options.get_ssl_mode() {
        PgSslMode::Prefer if is_socket => options.ssl_mode(PgSslMode::Disable),
        _ => options,
    };
    options
        .application_name("advisoryd")
        .options([("search_path", "advisoryd"), ("timezone", "UTC")])
}

/// Makes the schema and applies what is missing, under sqlx's lock, so that any
/// number of processes may do it at once.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    let mut connection = pool.acquire().await.map_err(MigrateError::Schema)?;
    make_schema(&mut connection)
        .await
        .map_err(MigrateError::Schema)?;
    // Asked first: to sqlx, the higher numbers of a development version look newer.
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
            tracing::debug!(%error, "another process made the schema");
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

/// How the schema relates to this program's migrations.
pub async fn schema_state(pool: &PgPool) -> Result<SchemaState, sqlx::Error> {
    schema_state_here(&mut *pool.acquire().await?).await
}

/// The same, through a connection that the caller goes on to ask with.
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
        missing => SchemaState::Behind(missing),
    })
}

/// A name for the state of the migrations, for databases made ready beforehand.
pub fn migrations_name() -> String {
    let mut all = Vec::new();
    for migration in MIGRATIONS.iter() {
        all.extend_from_slice(&migration.checksum);
    }
    hex::encode(crate::model::fingerprint(&all))
}

/// Whether the database answers.
pub async fn reachable(pool: &PgPool) -> Result<(), sqlx::Error> {
    pool.acquire().await?.ping().await
}
