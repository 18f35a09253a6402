//! Upstream's clock, taken from `Date` headers, and its difference from local time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

/// Maximum difference between upstream's clock and ours. Certificates and schedules fail
/// with clocks so far apart, and one of the two is certainly wrong.
pub(super) const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::days(1);

/// Upstream's clock, derived from its `Date` headers.
#[derive(Debug)]
pub(super) struct UpstreamClock {
    ours: crate::clock::Clock,
    /// Local time at the start, and the same moment by a clock that cannot be set.
    begun: (DateTime<Utc>, Instant),
    last: Mutex<Option<Last>>,
    /// Upstream's time minus local time in the last response, accepted or not.
    measured: Mutex<Option<TimeDelta>>,
}

/// The last `Date` header.
#[derive(Debug, Clone, Copy)]
struct Last {
    date: DateTime<Utc>,
    /// Upstream's time minus local time.
    offset: TimeDelta,
    /// When it was received, by a clock that cannot be set.
    received: Instant,
}

/// Upstream's clock and ours differ by more than [`MAX_CLOCK_SKEW`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Skew {
    pub(super) upstream: DateTime<Utc>,
    pub(super) ours: DateTime<Utc>,
}

impl UpstreamClock {
    /// Before the first `Date` header, upstream's time equals local time.
    pub(super) fn new(ours: crate::clock::Clock) -> Self {
        Self {
            begun: (ours.now(), Instant::now()),
            ours,
            last: Mutex::new(None),
            measured: Mutex::new(None),
        }
    }

    /// Local time.
    pub(super) fn ours(&self) -> DateTime<Utc> {
        self.ours.now()
    }

    /// Local time as it would be if the clock had not been set since the start.
    pub(super) fn steady(&self) -> DateTime<Utc> {
        let (at, instant) = self.begun;
        at + TimeDelta::from_std(instant.elapsed()).unwrap_or(TimeDelta::zero())
    }

    /// Upstream's time: local time plus the last known difference. It is wrong from the
    /// moment when the local clock is set until the next response.
    pub(super) fn upstream(&self) -> DateTime<Utc> {
        self.ours() + self.offset()
    }

    /// The same, but at most the last `Date` header plus the time that passed since, so
    /// that setting the local clock cannot put it ahead.
    pub(super) fn upstream_at_most(&self) -> DateTime<Utc> {
        let estimate = self.upstream();
        let Some(last) = *self.last() else {
            return estimate;
        };
        let passed = TimeDelta::from_std(last.received.elapsed()).unwrap_or(TimeDelta::zero());
        estimate.min(last.date + passed)
    }

    /// Upstream's time minus local time.
    pub(super) fn offset(&self) -> TimeDelta {
        self.last().map_or(TimeDelta::zero(), |last| last.offset)
    }

    /// The same in the last response with a date, also if it was too large to be
    /// accepted; `None` before the first one.
    pub(super) fn measured(&self) -> Option<TimeDelta> {
        *self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Updates the clock from a `Date` header that was just received; `None` if it is not
    /// a date.
    pub(super) fn update(&self, header: &str) -> Result<Option<DateTime<Utc>>, Skew> {
        let ours = self.ours();
        let Ok(date) = httpdate::parse_http_date(header.trim()) else {
            return Ok(None);
        };
        let upstream: DateTime<Utc> = date.into();
        let offset = upstream - ours;
        *self.measured.lock().unwrap_or_else(PoisonError::into_inner) = Some(offset);
        if offset.abs() > MAX_CLOCK_SKEW {
            return Err(Skew { upstream, ours });
        }
        *self.last() = Some(Last {
            date: upstream,
            offset,
            received: Instant::now(),
        });
        Ok(Some(upstream))
    }

    /// When a response was made that comes from a cache: its `Date`, and at the latest as
    /// many seconds ago as `Age` says (RFC 9111, 5.1).
    pub(super) fn cached(&self, date: Option<&str>, age: u32) -> DateTime<Utc> {
        let latest = self.upstream_at_most() - TimeDelta::seconds(i64::from(age));
        let date = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok());
        date.map_or(latest, |date| latest.min(date.into()))
    }

    fn last(&self) -> MutexGuard<'_, Option<Last>> {
        // A single value is consistent whenever its lock is free.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use chrono::{DateTime, TimeDelta, Utc};

    use super::{Skew, UpstreamClock};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn clocks_more_than_a_day_apart_are_an_error_that_names_both() {
        let now = at("2026-01-01T00:00:00Z");
        let clock = UpstreamClock::new(crate::clock::Clock::from_fn(move || now));
        let date = clock.update("Thu, 01 Jan 2026 02:00:00 GMT");
        assert_eq!(date, Ok(Some(at("2026-01-01T02:00:00Z"))));
        assert_eq!(clock.offset(), TimeDelta::hours(2));
        for (header, upstream) in [
            ("Thu, 01 Jan 2099 02:00:00 GMT", "2099-01-01T02:00:00Z"),
            ("Tue, 30 Dec 2025 23:59:59 GMT", "2025-12-30T23:59:59Z"),
        ] {
            let upstream = at(upstream);
            assert_eq!(
                clock.update(header),
                Err(Skew {
                    upstream,
                    ours: now
                })
            );
        }
        assert_eq!(clock.update("yesterday"), Ok(None));
        assert_eq!(clock.offset(), TimeDelta::hours(2));
    }

    #[test]
    fn a_cached_response_is_as_old_as_it_says() {
        let now = at("2026-01-02T00:00:00Z");
        let clock = UpstreamClock::new(crate::clock::Clock::from_fn(move || now));
        for (date, age, made) in [
            (None, 3600, "2026-01-01T23:00:00Z"),
            (
                Some("Fri, 02 Jan 2026 00:00:00 GMT"),
                86400,
                "2026-01-01T00:00:00Z",
            ),
            (
                Some("Mon, 29 Dec 2025 00:00:00 GMT"),
                60,
                "2025-12-29T00:00:00Z",
            ),
        ] {
            assert_eq!(clock.cached(date, age), at(made), "{date:?} {age}");
        }
        assert_eq!(clock.measured(), None);
    }

    #[test]
    fn setting_the_local_clock_does_not_put_upstreams_ahead() {
        let hours = Arc::new(AtomicI64::new(0));
        let (start, set) = (at("2026-01-01T00:00:00Z"), Arc::clone(&hours));
        let now = move || start + TimeDelta::hours(set.load(Ordering::Relaxed));
        let clock = UpstreamClock::new(crate::clock::Clock::from_fn(now));
        hours.store(5, Ordering::Relaxed);
        assert_eq!(clock.upstream_at_most(), at("2026-01-01T05:00:00Z"));
        clock.update("Thu, 01 Jan 2026 05:00:00 GMT").unwrap();
        hours.store(28, Ordering::Relaxed);
        assert_eq!(clock.upstream(), at("2026-01-02T04:00:00Z"));
        let most = clock.upstream_at_most() - at("2026-01-01T05:00:00Z");
        assert!(most < TimeDelta::minutes(1), "{most}");
        hours.store(-20, Ordering::Relaxed);
        assert_eq!(clock.upstream_at_most(), at("2025-12-31T04:00:00Z"));
    }
}
