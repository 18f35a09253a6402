//! Finds out which watch lists upstream has, and follows those that are enabled.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use tracing::{error, info, warn};

pub use super::scan::ask;
use crate::config::Config;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{ListChange, ListedList, Outcome, compare, lost};
use crate::store::ledger::source;
use crate::store::ledger::source::Others;
use crate::store::lists::discovery;

/// An answer that loses more than one followed list in so many is not believed at once.
const BELIEVED_PART: usize = 5;
/// How much later another answer must say the same to be believed: whatever
/// went wrong upstream for a moment is over by then.
const DOUBT_LASTS: TimeDelta = TimeDelta::minutes(5);

/// What came of discovering.
#[derive(Debug, Clone, Serialize)]
pub struct Discovered {
    /// `discovery`, so that it can be told from the runs beside it.
    pub source: &'static str,
    /// How it ended, and why it is not complete; what was known stays.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Lists that upstream names.
    pub listed: usize,
    /// Lists that are followed now.
    pub followed: usize,
    /// Lists that became followed or were no longer, or were renamed.
    pub changed: usize,
    /// What was asked of upstream.
    pub requests: u64,
    /// Whether it may be different a moment later.
    #[serde(skip)]
    pub is_transient: bool,
}

/// The configuration as if it also named what is known to be discovered.
pub async fn followed(
    connection: &mut PgConnection,
    config: &Config,
) -> Result<Config, sqlx::Error> {
    if !config.discovery.watch_lists {
        return Ok(config.with_discovered(&[]));
    }
    let listed = discovery::listed(connection).await?;
    Ok(config.with_discovered(&enabled(&listed)))
}

/// The lists to follow among those that upstream names.
pub fn enabled(listed: &[ListedList]) -> Vec<(i64, Option<String>)> {
    listed
        .iter()
        .filter(|list| list.enabled)
        .map(|list| (list.id, list.name.clone()))
        .collect()
}

/// Writes down which sources are followed: the configured and the discovered ones.
pub async fn configure(connection: &mut PgConnection, config: &Config) -> Result<(), sqlx::Error> {
    let config = followed(connection, config).await?;
    let lists: Vec<(i64, Option<String>)> = config
        .watch_lists
        .iter()
        .map(|list| (list.id, list.name.clone()))
        .collect();
    let extra: Vec<String> = config
        .extra_feeds
        .iter()
        .map(|feed| feed.name.clone())
        .collect();
    let others = Others {
        tickets: config.tickets.enabled,
        sweep: config.feeds.sweep,
        details: config.fetches_details(),
    };
    source::configure(connection, &lists, &extra, others).await?;
    if config.discovery.watch_lists {
        discovery::note_the_others(connection).await?;
    }
    Ok(())
}

/// Asks upstream and takes over what it says. `None` when another process is
/// at it. Fails only where the database does; all else is in what it returns.
pub async fn discover(context: &Context) -> Result<Option<Discovered>, Failure> {
    let Some(hold) = discovery::hold(&context.pool).await? else {
        return Ok(None);
    };
    let context = Context {
        client: context.client.for_run(),
        ..context.clone()
    };
    let told = held(&context).await;
    hold.release().await;
    let told = told?;
    tell(&told);
    Ok(Some(told))
}

