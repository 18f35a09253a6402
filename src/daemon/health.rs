//! Health checks and heartbeats of the daemon.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tracing::warn;

use super::outage::until_done;
use super::progress::{Watch, Woken};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::health::check;
use crate::job::health::heartbeat::{self, First};

/// Interval between checks. A run that ends triggers one immediately.
const CHECK_EVERY: Duration = Duration::from_mins(1);
/// After a start the workers may catch up before data is reported as stale, but not for
/// longer than this.
const STARTUP_GRACE: Duration = Duration::from_mins(1);
/// How often to poll whether the first pass has ended.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Checks when `run_ended` is notified, and at intervals.
pub(super) async fn keep_checking(context: Context, run_ended: Arc<Notify>, watches: Vec<Watch>) {
    tokio::select! {
        biased;
        () = context.stop.cancelled() => return,
        () = first_pass(&watches) => {}
        () = tokio::time::sleep(STARTUP_GRACE) => {}
    }
    loop {
        let check = || check::check_health(&context);
        match until_done(&context, None, "health", check).await {
            Ok(_) => check::show(&context).await,
            Err(Failure::Stopped) => return,
            Err(failure) => log_failure(&failure),
        }
        tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            () = run_ended.notified() => {}
            () = tokio::time::sleep(CHECK_EVERY) => {}
        }
    }
}

async fn first_pass(watches: &[Watch]) {
    while !watches.iter().all(Watch::has_settled) {
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// Sends the heartbeat that was missed while no daemon ran. This comes before any
/// delivery, because it replaces undelivered older heartbeats.
pub(super) async fn catch_up(context: &Context) {
    if let Err(failure) = heartbeat::beat(context, First::IsPassedOver).await {
        log_failure(&failure);
    }
}

/// Sends a heartbeat at each tick; during an outage of the database, after the outage.
pub(super) async fn keep_beating(context: Context, woken: Woken) {
    while context.or_stopped(woken.tick.notified()).await.is_ok() {
        woken.watch.begins();
        let beat = || check_and_beat(&context);
        match until_done(&context, Some(&woken.watch), "heartbeat", beat).await {
            Ok(()) => {}
            Err(Failure::Stopped) => return,
            Err(failure) => log_failure(&failure),
        }
        woken.watch.ends();
    }
}

/// Checks first, so that the heartbeat reports the current conditions.
async fn check_and_beat(context: &Context) -> Result<(), Failure> {
    check::check_health(context).await?;
    heartbeat::beat(context, First::IsSent).await?;
    Ok(())
}

fn log_failure(failure: &Failure) {
    warn!(
        error = %failure.chain(),
        "evaluating the conditions failed; it is repeated within a minute: {}", failure.chain()
    );
}
