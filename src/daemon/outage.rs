//! Waiting out a database outage.

use std::time::Duration;

use tracing::debug;

use crate::job::context::Context;
use crate::store::database;

/// Longest pause between two looks whether the database is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Waits until the database answers; false when the program is to stop first.
pub async fn wait_for_database(context: &Context) -> bool {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            biased;
            () = context.stop.cancelled() => return false,
            () = tokio::time::sleep(pause) => {}
        }
        match database::reachable(&context.pool).await {
            Ok(()) => return true,
            Err(error) => debug!(%error, "the database is still away"),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
