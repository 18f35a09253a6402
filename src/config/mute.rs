//! `[[alerts.mute_times]]`: recurring times in which messages are held back, as Alertmanager's
//! time intervals.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;

use super::cron::timezone;
use super::lists;
use super::section::Section;
use super::tree::SettingNode;
use super::values::{each_item, text, texts};
use crate::config::advice::Advice;

/// Maximum number of mute times, and of entries of each key.
const MAX_ENTRIES: usize = 100;
/// A message is held back no longer, even if the times leave no gap.
const LONGEST: TimeDelta = TimeDelta::days(40);
const WEEKDAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Recurring times. Each key that is not empty must match; an entry of a key suffices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuteTime {
    /// Unique name.
    pub name: String,
    /// Minutes of the day: from the first up to, not including, the second.
    times: Vec<(u32, u32)>,
    /// Days of the week, 0 = Sunday.
    weekdays: Vec<(i32, i32)>,
    /// Days of the month; negative ones count from its end.
    days_of_month: Vec<(i32, i32)>,
    /// Months, 1 = January.
    months: Vec<(i32, i32)>,
    /// Time zone; if omitted, that of `[schedule]`.
    location: Option<Tz>,
}

impl MuteTime {
    /// Whether messages are held back at this time.
    pub fn contains(&self, at: DateTime<Utc>, zone: Tz) -> bool {
        let local = at.with_timezone(&self.location.unwrap_or(zone));
        let minute = local.hour() * 60 + local.minute();
        let (day, last) = (local.day(), days_in_month(local.date_naive()));
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let is_within = |ranges: &[(i32, i32)], value: i32| {
            let mut ranges = ranges.iter();
            ranges.any(|(from, to)| (*from..=*to).contains(&value))
        };
        let weekday = number(local.weekday().num_days_from_sunday());
        (self.times.is_empty()
            || self
                .times
                .iter()
                .any(|(from, to)| (*from..*to).contains(&minute)))
            && (self.weekdays.is_empty() || is_within(&self.weekdays, weekday))
            && (self.days_of_month.is_empty() || self.has_day(number(day), number(last)))
            && (self.months.is_empty() || is_within(&self.months, number(local.month())))
    }

    /// Whether `days_of_month` has this day of a month whose last day is `last`.
    fn has_day(&self, day: i32, last: i32) -> bool {
        let of = |day: i32| if day < 0 { last + 1 + day } else { day };
        let mut ranges = self.days_of_month.iter();
        ranges.any(|(from, to)| (of(*from)..=of(*to)).contains(&day))
    }

    fn read(mut section: Section<'_>, seen: &mut BTreeSet<String>) -> Option<Self> {
        let has_name = section.has("name");
        let name = section.optional("name", lists::name);
        match &name {
            Some(name) if !seen.insert(name.clone()) => {
                section.wrong("name", name, "expected a unique name");
            }
            None if !has_name => section.missing("name", "add one, such as `name = \"nights\"`"),
            _ => {}
        }
        let weekday = |text: &str| position(&WEEKDAYS, text);
        let month = |text: &str| {
            position(&MONTHS, text)
                .map(|month| month + 1)
                .or_else(|| numbered(text, 1..=12))
        };
        let day = |text: &str| numbered(text, -31..=31).filter(|day| *day != 0);
        let given = ["times", "weekdays", "days_of_month", "months"].map(|key| section.has(key));
        let mute = Self {
            times: section.value("times", Vec::new(), times),
            weekdays: section.value(
                "weekdays",
                Vec::new(),
                ranges(weekday, "`monday` or `monday:friday`"),
            ),
            days_of_month: section.value(
                "days_of_month",
                Vec::new(),
                ranges(day, "`1`, `1:7` or `-3:-1`"),
            ),
            months: section.value("months", Vec::new(), ranges(month, "`december` or `6:8`")),
            location: section.optional("location", timezone),
            name: name?,
        };
        let read = [
            mute.times.is_empty(),
            mute.weekdays.is_empty(),
            mute.days_of_month.is_empty(),
            mute.months.is_empty(),
        ];
        // What could not be read is an error already.
        let mut read = read.into_iter().zip(given);
        let is_read = read.all(|(is_empty, is_given)| !is_empty || !is_given);
        if is_read && mute.is_always() {
            let why = "would hold back everything; limit it by `times`, `weekdays`, `days_of_month` or `months`";
            section.unusable("name", why);
        }
        section.close();
        Some(mute)
    }

