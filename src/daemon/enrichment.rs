//! Scheduled reading of the KEV catalogue and EPSS scores.

use std::time::Duration;

use tracing::warn;

use super::outage::until_done;
use super::progress::Woken;
use super::waking::{self, Wake};
use crate::config::Config;
use crate::job::context::Context;
use crate::job::enrichment::pull::{self, PullOutcome};
use crate::job::failure::Failure;
use crate::model::Catalogue;

/// Pause before another attempt after a failure: the next scheduled time is a day away.
const RETRY: Duration = Duration::from_hours(1);
/// Pause before looking whether the attempt of another process has ended.
const RETRY_AFTER: Duration = Duration::from_mins(2);

/// The configured files, and the schedule of each.
pub(super) fn files(config: &Config) -> Vec<(Catalogue, Woken)> {
    let enrichment = &config.enrichment;
    Catalogue::ALL
        .into_iter()
        .filter(|catalogue| enrichment.location(*catalogue).is_some())
        .map(|catalogue| (catalogue, Woken::by(enrichment.schedule(catalogue))))
        .collect()
}

/// Reads a file until advisoryd stops: on schedule, at the start if a tick was missed, and
/// an hour after a failure.
pub(super) async fn work(context: Context, catalogue: Catalogue, woken: Woken) {
    // Without an answer, the tick waits for the database.
    if pull::is_due(&context, catalogue).await.unwrap_or(true) {
        woken.wake();
    }
    let mut pause = None;
    loop {
        match waking::next(&context, &woken, pause).await {
            Wake::Stop => return,
            Wake::Tick => {}
            Wake::Retry => {
                let is_due = pull::is_due(&context, catalogue).await;
                if pause == Some(RETRY_AFTER) && !is_due.unwrap_or(true) {
                    pause = None;
                    continue;
                }
            }
        }
        woken.watch.begins();
        pause = run_once(&context, catalogue, &woken).await;
        woken.watch.ends();
    }
}

/// One attempt; repeated after an outage of the database. Returns how soon to try again
/// without a tick.
async fn run_once(context: &Context, catalogue: Catalogue, woken: &Woken) -> Option<Duration> {
    let name = catalogue.label();
    let run = || pull::pull(context, catalogue);
    match until_done(context, Some(&woken.watch), &name, run).await {
        Ok(PullOutcome::Failed(_)) => Some(RETRY),
        Ok(PullOutcome::Skipped) => Some(RETRY_AFTER),
        Ok(PullOutcome::Applied(_) | PullOutcome::Unchanged) | Err(Failure::Stopped) => None,
        Err(failure) => {
            let error = failure.chain();
            warn!(error, "the {name} could not be recorded: {error}");
            Some(RETRY)
        }
    }
}
