//! Parsing upstream's times.

use std::ops::RangeInclusive;

use chrono::{
    DateTime, Datelike as _, Months, NaiveDate, NaiveDateTime, TimeDelta, TimeZone as _, Utc,
};
use chrono_tz::Tz;

/// Date and time with a time zone, whose minutes may be missing.
const ZONED: [&str; 7] = [
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f %#z",
    "%Y-%m-%dT%H:%M%#z",
    "%Y-%m-%d %H:%M%#z",
    "%Y-%m-%d %H:%M %#z",
    "%Y%m%dT%H%M%S%#z",
];
/// Date and time without a time zone.
const PLAIN: [&str; 9] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%Y%m%dT%H%M%S",
    "%d %b %Y %H:%M:%S",
    "%d %b %Y %H:%M",
    "%B %d, %Y %H:%M:%S",
    "%B %d, %Y %H:%M",
];
/// Digits alone, where they are no plausible number of seconds or milliseconds since 1970.
const DIGITS: [(usize, &str); 2] = [(14, "%Y%m%d%H%M%S"), (12, "%Y%m%d%H%M")];
/// Years of a plausible time. What lies before is a placeholder, or a year of two digits.
const YEARS: RangeInclusive<i32> = 1970..=9999;
/// Years of a plausible number of seconds or milliseconds since 1970.
const YEARS_SINCE_1970: RangeInclusive<i32> = 1980..=2100;
const DATES: [&str; 4] = ["%Y-%m-%d", "%Y%m%d", "%d %b %Y", "%B %d, %Y"];
/// Notations of UTC besides `+00:00`.
const UTC_NAMES: [&str; 5] = [" UTC", " GMT", "UTC", "GMT", "Z"];

/// Whether a modification time lies more than a day in the future of `now`: no clock is
/// that wrong, so the time is.
pub fn is_implausible(modified_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    modified_at - now > TimeDelta::days(1)
}

/// Whether a time of upstream is later than another one; no time is earlier than any. If one of
/// them has no fraction of a second, whole seconds are compared: the feed and the JSON API may
/// write the same time differently. The same as `advisoryd.is_later` in the database.
pub fn is_later(one: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) -> bool {
    let (Some(this), Some(that)) = (one, other) else {
        return one > other;
    };
    let has_fraction = |time: DateTime<Utc>| time.timestamp_subsec_nanos() > 0;
    if has_fraction(this) && has_fraction(that) {
        return this > that;
    }
    this.timestamp() > that.timestamp()
}

/// Parses a month such as `2026-11`: its first day, and that of the next one.
pub fn parse_month(text: &str) -> Option<(NaiveDate, NaiveDate)> {
    let text = text.trim();
    let is_plain = text.len() == "2026-11".len();
    let first = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok();
    let first = first.filter(|first| is_plain && YEARS.contains(&first.year()))?;
    Some((first, first.checked_add_months(Months::new(1))?))
}

/// Parses a year such as `2026`: its first day, and that of the next one.
pub fn parse_year(text: &str) -> Option<(NaiveDate, NaiveDate)> {
    let text = text.trim();
    let is_plain = text.len() == "2026".len() && text.bytes().all(|byte| byte.is_ascii_digit());
    let year = text
        .parse()
        .ok()
        .filter(|year| is_plain && YEARS.contains(year))?;
    let first = NaiveDate::from_ymd_opt(year, 1, 1)?;
    Some((first, NaiveDate::from_ymd_opt(year + 1, 1, 1)?))
}

/// Parses a time in any format that upstream is known or likely to use (contract
/// §4): RFC 3339 with `Z`, offset or fraction; RFC 822; seconds or milliseconds
/// since 1970; without seconds; the same without a time zone, taken as UTC; a date
/// alone, taken as its midnight in UTC. Only years from 1970 to 9999.
pub fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let time = since_1970(text)
        .or_else(|| digits(text))
        .or_else(|| zoned(text))
        .or_else(|| plain(text))?;
    YEARS.contains(&time.year()).then_some(time)
}

/// Seconds or milliseconds since 1970. Eight digits are a date; more digits than
/// milliseconds have are no time.
fn since_1970(text: &str) -> Option<DateTime<Utc>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(&text.replacen('.', "", 1)) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let since = match whole.len() {
        9..=11 => TimeDelta::try_seconds(number)? + fraction_of(fraction, 1_000_000),
        12..=14 => TimeDelta::try_milliseconds(number)? + fraction_of(fraction, 1000),
        _ => return None,
    };
    let time = DateTime::UNIX_EPOCH.checked_add_signed(since)?;
    YEARS_SINCE_1970.contains(&time.year()).then_some(time)
}

/// The fraction of a unit of so many microseconds. What is less than one is cut off, as the
/// database does not store it.
fn fraction_of(digits: &str, mut unit_micros: i64) -> TimeDelta {
    let mut micros = 0;
    for digit in digits.bytes() {
        unit_micros /= 10;
        micros += unit_micros * i64::from(digit - b'0');
    }
    TimeDelta::microseconds(micros)
}

