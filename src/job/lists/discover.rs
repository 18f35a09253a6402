//! Watch-list discovery: finds the account's watch lists and follows the enabled ones.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use tracing::{error, info, warn};

use super::scan::Listing;
pub use super::scan::ask;
use crate::config::Config;
use crate::job::context::{Context, OUTCOME};
use crate::job::failure::Failure;
use crate::job::transaction::Guard;
use crate::model::{LeaseHolder, ListChange, ListedList, Outcome, compare, counted, lost};
use crate::store::advisories::sighting;
use crate::store::ledger::configured::{self, Others};
use crate::store::lists::discovery;

/// A response that lacks more than this part (one in 5) of the followed lists must be
/// confirmed.
const MAX_LOST_PART: usize = 5;
/// How much later another response must confirm the loss: a short problem upstream is
/// over by then.
const CONFIRM_AFTER: TimeDelta = TimeDelta::minutes(5);

/// The result of a discovery.
#[derive(Debug, Clone, Serialize)]
pub struct Discovered {
    /// Always `discovery`, to distinguish it from runs in the same output.
    pub source: &'static str,
    /// How it ended, and why it is incomplete; the known lists stay.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Lists that upstream has.
    pub listed: usize,
    /// Lists that are followed now.
    pub followed: usize,
    /// Lists that appeared, vanished, were enabled, disabled or renamed.
    pub changed: usize,
    /// Requests sent to upstream.
    pub requests: u64,
    /// Whether the failure may be over a moment later.
    #[serde(skip)]
    pub is_transient: bool,
}

/// The configuration, extended by the discovered lists.
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

/// The enabled lists among those that upstream has.
pub fn enabled(listed: &[ListedList]) -> Vec<(i64, Option<String>)> {
    listed
        .iter()
        .filter(|list| list.enabled)
        .map(|list| (list.id, list.name.clone()))
        .collect()
}

/// Records which sources are followed: the configured and the discovered ones.
pub async fn configure(transaction: &mut PgConnection, config: &Config) -> Result<(), sqlx::Error> {
    let config = followed(transaction, config).await?;
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
    let before = configured::followed(transaction).await?;
    configured::configure(transaction, &lists, &extra, others).await?;
    let after = configured::followed(transaction).await?;
    let changed: Vec<i32> = before.symmetric_difference(&after).copied().collect();
    if !changed.is_empty() {
        sighting::reopen(transaction, &changed).await?;
    }
    if config.discovery.watch_lists {
        discovery::store_unfollowed(transaction).await?;
    }
    Ok(())
}

/// Requests the watch lists and stores them. If another process is discovering, returns
/// that. Fails only on database errors, or if another process has taken over; all other
/// failures are in the returned outcome.
pub async fn discover(context: &Context) -> Result<Result<Discovered, LeaseHolder>, Failure> {
    let lock = match discovery::lock(&context.pool).await? {
        Ok(lock) => lock,
        Err(holder) => return Ok(Err(holder)),
    };
    let guard = Guard::new(&context.pool, &lock);
    let context = Context {
        client: context.client.for_run(),
        ..context.clone()
    };
    let discovered = discover_locked(&context, &guard).await;
    lock.release().await;
    let discovered = discovered?;
    log_discovered(&discovered);
    Ok(Ok(discovered))
}

