//! Schedules: cron expressions with six fields (seconds first) or five, and durations,
//! evaluated in the time zone of `[schedule]`.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, Offset as _, SubsecRound as _, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use super::tree::Node;
use super::values::text;

/// What is expected, for errors.
const EXPECTED: &str = "expected a cron expression with six fields (seconds first) or five, such as `0 */15 * * * *`, or a duration such as `15m`";
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A cron expression: six fields, seconds first, in the time zone of `[schedule]`.
///
/// It was parsed exactly as `tokio-cron-scheduler` 0.15 will parse it again, and it matches at least one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronExpression {
    /// Six fields, or a short form such as `@daily`.
    fields: String,
    /// Whether [`CronExpression::later`] has moved it.
    is_moved: bool,
}

impl CronExpression {
    /// Parses an expression; the error says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = six_fields(text.trim())?;
        let cron = cron(&text).map_err(|error| {
            let error = error.to_string().replace('\n', " ");
            let error = error.trim_end_matches('.');
            format!("{EXPECTED} ({error})")
        })?;
        // Any start time will do: whether `0 0 0 31 2 *` ever matches does not depend on today.
        if cron
            .find_next_occurrence(&DateTime::UNIX_EPOCH, false)
            .is_err()
        {
            return Err(
                "expected a schedule that matches at least one date; this one never runs".into(),
            );
        }
        Ok(Self {
            fields: text,
            is_moved: false,
        })
    }

    /// The same schedule, `seconds` later, if it runs at second 0; `seconds` below 60.
    #[must_use]
    pub(super) fn later(self, seconds: u32) -> Self {
        match self.fields.strip_prefix("0 ") {
            Some(rest) if seconds > 0 => Self {
                fields: format!("{seconds} {rest}"),
                is_moved: true,
            },
            _ => self,
        }
    }

    /// The schedule before it was moved by [`CronExpression::later`].
    #[must_use]
    pub(super) fn unmoved(&self) -> Self {
        match self.fields.split_once(' ') {
            Some((_, rest)) if self.is_moved => Self {
                fields: format!("0 {rest}"),
                is_moved: false,
            },
            _ => self.clone(),
        }
    }

    /// The expression with six fields, for the scheduler.
    pub fn as_str(&self) -> &str {
        &self.fields
    }

    /// The first time after `now`; `None` when there is none in the years the scheduler knows.
    /// An hour that is repeated at the end of summer time counts twice; a time that is
    /// skipped at its begin is moved behind the gap.
    pub fn next_after(&self, now: DateTime<Utc>, timezone: Tz) -> Option<DateTime<Utc>> {
        let cron = cron(&self.fields).ok()?;
        let offset = offset_at(now, timezone);
        let next = next(&cron, &now.with_timezone(&offset), false)?;
        let later = offset_at(next, timezone);
        match later.local_minus_utc().cmp(&offset.local_minus_utc()) {
            Ordering::Equal => Some(next),
            Ordering::Less => {
                let change = change_between(now, next, timezone);
                self::next(&cron, &change.with_timezone(&later), true)
            }
            Ordering::Greater => {
                self::next(&cron, &now.with_timezone(&timezone), false).filter(|next| *next > now)
            }
        }
    }

    /// The last time not after `now`; `None` when there was none.
    pub fn last_until(&self, now: DateTime<Utc>, timezone: Tz) -> Option<DateTime<Utc>> {
        let cron = cron(&self.fields).ok()?;
        let now = now.trunc_subsecs(0);
        let offset = offset_at(now, timezone);
        let last = cron.find_previous_occurrence(&now.with_timezone(&offset), true);
        let last = last.ok()?.with_timezone(&Utc);
        if offset_at(last, timezone) == offset {
            return Some(last);
        }
        let last = cron.find_previous_occurrence(&now.with_timezone(&timezone), true);
        last.ok().map(|time| time.with_timezone(&Utc))
    }
}

/// The six fields of an expression: five fields run at second 0, as those of cron do, and a
/// duration runs at its multiples since midnight.
fn six_fields(text: &str) -> Result<String, String> {
    match text.split_whitespace().count() {
        5 => Ok(format!("0 {text}")),
        1 => match humantime::parse_duration(text) {
            Ok(every) => fields_of(every),
            Err(_) => Ok(text.to_owned()),
        },
        6 | 7 => Ok(text.to_owned()),
        _ => Err(EXPECTED.to_owned()),
    }
}

