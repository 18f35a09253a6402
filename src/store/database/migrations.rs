//! Migrations, and the state of the schema.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::migrate::{Migrate as _, MigrateError as MigrateFailure, Migrator};
use sqlx::{Connection as _, PgConnection, PgPool};

use super::blocked;
use super::connection::connect;
use super::own_session::begin_on;
use super::pooler::{TransactionPooling, shares_sessions};
use super::reader;
use super::refusal::Refusal;
use super::replica::server_name;
use super::session::unusable;

/// The list of applied migrations.
const LIST: &str = "advisoryd._sqlx_migrations";

/// The migration that creates `advisoryd_v1`.
const MAKES_VIEWS: i64 = 3;

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!();
    // sqlx's own lock is one that every user of the database can take.
    migrator.set_locking(false);
    migrator.dangerous_set_table_name(LIST);
    migrator
});

/// State of a database's schema relative to this version's migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The schema `advisoryd` was not made by this program, or only a part of it was.
    Foreign(ForeignSchema),
}

/// A database whose tables are not where this program puts them. Migrating it would
/// damage it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForeignSchema {
    /// Tables of advisoryd in another schema.
    #[error(
        "schema `{schema}` of this database has tables of advisoryd, which belong in schema `advisoryd`: a migration went through a connection pooler that dropped the search path; if nothing in them is needed, drop them there (`_sqlx_migrations`, `sync_run`, `advisory` …), else restore a backup, or let `[database] url` name another database"
    )]
    Elsewhere {
        /// The other schema.
        schema: String,
    },
    /// Tables in `advisoryd` without the list of migrations.
    #[error(
        "schema `advisoryd` of this database has tables but not `_sqlx_migrations`, the list of its migrations: it belongs to another program, or a part of it is missing; restore a backup, or let `[database] url` name an empty database"
    )]
    WithoutList,
    /// The schema of the views, without the tables that they read.
    #[error(
        "this database already has a schema `advisoryd_v1`, but not the tables of advisoryd. It belongs to another program, or is left over from a database whose tables were dropped; if nothing needs it, drop it (drop schema advisoryd_v1 cascade), or let `[database] url` name another database"
    )]
    ViewsAlone,
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
    /// The server refuses every connection.
    #[error(transparent)]
    Refused(#[from] Refusal),
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
    /// The tables are not where they belong.
    #[error(transparent)]
    Foreign(#[from] ForeignSchema),
    /// A connection pooler shares sessions.
    #[error(transparent)]
    Pooler(#[from] TransactionPooling),
    /// The server accepts no writes now.
    #[error("{host}: {reason}")]
    Unusable {
        /// Address and port.
        host: String,
        /// What the server is.
        reason: String,
    },
    /// A migration failed.
    #[error("cannot migrate the database")]
    Migration(#[source] MigrateFailure),
}

impl MigrateError {
    /// Whether the database was only unreachable.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Schema(error)
            | Self::Migration(
                MigrateFailure::Execute(error) | MigrateFailure::ExecuteMigration(error, _),
            ) => crate::store::is_away(error),
            Self::Unusable { .. } => true,
            Self::Migration(_)
            | Self::Refused(_)
            | Self::Newer { .. }
            | Self::Development(_)
            | Self::Foreign(_)
            | Self::Pooler(_) => false,
        }
    }
}

/// Creates the schema and applies missing migrations. Any number of processes can do it
/// at the same time: one does, the others wait for it.
///
/// First it refuses a connection pooler that shares sessions: its prepared statements,
/// settings and transactions would be those of others.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    if shares_sessions(pool).await.map_err(MigrateError::Schema)? {
        return Err(TransactionPooling.into());
    }
    let mut connection = pool.acquire().await.map_err(MigrateError::Schema)?;
    // Checked first: to sqlx, the higher numbers of a development version look newer.
    let state = schema_state_here(&mut connection)
        .await
        .map_err(MigrateError::Schema)?;
    match state {
        SchemaState::Development(found) => return Err(found.into()),
        SchemaState::Foreign(found) => return Err(found.into()),
        SchemaState::UpToDate | SchemaState::Empty | SchemaState::Behind(_) => {}
    }
    let unusable = unusable(&mut connection).await;
    match unusable.map_err(MigrateError::Schema)? {
        None => apply(pool, &mut connection).await,
        // Nothing to write.
        Some(_) if state == SchemaState::UpToDate => Ok(()),
        Some(reason) => Err(MigrateError::Unusable {
            host: server_name(pool),
            reason: reason.to_string(),
        }),
    }
}