    fn is_always(&self) -> bool {
        let minute = |minute| {
            self.times
                .iter()
                .any(|(from, to)| (*from..*to).contains(&minute))
        };
        let within = |ranges: &[(i32, i32)], all: std::ops::RangeInclusive<i32>| {
            let mut all = all.into_iter();
            all.all(|value| {
                ranges
                    .iter()
                    .any(|(from, to)| (*from..=*to).contains(&value))
            })
        };
        let is_every_day = (28..=31).all(|last| (1..=last).all(|day| self.has_day(day, last)));
        (self.times.is_empty() || (0..24 * 60).all(minute))
            && (self.weekdays.is_empty() || within(&self.weekdays, 0..=6))
            && (self.days_of_month.is_empty() || is_every_day)
            && (self.months.is_empty() || within(&self.months, 1..=12))
    }
}

/// Reads `[[alerts.mute_times]]`.
pub(super) fn mute_times(alerts: &mut Section<'_>) -> Vec<MuteTime> {
    let mut seen = BTreeSet::new();
    let mut all = alerts.each("mute_times", |section| MuteTime::read(section, &mut seen));
    if all.len() > MAX_ENTRIES {
        let advice = format!("expected at most {MAX_ENTRIES}");
        alerts.wrong("mute_times", &format!("{} entries", all.len()), &advice);
        all.truncate(MAX_ENTRIES);
    }
    all
}

/// The first time from `at` on at which none of these holds messages back, to the minute.
pub fn end_of_mute(mutes: &[&MuteTime], at: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let contains = |at| mutes.iter().any(|mute| mute.contains(at, zone));
    let mut end = at;
    while contains(end) && end - at < LONGEST {
        let seconds = i64::from(60 - end.second());
        end += TimeDelta::seconds(seconds) - TimeDelta::nanoseconds(end.nanosecond().into());
    }
    end
}

/// Whether these together hold messages back in every month for as long as that is looked at:
/// nothing would be sent in time. False where that depends on the time zone of `[schedule]`.
pub(super) fn leave_no_gap(mutes: &[&MuteTime]) -> bool {
    /// A year with 366 days.
    const YEAR: i32 = 2028;
    let is_located = |mute: &&MuteTime| mute.location.is_some();
    if mutes.iter().any(is_located) != mutes.iter().all(is_located) {
        return false;
    }
    (1..=12).all(|month| {
        let first = NaiveDate::from_ymd_opt(YEAR, month, 1).unwrap_or_default();
        let first = first.and_time(chrono::NaiveTime::MIN).and_utc();
        end_of_mute(mutes, first, Tz::UTC) - first >= LONGEST
    })
}

fn days_in_month(day: NaiveDate) -> u32 {
    let first = day.with_day(1).unwrap_or(day);
    let next = first.checked_add_months(chrono::Months::new(1));
    next.and_then(|next| next.pred_opt())
        .map_or(31, |last| last.day())
}

fn position(names: &[&str], text: &str) -> Option<i32> {
    let text = text.trim().to_ascii_lowercase();
    let position = names.iter().position(|name| *name == text)?;
    i32::try_from(position).ok()
}

fn numbered(text: &str, limits: std::ops::RangeInclusive<i32>) -> Option<i32> {
    text.trim()
        .parse()
        .ok()
        .filter(|number| limits.contains(number))
}

fn entries(node: &SettingNode) -> Result<Vec<String>, Advice> {
    let entries = texts(node)?;
    if entries.is_empty() || entries.len() > MAX_ENTRIES {
        return Err(format!("expected 1 to {MAX_ENTRIES} entries").into());
    }
    Ok(entries)
}

/// Entries such as `monday` or `monday:friday`.
fn ranges(
    read: impl Fn(&str) -> Option<i32>,
    example: &'static str,
) -> impl FnOnce(&SettingNode) -> Result<Vec<(i32, i32)>, Advice> {
    move |node| {
        let entries = entries(node)?;
        let range = |text: &String| {
            let (from, to) = text.split_once(':').unwrap_or((text, text));
            let (from, to) = (read(from)?, read(to)?);
            (from.signum() * to.signum() < 0 || from <= to).then_some((from, to))
        };
        let wrong = |text: &String| {
            let advice =
                format!("`{text}` is not one; expected a list of entries such as {example}");
            Advice::from(advice)
        };
        each_item(node, &entries, |text| {
            range(text).ok_or_else(|| wrong(text))
        })
    }
}

/// Entries such as `20:00-24:00`.
fn times(node: &SettingNode) -> Result<Vec<(u32, u32)>, Advice> {
    let entries = entries(node)?;
    let minute = |text: &str| {
        let (hours, minutes) = text.trim().split_once(':')?;
        let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let minute = hours * 60 + minutes;
        (minutes < 60 && minute <= 24 * 60).then_some(minute)
    };
    let range = |text: &String| {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (minute(from)?, minute(to)?);
        (from < to).then_some((from, to))
    };
    let wrong = |text: &String| {
        Advice::from(format!(
            "`{text}` is not one; expected a list of times within a day such as `20:00-24:00`; for a night write two entries"
        ))
    };
    each_item(node, &entries, |text| {
        range(text).ok_or_else(|| wrong(text))
    })
}

