//! Times that users write: `7d`, `yesterday`, `monday`, `2026-11-01`.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{
    DateTime, Datelike as _, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc,
    Weekday,
};

use super::exit::WrongUsage;
use super::times::Times;
use crate::model::{parse_local_time, parse_month, parse_time, parse_year};

/// A time as a user wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// So long ago.
    Ago(Duration),
    /// A time with its time zone.
    At(DateTime<Utc>),
    /// A time in the user's time zone.
    Civil(NaiveDateTime),
    /// A day in the user's time zone.
    Day(NaiveDate),
    /// A month in the user's time zone, by its first day.
    Month(NaiveDate),
    /// A year in the user's time zone, by its first day.
    Year(NaiveDate),
    /// Midnight so many days ago.
    DaysAgo(u64),
    /// The next midnight.
    Tomorrow,
    /// The last midnight at which such a day began, which may be that of today.
    Weekday(Weekday),
}

impl Since {
    /// Nothing here is older than 1970, so that what lies before means all of it.
    pub(super) fn time(self, now: DateTime<Utc>, times: Times) -> DateTime<Utc> {
        const ALL: DateTime<Utc> = DateTime::UNIX_EPOCH;
        let at = match self {
            Self::Ago(ago) => TimeDelta::from_std(ago)
                .ok()
                .and_then(|ago| now.checked_sub_signed(ago))
                .unwrap_or(ALL),
            Self::At(at) => at,
            Self::Civil(civil) => times.moment(civil),
            Self::Day(day) | Self::Month(day) | Self::Year(day) => {
                times.moment(day.and_time(NaiveTime::MIN))
            }
            Self::DaysAgo(days) => midnight(days, now, times),
            Self::Tomorrow => tomorrow(now, times),
            Self::Weekday(day) => {
                let today = times.civil(now).weekday();
                midnight(u64::from(today.days_since(day)), now, times)
            }
        };
        at.max(ALL)
    }

    /// The time until which something is meant: of a day, month or year its end, which is the
    /// beginning of the next one.
    pub(super) fn end(self, now: DateTime<Utc>, times: Times) -> DateTime<Utc> {
        let next = match self {
            Self::Day(day) => day.checked_add_days(Days::new(1)),
            Self::Month(day) => day.checked_add_months(Months::new(1)),
            Self::Year(day) => day.checked_add_months(Months::new(12)),
            Self::DaysAgo(_) | Self::Weekday(_) | Self::Tomorrow => {
                let day = times.civil(self.time(now, times)).date();
                day.checked_add_days(Days::new(1))
            }
            Self::Ago(_) | Self::At(_) | Self::Civil(_) => None,
        };
        next.map_or_else(
            || self.time(now, times),
            |day| times.moment(day.and_time(NaiveTime::MIN)),
        )
    }

    /// The end of something that begins now: a duration from now on, the end of a day or
    /// month, or a time. Of a day of the week the next one is meant, not today.
    ///
    /// # Errors
    /// It is later than the database can store.
    pub(super) fn end_ahead(
        self,
        now: DateTime<Utc>,
        times: Times,
    ) -> anyhow::Result<DateTime<Utc>> {
        // 31 December of the year 9999, the last day that all programs can read.
        const LAST: Option<DateTime<Utc>> = DateTime::from_timestamp(253_402_300_799, 0);
        let at = match self {
            Self::Ago(ahead) => TimeDelta::from_std(ahead)
                .ok()
                .and_then(|ahead| now.checked_add_signed(ahead)),
            Self::At(at) => Some(at),
            Self::Civil(civil) => Some(times.moment(civil)),
            Self::Weekday(day) => {
                let today = times.civil(now);
                let days = (day.days_since(today.weekday()) + 6) % 7 + 1;
                let day = today.date() + Days::new(u64::from(days));
                last_second(Self::Day(day).end(now, times))
            }
            Self::Day(_) | Self::Month(_) | Self::Year(_) | Self::DaysAgo(_) | Self::Tomorrow => {
                last_second(self.end(now, times))
            }
        };
        at.filter(|at| LAST.is_none_or(|last| *at <= last))
            .context("the time is too far in the future; use one before the year 10000")
    }
}

