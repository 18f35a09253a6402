//! Opening the database for a command.

use anyhow::Context as _;
use chrono::TimeDelta;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};

use super::exit::NotAllowed;
use super::output::print_error;
use crate::clock::Clock;
use crate::cluster::{ClusterError, ClusterOptions, Preview, Role};
use crate::config::Config;
use crate::job::coverage;
use crate::job::failure::Failure;
use crate::model::chain;
use crate::startup::{self, Opened};
use crate::store;
use crate::store::database::{self, MigrateError, ReplicaState, SchemaState, TransactionPooling};
use crate::store::ledger::daemon;

/// Opens the database, does `work` with it, and closes it however that went. Creates no
/// private database: there would be nothing in it.
pub(super) async fn with_database<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Opened) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let search = ClusterOptions::new(Role::Client).search;
    let is_private = config.database.url.is_none() && !is_forgotten(config);
    if is_private && !matches!(Preview::of(&config.state.dir, &search), Ok(None)) {
        anyhow::bail!(
            "there is no database in {} yet; start the daemon (`systemctl start advisoryd` or `advisoryd run`), or check `[state] dir`",
            config.state.dir.display()
        );
    }
    with_new_database(config, work).await
}

/// The same for what may be the first to use the database.
pub(super) async fn with_new_database<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Opened) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let opened = open(config).await?;
    let may_only_read = opened.may_only_read;
    let result = then_close(opened, async |opened| {
        answers(config, opened).await?;
        match work(opened).await {
            Err(error) => Err(with_reason(opened, error).await),
            done => done,
        }
    });
    result.await.map_err(|error| {
        if may_only_read && is_refused(&error) {
            let refused = NotAllowed {
                why: "members of the group of [database] share_with may only read".to_owned(),
                advice: "run the command with sudo".to_owned(),
            };
            return refused.into();
        }
        error
    })
}

/// Whether somebody listens where the database should be, and gives each connection a session
/// of its own: a pool would try for long, and then not say why.
pub(super) async fn answers(config: &Config, opened: &Opened) -> anyhow::Result<()> {
    if config.database.url.is_none() || opened.cluster.is_some() {
        return Ok(());
    }
    let error = match database::own_sessions(&opened.pool).await {
        Ok(()) => return Ok(()),
        Err(sqlx::Error::Io(error)) => match TransactionPooling::of(&error) {
            Some(pooler) => return Err(pooler.into()),
            None => error.to_string(),
        },
        // The pool tries again.
        Err(error) if is_soon_over(&error) => return Ok(()),
        Err(error) => match database::lock_table_full(&opened.pool, &error).await {
            Some(full) => anyhow::bail!("the database cannot be used: {full}"),
            None => error.to_string(),
        },
    };
    anyhow::bail!(
        "the database cannot be used: {}: {error}; check [database] url and whether the server runs and listens there",
        database::server_name(&opened.pool)
    )
}

/// Whether the server starts, or has no connection left. All else is told at once: a connection
/// pooler says why it refuses only once, and lets those that come after wait.
fn is_soon_over(error: &sqlx::Error) -> bool {
    /// Too many connections; cannot connect now.
    const SOON_OVER: [&str; 2] = ["53300", "57P03"];
    let error = error.as_database_error();
    let code = error.and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| SOON_OVER.contains(&&*code))
}

/// What is wrong with the server, where a command failed since it cannot be used.
async fn with_reason(opened: &Opened, error: anyhow::Error) -> anyhow::Error {
    let is_away = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().is_some_and(store::is_away)
            || cause.downcast_ref().is_some_and(MigrateError::is_away)
            || cause.downcast_ref().is_some_and(Failure::is_database_away)
    };
    if !error.chain().any(is_away) {
        return error;
    }
    let of_driver = error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(Failure::Store(error)) => Some(error),
        _ => cause.downcast_ref::<sqlx::Error>(),
    });
    if let Some(of_driver) = of_driver
        && let Some(full) = database::lock_table_full(&opened.pool, of_driver).await
    {
        return anyhow::anyhow!("the database cannot be used: {full}");
    }
    if opened.may_only_read {
        return error;
    }
    match database::reachable(&opened.pool).await {
        Err(sqlx::Error::Io(reason)) => anyhow::anyhow!("the database cannot be used: {reason}"),
        Err(reason) => anyhow::anyhow!(
            "the database cannot be used: {}: {reason}",
            database::server_name(&opened.pool)
        ),
        Ok(()) => error,
    }
}

/// Whether the database refused it for want of rights, or since the role only reads.
fn is_refused(error: &anyhow::Error) -> bool {
    /// `insufficient_privilege` and `read_only_sql_transaction`.
    const REFUSED: [&str; 2] = ["42501", "25006"];
    error.chain().any(|cause| {
        let cause = cause.downcast_ref::<sqlx::Error>();
        let cause = cause.and_then(sqlx::Error::as_database_error);
        cause.is_some_and(|cause| cause.code().is_some_and(|code| REFUSED.contains(&&*code)))
    })
}

/// The same for who only reads: the read replica, where `[database] read_url` names one.
/// It is shown how far that is behind. If it cannot be used, the database itself is asked,
/// with a warning.
pub(super) async fn with_reader<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Opened) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let Some(replica) = replica(config).await else {
        return with_database(config, work).await;
    };
    then_close(replica, work).await
}

/// Does `work` with an opened database, and closes it however that went.
pub(super) async fn then_close<T>(opened: Opened, work: impl AsyncFnOnce(&Opened) -> T) -> T {
    let result = work(&opened).await;
    opened.close().await;
    result
}

