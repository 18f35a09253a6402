//! Times in filters: dates, times, durations, and days such as `today` or `monday`.

use std::fmt;
use std::time::Duration;

use chrono::{
    DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc,
    Weekday,
};
use chrono_tz::Tz;

use super::error::Fault;
use super::field::TimeField;
use super::operator::Value;
use super::tree::{Filter, Order, Test};
use crate::model::time::{moment_in, parse_local_time, parse_time};

/// Longest time ago.
const MAX_AGO: Duration = Duration::from_hours(200 * 365 * 24);

/// A time, or one that depends on when it is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A time.
    At(DateTime<Utc>),
    /// So long ago.
    Ago(TimeDelta),
    /// A time of the clocks of a time zone.
    Civil(Civil, Tz),
}

/// A time without its time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Civil {
    /// This one.
    Time(NaiveDateTime),
    /// The midnight with which the day so many days after today began or begins.
    FromToday(i64),
    /// The last midnight with which such a day began, and so many days later.
    Since(Weekday, i64),
}

impl Moment {
    /// The time, seen from `now`.
    pub fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.checked_sub_signed(ago).unwrap_or(DateTime::UNIX_EPOCH),
            Self::Civil(civil, zone) => moment_in(zone, civil.seen_from(now, zone)),
        }
    }
}

impl Civil {
    fn seen_from(self, now: DateTime<Utc>, zone: Tz) -> NaiveDateTime {
        let today = now.with_timezone(&zone).date_naive();
        let days = match self {
            Self::Time(time) => return time,
            Self::FromToday(days) => days,
            Self::Since(weekday, days) => days - i64::from(today.weekday().days_since(weekday)),
        };
        let day = today.checked_add_signed(TimeDelta::days(days));
        day.unwrap_or(today).and_time(NaiveTime::MIN)
    }
}

/// As it would be written.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => f.write_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            Self::Ago(ago) => {
                let ago = ago.to_std().unwrap_or_default();
                write!(f, "{} ago", humantime::format_duration(ago))
            }
            Self::Civil(civil, zone) => {
                match civil {
                    Civil::Time(time) if time.time() == NaiveTime::MIN => {
                        write!(f, "{}", time.format("%Y-%m-%d"))?;
                    }
                    Civil::Time(time) => write!(f, "\"{}\"", time.format("%Y-%m-%d %H:%M:%S%.f"))?,
                    Civil::FromToday(-1) => f.write_str("yesterday")?,
                    Civil::FromToday(0) => f.write_str("today")?,
                    Civil::FromToday(1) => f.write_str("tomorrow")?,
                    Civil::FromToday(_) => f.write_str("the day after tomorrow")?,
                    Civil::Since(weekday, 0) => f.write_str(name(*weekday))?,
                    Civil::Since(weekday, _) => write!(f, "the day after {}", name(*weekday))?,
                }
                match zone {
                    Tz::UTC => Ok(()),
                    zone => write!(f, " ({zone})"),
                }
            }
        }
    }
}

fn name(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Mon => "monday",
        Weekday::Tue => "tuesday",
        Weekday::Wed => "wednesday",
        Weekday::Thu => "thursday",
        Weekday::Fri => "friday",
        Weekday::Sat => "saturday",
        Weekday::Sun => "sunday",
    }
}

impl Filter {
    /// Takes days and times that are written without a time zone as those of `zone`. Until
    /// then they are UTC.
    pub fn set_zone(&mut self, zone: Tz) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter_mut().for_each(|part| part.set_zone(zone));
            }
            Self::Not(part) => part.set_zone(zone),
            Self::Test(Test::Time {
                value: Moment::Civil(_, of),
                ..
            }) => *of = zone,
            Self::Test(_) => {}
        }
    }

    /// Whether it has such days or times.
    pub fn depends_on_zone(&self) -> bool {
        let is_civil = |test: &&Test| {
            matches!(
                test,
                Test::Time {
                    value: Moment::Civil(..),
                    ..
                }
            )
        };
        self.tests().iter().any(is_civil)
    }
}

/// A comparison with a time.
pub(super) fn time(field: TimeField, order: Order, value: &Value) -> Result<Filter, Fault> {
    let compared = |order, value| {
        Filter::Test(Test::Time {
            field,
            order,
            value,
        })
    };
    let text = value.text.trim();
    if let Some(ago) = ago(value)? {
        if order == Order::Equal {
            return Err(value.wrong("a duration needs <, <=, > or >="));
        }
        return Ok(compared(order, Moment::Ago(ago)));
    }
    if let Some((day, next)) = day(text) {
        let (day, next) = (Moment::Civil(day, Tz::UTC), Moment::Civil(next, Tz::UTC));
        return Ok(match order {
            Order::Equal => Filter::All(vec![
                compared(Order::GreaterOrEqual, day),
                compared(Order::Less, next),
            ]),
            Order::Less | Order::GreaterOrEqual => compared(order, day),
            Order::LessOrEqual => compared(Order::Less, next),
            Order::Greater => compared(Order::GreaterOrEqual, next),
        });
    }
    let at = parse_time(text).ok_or_else(|| {
        value.wrong(format!(
            "expected a duration (7d), a day (today, yesterday, monday), a date (2026-11-01) or a time (2026-11-01T12:00:00Z), got `{text}`"
        ))
    })?;
    let moment = match parse_local_time(text) {
        Some(time) => Moment::Civil(Civil::Time(time), Tz::UTC),
        None => Moment::At(at),
    };
    Ok(compared(order, moment))
}

/// A duration before now.
fn ago(value: &Value) -> Result<Option<TimeDelta>, Fault> {
    let text = value.text.trim();
    if text.eq_ignore_ascii_case("now") {
        return Ok(Some(TimeDelta::zero()));
    }
    let plain = text.strip_suffix(" ago").unwrap_or(text);
    let Ok(ago) = humantime::parse_duration(plain) else {
        return Ok(None);
    };
    let ago = (ago <= MAX_AGO).then(|| TimeDelta::from_std(ago).ok());
    match ago.flatten() {
        Some(ago) => Ok(Some(ago)),
        None => Err(value.wrong("expected at most 200 years")),
    }
}

/// The beginning of a day and that of the next one.
fn day(text: &str) -> Option<(Civil, Civil)> {
    let from_today = |days| Some((Civil::FromToday(days), Civil::FromToday(days + 1)));
    match text.to_ascii_lowercase().as_str() {
        "yesterday" => return from_today(-1),
        "today" => return from_today(0),
        "tomorrow" => return from_today(1),
        word => {
            if let Ok(weekday) = word.parse::<Weekday>() {
                return Some((Civil::Since(weekday, 0), Civil::Since(weekday, 1)));
            }
        }
    }
    // Years that PostgreSQL and RFC 3339 have.
    parse_time(text)?;
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let begin = |day: NaiveDate| Civil::Time(day.and_time(NaiveTime::MIN));
    Some((begin(day), begin(day.succ_opt()?)))
}