/// The last second before the end: it shows the day that was written.
fn last_second(end: DateTime<Utc>) -> Option<DateTime<Utc>> {
    end.checked_sub_signed(TimeDelta::seconds(1))
}

fn midnight(days_ago: u64, now: DateTime<Utc>, times: Times) -> DateTime<Utc> {
    let day = times.civil(now).date() - Days::new(days_ago);
    times.moment(day.and_time(NaiveTime::MIN))
}

fn tomorrow(now: DateTime<Utc>, times: Times) -> DateTime<Utc> {
    let day = times.civil(now).date() + Days::new(1);
    times.moment(day.and_time(NaiveTime::MIN))
}

/// Parses what a user wrote.
pub(super) fn since(text: &str) -> Result<Since, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(Since::Ago(ago));
    }
    if let Some(day) = day(text) {
        return Ok(Since::Day(day));
    }
    if let Some((first, _)) = parse_month(text) {
        return Ok(Since::Month(first));
    }
    if let Some((first, _)) = parse_year(text) {
        return Ok(Since::Year(first));
    }
    if let Some(civil) = parse_local_time(text) {
        return Ok(Since::Civil(civil));
    }
    if let Some(at) = parse_time(text) {
        return Ok(Since::At(at));
    }
    match text.trim().to_ascii_lowercase().as_str() {
        "now" => Ok(Since::Ago(Duration::ZERO)),
        "today" => Ok(Since::DaysAgo(0)),
        "yesterday" => Ok(Since::DaysAgo(1)),
        "tomorrow" => Ok(Since::Tomorrow),
        word => word.parse().map(Since::Weekday).map_err(|_| {
            "expected a duration (7d, 12h), a day (yesterday, tomorrow, monday), a date (2026-11-01), a month (2026-11), a year (2026) or a time (2026-11-01T12:00:00Z)"
                .to_owned()
        }),
    }
}

/// `2026-11-01`, in the range of times that are read.
fn day(text: &str) -> Option<NaiveDate> {
    let is_plain = text.trim().len() == "2026-11-01".len();
    let day = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok();
    day.filter(|day| is_plain && (1970..=9999).contains(&day.year()))
}

/// A time from which on, or a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeSpan {
    pub(super) from: Option<Since>,
    pub(super) to: Option<Since>,
}

/// Parses `WHEN` (from then on), `FROM..TO`, `..TO`, or a month or year (the whole of it).
pub(super) fn span(text: &str) -> Result<TimeSpan, String> {
    let Some((from, to)) = text.split_once("..") else {
        let from = since(text)?;
        let to = Some(from).filter(|from| matches!(from, Since::Month(_) | Since::Year(_)));
        let from = Some(from);
        return Ok(TimeSpan { from, to });
    };
    let read = |text: &str| (!text.trim().is_empty()).then(|| since(text)).transpose();
    let (from, to) = (read(from)?, read(to)?);
    if from.is_none() && to.is_none() {
        return Err("expected a time before or behind `..`".to_owned());
    }
    Ok(TimeSpan { from, to })
}

/// Refuses a time without length: nothing is in it.
pub(super) fn in_order(
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    times: Times,
) -> Result<(), WrongUsage> {
    match (from, to) {
        (Some(from), Some(to)) if from >= to => Err(WrongUsage(format!(
            "the time ends before it begins: it begins {}, and ends {}",
            times.exact(from),
            times.exact(to)
        ))),
        _ => Ok(()),
    }
}

