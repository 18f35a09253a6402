use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// How far upstream's clock may be from ours and still be believed. A wrong
/// date in the far future would let a run claim to cover what has not happened
/// yet; and TLS would not have come about with clocks so far apart.
const MAX_OFFSET: TimeDelta = TimeDelta::days(1);

/// Upstream's clock, as its `Date` headers tell it.
#[derive(Debug)]
pub(super) struct Clock {
    ours: crate::clock::Clock,
    /// Upstream's time less ours, in milliseconds.
    offset: AtomicI64,
}

impl Clock {
    /// Until upstream says otherwise, its time is ours.
    pub(super) fn new(ours: crate::clock::Clock) -> Self {
        Self {
            ours,
            offset: AtomicI64::new(0),
        }
    }

    /// Our time.
    pub(super) fn ours(&self) -> DateTime<Utc> {
        self.ours.now()
    }

    /// Upstream's time. It is never ahead of what upstream last said: `Date`
    /// is cut to whole seconds, and travels.
    pub(super) fn upstream(&self) -> DateTime<Utc> {
        self.ours() + self.offset()
    }

    /// Upstream's time less ours.
    pub(super) fn offset(&self) -> TimeDelta {
        TimeDelta::milliseconds(self.offset.load(Ordering::Relaxed))
    }

    /// Takes a `Date` header that just came; returns it if it is believed.
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
