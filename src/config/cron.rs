//! Schedules: cron expressions with six fields (seconds first) or five, and durations,
//! evaluated in the time zone of `[schedule]`.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use super::occurrence::{is_repeated, last_until, next_after};
use super::tree::SettingNode;
use super::values::text;
use crate::config::advice::Advice;
use crate::model::counted;

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
    /// Six fields, a short form such as `@daily`, or five fields with both a day of the month
    /// and a day of the week.
    fields: String,
    /// Whether [`CronExpression::later`] has moved it.
    is_moved: bool,
}

impl CronExpression {
    /// Parses an expression; the error says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = fields(text.trim())?;
        // Any start time will do: whether `0 0 0 31 2 *` ever matches does not depend on today.
        let mut ever = false;
        for expression in expressions(&text) {
            let cron = cron(&expression).map_err(|error| {
                if let Some(advice) = out_of_range(&expression) {
                    return advice;
                }
                let error = error.to_string().replace('\n', " ");
                let error = error.trim_end_matches('.');
                format!("{EXPECTED} ({error})")
            })?;
            let first = cron.find_next_occurrence(&DateTime::UNIX_EPOCH, false);
            ever |= first.is_ok();
        }
        if !ever {
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

    /// The schedule as text that [`CronExpression::parse`] takes.
    pub fn as_str(&self) -> &str {
        &self.fields
    }

    /// Expressions with six fields, for the scheduler: it runs at the times of all of them.
    pub fn expressions(&self) -> Vec<String> {
        expressions(&self.fields)
    }

    /// The first time after `now`, in whole seconds; `None` when there is none in the years
    /// the scheduler knows. An hour that is repeated at the end of summer time counts twice;
    /// a time that is skipped at its begin is moved behind the gap.
    pub fn next_after(&self, now: DateTime<Utc>, timezone: Tz) -> Option<DateTime<Utc>> {
        let now = now.trunc_subsecs(0);
        let crons = self.crons();
        let next = crons
            .iter()
            .filter_map(|cron| next_after(cron, now, timezone));
        next.min()
    }

    /// As [`CronExpression::next_after`], but a time of the day in an hour that is repeated at
    /// the end of summer time counts once, the first time, as in cron. A schedule for every
    /// hour continues as usual.
    pub fn next_once_after(&self, now: DateTime<Utc>, timezone: Tz) -> Option<DateTime<Utc>> {
        let mut next = self.next_after(now, timezone)?;
        while !self.is_of_every_hour() && is_repeated(next, timezone) {
            next = self.next_after(next, timezone)?;
        }
        Some(next)
    }

    fn is_of_every_hour(&self) -> bool {
        let mut words = self.fields.split_whitespace().rev();
        // The hour is the fourth field from the end.
        let hour = words.nth(3);
        self.fields == "@hourly" || hour.is_some_and(|hour| hour.starts_with('*'))
    }

    /// The last time not after `now`; `None` when there was none.
    pub fn last_until(&self, now: DateTime<Utc>, timezone: Tz) -> Option<DateTime<Utc>> {
        let now = now.trunc_subsecs(0);
        let crons = self.crons();
        let last = crons
            .iter()
            .filter_map(|cron| last_until(cron, now, timezone));
        last.max()
    }

    fn crons(&self) -> Vec<Cron> {
        let expressions = self.expressions().into_iter();
        expressions.filter_map(|one| cron(&one).ok()).collect()
    }
}

/// The six fields of an expression: five fields run at second 0, as those of cron do, and a
/// duration runs at its multiples since midnight.
fn fields(text: &str) -> Result<String, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.len() {
        5 if has_either_day(&words) => Ok(words.join(" ")),
        5 => Ok(format!("0 {text}")),
        1 => match humantime::parse_duration(text) {
            Ok(every) => fields_of(every),
            Err(_) => Ok(text.to_owned()),
        },
        6 => Ok(text.to_owned()),
        fields => Err(format!("{EXPECTED} (it has {})", counted(fields, "field"))),
    }
}