async fn apply(pool: &PgPool, connection: &mut PgConnection) -> Result<(), MigrateError> {
    make_schema(connection)
        .await
        .map_err(MigrateError::Schema)?;
    make_list(connection).await?;
    let mut locking = connect(pool).await.map_err(MigrateError::Schema)?;
    let locked = lock(&mut locking).await.map_err(MigrateError::Schema)?;
    let applied = blocked::run(&MIGRATIONS, connection).await;
    let granted = match &applied {
        Ok(()) => reader::grant(connection).await,
        Err(_) => Ok(()),
    };
    // Whatever this says, the lock ends with the connection.
    let _ = locked.rollback().await;
    let _ = locking.close().await;
    granted.map_err(MigrateError::Schema)?;
    applied.map_err(|error| match error {
        MigrateFailure::VersionMissing(migration) => MigrateError::Newer { migration },
        MigrateFailure::VersionMismatch(migration) => {
            MigrateError::Development(DevelopmentDatabase { migration })
        }
        error => MigrateError::Migration(error),
    })
}

/// Waits until no other process migrates. The mode of the lock excludes itself, but not
/// the writes of sqlx, which come from another connection.
async fn lock(connection: &mut PgConnection) -> Result<sqlx::PgTransaction<'_>, sqlx::Error> {
    let mut transaction = begin_on(connection).await?;
    // Idle for as long as the migrations take.
    sqlx::raw_sql(
        "set local idle_in_transaction_session_timeout = 0;
         lock table advisoryd._sqlx_migrations in share update exclusive mode",
    )
    .execute(&mut *transaction)
    .await?;
    Ok(transaction)
}

/// Two processes that create the table at once can collide.
async fn make_list(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let Err(error) = connection.ensure_migrations_table(LIST).await else {
        return Ok(());
    };
    match tables(connection).await {
        Ok(Tables { has_list: true, .. }) => {
            tracing::debug!(%error, "another process created the list of migrations");
            Ok(())
        }
        _ => Err(MigrateError::Migration(error)),
    }
}

/// `create schema if not exists` needs a right that an owner of a prepared
/// schema may lack, and two at once can collide: look first, forgive after.
async fn make_schema(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if has_schema(connection, "advisoryd").await? {
        return Ok(());
    }
    match sqlx::query("create schema advisoryd")
        .execute(&mut *connection)
        .await
    {
        Ok(_) => Ok(()),
        Err(error) if has_schema(connection, "advisoryd").await? => {
            tracing::debug!(%error, "another process created the schema");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

async fn has_schema(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from pg_namespace where nspname = $1)")
        .bind(name)
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
    // Before the list: another process may apply a migration in between.
    let has_views = has_schema(connection, "advisoryd_v1").await?;
    let applied = sqlx::query_as::<_, (i64, Vec<u8>)>(
        "select version, checksum from advisoryd._sqlx_migrations where success",
    )
    .fetch_all(&mut *connection)
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
    if missing > 0
        && let Some(found) = foreign(connection).await?
    {
        return Ok(SchemaState::Foreign(found));
    }
    if has_views && !applied.contains_key(&MAKES_VIEWS) {
        return Ok(SchemaState::Foreign(ForeignSchema::ViewsAlone));
    }
    Ok(match missing {
        0 => SchemaState::UpToDate,
        _ if applied.is_empty() => SchemaState::Empty,
        missing => SchemaState::Behind(missing),
    })
}

/// What makes the schema one that must not be migrated.
async fn foreign(connection: &mut PgConnection) -> Result<Option<ForeignSchema>, sqlx::Error> {
    let Tables {
        elsewhere,
        has_any,
        has_list,
    } = tables(connection).await?;
    Ok(match elsewhere {
        Some(schema) => Some(ForeignSchema::Elsewhere { schema }),
        None if has_any && !has_list => Some(ForeignSchema::WithoutList),
        None => None,
    })
}

/// Which tables there are.
#[derive(sqlx::FromRow)]
struct Tables {
    /// Another schema with tables of ours.
    elsewhere: Option<String>,
    /// Whether there is a table in `advisoryd`.
    has_any: bool,
    /// Whether one of them is the list of migrations.
    has_list: bool,
}

/// Other programs that use sqlx have a list of migrations, too: a schema has tables of
/// ours if it also has those that were made first, and no other program is likely to have.
async fn tables(connection: &mut PgConnection) -> Result<Tables, sqlx::Error> {
    sqlx::query_as(
        "select (
                    select n.nspname::text
                    from pg_class c
                    join pg_namespace n on n.oid = c.relnamespace
                    where n.nspname <> 'advisoryd'
                      and c.relname in ('_sqlx_migrations', 'sync_run', 'advisory')
                      and c.relkind = 'r'
                    group by n.nspname
                    having count(*) = 3
                    order by n.nspname
                    limit 1) as elsewhere,
                coalesce(bool_or(true), false) as has_any,
                coalesce(bool_or(c.relname = '_sqlx_migrations'), false) as has_list
         from pg_class c
         join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'advisoryd'
           and c.relkind in ('r', 'p', 'v', 'm')",
    )
    .fetch_one(connection)
    .await
}

/// A name for the state of the migrations, for databases that are prepared in advance.
pub fn migrations_name() -> String {
    let mut all = Vec::new();
    for migration in MIGRATIONS.iter() {
        all.extend_from_slice(&migration.checksum);
    }
    hex::encode(crate::model::fingerprint(&all))
}
