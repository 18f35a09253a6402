//! Times as people read them. On a terminal they are in the user's time zone, elsewhere
//! in UTC (RFC 3339).

use std::env;
use std::io::IsTerminal as _;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::model::moment_in;

/// How times are printed, and which time zone the user's own times are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    zone: Tz,
    is_for_people: bool,
}

impl Times {
    /// For standard output; `utc` overrides the user's time zone.
    pub(super) fn new(utc: bool) -> Self {
        Self {
            zone: if utc { Tz::UTC } else { local_zone() },
            is_for_people: std::io::stdout().is_terminal(),
        }
    }

    /// The day; for programs the time.
    pub(super) fn day(self, at: DateTime<Utc>) -> String {
        if self.is_for_people {
            self.local(at, "%Y-%m-%d")
        } else {
            machine(at)
        }
    }

    /// The day and the minute, in a column whose heading has the time zone; for programs the
    /// time.
    pub(super) fn minute(self, at: DateTime<Utc>) -> String {
        if self.is_for_people {
            self.local(at, "%Y-%m-%d %H:%M")
        } else {
            machine(at)
        }
    }

    /// The minute alone, for people, in a column whose times are all of today.
    pub(super) fn of_today(self, at: DateTime<Utc>) -> String {
        self.local(at, "%H:%M")
    }

