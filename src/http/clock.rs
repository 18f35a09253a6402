//! Upstream's clock, taken from `Date` headers, and its difference from local time.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// Maximum difference between upstream's clock and ours. A wrong date in the far
/// future would let a run claim coverage of the future; and TLS would fail with
/// clocks so far apart.
const MAX_OFFSET: TimeDelta = TimeDelta::days(1);

/// Upstream's clock, derived from its `Date` headers.
#[derive(Debug)]
pub(super) struct Clock {
    ours: crate::clock::Clock,
    /// Upstream's time minus local time, in milliseconds.
    offset: AtomicI64,
}

impl Clock {
    /// Before the first `Date` header, upstream's time equals local time.
    pub(super) fn new(ours: crate::clock::Clock) -> Self {
        Self {
            ours,
            offset: AtomicI64::new(0),
        }
    }

    /// Local time.
    pub(super) fn ours(&self) -> DateTime<Utc> {
        self.ours.now()
    }

    /// Upstream's time. It is never ahead of the last `Date` header, which is cut to
    /// whole seconds and delayed by the network.
    pub(super) fn upstream(&self) -> DateTime<Utc> {
        self.ours() + self.offset()
    }

    /// Upstream's time minus local time.
    pub(super) fn offset(&self) -> TimeDelta {
        TimeDelta::milliseconds(self.offset.load(Ordering::Relaxed))
    }

    /// Updates the clock from a `Date` header that was just received; returns it if plausible.
    pub(super) fn hear(&self, header: &str) -> Option<DateTime<Utc>> {
        let now = self.ours();
        let date: DateTime<Utc> = httpdate::parse_http_date(header.trim()).ok()?.into();
        let offset = date - now;
        if offset.abs() > MAX_OFFSET {
            return None;
        }
        self.offset
            .store(offset.num_milliseconds(), Ordering::Relaxed);
        Some(date)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use chrono::{DateTime, TimeDelta, Utc};

    use super::Clock;

    #[test]
    fn upstreams_clock_is_believed_within_a_day() {
        let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Clock::new(crate::clock::Clock::from_fn(move || now));
        assert!(clock.hear("Thu, 01 Jan 2026 02:00:00 GMT").is_some());
        assert_eq!(clock.offset(), TimeDelta::hours(2));
        assert!(clock.hear("Thu, 01 Jan 2099 02:00:00 GMT").is_none());
        assert!(clock.hear("yesterday").is_none());
        assert_eq!(clock.offset(), TimeDelta::hours(2));
    }
}
