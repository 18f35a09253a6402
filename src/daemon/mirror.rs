//! Scheduled mirror of what watch lists contain, and of pending approvals.

use tracing::{debug, warn};

use super::outage::until_done;
use super::progress::Woken;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::lists::mirror;

/// Mirrors until advisoryd stops: on schedule, and at the start if a tick was missed. The
/// first feeds of a new installation do not wait for it. Names of lists are read at the start.
pub(super) async fn work(context: Context, woken: Woken) {
    if let Err(failure) = mirror::names(&context).await {
        // The next tick asks again.
        debug!("names of watch lists are not known: {}", failure.chain());
    }
    if is_missed(&context, &woken).await {
        woken.wake();
    }
    loop {
        tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            () = woken.tick.notified() => {}
        }
        woken.watch.begins();
        run_once(&context, &woken).await;
        woken.watch.ends();
    }
}

/// Whether a tick was missed while no daemon ran.
async fn is_missed(context: &Context, woken: &Woken) -> bool {
    let Ok(last) = mirror::last_attempt_at(context).await else {
        return false; // the next tick waits for the database
    };
    let timezone = context.config.schedule.timezone;
    last.and_then(|at| woken.schedule.next_after(at, timezone))
        .is_some_and(|next| next <= context.clock.now())
}

/// One tick; repeated after an outage of the database.
async fn run_once(context: &Context, woken: &Woken) {
    let run = || mirror::mirror(context);
    match until_done(context, Some(&woken.watch), "list contents", run).await {
        Ok(Some(_)) | Err(Failure::Stopped) => {}
        Ok(None) => {
            debug!("another process is reading the list contents; this scheduled read is skipped");
        }
        Err(failure) => {
            let error = failure.chain();
            warn!(error, "list contents could not be stored: {error}");
        }
    }
}