/// `20260301100000`.
fn digits(text: &str) -> Option<DateTime<Utc>> {
    let shape = DIGITS.iter().find(|(length, _)| *length == text.len());
    let time = NaiveDateTime::parse_from_str(text, shape?.1).ok()?;
    Some(time.and_utc())
}

fn zoned(text: &str) -> Option<DateTime<Utc>> {
    let standard =
        DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text));
    if let Ok(time) = standard {
        return Some(time.with_timezone(&Utc));
    }
    let mut times = ZONED
        .iter()
        .map(|shape| DateTime::parse_from_str(text, shape));
    let time = times.find_map(Result::ok)?;
    Some(time.with_timezone(&Utc))
}

fn plain(text: &str) -> Option<DateTime<Utc>> {
    let mut names = UTC_NAMES.iter();
    let text = names
        .find_map(|name| text.strip_suffix(name))
        .unwrap_or(text);
    without_zone(text).map(|time| time.and_utc())
}

/// Whether a text is a date and time without a time zone.
pub fn is_local_time(text: &str) -> bool {
    let text = text.trim();
    since_1970(text).is_none() && (digits(text).is_some() || without_zone(text).is_some())
}

/// Parses a date, taken as its midnight, or a date and time without a time zone. Only
/// years from 1 to 9999.
pub fn parse_local_time(text: &str) -> Option<NaiveDateTime> {
    let time = without_zone(text.trim())?;
    (1..=9999).contains(&time.year()).then_some(time)
}

fn without_zone(text: &str) -> Option<NaiveDateTime> {
    let mut times = PLAIN
        .iter()
        .map(|shape| NaiveDateTime::parse_from_str(text, shape));
    if let Some(time) = times.find_map(Result::ok) {
        return Some(time);
    }
    let mut dates = DATES
        .iter()
        .map(|shape| NaiveDate::parse_from_str(text, shape));
    let date = dates.find_map(Result::ok)?;
    date.and_hms_opt(0, 0, 0)
}

/// The moment that clocks in `zone` show `civil`, for the first time if they do so twice. In
/// the hour that is skipped when clocks are put forward: after it.
pub fn moment_in(zone: Tz, civil: NaiveDateTime) -> DateTime<Utc> {
    let skipped = || (civil + TimeDelta::hours(1)).and_local_timezone(zone);
    let found = zone.from_local_datetime(&civil).earliest();
    found
        .or_else(|| skipped().earliest())
        .map_or_else(|| civil.and_utc(), |at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::parse_time;

    fn read(text: &str) -> Option<String> {
        parse_time(text).map(|time| time.to_rfc3339())
    }

    #[test]
    fn times_with_fractions_offsets_and_none_are_read() {
        for text in [
            "2019-03-01T13:35:05Z",
            "2019-03-01T13:35:05.000Z",
            "2019-03-01T14:35:05+01:00",
            "2019-03-01T14:35:05+0100",
            "2019-03-01T14:35:05+01",
            "2019-03-01 08:35:05-05",
            "Mar 1, 2019 13:35:05",
            "March 1, 2019 13:35:05",
            "2019-03-01 13:35:05",
            " 2019-03-01T13:35:05 ",
            "2019-03-01 13:35:05 UTC",
            "20190301T133505Z",
            "Fri, 01 Mar 2019 13:35:05 GMT",
            "Fri, 1 Mar 2019 14:35:05 +0100",
            "01 Mar 2019 13:35:05",
            "1551447305",
            "1551447305000",
            "1551447305.0",
            "20190301133505",
        ] {
            assert_eq!(
                read(text).as_deref(),
                Some("2019-03-01T13:35:05+00:00"),
                "{text}"
            );
        }
    }

    #[test]
    fn fractions_of_seconds_and_milliseconds_since_1970_are_read() {
        for (text, wanted) in [
            ("1551447305.25", "2019-03-01T13:35:05.250+00:00"),
            ("1551447305.1234567", "2019-03-01T13:35:05.123456+00:00"),
            ("1551447305000.5", "2019-03-01T13:35:05.000500+00:00"),
        ] {
            assert_eq!(read(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn minutes_and_dates_are_read() {
        for text in [
            "2019-03-01T13:35Z",
            "2019-03-01 13:35",
            "2019-03-01T14:35+01:00",
        ] {
            assert_eq!(
                read(text).as_deref(),
                Some("2019-03-01T13:35:00+00:00"),
                "{text}"
            );
        }
        for text in ["2019-03-01", "2019-03-01Z", "20190301", "01 Mar 2019"] {
            assert_eq!(
                read(text).as_deref(),
                Some("2019-03-01T00:00:00+00:00"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_of_the_calendar_is_none() {
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "0",
            "17",
            "300001",
            "99999999999999999999",
            "99999999999999",
            "26-03-01",
            "0001-01-01T00:00:00",
            "0026-03-01T00:00:00Z",
            "1899-12-30",
            "0000-01-01T00:00:00Z",
            "-9999-01-01T00:00:00",
            "+262000-01-01T00:00:00Z",
            "CVE-2026-0001",
            "1.2.3",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
