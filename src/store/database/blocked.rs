//! Migrations that wait for other sessions: they give up after seconds, name the session, and
//! try again. A statement that waits for a lock lets nobody else take one behind it, so one
//! session that is idle in a transaction would stop all readers as well.

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::migrate::{MigrateError, Migrator};

/// Sessions that are named.
const MOST_NAMED: i64 = 3;
/// Pause in which others get their locks.
const PAUSE: Duration = Duration::from_secs(2);
/// The same sessions are named again after so many attempts: about a minute.
const NAMED_AGAIN_AFTER: u32 = 15;

/// Applies migrations; those that do not get a lock are tried again.
pub(super) async fn run(
    migrations: &Migrator,
    connection: &mut PgConnection,
) -> Result<(), MigrateError> {
    sqlx::query("set lock_timeout = '2s'")
        .execute(&mut *connection)
        .await?;
    let applied = run_until_locked(migrations, connection).await;
    let reset = sqlx::query("reset lock_timeout").execute(&mut *connection);
    let reset = reset.await;
    applied.and(reset.map(drop).map_err(Into::into))
}

async fn run_until_locked(
    migrations: &Migrator,
    connection: &mut PgConnection,
) -> Result<(), MigrateError> {
    let (mut named, mut attempts) = (Vec::new(), 0);
    loop {
        match migrations.run(&mut *connection).await {
            Err(error) if is_locked(&error) => {}
            applied => return applied,
        }
        let blocking_sessions = blocking_sessions(connection).await?;
        if blocking_sessions != named || attempts % NAMED_AGAIN_AFTER == 0 {
            let whom = if blocking_sessions.is_empty() {
                "other sessions".to_owned()
            } else {
                blocking_sessions.join(" and ")
            };
            tracing::warn!(
                "a migration needs a lock that is held by {whom}; it is tried again every few seconds; end that transaction, or run `select pg_terminate_backend(PID)`"
            );
        }
        (named, attempts) = (blocking_sessions, attempts + 1);
        tokio::time::sleep(PAUSE).await;
    }
}

fn is_locked(error: &MigrateError) -> bool {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    let error = error.as_database_error();
    error.and_then(sqlx::error::DatabaseError::code).as_deref() == Some(LOCK_NOT_AVAILABLE)
}

/// Sessions that hold locks on what belongs to this program.
async fn blocking_sessions(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select distinct format('session %s of user %s', a.pid, a.usename) as "holder!"
           from pg_locks l
           join pg_class c on c.oid = l.relation
           join pg_stat_activity a on a.pid = l.pid
           where c.relnamespace in ('advisoryd'::regnamespace, to_regnamespace('advisoryd_v1'))
             and c.relname <> '_sqlx_migrations'
             and l.granted
             and l.database = (select oid from pg_database where datname = current_database())
             and l.pid <> pg_backend_pid()
           order by 1
           limit $1"#,
        MOST_NAMED
    )
    .fetch_all(connection)
    .await
}
