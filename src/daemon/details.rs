//! The worker of the fetch queue (details), with the lowest priority.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tracing::{error, info};

use super::outage::until_done;
use crate::job::context::Context;
use crate::job::details::fetch::{self, Fetched};
use crate::job::failure::Failure;
use crate::model::Outcome;
use crate::store::database;
use crate::store::wanted::queue;

/// How often the fetch queue is polled after something happened. Doubles while nothing is
/// due, up to [`LONGEST_POLL`]: a run that ends wakes it, and other processes seldom add
/// to the queue.
const POLL_EVERY: Duration = Duration::from_secs(2);
const LONGEST_POLL: Duration = Duration::from_secs(32);
/// Pause after a failed run. Doubles after each consecutive failure, up to 16 times as
/// long.
const PAUSE: Duration = Duration::from_mins(1);
const MAX_DOUBLINGS: u32 = 4;

/// Fetches pending details until advisoryd stops; looks at once when a run has ended.
pub(super) async fn work(context: Context, run_ended: Arc<Notify>) {
    if !context.config.fetches_details() {
        return;
    }
    let mut is_enqueued = false;
    let mut failures = 0;
    let mut poll = POLL_EVERY;
    loop {
        let fetch = || fetch_batch(&context, is_enqueued);
        let result = until_done(&context, None, "details", fetch).await;
        is_enqueued |= result.is_ok();
        let pause = match result {
            Ok(Some(Next::Now)) => {
                (failures, poll) = (0, POLL_EVERY);
                continue;
            }
            Ok(Some(Next::Poll)) => {
                failures = 0;
                let pause = tokio::time::sleep(poll);
                poll = (poll * 2).min(LONGEST_POLL);
                tokio::select! {
                    biased;
                    () = context.stop.cancelled() => return,
                    () = run_ended.notified() => poll = POLL_EVERY,
                    () = pause => {}
                }
                continue;
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

/// When the queue is looked at again.
enum Next {
    Now,
    Poll,
}

/// Fetches one batch; returns when to look for the next one, `None` after a failure.
/// Unless `is_enqueued`, it first enqueues missing details of stored advisories.
async fn fetch_batch(context: &Context, is_enqueued: bool) -> Result<Option<Next>, Failure> {
    if !is_enqueued {
        let mut transaction = database::begin(&context.pool).await?;
        let now = context.clock.now();
        let setting = context.config.feeds.details;
        let enqueued = queue::enqueue_missing(&mut transaction, setting, now).await?;
        transaction.commit().await?;
        if enqueued > 0 {
            info!(
                wanted = enqueued,
                "details: enqueued {enqueued} for advisories that were stored before"
            );
        }
    }
    Ok(match fetch::fetch(context).await? {
        Fetched::Ended(report) if report.outcome == Outcome::Ok => Some(Next::Now),
        Fetched::Ended(_) => None,
        Fetched::Busy(_) | Fetched::Nothing(_) | Fetched::Paused(_) => Some(Next::Poll),
    })
}
