//! Parses times in filters: dates, times, durations, and days such as `today` or `monday`.

use std::time::Duration;

use chrono::{NaiveDate, NaiveTime, TimeDelta, Weekday};
use chrono_tz::Tz;

use super::error::FilterFault;
use super::field::TimeField;
use super::moment::{Civil, FilterTime};
use super::operator::Value;
use super::tree::{Filter, OrderComparison, Test};
use crate::model::time::{parse_local_time, parse_month, parse_time, parse_year};

/// Longest time ago.
const MAX_AGO: Duration = Duration::from_hours(200 * 365 * 24);

impl Filter {
    /// Takes days and times that are written without a time zone as those of `zone`. Until
    /// then they are UTC.
    pub fn set_zone(&mut self, zone: Tz) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.set_zone(zone);
                }
            }
            Self::Not(part) => part.set_zone(zone),
            Self::Test(Test::Time {
                value: FilterTime::Civil(_, of),
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
                    value: FilterTime::Civil(..),
                    ..
                }
            )
        };
        self.tests().iter().any(is_civil)
    }
}

/// A comparison with a time.
pub(super) fn time(
    field: TimeField,
    order: OrderComparison,
    value: &Value,
) -> Result<Filter, FilterFault> {
    let compared = |order, value| {
        Filter::Test(Test::Time {
            field,
            order,
            value,
        })
    };
    let text = value.text.trim();
    if let Some(ago) = ago(value)? {
        if order == OrderComparison::Equal {
            return Err(value.wrong("a duration needs <, <=, > or >="));
        }
        return Ok(compared(order, FilterTime::Ago(ago)));
    }
    if let Some((day, next)) = day(text).or_else(|| month_or_year(text)) {
        let (day, next) = (
            FilterTime::Civil(day, Tz::UTC),
            FilterTime::Civil(next, Tz::UTC),
        );
        return Ok(match order {
            OrderComparison::Equal => Filter::All(vec![
                compared(OrderComparison::GreaterOrEqual, day),
                compared(OrderComparison::Less, next),
            ]),
            OrderComparison::Less | OrderComparison::GreaterOrEqual => compared(order, day),
            OrderComparison::LessOrEqual => compared(OrderComparison::Less, next),
            OrderComparison::Greater => compared(OrderComparison::GreaterOrEqual, next),
        });
    }
    let at = parse_time(text).ok_or_else(|| {
        value.wrong(format!(
            "expected a duration (7d), a day (today, yesterday, monday), a date (2026-11-01), a month (2026-11), a year (2026) or a time (2026-11-01T12:00:00Z), got `{text}`"
        ))
    })?;
    let moment = match parse_local_time(text) {
        Some(time) => FilterTime::Civil(Civil::Time(time), Tz::UTC),
        None => FilterTime::At(at),
    };
    Ok(compared(order, moment))
}

/// A duration before now.
fn ago(value: &Value) -> Result<Option<TimeDelta>, FilterFault> {
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

/// The beginning of a month or year and that of the next one.
fn month_or_year(text: &str) -> Option<(Civil, Civil)> {
    let (first, next) = parse_month(text).or_else(|| parse_year(text))?;
    let begin = |day: NaiveDate| Civil::Time(day.and_time(NaiveTime::MIN));
    Some((begin(first), begin(next)))
}
