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
use crate::model::chain;
use crate::startup::{self, Opened};
use crate::store::database::{self, ReplicaState, SchemaState};
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
        work(opened).await
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

/// Whether somebody listens where the database should be: a pool would try for long, and then
/// not say why.
async fn answers(config: &Config, opened: &Opened) -> anyhow::Result<()> {
    if config.database.url.is_none() || opened.cluster.is_some() {
        return Ok(());
    }
    match database::connect(&opened.pool).await {
        Ok(connection) => {
            drop(sqlx::Connection::close(connection).await);
            Ok(())
        }
        Err(sqlx::Error::Io(error)) => anyhow::bail!(
            "the database cannot be used: {}: {error}; check [database] url and the server",
            database::server_name(&opened.pool)
        ),
        // The pool knows better what to do about it.
        Err(_) => Ok(()),
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
    let opened = match Opened::open_replica(config).await {
        Ok(opened) => opened?,
        Err(error) => {
            print_error(&format!(
                "[database] read_url cannot be used, the primary is read instead (--primary does so without asking): {error:#}"
            ));
            return None;
        }
    };
    let asking = async {
        let mut connection = opened.pool.acquire().await?;
        database::replica_state(&mut connection).await
    };
    match asking.await {
        Ok(state) => print_error(&lag(&database::server_name(&opened.pool), &state)),
        Err(error) => {
            print_error(&format!(
                "[database] read_url cannot be used, the primary is read instead (--primary does so without asking): {}",
                chain(&error)
            ));
            opened.close().await;
            return None;
        }
    }
    Some(opened)
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
        (false, _) => format!("reading from {host}, which is no standby: no lag"),
        (true, None) => format!("reading from the standby {host}; its lag is unknown"),
        (true, Some(at)) => format!(
            "reading from the standby {host}; the last transaction that it has is {:.1} s old",
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

/// Brings the database up to date and records what the configuration names. That belongs to
/// the daemon, if one runs: a command with another configuration would replace it.
pub(super) async fn migrate(config: &Config, opened: &Opened) -> anyhow::Result<()> {
    database::migrate(&opened.pool).await?;
    let now = Clock::system().now();
    let mut transaction = opened.pool.begin().await?;
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
