//! The worker of the details: always there, and always last.

use std::time::Duration;

use tracing::{error, info};

use super::outage::until_done;
use crate::job::context::Context;
use crate::job::details::fetch::{self, Fetched};
use crate::job::failure::Failure;
use crate::model::Outcome;
use crate::store::wanted::queue;

/// How often is looked for what feeds and sweep have come to want.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Pause after a run that failed: upstream or the network is in trouble. Twice as
/// long after each further one, up to 16 times.
const PAUSE: Duration = Duration::from_mins(1);
const LONGEST_DOUBLING: u32 = 4;

/// Fetches what is wanted until the context is told to stop.
pub(super) async fn work(context: Context) {
    if !context.config.fetches_details() {
        return;
    }
    let mut is_looked = false;
    let mut failures = 0;
    loop {
        let look = || once(&context, is_looked);
        let looked = until_done(&context, None, "details", look).await;
        is_looked |= looked.is_ok();
        let pause = match looked {
            Ok(Some(pause)) => {
                failures = 0;
                pause
            }
            Ok(None) => {
                let pause = PAUSE * 2_u32.pow(failures.min(LONGEST_DOUBLING));
                failures += 1;
                pause
            }
            Err(Failure::Stopped) => return,
            Err(failure) => {
                error!(error = %failure.chain(), "details: a run could not be written down: {}", failure.chain());
                PAUSE
            }
        };
        let pause = tokio::time::sleep(pause);
        if context.or_stopped(pause).await.is_err() {
            return;
        }
    }
}

/// One look: how long to wait for the next, or `None` when fetching failed.
async fn once(context: &Context, is_looked: bool) -> Result<Option<Duration>, Failure> {
    if !is_looked {
        let mut connection = context.pool.acquire().await?;
        let now = context.clock.now();
        let asked = context.config.feeds.details;
        let wanted = queue::enqueue_missing(&mut connection, asked, now).await?;
        if wanted > 0 {
            info!(
                wanted,
                "details: {wanted} more are wanted of what was stored before"
            );
        }
    }
    Ok(match fetch::fetch(context).await? {
        Fetched::Ended(report) if report.outcome == Outcome::Ok => Some(Duration::ZERO),
        Fetched::Ended(_) => None,
        Fetched::Busy | Fetched::Nothing(_) | Fetched::Rests(_) => Some(LOOK_EVERY),
    })
}
