//! What a worker that runs on a schedule waits for.

use std::time::Duration;

use super::progress::Woken;
use crate::job::context::Context;

/// Why a worker goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// advisoryd stops.
    Stop,
    /// Its schedule, or somebody who notified it.
    Tick,
    /// The pause before a retry is over.
    Retry,
}

/// Waits for the next tick; with `retry_after` at most for so long.
pub(super) async fn next(context: &Context, woken: &Woken, retry_after: Option<Duration>) -> Wake {
    let retry = async {
        match retry_after {
            Some(pause) => tokio::time::sleep(pause).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = context.stop.cancelled() => Wake::Stop,
        () = woken.tick.notified() => Wake::Tick,
        () = retry => Wake::Retry,
    }
}
