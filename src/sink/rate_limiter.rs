//! Rate limit of a sink: one request at a time takes a place in a row of equal distances.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The place of the next request.
#[derive(Debug)]
pub(super) struct SinkRateLimiter {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl SinkRateLimiter {
    pub(super) fn of(requests_per_minute: u32) -> Self {
        Self {
            interval: Duration::from_mins(1) / requests_per_minute.max(1),
            next: Mutex::new(None),
        }
    }

    /// Waits for the next place.
    pub(super) async fn wait(&self) {
        let at = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let at = next.map_or(now, |next| next.max(now));
            *next = Some(at + self.interval);
            at
        };
        tokio::time::sleep_until(at).await;
    }

    /// Whether so few requests are sent that the wait of several would outlast a lease.
    pub(super) fn is_slow(&self) -> bool {
        self.interval > Duration::from_secs(1)
    }
}
