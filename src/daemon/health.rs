//! Looks after the program itself: what is wrong with it, and its sign of life.

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

/// Runs that end are looked at at once; time passes and sinks fail in between.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// After a start the first pass may catch up before data is called stale, but
/// not for longer than this.
const FIRST_LOOK: Duration = Duration::from_mins(1);
/// Pause between two looks whether the first pass has ended.
const SETTLED_EVERY: Duration = Duration::from_millis(100);

/// Looks when `run_ended` says that a run has ended, and now and then.
pub(super) async fn keep_looking(context: Context, run_ended: Arc<Notify>, watches: Vec<Watch>) {
    tokio::select! {
        biased;
        () = context.stop.cancelled() => return,
        () = first_pass(&watches) => {}
        () = tokio::time::sleep(FIRST_LOOK) => {}
    }
    loop {
        let look = || check::look(&context);
        match until_done(&context, None, "health", look).await {
            Ok(_) => {}
            Err(Failure::Stopped) => return,
            Err(failure) => tell(&failure),
        }
        tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            () = run_ended.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn first_pass(watches: &[Watch]) {
    while !watches.iter().all(Watch::has_settled) {
        tokio::time::sleep(SETTLED_EVERY).await;
    }
}

/// Sends the heartbeat that was missed while no daemon ran. Before anything is
/// delivered: what waits of former ones is given up here.
pub(super) async fn catch_up(context: &Context) {
    if let Err(failure) = heartbeat::beat(context, First::IsPassedOver).await {
        tell(&failure);
    }
}

/// Sends a heartbeat at each tick; one that meets an outage of the database when it is over.
pub(super) async fn keep_beating(context: Context, woken: Woken) {
    while context.or_stopped(woken.tick.notified()).await.is_ok() {
        woken.watch.begins();
        let beat = || look_and_beat(&context);
        match until_done(&context, Some(&woken.watch), "heartbeat", beat).await {
            Ok(()) => {}
            Err(Failure::Stopped) => return,
            Err(failure) => tell(&failure),
        }
        woken.watch.ends();
    }
}

/// What it says of the program's condition is of this moment.
async fn look_and_beat(context: &Context) -> Result<(), Failure> {
    check::look(context).await?;
    heartbeat::beat(context, First::IsSent).await?;
    Ok(())
}

fn tell(failure: &Failure) {
    warn!(
        error = %failure.chain(),
        "the program's own condition could not be looked at and is looked at again: {}", failure.chain()
    );
}
