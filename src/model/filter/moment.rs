//! Times that filters compare with: a time, a duration before now, or a day such as `today`.

use std::fmt;

use chrono::{
    DateTime, Datelike as _, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta, Utc, Weekday,
};
use chrono_tz::Tz;

use crate::model::time::moment_in;

/// A time, or one that depends on when it is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterTime {
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

impl FilterTime {
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
impl fmt::Display for FilterTime {
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
