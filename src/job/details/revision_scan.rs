//! Revision scan (source `sweep`): cross-checks the feeds. It lists all advisories that were
//! modified since the last scan and enqueues the details of those that are newer upstream
//! than the stored ones, because no feed has contained that revision.

use chrono::TimeDelta;

use super::window::{ReadPurpose, scan_window};
use crate::http::ClientError;
use crate::job::caught::caught;
use crate::job::collection::window::FixedWindow;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::{self, Ran, Run, Work};
use crate::model::{Mode, SourceKey, missing_from};
use crate::store::ledger::source;

/// Pause of the scan for an account that may not list advisories.
const REFUSED_PAUSE: TimeDelta = TimeDelta::days(1);

/// Scans once; `None` while the scan is paused because upstream refused it.
pub async fn scan_revisions(context: &Context) -> Result<Option<Ran>, Failure> {
    let mut connection = context.pool.acquire().await?;
    let found = source::find(&mut connection, &SourceKey::RevisionScan).await?;
    drop(connection);
    let until = found.and_then(|found| found.paused_until);
    let (key, now) = (&SourceKey::RevisionScan, context.clock.now());
    if context.pauses.is_in_force(key, until, REFUSED_PAUSE, now) {
        return Ok(None);
    }
    let run = match run::begin(context, &SourceKey::RevisionScan, Mode::Incremental).await? {
        Ok(run) => run,
        Err(holder) => return Ok(Some(Ran::Busy(holder))),
    };
    let mut work = Work::default();
    let window = window(&run);
    let result = caught(scan_window(
        &run,
        &window,
        ReadPurpose::RevisionScan,
        &mut work,
    ))
    .await;
    let is_refused = matches!(
        result,
        Err(Failure::Upstream(
            ClientError::Forbidden { .. } | ClientError::NotFound { .. }
        ))
    );
    let until = is_refused.then(|| context.clock.now() + REFUSED_PAUSE);
    run.pause_source_until(until).await?;
    Ok(Some(Ran::Ended(run.end(work, result).await?)))
}

/// From the end of the covered time, or its first gap, until now; at most as far back as
/// feeds reach.
pub(crate) fn window(run: &Run) -> FixedWindow {
    let config = &run.context.config;
    let feeds = &config.feeds;
    let now = run.context.upstream_now();
    let days = |days: u32| now - TimeDelta::days(i64::from(days));
    let overlap = config.overlap_of(run.source_name());
    let reachable = days(feeds.max_days);
    let from = missing_from(run.source.covered_to, &run.source.gaps, overlap, reachable)
        .unwrap_or_else(|| days(feeds.first_days))
        .max(reachable);
    FixedWindow::until_now("modified", from, now)
}