/// The schedule of a digest.
pub(super) fn schedule(node: &SettingNode) -> Result<String, Advice> {
    let text = text(node)?;
    let parsed = super::cron::CronExpression::parse(&text)?;
    Ok(parsed.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use chrono::{DateTime, Utc};
    use chrono_tz::Tz;

    use super::end_of_mute;
    use crate::config::Config;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn a_message_waits_until_no_time_delays_it() {
        let config = Config::from_text(
            "c.toml",
            "[[alerts.mute_times]]\nname = \"nights\"\ntimes = [\"20:00-24:00\", \"00:00-06:30\"]\n\
             location = \"Europe/Berlin\"\n\
             [[alerts.mute_times]]\nname = \"weekends\"\nweekdays = [\"saturday\", \"sunday\"]\n\
             [[alerts.mute_times]]\nname = \"freeze\"\nmonths = [\"december\"]\ndays_of_month = [\"-2:-1\"]\n",
        )
        .unwrap();
        let mutes: Vec<_> = config.alerts.mute_times.iter().collect();
        for (from, to) in [
            // A Wednesday. Berlin is an hour ahead of UTC in November.
            ("2026-11-25T12:00:30Z", "2026-11-25T12:00:30Z"),
            ("2026-11-25T19:00:30Z", "2026-11-26T05:30:00Z"),
            ("2026-11-25T18:59:59Z", "2026-11-25T18:59:59Z"),
            // From Friday night over the weekend, in UTC, until Monday morning.
            ("2026-11-27T20:00:00Z", "2026-11-30T05:30:00Z"),
            // The last two days of December, and the night after.
            ("2026-12-30T12:00:00Z", "2027-01-01T05:30:00Z"),
            ("2026-12-29T12:00:00Z", "2026-12-29T12:00:00Z"),
        ] {
            assert_eq!(end_of_mute(&mutes, at(from), Tz::UTC), at(to), "{from}");
        }
    }

    #[test]
    fn mute_times_of_a_rule_that_leave_no_gap_together_are_refused() {
        let of = |second: &str| {
            let text = format!(
                "[[alerts.sinks]]\nname = \"log\"\nkind = \"log\"\n\
                 [[alerts.mute_times]]\nname = \"days\"\ntimes = [\"06:00-20:00\"]\n\
                 [[alerts.mute_times]]\nname = \"rest\"\n{second}\n\
                 [[alerts.rules]]\nname = \"soc\"\nsinks = [\"log\"]\nmute_times = [\"days\", \"rest\"]\n"
            );
            let error = Config::from_text("c.toml", &text).err();
            error.map_or_else(String::new, |error| error.to_string())
        };
        let error = of("times = [\"20:00-24:00\", \"00:00-06:00\"]");
        assert!(error.contains("leaves no time in which"), "{error}");
        assert_eq!(of("times = [\"20:00-24:00\", \"00:00-05:59\"]"), "");
        assert_eq!(of("weekdays = [\"saturday:saturday\"]"), "");
    }

    #[test]
    fn a_mute_time_that_cannot_be_meant_is_refused() {
        let refused = |keys: &str| {
            let text = format!("[[alerts.mute_times]]\nname = \"x\"\n{keys}\n");
            Config::from_text("c.toml", &text)
                .err()
                .map(|error| error.to_string())
        };
        for (keys, why) in [
            ("", "would hold back everything"),
            ("times = [\"00:00-24:00\"]", "would hold back everything"),
            (
                "times = [\"12:00-24:00\", \"00:00-12:00\"]\nweekdays = [\"sunday:saturday\"]",
                "would hold back everything",
            ),
            ("days_of_month = [\"1:-1\"]", "would hold back everything"),
            ("times = [\"22:00-06:00\"]", "write two entries"),
            (
                "times = [\"20:00-24:00\", \"0-6\"]",
                "`0-6` is not one; expected a list of times",
            ),
            (
                "weekdays = [\"monday\", \"someday\"]",
                "`someday` is not one",
            ),
            ("times = [\"22:00-24:01\"]", "write two entries"),
            ("weekdays = [\"someday\"]", "monday:friday"),
            ("weekdays = [\"friday:monday\"]", "monday:friday"),
            ("days_of_month = [\"0\"]", "-3:-1"),
            ("months = [\"13\"]", "december"),
            ("location = \"Moon\"", "time zone"),
        ] {
            let error = refused(keys).unwrap_or_default();
            assert!(error.contains(why), "{keys}: {error}");
        }
        assert_eq!(
            refused("months = [\"6:august\"]\ndays_of_month = [\"-3:-1\"]"),
            None
        );
    }
}
