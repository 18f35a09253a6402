//! Reconciliation: reads covered time again. Records that upstream changed without a new
//! modification date (drift) are stored as usual, with a change `drifted`.

use chrono::TimeDelta;

use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::feeds::feed::Feed;
use crate::job::feeds::feed::LookBack;
use crate::job::feeds::pull;
use crate::job::run::Ran;
use crate::job::tickets::sync;
use crate::model::{DateFilter, IngestedVia, SourceKey};
use crate::store::ledger::source;
use crate::store::tickets::reading;

/// Reads a feed again, a random number (by `chance`) of days back, within the covered time
/// and `max_days`. `None` if it was never read.
pub async fn feed(context: &Context, feed: &Feed, chance: u64) -> Result<Option<Ran>, Failure> {
    let mut connection = context.pool.acquire().await?;
    let found = source::find(&mut connection, &feed.key).await?;
    let is_json = found.is_some_and(|found| found.ingested_via == IngestedVia::Json);
    let covered = source::covered(&mut connection, &feed.key)
        .await?
        // All its details would have to be fetched again.
        .filter(|_| !is_json);
    drop(connection);
    let Some((from, _)) = covered else {
        return Ok(None);
    };
    let days = (context.upstream_now() - from).num_days().max(0);
    let max = u64::try_from(days)
        .unwrap_or(0)
        .min(u64::from(context.config.feeds.max_days))
        .max(1);
    let days = u32::try_from(1 + chance % max).unwrap_or(1);
    let ran = pull::pull(context, feed, LookBack::Again(days)).await?;
    Ok(Some(ran))
}

/// Reads a random page (by `chance`) of old tickets again. `None` if there is none, or no
/// date filter.
pub async fn tickets(context: &Context, chance: u64) -> Result<Option<Ran>, Failure> {
    let mut connection = context.pool.acquire().await?;
    let filter = reading::get(&mut connection).await?.filter;
    let covered = source::covered(&mut connection, &SourceKey::Tickets).await?;
    let (Some(filter @ (DateFilter::Modified | DateFilter::Created)), Some((_, to))) =
        (filter, covered)
    else {
        return Ok(None);
    };
    let settled = context.settled_before(&SourceKey::Tickets, to);
    let page = i64::from(context.config.tickets.page_size);
    let old = reading::some_old(&mut connection, filter, settled, page, chance).await?;
    drop(connection);
    let Some((first, last)) = old else {
        return Ok(None);
    };
    let after = (last + TimeDelta::seconds(1)).min(settled);
    let ran = sync::read_again(context, (first, after)).await?;
    Ok(Some(ran))
}
