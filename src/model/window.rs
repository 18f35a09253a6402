//! Time windows of feed pulls, and coverage gaps.

use chrono::{DateTime, TimeDelta, Utc};

/// How far coverage may end after the current time. Clocks that are kept by NTP differ by
/// less.
pub const MAX_COVERAGE_AHEAD: TimeDelta = TimeDelta::minutes(5);

/// Whether coverage ends in the future: a clock was wrong when it was recorded, and what
/// happens until then would never be read.
pub fn is_in_future(covered_to: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    covered_to.is_some_and(|to| to > now + MAX_COVERAGE_AHEAD)
}

/// A gap: a period that no complete run covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoverageGap {
    /// Start of the gap.
    pub from: DateTime<Utc>,
    /// End of the gap, exclusive.
    pub to: DateTime<Utc>,
}

/// The period that one pull of a feed covers, by upstream's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedWindow {
    /// Start of the period.
    pub from: DateTime<Utc>,
    /// Time of upstream's response: nothing later is covered.
    pub to: DateTime<Utc>,
}

/// The time that the next pull has to start from: the end of the covered time less
/// `overlap`, or the start of the oldest gap that a request can still reach.
/// `None` if nothing was ever covered.
pub fn missing_from(
    covered_to: Option<DateTime<Utc>>,
    gaps: &[CoverageGap],
    overlap: TimeDelta,
    reachable_from: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let end = covered_to? - overlap;
    let oldest = gaps
        .iter()
        .filter(|gap| gap.to > reachable_from)
        .map(|gap| gap.from)
        .min();
    Some(oldest.map_or(end, |from| from.min(end)))
}

/// Number of days to request so that the response has everything since `from`:
/// 1 to `max_days`.
pub fn feed_days(now: DateTime<Utc>, from: DateTime<Utc>, max_days: u32) -> u32 {
    const DAY_SECONDS: i64 = 24 * 60 * 60;
    let missing = (now - from).num_milliseconds().max(0);
    let days = (missing + DAY_SECONDS * 1000 - 1) / (DAY_SECONDS * 1000);
    u32::try_from(days).unwrap_or(u32::MAX).clamp(1, max_days)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::{CoverageGap, feed_days, missing_from};

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(20_000 + hours)
    }

    #[test]
    fn days_are_rounded_up_and_bounded() {
        assert_eq!(feed_days(at(0), at(0), 10), 1);
        assert_eq!(feed_days(at(24), at(0), 10), 1);
        assert_eq!(feed_days(at(25), at(0), 10), 2);
        assert_eq!(feed_days(at(2400), at(0), 10), 10);
        assert_eq!(feed_days(at(0), at(24), 10), 1);
    }

    #[test]
    fn an_old_gap_is_asked_for_again_unless_out_of_reach() {
        let overlap = TimeDelta::hours(6);
        let gap = CoverageGap {
            from: at(-100),
            to: at(-90),
        };
        assert_eq!(missing_from(None, &[], overlap, at(-1000)), None);
        assert_eq!(
            missing_from(Some(at(0)), &[], overlap, at(-1000)),
            Some(at(-6))
        );
        assert_eq!(
            missing_from(Some(at(0)), &[gap], overlap, at(-1000)),
            Some(at(-100))
        );
        assert_eq!(
            missing_from(Some(at(0)), &[gap], overlap, at(-50)),
            Some(at(-6))
        );
    }
}
