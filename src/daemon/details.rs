//! The worker of the fetch queue (details), with the lowest priority.

use std::time::Duration;

use tracing::{error, info};

use super::outage::until_done;
use crate::job::context::Context;
use crate::job::details::fetch::{self, Fetched};
use crate::job::failure::Failure;
use crate::model::Outcome;
use crate::store::wanted::queue;

/// How often the fetch queue is polled.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// Pause after a failed run. Doubles after each consecutive failure, up to 16 times as
/// long.
const PAUSE: Duration = Duration::from_mins(1);
const MAX_DOUBLINGS: u32 = 4;

/// Fetches pending details until advisoryd stops.
pub(super) async fn work(context: Context) {
    if !context.config.fetches_details() {
        return;
    }
    let mut is_enqueued = false;
    let mut failures = 0;
    loop {
        let fetch = || fetch_batch(&context, is_enqueued);
        let result = until_done(&context, None, "details", fetch).await;
        is_enqueued |= result.is_ok();
        let pause = match result {
            Ok(Some(pause)) => {
                failures = 0;
                pause
            }
            Ok(None) => {
                let pause = PAUSE * 2_u32.pow(failures.min(MAX_DOUBLINGS));
                failures += 1;
                pause
            }
            Err(Failure::Stopped) => return,
            Err(failure) => {
                error!(error = %failure.chain(), "details: a run could not be recorded: {}", failure.chain());
                PAUSE
            }
        };
        let pause = tokio::time::sleep(pause);
        if context.or_stopped(pause).await.is_err() {
            return;
        }
    }
}

/// Fetches one batch; returns how long to wait before the next one, `None` after a failure.
/// Unless `is_enqueued`, it first enqueues missing details of stored advisories.
async fn fetch_batch(context: &Context, is_enqueued: bool) -> Result<Option<Duration>, Failure> {
    if !is_enqueued {
        let mut connection = context.pool.acquire().await?;
        let now = context.clock.now();
        let setting = context.config.feeds.details;
        let enqueued = queue::enqueue_missing(&mut connection, setting, now).await?;
        if enqueued > 0 {
            info!(
                wanted = enqueued,
                "details: enqueued {enqueued} for advisories that were stored before"
            );
        }
    }
    Ok(match fetch::fetch(context).await? {
        Fetched::Ended(report) if report.outcome == Outcome::Ok => Some(Duration::ZERO),
        Fetched::Ended(_) => None,
        Fetched::Busy(_) | Fetched::Nothing(_) | Fetched::Paused(_) => Some(POLL_EVERY),
    })
}