async fn held(context: &Context) -> Result<Discovered, Failure> {
    let began_at = context.clock.now();
    let mut connection = context.pool.acquire().await?;
    discovery::attempted(&mut connection, began_at).await?;
    drop(connection);
    let answer = ask(context).await;
    let requests = context.client.usage().requests;
    let mut transaction = context.pool.begin().await?;
    discovery::asked(&mut transaction, requests, context.clock.now()).await?;
    let taken = match answer {
        Ok(listed) => take_over(context, &mut transaction, &listed, began_at).await,
        Err(failure) => Err(failure),
    };
    let (outcome, changed, is_transient) = match taken {
        Ok(changed) => (Outcome::Ok, changed, false),
        Err(Failure::Store(error)) => return Err(error.into()),
        Err(stopped @ Failure::Stopped) => (Outcome::Interrupted(stopped.chain()), 0, false),
        Err(failure) => {
            let error = failure.chain();
            discovery::failed(&mut transaction, &error).await?;
            let is_transient = matches!(&failure, Failure::Upstream(error) if error.is_transient());
            (Outcome::Failed(error), 0, is_transient)
        }
    };
    let listed = discovery::listed(&mut transaction).await?.len();
    let followed = followed(&mut transaction, &context.config).await?;
    transaction.commit().await?;
    Ok(Discovered {
        source: "discovery",
        outcome,
        listed,
        followed: followed.watch_lists.len(),
        changed,
        requests,
        is_transient,
    })
}

fn tell(told: &Discovered) {
    match &told.outcome {
        Outcome::Interrupted(_) => {}
        Outcome::Ok => info!(
            listed = told.listed,
            followed = told.followed,
            changed = told.changed,
            requests = told.requests,
            "discovery: upstream has {} watch lists; {} are followed",
            told.listed,
            told.followed
        ),
        Outcome::Failed(error) => error!(
            requests = told.requests,
            error = %error,
            "discovery failed and will be repeated; the {} watch lists known so far are followed: {error}",
            told.followed
        ),
    }
}

/// Takes an answer over, or doubts it; returns how many lists changed.
async fn take_over(
    context: &Context,
    transaction: &mut PgConnection,
    listed: &[ListedList],
    began_at: DateTime<Utc>,
) -> Result<usize, Failure> {
    let known = discovery::listed(transaction).await?;
    let changes = compare(&known, listed);
    let lost = lost(&changes);
    let before = enabled(&known).len();
    if lost.len() * BELIEVED_PART > before {
        let state = discovery::state(transaction).await?;
        let repeats = state.doubted.iter().all(|id| lost.contains(id));
        let doubted_at = state.doubted_at.filter(|_| repeats).unwrap_or(began_at);
        if began_at - doubted_at < DOUBT_LASTS {
            discovery::doubt(transaction, &lost, doubted_at).await?;
            return Err(Failure::ListsLost {
                lost: lost.len(),
                known: before,
            });
        }
    }
    discovery::believe(transaction, listed, context.clock.now()).await?;
    configure(transaction, &context.config).await?;
    for (list, change) in &changes {
        tell_change(&context.config, list, change);
    }
    Ok(changes.len())
}

fn tell_change(config: &Config, list: &ListedList, change: &ListChange) {
    let id = list.id;
    let name = list.name.as_deref().unwrap_or("without a name");
    let named = config.names(id);
    let gone = if named {
        "the configuration names it, so it is still asked for"
    } else {
        "its data stays, and it is no longer read"
    };
    match change {
        ListChange::Appeared if config.unfollowed.contains(&id) => {
            info!(
                watch_list.id = id,
                "watch list {id} (`{name}`) appeared upstream; it is not followed, as the configuration says"
            );
        }
        ListChange::Appeared if !list.enabled => {
            info!(
                watch_list.id = id,
                "watch list {id} (`{name}`) appeared upstream and is not enabled there; it is not followed"
            );
        }
        ListChange::Appeared => {
            info!(
                watch_list.id = id,
                "watch list {id} (`{name}`) appeared upstream; it is followed from now on"
            );
        }
        ListChange::Renamed => {
            info!(
                watch_list.id = id,
                "watch list {id} is now called `{name}` upstream"
            );
        }
        ListChange::Enabled => {
            info!(
                watch_list.id = id,
                "watch list {id} (`{name}`) is enabled upstream again"
            );
        }
        ListChange::Disabled => {
            warn!(
                watch_list.id = id,
                "watch list {id} (`{name}`) is no longer enabled upstream; {gone}"
            );
        }
        ListChange::Vanished => {
            warn!(
                watch_list.id = id,
                "watch list {id} (`{name}`) is no longer named by upstream; {gone}"
            );
        }
    }
}