async fn discover_locked(context: &Context, guard: &Guard) -> Result<Discovered, Failure> {
    let began_at = context.clock.now();
    let mut transaction = guard.begin().await?;
    discovery::attempted(&mut transaction, began_at).await?;
    transaction.commit().await?;
    let response = ask(context).await;
    let requests = context.client.usage().requests;
    let mut transaction = guard.begin().await?;
    discovery::asked(&mut transaction, requests, context.clock.now()).await?;
    let stored = match response {
        Ok(listing) => store_lists(context, &mut transaction, &listing, began_at)
            .await
            .map(|changed| (changed, listing.failure())),
        Err(failure) => Err(failure),
    };
    let (outcome, changed, is_transient) = match stored {
        Ok((changed, None)) => (Outcome::Ok, changed, false),
        Ok((changed, Some(failure))) => {
            let error = failure.chain();
            discovery::failed(&mut transaction, &error).await?;
            (Outcome::Failed(error), changed, false)
        }
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

fn log_discovered(discovered: &Discovered) {
    match &discovered.outcome {
        Outcome::Interrupted(_) => {}
        Outcome::Ok => info!(
            listed = discovered.listed,
            followed = discovered.followed,
            changed = discovered.changed,
            requests = discovered.requests,
            "discovery: upstream has {}, followed: {}",
            counted(discovered.listed, "watch list"),
            discovered.followed
        ),
        Outcome::Failed(error) => error!(
            target: OUTCOME,
            requests = discovered.requests,
            error = %error,
            "discovery failed, will retry; following what is known so far ({}): {error}",
            counted(discovered.followed, "watch list")
        ),
    }
}

/// Stores the lists of a response, unless it must be confirmed first; returns the
/// number of changed lists.
async fn store_lists(
    context: &Context,
    transaction: &mut PgConnection,
    listing: &Listing,
    began_at: DateTime<Utc>,
) -> Result<usize, Failure> {
    let known = discovery::listed(transaction).await?;
    let last_at = discovery::state(transaction).await?.last_success_at;
    let is_proof = listing.staleness.proves_absence(began_at, last_at);
    let listed = &with_unknown(listing, &known, is_proof);
    let changes = compare(&known, listed);
    let lost = lost(&changes);
    let before = enabled(&known).len();
    if lost.len() * MAX_LOST_PART > before {
        let state = discovery::state(transaction).await?;
        let repeats = state.doubted.iter().all(|id| lost.contains(id));
        let doubted_at = state.doubted_at.filter(|_| repeats).unwrap_or(began_at);
        if began_at - doubted_at < CONFIRM_AFTER {
            discovery::doubt(transaction, &lost, doubted_at).await?;
            return Err(Failure::ListsLost {
                lost: lost.len(),
                known: before,
            });
        }
    }
    let now = context.clock.now();
    discovery::believe(transaction, listed, now).await?;
    discovery::completed(transaction, listing.unreadable, now).await?;
    configure(transaction, &context.config).await?;
    for (list, change) in &changes {
        log_change(&context.config, list, change);
    }
    Ok(changes.len())
}

/// The lists of a response. One that it lacks may be a row without an id, or the response may
/// be a copy that is too old to be a proof: it stays.
fn with_unknown(listing: &Listing, known: &[ListedList], is_proof: bool) -> Vec<ListedList> {
    let mut listed = listing.lists.clone();
    if listing.unreadable > 0 || !is_proof {
        let is_listed = |list: &&ListedList| listing.lists.iter().all(|one| one.id != list.id);
        listed.extend(known.iter().filter(is_listed).cloned());
    }
    listed
}

fn log_change(config: &Config, list: &ListedList, change: &ListChange) {
    let id = list.id;
    let name = list.name.as_deref().unwrap_or("unnamed");
    let named = config.names(id);
    let gone = if named {
        "it is still read because the configuration names it"
    } else {
        "its data stays, but it is no longer read"
    };
    match change {
        ListChange::Appeared if config.unfollowed.contains(&id) => {
            info!(
                watch_list.id = id,
                "watch list {id} (`{name}`) appeared upstream; not followed because the configuration excludes it"
            );
        }
        ListChange::Appeared if named => {
            info!(
                watch_list.id = id,
                "watch list {id} (`{name}`) was found upstream; the configuration names it, and it is followed as before"
            );
        }
        ListChange::Appeared if !list.enabled => {
            info!(
                watch_list.id = id,
                "watch list {id} (`{name}`) appeared upstream but is not enabled there; not followed"
            );
        }
        ListChange::Appeared => {
            info!(
                watch_list.id = id,
                "watch list {id} (`{name}`) appeared upstream; now followed"
            );
        }
        ListChange::Renamed => {
            info!(
                watch_list.id = id,
                "watch list {id} was renamed to `{name}` upstream"
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
                "watch list {id} (`{name}`) no longer exists upstream; {gone}"
            );
        }
    }
}
