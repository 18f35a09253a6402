//! The sweep: looks over the feeds' shoulder. It lists all advisories that were
//! modified since the last time and wants the details of those that are newer
//! upstream than what is stored, because no feed has shown their revision.

use chrono::TimeDelta;

use super::window::{For, walk};
use crate::http::ClientError;
use crate::job::collection::window::Frozen;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::{self, Ran, Run, Work};
use crate::model::{Mode, SourceKey, missing_from};
use crate::store::ledger::source;

/// How long an account is left alone that may not list advisories.
const RESTS: TimeDelta = TimeDelta::days(1);

/// Sweeps once; `None` while upstream refuses it.
pub async fn scan_revisions(context: &Context) -> Result<Option<Ran>, Failure> {
    let mut connection = context.pool.acquire().await?;
    let found = source::find(&mut connection, &SourceKey::RevisionScan).await?;
    drop(connection);
    let rests = found.and_then(|found| found.rests_until);
    if rests.is_some_and(|until| until > context.clock.now()) {
        return Ok(None);
    }
    let Some(run) = run::begin(context, &SourceKey::RevisionScan, Mode::Incremental).await? else {
        return Ok(Some(Ran::Busy));
    };
    let mut work = Work::default();
    let window = window(&run);
    let result = walk(&run, &window, For::RevisionScan, &mut work).await;
    let is_refused = matches!(
        result,
        Err(Failure::Upstream(
            ClientError::Forbidden { .. } | ClientError::NotFound { .. }
        ))
    );
    let until = is_refused.then(|| context.clock.now() + RESTS);
    let mut connection = context.pool.acquire().await?;
    source::pause_until(&mut connection, run.source.id, until).await?;
    drop(connection);
    Ok(Some(Ran::Ended(run.end(work, result).await?)))
}

/// All that is missing of the modified advisories, as far as feeds look back.
pub(crate) fn window(run: &Run) -> Frozen {
    let config = &run.context.config;
    let feeds = &config.feeds;
    let now = run.context.upstream_now();
    let days = |days: u32| now - TimeDelta::days(i64::from(days));
    let overlap = config.overlap_of(run.source_name());
    let reachable = days(feeds.max_days);
    let from = missing_from(run.source.covered_to, &run.source.gaps, overlap, reachable)
        .unwrap_or_else(|| days(feeds.first_days))
        .max(reachable);
    Frozen::new("modified", from, now)
}