    /// Whether all times are of today.
    pub(super) fn are_of_today(
        self,
        ats: impl IntoIterator<Item = DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> bool {
        let today = self.civil(now).date();
        ats.into_iter().all(|at| self.civil(at).date() == today)
    }

    /// Whether times of a column differ by less than days: then minutes are shown.
    pub(super) fn are_recent(
        ats: impl IntoIterator<Item = DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> bool {
        let mut ats = ats.into_iter();
        ats.all(|at| (now - at).abs() < TimeDelta::days(2))
    }

    /// A time with its time zone: `2026-11-28 12:58 EST` or `2026-11-28T17:58:04Z`.
    pub(super) fn full(self, at: DateTime<Utc>) -> String {
        if self.is_for_people {
            self.local(at, "%Y-%m-%d %H:%M %Z")
        } else {
            machine(at)
        }
    }

    /// The same with seconds.
    pub(super) fn exact(self, at: DateTime<Utc>) -> String {
        if self.is_for_people {
            self.local(at, "%Y-%m-%d %H:%M:%S %Z")
        } else {
            machine(at)
        }
    }

    /// A time as JSON has it, as people read it; any other text as it is.
    pub(super) fn in_zone(self, text: String) -> String {
        match DateTime::parse_from_rfc3339(&text) {
            Ok(at) => self.exact(at.to_utc()),
            Err(_) => text,
        }
    }

    /// The same in a column that the user chose; for programs as it is.
    pub(super) fn of_column(self, text: String) -> String {
        if self.is_for_people {
            self.in_zone(text)
        } else {
            text
        }
    }

    /// A sentence of another part of the program, which writes times in UTC, with times as
    /// people read them.
    pub(super) fn in_sentence(self, text: &str) -> String {
        /// `2026-11-28 17:58:04 UTC`
        const LENGTH: usize = 23;
        if !self.is_for_people {
            return text.to_owned();
        }
        let mut sentence = String::new();
        let mut rest = text;
        while let Some(end) = rest.find(" UTC").map(|at| at + " UTC".len()) {
            let start = end
                .checked_sub(LENGTH)
                .filter(|at| rest.is_char_boundary(*at));
            let at = start.and_then(|start| {
                NaiveDateTime::parse_from_str(&rest[start..end], "%Y-%m-%d %H:%M:%S UTC").ok()
            });
            match (start, at) {
                (Some(start), Some(at)) => {
                    sentence.push_str(&rest[..start]);
                    sentence.push_str(&self.exact(at.and_utc()));
                }
                _ => sentence.push_str(&rest[..end]),
            }
            rest = &rest[end..];
        }
        sentence + rest
    }

    /// The time of the day if that is unambiguous, otherwise the day.
    pub(super) fn soon(self, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
        match (self.is_for_people, at - now < TimeDelta::hours(18)) {
            (false, _) => machine(at),
            (true, true) => self.local(at, "%H:%M %Z"),
            (true, false) => self.local(at, "%Y-%m-%d"),
        }
    }

    /// The heading of a column of times: `modified (EST)` or `modified`.
    pub(super) fn heading(self, name: &str, now: DateTime<Utc>) -> String {
        if self.is_for_people {
            format!("{name} ({})", self.local(now, "%Z"))
        } else {
            name.to_owned()
        }
    }

    fn local(self, at: DateTime<Utc>, shape: &str) -> String {
        at.with_timezone(&self.zone).format(shape).to_string()
    }

    /// The user's time zone.
    pub(super) fn zone(self) -> Tz {
        self.zone
    }

    /// The user's date and time.
    pub(super) fn civil(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.zone).naive_local()
    }

    /// The moment that the user's clock shows `civil`, for the first time if it does so
    /// twice. In the hour that is skipped when clocks are put forward: after it.
    pub(super) fn moment(self, civil: NaiveDateTime) -> DateTime<Utc> {
        moment_in(self.zone, civil)
    }
}

fn machine(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The time zone that `TZ` names, otherwise that of the machine; UTC if it is none of the
/// IANA database.
fn local_zone() -> Tz {
    let name = env::var("TZ")
        .ok()
        .map(|name| name.trim_start_matches(':').to_owned());
    let name = match name {
        Some(name) => Some(name),
        None => iana_time_zone::get_timezone().ok(),
    };
    name.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn people_read_their_own_time_and_programs_utc() {
        let zone = Tz::America__New_York;
        let people = Times {
            zone,
            is_for_people: true,
        };
        let programs = Times {
            is_for_people: false,
            ..people
        };
        let time = at("2026-11-28T17:58:04.5Z");
        assert_eq!(people.exact(time), "2026-11-28 12:58:04 EST");
        assert_eq!(people.day(at("2026-11-29T04:59:59Z")), "2026-11-28");
        assert_eq!(people.full(time), "2026-11-28 12:58 EST");
        assert_eq!(people.heading("modified", time), "modified (EST)");
        assert_eq!(people.soon(time, time), "12:58 EST");
        assert_eq!(people.soon(time + TimeDelta::days(2), time), "2026-11-30");
        assert_eq!(
            people.in_sentence("in UTC: from 2026-11-28 17:58:04 UTC to 2026-11-28 18:00:00 UTC."),
            "in UTC: from 2026-11-28 12:58:04 EST to 2026-11-28 13:00:00 EST."
        );
        assert_eq!(people.in_sentence("é UTC"), "é UTC");
        assert_eq!(
            people.in_zone("2026-11-28T17:58:04.123+00:00".to_owned()),
            "2026-11-28 12:58:04 EST"
        );
        let exact = "2026-11-28T17:58:04.5Z".to_owned();
        assert_eq!(people.of_column(exact.clone()), "2026-11-28 12:58:04 EST");
        assert_eq!(programs.of_column(exact.clone()), exact);
        for text in [
            programs.day(time),
            programs.full(time),
            programs.exact(time),
        ] {
            assert_eq!(text, "2026-11-28T17:58:04Z");
        }
    }

    #[test]
    fn hours_that_come_twice_or_never_have_a_moment() {
        let times = Times {
            zone: Tz::America__New_York,
            is_for_people: true,
        };
        let moment = |text: &str| times.moment(text.parse().unwrap());
        assert_eq!(moment("2026-11-28T00:00:00"), at("2026-11-28T05:00:00Z"));
        assert_eq!(
            moment("2026-03-08T02:30:00"),
            at("2026-03-08T07:30:00Z"),
            "skipped"
        );
        assert_eq!(
            moment("2026-11-01T01:30:00"),
            at("2026-11-01T05:30:00Z"),
            "twice"
        );
    }
}
