//! Names of the watch lists that the configuration names by id only: upstream's, asked for
//! once a day, and again with the list contents if upstream did not answer. Discovery brings them by itself.

use chrono::TimeDelta;
use tracing::debug;

use super::scan::ask;
use crate::http::ClientError;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::transaction::Guard;
use crate::model::ListedList;
use crate::store::lists::listed_name;

/// How old a name may be.
const LONGEST: TimeDelta = TimeDelta::days(1);

/// Asks for the names that are due, with the one request that lists all lists. An account
/// that may not read watch lists is asked once a day, too. Fails only on database errors and
/// if advisoryd stops.
pub(super) async fn refresh(context: &Context, guard: &Guard) -> Result<(), Failure> {
    let config = &context.config;
    if config.discovery.watch_lists {
        return Ok(());
    }
    let unnamed = config.watch_lists.iter().filter(|list| list.name.is_none());
    let unnamed: Vec<i64> = unnamed.map(|list| list.id).collect();
    let now = context.clock.now();
    let mut connection = context.pool.acquire().await?;
    let due = listed_name::due(&mut connection, &unnamed, now, LONGEST).await?;
    drop(connection);
    if due.is_empty() {
        return Ok(());
    }
    let listed = match ask(context).await {
        Ok(listing) => listing.lists,
        Err(failure @ (Failure::Stopped | Failure::Store(_))) => return Err(failure),
        Err(Failure::Upstream(ClientError::Forbidden { .. } | ClientError::NotFound { .. })) => {
            Vec::new()
        }
        Err(failure) => {
            debug!("names of watch lists are not known: {}", failure.chain());
            return Ok(());
        }
    };
    let name = |id: &i64| {
        let is_it = |list: &&ListedList| list.id == *id;
        listed.iter().find(is_it).and_then(|list| list.name.clone())
    };
    let names: Vec<Option<String>> = due.iter().map(name).collect();
    let mut transaction = guard.begin().await?;
    listed_name::set(&mut transaction, &due, &names, now).await?;
    transaction.commit().await?;
    Ok(())
}