async fn replica(config: &Config) -> Option<Opened> {
    match usable_replica(config).await {
        Ok(Some((opened, lag))) => {
            print_error(&lag);
            Some(opened)
        }
        Ok(None) => None,
        Err(error) => {
            print_error(&format!(
                "[database] read_url cannot be used; reading from the primary instead (--primary always does that): {error:#}"
            ));
            None
        }
    }
}

/// The read replica, and how far it is behind; `None` if none is configured.
pub(super) async fn usable_replica(config: &Config) -> anyhow::Result<Option<(Opened, String)>> {
    let Some(opened) = Opened::open_replica(config).await? else {
        return Ok(None);
    };
    let asking = async {
        database::own_sessions(&opened.pool).await?;
        let mut connection = opened.pool.acquire().await?;
        database::replica_state(&mut connection).await
    };
    match asking.await {
        Ok(state) => {
            let lag = lag(&database::server_name(&opened.pool), &state);
            Ok(Some((opened, lag)))
        }
        Err(error) => {
            opened.close().await;
            Err(anyhow::anyhow!(chain(&error)))
        }
    }
}

/// How far a replica is behind. On a primary without writes, the last transaction grows old
/// although nothing is missing.
fn lag(host: &str, state: &ReplicaState) -> String {
    let ReplicaState {
        now,
        is_standby,
        replayed_at,
    } = state;
    match (is_standby, replayed_at) {
        (false, _) => format!("reading from {host}, which is not in recovery and so has no lag"),
        (true, None) => format!("reading from the standby {host}; its lag is unknown"),
        (true, Some(at)) => format!(
            "reading from the standby {host}; the last transaction that it has replayed is {:.1} s old",
            (*now - *at).max(TimeDelta::zero()).as_seconds_f64()
        ),
    }
}

/// The same for who only asks, of a database that is up to date.
pub(super) async fn with_connection<T>(
    config: &Config,
    work: impl AsyncFnOnce(&mut PgConnection) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    with_reader(config, async |opened| {
        work(&mut *up_to_date(opened).await?).await
    })
    .await
}

/// Opens the database as a command does: beside a running daemon its private
/// server is shared.
///
/// Where nothing was configured at all, somebody forgot `--config`: a private
/// database would be made for nothing.
pub(super) async fn open(config: &Config) -> anyhow::Result<Opened> {
    if is_forgotten(config) && !config.state.dir.join("postgresql").exists() {
        return Err(Config::missing_file().into());
    }
    let opened = Opened::open(config, Role::Client).await;
    opened.map_err(|error| match error.downcast_ref() {
        Some(cause @ ClusterError::PermissionDenied { .. }) => not_allowed(config, cause).into(),
        _ => error,
    })
}

/// Whether the configuration names nothing: somebody forgot `--config`.
fn is_forgotten(config: &Config) -> bool {
    config.file.is_none()
        && config.database.url.is_none()
        && config.watch_lists.is_empty()
        && config.extra_feeds.is_empty()
        && !config.discovery.watch_lists
}

/// What a user does who can enter neither the state directory nor that of a shared socket.
fn not_allowed(config: &Config, cause: &ClusterError) -> NotAllowed {
    let advice = match &config.database.share_with {
        Some(group) => format!(
            "run it with sudo, or, while the daemon runs, as a member of the group `{group}`, which may read"
        ),
        None => {
            "run it with sudo; to let a group of users read without it, set [database] share_with"
                .to_owned()
        }
    };
    NotAllowed {
        why: cause.to_string(),
        advice,
    }
}

/// A connection to ask with. Refuses a database that this program's views are
/// not in.
pub(super) async fn up_to_date(opened: &Opened) -> anyhow::Result<PoolConnection<Postgres>> {
    let mut connection = opened.pool.acquire().await?;
    match database::schema_state_here(&mut connection).await? {
        SchemaState::UpToDate => Ok(connection),
        SchemaState::Empty => anyhow::bail!(
            "the database is empty; start the daemon (`systemctl start advisoryd` or `advisoryd run`), or run `advisoryd sync`"
        ),
        SchemaState::Behind(_) => anyhow::bail!(
            "the database schema is not up to date; run `advisoryd migrate` or start the daemon"
        ),
        SchemaState::Development(found) => Err(found.into()),
        SchemaState::Foreign(found) => Err(found.into()),
    }
}

/// Why the database accepts no writes, which everything but reading needs; `None` if it does,
/// and for who only wants to read, or may.
pub(super) async fn not_writable(
    opened: &Opened,
    connection: &mut PgConnection,
) -> Result<Option<String>, sqlx::Error> {
    if opened.may_only_read || opened.is_replica {
        return Ok(None);
    }
    let reason = database::not_writable(&opened.pool, connection).await?;
    Ok(reason.map(|reason| format!("the database cannot be written to: {reason}")))
}

/// Brings the database up to date and records what the configuration names. That belongs to
/// the daemon, if one runs: a command with another configuration would replace it.
pub(super) async fn migrate(config: &Config, opened: &Opened) -> anyhow::Result<()> {
    database::migrate(&opened.pool).await?;
    let now = Clock::system().now();
    let mut transaction = database::begin(&opened.pool).await?;
    // A daemon that starts or reloads meanwhile waits, and then replaces what this command
    // has recorded; one that was first is seen.
    daemon::lock(&mut transaction).await?;
    let others = daemon::differing(&mut transaction, &config.recorded()).await?;
    if let Some(other) = others.first() {
        anyhow::bail!(
            "the daemon that works with this database has another configuration ({}); this command would replace its watch lists, rules and sinks. Use its configuration (--config FILE), or reload the daemon if the file was changed (`systemctl reload advisoryd`)",
            other.in_words()
        );
    }
    let recorded = async {
        startup::record(&mut transaction, config, now).await?;
        transaction.commit().await?;
        coverage::cut_back(&opened.pool, now).await
    };
    recorded
        .await
        .context("the configuration could not be recorded")
}