/// Whether five fields limit both the day of the month and that of the week. One of them is
/// enough then, as cron(5) says; with six fields, both must match.
fn has_either_day(words: &[&str]) -> bool {
    let is_open = |day: &str| day.starts_with(['*', '?', '+']);
    matches!(words, [_, _, day, _, weekday] if !is_open(day) && !is_open(weekday))
}

/// The expressions with six fields that together have the times of `fields`.
fn expressions(fields: &str) -> Vec<String> {
    let words: Vec<&str> = fields.split_whitespace().collect();
    match words[..] {
        [minute, hour, day, month, weekday] => vec![
            format!("0 {minute} {hour} {day} {month} *"),
            format!("0 {minute} {hour} * {month} {weekday}"),
        ],
        _ => vec![fields.to_owned()],
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

/// The first number of six fields that is too small or too large, with what is possible.
fn out_of_range(expression: &str) -> Option<String> {
    const FIELDS: [(&str, u64, u64); 6] = [
        ("a second", 0, 59),
        ("a minute", 0, 59),
        ("an hour", 0, 23),
        ("a day of the month", 1, 31),
        ("a month", 1, 12),
        ("a day of the week", 0, 7),
    ];
    let fields = FIELDS.into_iter().zip(expression.split_whitespace());
    let mut wrong = fields.flat_map(|((name, least, most), field)| {
        let parts = field.split(',').filter_map(|part| part.split('/').next());
        let numbers = parts.flat_map(|part| part.split('-'));
        let numbers = numbers.filter_map(|number| number.parse().ok());
        let wrong = numbers.filter(move |number| !(least..=most).contains(number));
        wrong
            .map(move |number: u64| format!("expected {name} from {least} to {most}, got {number}"))
    });
    wrong.next()
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

pub(super) fn expression(node: &SettingNode) -> Result<CronExpression, Advice> {
    CronExpression::parse(&text(node)?).map_err(Advice::from)
}

pub(super) fn timezone(node: &SettingNode) -> Result<Tz, Advice> {
    text(node)?.parse().map_err(|_| {
        "expected a time zone name from the IANA database, such as `UTC` or `Europe/Copenhagen`"
            .into()
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use chrono::{DateTime, Utc};
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
    fn seven_fields_are_refused() {
        let error = CronExpression::parse("0 0 8 * * * 2027").unwrap_err();
        assert!(error.ends_with("(it has 7 fields)"), "{error}");
    }

    /// The next times, as local time.
    fn times(text: &str, from: &str, zone: chrono_tz::Tz) -> Vec<String> {
        let expression = CronExpression::parse(text).unwrap();
        let mut now: DateTime<Utc> = from.parse().unwrap();
        let mut times = Vec::new();
        for _ in 0..4 {
            now = expression.next_after(now, zone).unwrap();
            assert_eq!(expression.last_until(now, zone), Some(now), "{text}");
            times.push(
                now.with_timezone(&zone)
                    .format("%m-%d %H:%M %Z")
                    .to_string(),
            );
        }
        times
    }

    #[test]
    fn of_two_days_in_five_fields_one_is_enough_and_in_six_both_must_match() {
        let from = "2026-11-30T07:00:00.5Z";
        let utc = chrono_tz::UTC;
        assert_eq!(
            times("0 8 1 * Mon", from, utc),
            [
                "11-30 08:00 UTC",
                "12-01 08:00 UTC",
                "12-07 08:00 UTC",
                "12-14 08:00 UTC"
            ]
        );
        assert_eq!(times("0 0 8 1 * Mon", from, utc)[0], "02-01 08:00 UTC");
        assert_eq!(times("0 8 */2 * Mon", from, utc)[0], "12-07 08:00 UTC");
        let either = CronExpression::parse("0  8 1 * Mon").unwrap();
        assert_eq!(CronExpression::parse(either.as_str()).unwrap(), either);
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
}