fn fields_of(every: Duration) -> Result<String, String> {
    let seconds = every.as_secs();
    let is_whole = every.subsec_nanos() == 0 && seconds > 0;
    let divides = |unit: u64| is_whole && unit.is_multiple_of(seconds);
    let counts = |unit: u64| seconds.is_multiple_of(unit);
    if divides(MINUTE) && seconds < MINUTE {
        Ok(format!("*/{seconds} * * * * *"))
    } else if divides(HOUR) && counts(MINUTE) && seconds < HOUR {
        Ok(format!("0 */{} * * * *", seconds / MINUTE))
    } else if divides(DAY) && counts(HOUR) && seconds < DAY {
        Ok(format!("0 0 */{} * * *", seconds / HOUR))
    } else if seconds == DAY && is_whole {
        Ok("0 0 0 * * *".to_owned())
    } else {
        Err("expected a duration that divides a minute, an hour or a day evenly, such as `15m`, `6h` or `1d`; use a cron expression for others".to_owned())
    }
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

/// As `tokio-cron-scheduler` does it for jobs with a time zone (`Job::new_async_tz`).
fn cron(text: &str) -> Result<Cron, croner::errors::CronError> {
    CronParser::builder()
        .seconds(Seconds::Required)
        .dom_and_dow(true)
        .build()
        .parse(text)
}

impl fmt::Display for CronExpression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.fields)
    }
}

pub(super) fn expression(node: &Node) -> Result<CronExpression, String> {
    CronExpression::parse(&text(node)?)
}

pub(super) fn timezone(node: &Node) -> Result<Tz, String> {
    text(node)?.parse().map_err(|_| {
        "expected a time zone name from the IANA database, such as `UTC` or `Europe/Copenhagen`"
            .into()
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use chrono::{DateTime, TimeDelta, Utc};
    use tokio_cron_scheduler::Job;

    use super::CronExpression;

    #[test]
    fn what_is_accepted_is_what_the_scheduler_accepts() {
        for (text, good) in [
            ("0 */15 * * * *", true),
            ("0 0 3 * * Sun", true),
            ("0 0 3 L * *", true),
            ("0 0 3 * * 5#2", true),
            ("0,30 * * * * *", true),
            ("@daily", true),
            ("0 61 * * * *", false),
            ("0 0 3 * * Someday", false),
            ("often", false),
            ("", false),
        ] {
            assert_eq!(CronExpression::parse(text).is_ok(), good, "{text}");
            let job = Job::new_async_tz(text, chrono_tz::UTC, |_, _| Box::pin(async {}));
            assert_eq!(job.is_ok(), good, "the scheduler on {text}");
        }
    }

    #[test]
    fn five_fields_and_durations_are_accepted() {
        for (text, fields) in [
            ("*/15 * * * *", "0 */15 * * * *"),
            ("30 2 * * Sun", "0 30 2 * * Sun"),
            ("15m", "0 */15 * * * *"),
            ("10s", "*/10 * * * * *"),
            ("60s", "0 */1 * * * *"),
            ("1h", "0 0 */1 * * *"),
            ("6h", "0 0 */6 * * *"),
            ("24h", "0 0 0 * * *"),
            ("1d", "0 0 0 * * *"),
        ] {
            assert_eq!(CronExpression::parse(text).unwrap().as_str(), fields);
        }
        for text in ["7m", "90m", "5h", "2d", "0s", "500ms", "1m 1s"] {
            let error = CronExpression::parse(text).unwrap_err();
            assert!(error.starts_with("expected a"), "{text}: {error}");
        }
    }

    #[test]
    fn a_schedule_at_second_0_can_run_later_within_the_minute() {
        let later = |text: &str| CronExpression::parse(text).unwrap().later(37);
        assert_eq!(later("15m").as_str(), "37 */15 * * * *");
        assert_eq!(later("15m").unmoved().as_str(), "0 */15 * * * *");
        assert_eq!(
            CronExpression::parse("5 0 3 * * *")
                .unwrap()
                .unmoved()
                .as_str(),
            "5 0 3 * * *"
        );
        assert_eq!(later("*/5 * * * * *").as_str(), "*/5 * * * * *");
    }

    #[test]
    fn times_that_never_come_are_refused_with_advice() {
        assert!(
            CronExpression::parse("0 0 0 31 2 *")
                .unwrap_err()
                .contains("never")
        );
    }

    #[test]
    fn the_last_time_is_reckoned_in_the_time_zone_and_may_be_now() {
        let expression = CronExpression::parse("0 0 8 * * Mon-Fri").unwrap();
        let zone = chrono_tz::Europe::Copenhagen;
        let last = |now: &str| {
            let now: DateTime<Utc> = now.parse().unwrap();
            expression.last_until(now, zone).unwrap().to_rfc3339()
        };
        let friday = "2026-07-03T06:00:00+00:00";
        assert_eq!(last("2026-07-03T06:00:00.250Z"), friday);
        assert_eq!(last("2026-07-05T23:00:00Z"), friday);
        assert_eq!(last("2026-07-06T05:59:59.999Z"), friday);
    }

    #[test]
    fn the_next_time_is_reckoned_in_the_time_zone() {
        let expression = CronExpression::parse("0 0 3 * * *").unwrap();
        let now: DateTime<Utc> = "2026-07-01T00:30:00Z".parse().unwrap();
        let next = expression
            .next_after(now, chrono_tz::Europe::Copenhagen)
            .unwrap();
        assert_eq!(next.to_rfc3339(), "2026-07-01T01:00:00+00:00");
    }
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
