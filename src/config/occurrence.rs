//! When a cron expression occurs in a time zone whose offset changes.

use std::cmp::Ordering;

use chrono::{DateTime, FixedOffset, Offset as _, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;

/// The first time after `now`. An hour that is repeated counts twice; a time that is skipped
/// is moved behind the gap.
pub(super) fn next_after(cron: &Cron, now: DateTime<Utc>, timezone: Tz) -> Option<DateTime<Utc>> {
    let offset = offset_at(now, timezone);
    let found = next(cron, &now.with_timezone(&offset), false)?;
    let later = offset_at(found, timezone);
    match later.local_minus_utc().cmp(&offset.local_minus_utc()) {
        Ordering::Equal => Some(found),
        Ordering::Less => {
            let change = change_between(now, found, timezone);
            next(cron, &change.with_timezone(&later), true)
        }
        Ordering::Greater => {
            next(cron, &now.with_timezone(&timezone), false).filter(|next| *next > now)
        }
    }
}

/// The last time not after `now`.
pub(super) fn last_until(cron: &Cron, now: DateTime<Utc>, timezone: Tz) -> Option<DateTime<Utc>> {
    let offset = offset_at(now, timezone);
    let last = cron.find_previous_occurrence(&now.with_timezone(&offset), true);
    let last = last.ok()?.with_timezone(&Utc);
    if offset_at(last, timezone) == offset {
        return Some(last);
    }
    let last = cron.find_previous_occurrence(&now.with_timezone(&timezone), true);
    last.ok().map(|time| time.with_timezone(&Utc))
}

/// Whether clocks have shown this time before, because they were put back.
pub(super) fn is_repeated(at: DateTime<Utc>, timezone: Tz) -> bool {
    let local = at.with_timezone(&timezone).naive_local();
    let earliest = timezone.from_local_datetime(&local).earliest();
    earliest.is_some_and(|earliest| earliest < at)
}

fn next<Z: TimeZone>(cron: &Cron, now: &DateTime<Z>, or_now: bool) -> Option<DateTime<Utc>> {
    let next = cron.find_next_occurrence(now, or_now).ok()?;
    Some(next.with_timezone(&Utc))
}

fn offset_at(at: DateTime<Utc>, timezone: Tz) -> FixedOffset {
    timezone.offset_from_utc_datetime(&at.naive_utc()).fix()
}

/// The second at which the offset changes between two times with different ones.
fn change_between(before: DateTime<Utc>, after: DateTime<Utc>, timezone: Tz) -> DateTime<Utc> {
    let offset = offset_at(before, timezone);
    let (mut before, mut after) = (before.timestamp(), after.timestamp());
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if offset_at(at(middle), timezone) == offset {
            before = middle;
        } else {
            after = middle;
        }
    }
    at(after)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use chrono::{DateTime, TimeDelta, Utc};

    use crate::config::CronExpression;

    /// Days on which the offset of a zone changes.
    const CHANGES: [(chrono_tz::Tz, &str); 7] = [
        (chrono_tz::Europe::Berlin, "2026-10-25"),
        (chrono_tz::Europe::Berlin, "2026-03-29"),
        (chrono_tz::America::New_York, "2026-11-01"),
        (chrono_tz::America::New_York, "2026-03-08"),
        (chrono_tz::Australia::Lord_Howe, "2026-04-05"),
        (chrono_tz::Australia::Lord_Howe, "2026-10-04"),
        (chrono_tz::UTC, "2026-10-25"),
    ];

    fn minutes(day: &str) -> impl Iterator<Item = DateTime<Utc>> {
        let midnight: DateTime<Utc> = format!("{day}T00:00:00Z").parse().unwrap();
        let start = midnight - TimeDelta::days(1);
        (0..3 * 24 * 60)
            .step_by(7)
            .map(move |minute| start + TimeDelta::minutes(minute))
    }

    #[test]
    fn a_schedule_of_minutes_runs_at_each_of_them_whatever_the_offset_does() {
        let every = CronExpression::parse("0 */15 * * * *").unwrap();
        for (zone, day) in CHANGES {
            for now in minutes(day) {
                let next = every.next_after(now, zone).unwrap();
                let wait = next - now;
                assert!(wait > TimeDelta::zero(), "{zone} {now}: {next}");
                assert!(wait <= TimeDelta::minutes(15), "{zone} {now}: {next}");
                let last = every.last_until(now, zone).unwrap();
                assert!(last <= now, "{zone} {now}: {last}");
            }
        }
    }

    #[test]
    fn a_daily_time_comes_each_day_and_never_before_now() {
        for text in [
            "0 30 1 * * *",
            "0 30 2 * * *",
            "0 0 2 * * *",
            "0 30 3 * * *",
        ] {
            let daily = CronExpression::parse(text).unwrap();
            for (zone, day) in CHANGES {
                for now in minutes(day) {
                    let next = daily.next_after(now, zone).unwrap();
                    let wait = next - now;
                    assert!(wait > TimeDelta::zero(), "{zone} {now} {text}: {next}");
                    assert!(wait <= TimeDelta::hours(25), "{zone} {now} {text}: {next}");
                }
            }
        }
    }
}
