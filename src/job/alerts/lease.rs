//! The lease of a claimed message, and what is recorded while it is valid.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use crate::job::failure::Failure;

/// Length of the lease of a claim: longer than any sink may take (a minute), so that
/// two daemons do not send the same message.
pub(super) const LEASE: TimeDelta = TimeDelta::minutes(3);
/// Pause between two attempts to record an outcome.
const RETRY: Duration = Duration::from_secs(1);

/// Repeats `record` while the database is unreachable, at most for the length of a lease:
/// after that another process may send the message.
pub(super) async fn within_lease<T, F>(mut record: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let until = Instant::now() + LEASE.to_std().unwrap_or_default();
    loop {
        match record().await {
            Err(failure) if failure.is_database_away() && Instant::now() < until => {
                tokio::time::sleep(RETRY).await;
            }
            done => return done,
        }
    }
}
