//! Spends a share of the request budget on reading old time again.

use tokio::sync::watch;
use tracing::{debug, warn};

use super::lane::{Duty, Lane};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::run::Ran;
use crate::job::trust::reconcile;

/// Wakes a lane that chance picks, at the pace that `[reconcile] share` allows.
pub(super) async fn pace(context: Context, lanes: watch::Receiver<Vec<Lane>>) {
    let Some(pause) = context.config.reconcile.pause(&context.config.upstream) else {
        return;
    };
    while context.or_stopped(tokio::time::sleep(pause)).await.is_ok() {
        // Which there are may have changed since the last time.
        let lanes: Vec<Lane> = lanes
            .borrow()
            .iter()
            .filter(|lane| !matches!(lane.duty, Duty::SlowWalk | Duty::Sweep))
            .cloned()
            .collect();
        if let Some(lane) = fastrand::choice(&lanes) {
            lane.again.notify_one();
        }
    }
}

/// Reads some old time of the lane's source again. In its lane, so that no tick
/// is left out because of it.
pub(super) async fn read_again(context: &Context, lane: &Lane) {
    let key = lane.key();
    let chance = fastrand::u64(..);
    let ran: Result<Option<Ran>, Failure> = match &lane.duty {
        Duty::Feed(feed) => reconcile::feed(context, feed, chance).await,
        Duty::Tickets => reconcile::tickets(context, chance).await,
        Duty::SlowWalk | Duty::Sweep => Ok(None),
    };
    match ran {
        Ok(Some(Ran::Ended(_))) => {}
        Ok(Some(Ran::Busy) | None) => debug!(source = %key, "{key}: nothing to read again now"),
        Err(failure) => {
            warn!(source = %key, error = %failure.chain(), "{key}: old time could not be read again: {}", failure.chain());
        }
    }
}