/// A length of time, such as `30d`.
pub(super) fn length_of_time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| {
        let text = text.trim();
        let is_number = !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
        if is_number {
            format!("the unit is missing; for days write `{text}d`, for hours `{text}h`")
        } else {
            format!("expected a duration such as `30d`, `12h` or `90m` ({error})")
        }
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use chrono::{DateTime, Utc};

    use super::{since, span};
    use crate::cli::times::Times;

    /// A Saturday.
    fn now() -> DateTime<Utc> {
        "2026-11-28T17:58:04Z".parse().unwrap()
    }

    #[test]
    fn durations_days_dates_and_times_are_read() {
        for (text, wanted) in [
            ("7d", "2026-11-21T17:58:04Z"),
            ("now", "2026-11-28T17:58:04Z"),
            ("today", "2026-11-28T00:00:00Z"),
            ("Yesterday", "2026-11-27T00:00:00Z"),
            ("saturday", "2026-11-28T00:00:00Z"),
            ("Mon", "2026-11-23T00:00:00Z"),
            ("sunday", "2026-11-22T00:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01 12:30", "2026-11-01T12:30:00Z"),
            ("2026-10", "2026-10-01T00:00:00Z"),
            ("2026-11-01T12:00:00+02:00", "2026-11-01T10:00:00Z"),
            ("0001-01-01", "1970-01-01T00:00:00Z"),
            ("99999999d", "1970-01-01T00:00:00Z"),
            ("900000y", "1970-01-01T00:00:00Z"),
        ] {
            let at = since(text).unwrap().time(now(), Times::new(true));
            assert_eq!(at, wanted.parse::<DateTime<Utc>>().unwrap(), "{text}");
        }
        for text in ["soon", "-262000-01-01", "", "moonday"] {
            assert!(
                since(text).is_err_and(|why| why.contains("yesterday")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_span_ends_with_its_last_day() {
        let times = Times::new(true);
        for (text, from, to) in [
            ("2026-10", Some("2026-10-01"), Some("2026-11-01")),
            ("2026-10..2026-12", Some("2026-10-01"), Some("2027-01-01")),
            (
                "2026-10-03..2026-10-31",
                Some("2026-10-03"),
                Some("2026-11-01"),
            ),
            ("..yesterday", None, Some("2026-11-28")),
            ("monday..", Some("2026-11-23"), None),
            ("2026-10-03", Some("2026-10-03"), None),
        ] {
            let span = span(text).unwrap();
            let at = |day: &str| format!("{day}T00:00:00Z").parse::<DateTime<Utc>>().unwrap();
            assert_eq!(
                span.from.map(|one| one.time(now(), times)),
                from.map(at),
                "{text}"
            );
            assert_eq!(
                span.to.map(|one| one.end(now(), times)),
                to.map(at),
                "{text}"
            );
        }
        for text in ["..", "2026-13", "2026-10..soon", ""] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_ends_with_a_day_or_a_month_includes_it() {
        for (text, wanted) in [
            ("8h", "2026-11-29T01:58:04Z"),
            ("today", "2026-11-28T23:59:59Z"),
            ("tomorrow", "2026-11-29T23:59:59Z"),
            ("monday", "2026-11-30T23:59:59Z"),
            ("saturday", "2026-12-05T23:59:59Z"),
            ("2026-12-31", "2026-12-31T23:59:59Z"),
            ("2026-12", "2026-12-31T23:59:59Z"),
            ("9999-12-31", "9999-12-31T23:59:59Z"),
            ("2026-12-31T12:00:00Z", "2026-12-31T12:00:00Z"),
            ("2026-12-31 12:00", "2026-12-31T12:00:00Z"),
        ] {
            let at = since(text).unwrap().end_ahead(now(), Times::new(true));
            assert_eq!(
                at.unwrap(),
                wanted.parse::<DateTime<Utc>>().unwrap(),
                "{text}"
            );
        }
        let far = since("900000y").unwrap().end_ahead(now(), Times::new(true));
        assert!(far.is_err());
    }
}
