//! Daily quota: at most `requests_per_day` requests in any 24 hours, by a clock that
//! cannot be set.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::priority::Priority;

/// Requests are counted per minute: a day then has at most 1441 counters, regardless of
/// the number of requests.
const BUCKET_SECONDS: i64 = 60;
/// How long a request counts: 24 hours plus one minute, because counters are per minute.
const COUNTED: TimeDelta = TimeDelta::seconds(24 * 60 * 60 + BUCKET_SECONDS);

/// Fraction of the daily quota that background requests leave to feeds and tickets:
/// one half.
const BACKGROUND_PART: u32 = 2;

/// The requests of the last 24 hours against `requests_per_day`.
#[derive(Debug)]
pub(super) struct DailyQuota {
    /// 0 = no limit.
    limit: u32,
    /// Requests by the minute in which they were sent, counted from 1970.
    used: BTreeMap<i64, u64>,
}

impl DailyQuota {
    /// `used` are the requests that earlier processes sent in the last 24 hours.
    pub(super) fn new(limit: u32, used: Vec<(DateTime<Utc>, u32)>, now: DateTime<Utc>) -> Self {
        let mut day = Self {
            limit,
            used: BTreeMap::new(),
        };
        for (at, requests) in used {
            // Entries from a clock that was ahead must not count forever.
            *day.used.entry(bucket(at.min(now))).or_default() += u64::from(requests);
        }
        day
    }

    /// Counts one request, or returns the time from which one is allowed.
    pub(super) fn take(
        &mut self,
        now: DateTime<Utc>,
        priority: Priority,
    ) -> Result<(), DateTime<Utc>> {
        if self.limit == 0 {
            return Ok(());
        }
        let limit = u64::from(match priority {
            Priority::Usual => self.limit,
            Priority::Background => (self.limit / BACKGROUND_PART).max(1),
        });
        self.used.retain(|bucket, _| expiry(*bucket) > now);
        let mut used: u64 = self.used.values().sum();
        if used < limit {
            *self.used.entry(bucket(now)).or_default() += 1;
            return Ok(());
        }
        let mut until = now;
        for (bucket, requests) in &self.used {
            until = expiry(*bucket);
            used -= requests;
            if used < limit {
                break;
            }
        }
        Err(until)
    }
}

fn bucket(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(BUCKET_SECONDS)
}

fn expiry(bucket: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(bucket * BUCKET_SECONDS, 0).unwrap_or(DateTime::UNIX_EPOCH) + COUNTED
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use chrono::{DateTime, TimeDelta, Utc};

    use super::DailyQuota;
    use crate::http::priority::Priority;

    fn at(minutes: i64) -> DateTime<Utc> {
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        start + TimeDelta::minutes(minutes)
    }

    #[test]
    fn the_daily_limit_slides_and_counts_what_was_sent_before_the_start() {
        let earlier = vec![(at(0), 2), (at(60), 5), (at(-3000), 100)];
        let mut day = DailyQuota::new(10, earlier, at(120));
        for _ in 0..3 {
            day.take(at(120), Priority::Usual).unwrap();
        }
        // The first two requests have expired (24 hours plus one minute).
        assert_eq!(day.take(at(120), Priority::Usual), Err(at(24 * 60 + 1)));
        assert_eq!(day.take(at(24 * 60), Priority::Usual), Err(at(24 * 60 + 1)));
        day.take(at(24 * 60 + 1), Priority::Usual).unwrap();
        day.take(at(24 * 60 + 1), Priority::Usual).unwrap();
        assert_eq!(
            day.take(at(24 * 60 + 1), Priority::Usual),
            Err(at(25 * 60 + 1))
        );
    }

    #[test]
    fn a_lowered_limit_waits_until_enough_requests_are_a_day_old() {
        let mut day = DailyQuota::new(3, vec![(at(0), 5), (at(10), 2), (at(20), 2)], at(30));
        assert_eq!(day.take(at(30), Priority::Usual), Err(at(24 * 60 + 11)));
    }

    #[test]
    fn without_a_limit_nothing_is_counted_and_the_future_does_not_count_for_ever() {
        let mut day = DailyQuota::new(0, vec![(at(0), 5)], at(1));
        day.take(at(1), Priority::Usual).unwrap();
        let mut day = DailyQuota::new(1, vec![(at(90_000), 1)], at(0));
        assert_eq!(day.take(at(0), Priority::Usual), Err(at(24 * 60 + 1)));
    }

    #[test]
    fn the_background_leaves_half_of_the_day_to_feeds_and_tickets() {
        let mut day = DailyQuota::new(10, vec![(at(0), 3)], at(30));
        day.take(at(30), Priority::Background).unwrap();
        day.take(at(30), Priority::Background).unwrap();
        let full = day.take(at(30), Priority::Background);
        assert_eq!(full, Err(at(24 * 60 + 1)));
        for _ in 0..5 {
            day.take(at(30), Priority::Usual).unwrap();
        }
    }
}
