//! Leases that a dead process has left: they expire, and then the work must not wait for
//! its next tick, which may be a day away.

use std::time::Duration;

use tracing::info;

use super::progress::Watch;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::LeaseHolder;
use crate::store::ledger::lease;

/// How often the lease is looked at: it is valid for twenty seconds.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Waits as long as the holder of a lease has it without renewing it. True if it has
/// expired; false if the holder lives, or has given it back.
pub(super) async fn waited_for(
    context: &Context,
    watch: &Watch,
    holder: &LeaseHolder,
) -> Result<bool, Failure> {
    loop {
        let pause = context.or_stopped(tokio::time::sleep(POLL_INTERVAL));
        watch.waits(pause).await?;
        let mut connection = context.pool.acquire().await?;
        if let Some(was_abandoned) = lease::was_abandoned(&mut connection, holder).await? {
            if was_abandoned {
                info!(
                    "{holder} did not renew its lock of `{}`: taking over",
                    holder.lease
                );
            }
            return Ok(was_abandoned);
        }
    }
}
